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
    from collections.abc import Callable
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
    """A connection to the server's unix socket.

    Raises OSError when the server does not listen there (yet).
    """

    def __init__(self, scratch: Path, name: str) -> None:
        self._where = scratch, name
        self._dial()

    def _dial(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _connect(self.socket, *self._where)
        except OSError:
            self.socket.close()
            raise
        self.socket.setblocking(False)
        self._reader = RespReader(commands=False, keep=KEEP, items=ITEMS)
        self._waiting: deque[Callable[[Answer], None]] = deque()
        self._unsent = bytearray()
        self._open = True

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


def _connect(unix: socket.socket, scratch: Path, name: str) -> None:
    """Connect by a path short enough for sun_path (108 bytes), however deep the directory lies."""
    directory = os.open(scratch, os.O_PATH | os.O_CLOEXEC)
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, directory)
        unix.connect(f"/proc/self/fd/{directory}/{name}")


def client_rows(answer: Answer) -> list[dict[str, str]]:
    """CLIENT LIST's answer -> one mapping a client; our own connections are left out."""
    text = answer.decode("utf-8", "backslashreplace") if isinstance(answer, bytes) else str(answer)
    rows = [
        dict(pair.split("=", 1) for pair in line.split(" ") if "=" in pair)
        for line in text.splitlines()
    ]
    return [row for row in rows if "addr" in row and "U" not in row.get("flags", "")]
