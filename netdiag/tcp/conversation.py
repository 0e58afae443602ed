"""Both directions of a RESP connection -> which command began, and which reply to it.

The rule: replies belong to commands in order. What a server says unasked belongs to none (RESP3
pushes, confirmations beyond the one that answers a SUBSCRIBE), but for a channel's messages, which
belong to the subscription. After bytes that are missing or not RESP nothing is matched any more,
because every later match would be a guess.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from netdiag.tcp.resp import Message, RespReader
from netdiag.tcp.stream import Gap, Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdiag.tcp.stream import Piece

# Redis' commands that are confirmed channel by channel: by pushes in RESP3, by arrays in RESP2
SUBSCRIBING: Final = frozenset(
    {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"}
)
OPENING: Final = frozenset({"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"})
DELIVERIES: Final = frozenset({"MESSAGE", "PMESSAGE", "SMESSAGE"})
PENDING: Final = 65536  # commands without a reply; with more, nothing can be matched


class Command:
    """One command of the client and how far it got. Offsets are those of the client's stream."""

    __slots__ = ("end", "name", "replied", "start")

    def __init__(self, start: int, name: str) -> None:
        self.start = start
        self.name = name  # upper case
        self.end: int | None = None  # known once it is whole
        self.replied = False  # the first byte of its reply passed


class Beginning(NamedTuple):
    """A command's name, or a reply's first byte, passed; a message of a channel is a delivery."""

    reply: bool
    command: Command
    delivery: bool = False


class Conversation:
    """One connection's commands and replies, in the order of the stream."""

    def __init__(self) -> None:
        self.streams = Stream(), Stream()  # client's, server's
        self.readers = RespReader(commands=True), RespReader(commands=False)
        self.pending: deque[Command] = deque()  # their replies are not whole yet
        self.unreadable: str | None = None
        self._newest: Command | None = None
        self._subscribed = False
        self._subscription: Command | None = None  # the newest that was confirmed
        self._delivered = -1  # offset of the newest delivery that began
        self._silenced = 0  # CLIENT REPLY: how many commands get no reply; -1: all, until ON

    def feed(self, side: int, seq: int, payload: bytes, length: int) -> list[Beginning]:
        """What begins with this segment; retransmitted bytes begin nothing."""
        pieces = self.streams[side].feed(seq, payload, length)
        return self._read(side, pieces) if pieces else []

    def acknowledged(self, side: int, ack: int) -> list[Beginning]:
        """The peer of `side` has all before `ack`, seen here or not; held bytes may go on."""
        pieces = self.streams[side].acknowledged(ack)
        return self._read(side, pieces) if pieces else []

    def _read(self, side: int, pieces: Sequence[Piece | Gap]) -> list[Beginning]:
        found: list[Beginning] = []
        reader = self.readers[side]
        for piece in pieces:
            if self.unreadable is not None:
                break
            if isinstance(piece, Gap):
                reader.skip(piece.end - piece.start)
                messages = []
            else:
                messages = reader.feed(piece.data)
            (self._replies if side else self._commands)(messages, found)
            if reader.unreadable is not None:
                self._give_up(reader.unreadable)
        return found

    def _give_up(self, reason: str) -> None:
        self.unreadable = reason
        self.pending.clear()
        self._newest = None

    def _commands(self, messages: list[Message], found: list[Beginning]) -> None:
        for message in messages:
            words = message.value if isinstance(message.value, tuple) else (message.value,)
            command = self._command(message.start, words[0] if words else None, found)
            if command is not None:
                command.end = message.end
                self._expectation(command, words)
            self._newest = None
        reader = self.readers[0]
        if reader.open_start is not None and reader.open_name is not None:
            self._command(reader.open_start, reader.open_name, found)

    def _command(self, start: int, name: object, found: list[Beginning]) -> Command | None:
        """The command that begins at `start`: the one known already, or a new one."""
        if self._newest is not None and self._newest.start == start:
            return self._newest
        if not isinstance(name, bytes):
            return None
        if len(self.pending) >= PENDING:
            self._give_up(f"more than {PENDING} commands without a reply")
            return None
        command = Command(start, name.decode("ascii", "replace").upper())
        self.pending.append(command)
        self._newest = command
        self._subscribed = self._subscribed or command.name in SUBSCRIBING
        found.append(Beginning(False, command))
        return command

    def _expectation(self, command: Command, words: tuple[object, ...]) -> None:
        """CLIENT REPLY ON | OFF | SKIP changes who is answered."""
        upper = [word.upper() for word in words[:3] if isinstance(word, bytes)]
        mode = upper[2] if upper[:2] == [b"CLIENT", b"REPLY"] and len(upper) == 3 else b""
        if mode == b"ON":
            self._silenced = 0
        elif mode in (b"OFF", b"SKIP"):
            self._silenced = -1 if mode == b"OFF" or self._silenced < 0 else 2
        if self._silenced:
            if self.pending and self.pending[-1] is command:
                self.pending.pop()
            self._silenced -= self._silenced > 0

    def _replies(self, messages: list[Message], found: list[Beginning]) -> None:
        for message in messages:
            first = message.value[0] if isinstance(message.value, tuple) and message.value else None
            if self._is_answer(message.kind == "push", first):
                self._begin_reply(found)
                if self.pending:
                    self.pending.popleft()
            else:
                self._begin_delivery(message.start, first, found)
        reader = self.readers[1]
        if reader.open_start is None:
            return
        in_doubt = reader.open_push or self._subscribed  # then its first string has to tell
        if in_doubt and reader.open_name is None:
            return
        if self._is_answer(reader.open_push, reader.open_name):
            self._begin_reply(found)
        else:
            self._begin_delivery(reader.open_start, reader.open_name, found)

    def _begin_reply(self, found: list[Beginning]) -> None:
        if self.pending and not self.pending[0].replied:
            self.pending[0].replied = True
            if self.pending[0].name in OPENING:
                self._subscription = self.pending[0]
            found.append(Beginning(True, self.pending[0]))

    def _begin_delivery(self, start: int, first: object, found: list[Beginning]) -> None:
        new = _name(first) in DELIVERIES and start > self._delivered
        if new and self._subscription is not None:
            self._delivered = start
            found.append(Beginning(True, self._subscription, delivery=True))

    def _is_answer(self, push: bool, first: object) -> bool:
        """Whether what the server says is the reply to the oldest command under way."""
        if not (push or self._subscribed):
            return True
        name = _name(first)
        if name in SUBSCRIBING:
            return bool(self.pending) and self.pending[0].name == name
        return not push and name not in DELIVERIES


def _name(first: object) -> str:
    """The first string of what a server says, in upper case; empty when it has none."""
    return first.decode("ascii", "replace").upper() if isinstance(first, bytes) else ""
