"""Questions to a Redis server over its unix socket, without ever waiting for the answer.

Turns commands into callbacks: `ask` queues a command, `ready` (called when the socket polls
readable) hands each answer to its callback in order, and sends what there was no room for before. A
frozen server therefore freezes nobody else.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Final

from netdiag.tcp.resp import RespReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Answer = object

KEEP: Final = 64 << 20  # bytes of an answer that are kept: CLIENT LIST has one long string
ITEMS: Final = 1 << 20
UNSENT: Final = 16 << 20  # bytes that wait for a server that does not read


def encode(*words: str) -> bytes:
    """A command as RESP, an array of bulk strings."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(
        b"$%d\r\n%s\r\n" % (len(part), part) for part in parts
    )


class Admin:
    """A connection to the server, which `dial` makes, and whose first words are `greeting`.

    Raises OSError when the server does not listen there (yet).
    """

    def __init__(self, dial: Callable[[], socket.socket], greeting: Sequence[str] = ()) -> None:
        self._where = dial
        self._greeting = greeting
        self._dial()

    def _dial(self) -> None:
        self.socket = self._where()
        self.socket.setblocking(False)
        self._reader = RespReader(commands=False, keep=KEEP, items=ITEMS)
        self._waiting: deque[Callable[[Answer], None]] = deque()
        self._unsent = bytearray()
        self._open = True
        if self._greeting:  # an error is the answer to whatever is asked next, too
            self.ask(lambda _: None, *self._greeting)

    def dial_again(self) -> None:
        """Connect to a server that was started again; questions without an answer are forgotten.

        Raises OSError as the first time.
        """
        self.socket.close()
        self._open = False
        self._dial()

    def fileno(self) -> int:
        return self.socket.fileno()

    @property
    def open(self) -> bool:
        """Whether the server has not closed the connection."""
        return self._open

    @property
    def busy(self) -> bool:
        """Whether an answer is still outstanding."""
        return bool(self._waiting)

    def ask(self, callback: Callable[[Answer], None], *words: str) -> bool:
        """Send a command; its answer goes to `callback`. False when the server takes no more."""
        if not self._open or len(self._unsent) > UNSENT:
            return False
        self._unsent += encode(*words)
        self._send()
        if self._open:
            self._waiting.append(callback)
        return self._open

    def _send(self) -> None:
        """Send what there is room for. What is left goes when an answer has come: one is
        outstanding whenever there is no room.
        """
        try:
            while self._unsent:
                del self._unsent[: self.socket.send(self._unsent)]
        except BlockingIOError:
            return
        except ConnectionError:
            self._open = False

    def ready(self) -> bool:
        """Take what has arrived and call back; False when the server closed the connection."""
        try:
            data = self.socket.recv(1 << 20)
        except BlockingIOError:
            return True
        except ConnectionError:
            data = b""
        for message in self._reader.feed(data):
            if self._waiting:
                self._waiting.popleft()(message.value)
        self._open = self._open and bool(data)
        if self._open:
            self._send()
        return self._open

    def close(self) -> None:
        self.socket.close()


def dial_unix(scratch: Path, name: str) -> socket.socket:
    """Connect by a path short enough for sun_path (108 bytes), however deep the directory lies.

    Raises OSError when nobody listens there (yet).
    """
    directory = os.open(scratch, os.O_PATH | os.O_CLOEXEC)
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, directory)
        unix = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        unix.connect(f"/proc/self/fd/{directory}/{name}")
        undo.pop_all()
        os.close(directory)
    return unix


def client_rows(answer: Answer) -> list[dict[str, str]]:
    """CLIENT LIST's answer -> one mapping a client; our own connections are left out."""
    text = answer.decode("utf-8", "backslashreplace") if isinstance(answer, bytes) else str(answer)
    rows = [
        dict(pair.split("=", 1) for pair in line.split(" ") if "=" in pair)
        for line in text.splitlines()
    ]
    return [row for row in rows if "addr" in row and not _ours(row)]


def _ours(row: Mapping[str, str]) -> bool:
    """Whether a client came over no link: by the unix socket, or the loopback interface."""
    return "U" in row.get("flags", "") or row["addr"].startswith(("127.", "[::1]:"))
