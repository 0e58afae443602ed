"""A plain socket as the client under test: it connects and reads, and perhaps says a line.

With the workload's `every` it says a line that often, each with its own name (`r1`, `r2`, ...), and
what comes back is received.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any, Final

from netdiag.clients.programs.redis_py.voice import Voice, describe
from netdiag.errors import LabError
from netdiag.process import settle

if TYPE_CHECKING:
    from netdiag.catalogue.raw import RawClient
    from netdiag.clients.apart import Apart
    from netdiag.clients.start import Start

_OPTIONS: Final = {
    "idle": socket.TCP_KEEPIDLE,
    "interval": socket.TCP_KEEPINTVL,
    "count": socket.TCP_KEEPCNT,
}


def require(client: RawClient) -> None:
    """Nothing: the kernel is always there."""


def warm(client: RawClient) -> None:
    """Nothing: it is imported with this file."""


def version(client: RawClient) -> None:
    """There is no library."""


def apart(client: RawClient) -> Apart:
    """It is a part of netdiag itself. Raises LabError."""
    raise LabError("a raw client runs on the lab's own hosts; run it without --lab docker")


def main(client: RawClient, start: Start) -> int:
    """Dial, read, say; after an error pause and dial again, or end."""
    settle(log=start.log)
    voice, task = Voice(start.events), start.task
    after = task["workload"]["after_error"]
    talk = _Talk(voice, task["workload"], task["settings"].get("read_timeout"))
    while True:
        try:
            with _dialled(voice, task) as own:
                talk.over(own)
        except OSError as error:
            voice.say("error", "fail", **describe(error))
        if after == "exit":
            return 1
        time.sleep(after["pause"])
        voice.say("reconnect")


def _dialled(voice: Voice, task: dict[str, Any]) -> socket.socket:
    settings = task["settings"]
    voice.say("connect", "start")
    try:
        patience = settings.get("connect_timeout")
        own = socket.create_connection((task["host"], task["port"]), patience)
    except OSError as error:
        voice.say("connect", "fail", **describe(error))
        raise
    own.settimeout(None)
    keepalive, user_timeout = settings.get("keepalive"), settings.get("user_timeout")
    if keepalive is not None:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, option in _OPTIONS.items():
            if keepalive[name] is not None:
                own.setsockopt(socket.IPPROTO_TCP, option, keepalive[name])
    if user_timeout is not None:
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(user_timeout * 1000))
    voice.say("connect", "ok", local=list(own.getsockname()[:2]))
    return own


class _Talk:
    """What is said and heard on one connection after the other; `patience` in s, None: for ever."""

    def __init__(self, voice: Voice, workload: dict[str, Any], patience: float | None) -> None:
        self._voice = voice
        self._every: float | None = workload["every"]
        self._names: str = workload["names"]
        self._patience = patience
        self._number = 0

    def over(self, own: socket.socket) -> None:
        """Until it ends, which is an OSError, also when the server ends it."""
        self._voice.say("call", "start", command="READ")
        heard = time.monotonic()
        speak = None if self._every is None else heard
        rest = b""
        while True:
            now = time.monotonic()
            if speak is not None and self._every is not None and now >= speak:
                self._say(own)
                speak = now + self._every
            limit = None if self._patience is None else heard + self._patience
            own.settimeout(_until(now, speak, limit))
            try:
                data = own.recv(65536)
            except TimeoutError as error:
                if error.errno is not None:  # the kernel has given up, and not our own patience
                    raise
                if limit is not None and time.monotonic() >= limit:
                    raise TimeoutError(f"nothing came for {self._patience:g} s") from None
                continue
            if not data:
                raise ConnectionError("the server closed the connection")
            heard = time.monotonic()
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._voice.say("got", "ok", id=line.decode("ascii", "backslashreplace").strip())

    def _say(self, own: socket.socket) -> None:
        self._number += 1
        name = f"{self._names}{self._number}"
        self._voice.say("call", "start", command="SAY", id=name)
        own.sendall(f"{name}\r\n".encode())


def _until(now: float, *moments: float | None) -> float | None:
    """Seconds until the first of some moments; None: there is none."""
    first = min((one for one in moments if one is not None), default=None)
    return None if first is None else max(0.001, first - now)
