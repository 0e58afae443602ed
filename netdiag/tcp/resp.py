"""The bytes of one direction -> RESP2 and RESP3 messages, as they come.

The rules: it never raises; time is linear in the bytes and memory is bounded, whatever they claim
(long values are cut, counts and depth are limited, a bulk's length costs nothing until its bytes
come); and once the bytes cannot be RESP it says why and reads no further. Format: redis.io "Redis
serialization protocol specification"; inline commands as networking.c takes them.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

KEEP: Final = 1024  # bytes of a value that are kept
ITEMS: Final = 1024  # values of a message that are kept
DEPTH: Final = 32
LINE: Final = 64 * 1024  # bytes of a header or of an inline command (PROTO_INLINE_MAX_SIZE)
_SHORT: Final = 256  # bytes of a line that is looked for in one go
BULK: Final = 1 << 40  # bytes; what claims more is no RESP

Value = bytes | int | None | tuple["Value", ...]
Kind = Literal["command", "reply", "push"]

_ATTRIBUTE, _PUSH = ord("|"), ord(">")
_ARRAY, _BULK = ord("*"), ord("$")
_AGGREGATES: Final = {_ARRAY: 1, ord("~"): 1, ord("%"): 2, _PUSH: 1, _ATTRIBUTE: 2}
_BULKS: Final = frozenset(b"$!=")
_LINES: Final = frozenset(b"+-:_#,(")
_REPLIES: Final = frozenset(_AGGREGATES) | _BULKS | _LINES
_INLINE: Final = frozenset(range(0x20, 0x7F)) | frozenset(b"\r\n\t") | frozenset(range(0x80, 0x100))


class ErrorReply(bytes):
    """An error's text, so that it can be told from other bytes."""


class Message(NamedTuple):
    """One whole message; offsets count from the first byte of the stream."""

    start: int
    end: int
    kind: Kind
    value: Value  # doubles, big numbers and verbatim strings are bytes; maps are flat tuples


class _Open:
    """An aggregate whose end has not come."""

    __slots__ = ("items", "left", "marker")

    def __init__(self, marker: int, left: int) -> None:
        self.marker = marker
        self.left = left
        self.items: list[Value] = []


class RespReader:
    """Reads one direction of one connection; `commands` says which one it is (the client's).

    `keep` bytes of a value and `items` values of a message are kept.
    """

    def __init__(self, *, commands: bool, keep: int = KEEP, items: int = ITEMS) -> None:
        self.commands = commands
        self._keep = keep
        self._most = items
        self.unreadable: str | None = None  # the reason, once there is one
        self.open_start: int | None = None  # where the message begins that is not whole yet
        self.open_name: bytes | None = None  # its first string, as sent: of a command, its name
        self.open_push = False  # whether it is a RESP3 push
        self.offset = 0  # of the next byte
        self._value_start = 0
        self._line = bytearray()
        self._bulk_left = -1  # payload bytes still to come; -1: none is being read
        self._bulk_end = 0  # bytes of its CRLF still to come
        self._bulk_marker = _BULK
        self._kept = bytearray()
        self._stack: list[_Open] = []
        self._items = 0
        self._inline = False
        self._ready: tuple[Value] | None = None  # a value that has just become whole

    def feed(self, data: bytes) -> list[Message]:
        """The messages that these bytes make whole."""
        messages: list[Message] = []
        at, size = 0, len(data)
        begin = self.offset
        while at < size and self.unreadable is None:
            self.offset = begin + at
            if self.open_start is None:
                plain = _plain_command if self.commands else _plain_reply
                whole = plain(data, at, self._keep)
                if whole is not None:
                    value, at = whole
                    kind: Kind = "command" if self.commands else "reply"
                    messages.append(Message(self.offset, begin + at, kind, value))
                    continue
            at = self._payload(data, at) if self._bulk_left >= 0 else self._header(data, at)
            self.offset = begin + at
            while self._ready is not None:
                value, self._ready = self._ready[0], None
                self._settle(value, messages)
        self.offset = begin + size
        return messages

    def skip(self, count: int) -> None:
        """`count` bytes are missing here. Inside a long value that is no harm; elsewhere it is."""
        if 0 <= count <= self._bulk_left:
            self._bulk_left -= count
        elif self.unreadable is None and count:
            self._refuse(f"bytes {self.offset} to {self.offset + count} were not captured")
        self.offset += count

    def _refuse(self, reason: str) -> None:
        self._forget()
        self.unreadable = reason

    def _forget(self) -> None:
        self.open_start = self.open_name = None
        self.open_push = self._inline = False
        self._line.clear()
        self._kept.clear()
        self._stack.clear()
        self._bulk_left = -1
        self._items = 0
        self._ready = None

    def _header(self, data: bytes, at: int) -> int:
        """Take a header line, or what there is of it; returns where to go on."""
        if not self._line and not self._begin(data[at]):
            return at
        end = data.find(b"\n", at)
        room = LINE - len(self._line)
        if (end if end >= 0 else len(data)) - at > room:
            self._refuse(f"a line of more than {LINE} bytes at byte {self._value_start}")
            return at
        if end < 0:
            self._line += data[at:]
            return len(data)
        line = bytes(self._line) + data[at:end]
        self._line.clear()
        if self._inline:
            self._inline_command(line)
        elif line.endswith(b"\r"):
            self._take(line[0], line[1:-1])
        else:
            self._refuse(f"a line without CR at byte {self._value_start}")
        return end + 1

    def _begin(self, first: int) -> bool:
        """Look at the byte that begins a value: whether it can."""
        if self._stack:
            known = first == _BULK if self.commands else first in _REPLIES
        elif self.commands:
            self._inline = first != _ARRAY
            known = not self._inline or first in _INLINE
        else:
            known = first in _REPLIES
        if not known:
            tls = " (TLS?)" if first in (0x14, 0x15, 0x16, 0x17) else ""
            self._refuse(f"byte 0x{first:02x} at {self.offset} begins nothing in RESP{tls}")
            return False
        self._value_start = self.offset
        if self.open_start is None:
            self.open_start = self.offset
            self.open_push = first == _PUSH
        return True

    def _inline_command(self, line: bytes) -> None:
        words = line.split()
        self._inline = False
        if not words:  # an empty line: servers pass over it
            self.open_start = None
            return
        self._ready = (tuple(word[: self._keep] for word in words[: self._most]),)

    def _take(self, marker: int, body: bytes) -> None:
        """A whole header: a value, the length of one, or the beginning of an aggregate."""
        if marker in _LINES:
            self._take_line(marker, body)
            return
        number = _integer(body)
        aggregate = marker in _AGGREGATES
        if number is None or number < -1 or number > BULK:
            self._refuse(f"no length in a header at byte {self._value_start}: {body[:20]!r}")
        elif self.commands and aggregate and number <= 0:
            self._forget()  # servers pass over an empty command
        elif number < 0 and marker in b"$*":
            self._ready = (None,)
        elif number < 0:
            self._refuse(f"a negative length at byte {self._value_start}")
        elif aggregate:
            self._open(marker, number * _AGGREGATES[marker])
        else:
            self._bulk_left, self._bulk_end, self._bulk_marker = number, 2, marker

    def _open(self, marker: int, left: int) -> None:
        if len(self._stack) >= DEPTH:
            self._refuse(f"more than {DEPTH} levels at byte {self._value_start}")
        elif left:
            self._stack.append(_Open(marker, left))
        elif marker != _ATTRIBUTE:
            self._ready = ((),)

    def _take_line(self, marker: int, body: bytes) -> None:
        value: Value = body[: self._keep]
        if marker == ord(":"):
            value = _integer(body)
            if value is None:
                self._refuse(f"no number at byte {self._value_start}: {body[:20]!r}")
                return
        elif marker == ord("_"):
            value = None
        elif marker == ord("#"):
            value = int(body == b"t")
        elif marker == ord("-"):
            value = ErrorReply(body[: self._keep])
        self._ready = (value,)

    def _payload(self, data: bytes, at: int) -> int:
        """Take what there is of a bulk's payload and of the CRLF behind it."""
        if self._bulk_left:
            step = min(self._bulk_left, len(data) - at)
            room = self._keep - len(self._kept)
            if room > 0:
                self._kept += data[at : at + min(step, room)]
            self._bulk_left -= step
            return at + step
        if data[at] != b"\n\r"[self._bulk_end - 1]:
            self._refuse(f"no CRLF after a bulk string at {self.offset}")
            return at
        self._bulk_end -= 1
        if not self._bulk_end:
            kept = bytes(self._kept)
            self._kept.clear()
            self._bulk_left = -1
            if self._bulk_marker == ord("="):
                kept = kept[4:]
            self._ready = (ErrorReply(kept) if self._bulk_marker == ord("!") else kept,)
        return at + 1

    def _settle(self, value: Value, messages: list[Message]) -> None:
        """Put a whole value where it belongs, and close what it makes whole."""
        while self._stack:
            top = self._stack[-1]
            top.left -= 1
            if self._items < self._most:
                self._items += 1
                top.items.append(value)
            if len(self._stack) == 1 and self.open_name is None and len(top.items) == 1:
                self.open_name = value if isinstance(value, bytes) else None
            if top.left:
                return
            self._stack.pop()
            if top.marker == _ATTRIBUTE:  # says something about the value that follows
                if not self._stack:
                    self.open_name = None
                return
            value = tuple(top.items)
        start = self.offset if self.open_start is None else self.open_start
        kind: Kind = "command" if self.commands else "push" if self.open_push else "reply"
        messages.append(Message(start, self.offset, kind, value))
        self._forget()


def _plain_command(data: bytes, at: int, keep: int) -> tuple[Value, int] | None:
    """A whole command of up to nine short words at `at`, and its end: nearly every command there
    is, at a fraction of the general way's cost. None: take that way.
    """
    # *3\r\n$5\r\nBRPOP\r\n...: one digit of a count, one or two of each length
    if data[at : at + 1] != b"*" or data[at + 2 : at + 5] != b"\r\n$":
        return None
    count = data[at + 1] - 48
    if not 1 <= count <= 9:
        return None
    words = []
    at += 4
    for _ in range(count):
        end = data.find(b"\r\n", at, at + 5)
        digits = data[at + 1 : end]
        if end < 0 or data[at] != _BULK or not digits.isdigit():
            return None
        size = int(digits)
        at = end + 4 + size
        if size > keep or data[at - 2 : at] != b"\r\n":
            return None
        words.append(data[end + 2 : at - 2])
    return tuple(words), at


def _plain_reply(data: bytes, at: int, keep: int) -> tuple[Value, int] | None:
    """A whole status or number at `at`, and its end; None: take the general way."""
    if data[at] not in b"+:":
        return None
    end = data.find(b"\n", at, at + _SHORT)
    if end < 0 or data[end - 1] != 13:
        return None
    body = data[at + 1 : end - 1]
    if data[at] == ord("+"):
        return body[:keep], end + 1
    number = _integer(body)
    return None if number is None else (number, end + 1)


def _integer(body: bytes) -> int | None:
    digits = body[1:] if body[:1] in (b"-", b"+") else body
    return int(body) if digits.isdigit() and len(digits) <= 20 else None
