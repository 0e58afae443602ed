"""Frames of one interface -> capture files on disk: pcapng or pcap, in turn when they may not grow.

The rules this file guards: every block is written whole, so that a capture which is killed can
still be read; what the kernel dropped is counted, said and written into the file; times are the
kernel's own.
"""

from __future__ import annotations

import math
import socket
import struct
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from netdiag.errors import LabError, NetdiagError, ScenarioError
from netdiag.packet_filter import MOST, attach, tcp_filter
from netdiag.tcp.blocks import interface_block, packet_block, section_header, statistics_block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from netdiag.packets import Listener

LINKS: Final = {1: 1, 772: 1, 768: 101, 776: 101, 65534: 101}  # ARPHRD_* -> pcap link type

_LOOPBACK: Final = 772
_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_PACKET_IGNORE_OUTGOING: Final = 23
_SO_RCVBUFFORCE: Final = 33
_BUFFER: Final = 32 << 20
_SECOND: Final = 1_000_000_000


class Heard(NamedTuple):
    """One frame off the wire; `t_ns` is the wall clock."""

    t_ns: int
    frame: bytes


class Ear(Protocol):
    """What frames come from."""

    link: int  # the pcap link type of its frames

    def hear(self) -> Heard | None:
        """The next frame, None when none is waiting."""

    def counts(self) -> tuple[int, int]:
        """Frames that came to the socket so far, and those of them that the kernel dropped."""


@dataclass(frozen=True)
class Limits:
    """When a capture ends, and when a file is full; None: never."""

    frames: int | None = None
    seconds: float | None = None
    file_bytes: int | None = None
    files: int | None = None  # how many are kept; the oldest is removed


class SocketEar:
    """A packet socket; make it with `listening`."""

    def __init__(self, listener: Listener, link: int) -> None:
        self.link = link
        self._listener = listener
        self._received = self._dropped = 0

    def fileno(self) -> int:
        return self._listener.ins.fileno()

    def hear(self) -> Heard | None:
        try:
            _, frame, t = self._listener.recv_raw(MOST)
        except BlockingIOError:
            return None
        if not frame or t is None:
            return None
        return Heard(round(t * _SECOND), frame)

    def counts(self) -> tuple[int, int]:
        raw = self._listener.ins.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        received, dropped = struct.unpack("=II", raw)  # since the last call
        self._received += received
        self._dropped += dropped
        return self._received, self._dropped


@contextmanager
def listening(
    interface: str, ports: Iterable[int] = (), *, promiscuous: bool = False
) -> Iterator[SocketEar]:
    """Hear TCP on an interface, on these ports only if there are any.

    Raises LabError when the machine does not allow it, ScenarioError for an interface that is not
    there.
    """
    from netdiag.packets import listen  # noqa: PLC0415 - it costs a third of a second

    try:
        listener = listen(interface, promiscuous=promiscuous)
    except PermissionError as err:
        raise LabError(
            f"capturing on {interface!r} is not permitted; run with sudo, or give the interpreter "
            "CAP_NET_RAW"
        ) from err
    except (OSError, ValueError) as err:
        known = ", ".join(sorted(name for _, name in socket.if_nameindex()))
        raise ScenarioError(f"cannot capture on {interface!r} ({err}); there are: {known}") from err
    try:
        yield SocketEar(listener, _prepare(listener.ins, interface, ports))
    finally:
        listener.close()


def _prepare(sock: socket.socket, interface: str, ports: Iterable[int]) -> int:
    """Set the socket up; returns the link type."""
    kind = sock.getsockname()[3]
    if kind not in LINKS:
        raise ScenarioError(f"{interface!r} carries neither Ethernet nor IP (ARPHRD {kind})")
    if kind == _LOOPBACK:  # every frame would be heard twice, going out and coming in
        sock.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    attach(sock, tcp_filter(tuple(ports), 14 if LINKS[kind] == 1 else 0))
    sock.setblocking(False)
    while True:  # what came before the filter was there
        try:
            sock.recv(1)
        except BlockingIOError:
            break
    sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
    return LINKS[kind]


class CaptureFile:
    """One file that is being written; every record goes to it whole."""

    def __init__(self, path: Path, link: int, snaplen: int, interface: str) -> None:
        self.path = path
        self.size = 0
        self._classic = path.suffix == ".pcap"
        self._snaplen = snaplen
        try:
            self._file = path.open("wb", buffering=1 << 16)
        except OSError as err:
            raise ScenarioError(f"{path}: cannot be written: {err.strerror or err}") from err
        self._write(self._head(link, interface))

    def _head(self, link: int, interface: str) -> bytes:
        if self._classic:
            magic, major, minor, unused = 0xA1B23C4D, 2, 4, 0  # nanoseconds
            return struct.pack("<IHHIIII", magic, major, minor, unused, unused, self._snaplen, link)
        return section_header("netdiag capture") + interface_block(interface, self._snaplen, link)

    def add(self, heard: Heard) -> None:
        """Write one frame, cut to the snap length."""
        frame, length = heard.frame[: self._snaplen], len(heard.frame)
        if self._classic:
            seconds, rest = divmod(heard.t_ns, _SECOND)
            self._write(struct.pack("<IIII", seconds, rest, len(frame), length) + frame)
        else:
            self._write(packet_block(0, heard.t_ns, frame, length=length))

    def flush(self) -> None:
        self._file.flush()

    def close(self, t_ns: int, counts: tuple[int, int]) -> None:
        """End the file; pcapng holds what was received and dropped until then."""
        with self._file:
            if not self._classic:
                self._write(statistics_block(0, t_ns, *counts))

    def _write(self, record: bytes) -> None:
        self._file.write(record)
        self.size += len(record)


class Files:
    """The files of one capture: FILE itself, or FILE with numbers when it may not grow."""

    def __init__(
        self, path: Path, *, link: int, interface: str, snaplen: int, limits: Limits
    ) -> None:
        self._path = path
        self._about = link, snaplen, interface
        self._limits = limits
        self._number = 0
        self._kept: deque[Path] = deque()
        self._last_ns = 0
        self.removed = 0
        self.frames = self.bytes = 0
        self._file = self._next()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that are there, oldest first."""
        return tuple(self._kept)

    def add(self, heard: Heard, counts: Callable[[], tuple[int, int]]) -> None:
        """Write one frame; a full file is ended first."""
        most = self._limits.file_bytes
        if most is not None and self._file.size >= most:
            self._file.close(self._last_ns, counts())
            self._file = self._next()
        self._last_ns = heard.t_ns
        self._file.add(heard)
        self.frames += 1
        self.bytes += len(heard.frame)

    def flush(self) -> None:
        self._file.flush()

    def close(self, counts: tuple[int, int]) -> None:
        self._file.close(self._last_ns, counts)

    def _next(self) -> CaptureFile:
        self._number += 1
        path = self._path
        if self._limits.file_bytes is not None:
            path = path.with_name(f"{path.stem}-{self._number:05}{path.suffix}")
        made = CaptureFile(path, *self._about)
        self._kept.append(path)
        while self._limits.files is not None and len(self._kept) > self._limits.files:
            self._kept.popleft().unlink(missing_ok=True)
            self.removed += 1
        return made


@dataclass(frozen=True)
class Outcome:
    """What a capture came to."""

    frames: int
    bytes: int
    dropped: int
    seconds: float


def record(
    ear: Ear,
    files: Files,
    limits: Limits,
    *,
    wait: Callable[[float], bool],
    clock: Callable[[], float],
) -> Outcome:
    """Write what is heard until a limit is met, or until `wait` says that it is to end.

    `wait(seconds)` returns when a frame may be there or the time is over, True to end; `clock` is
    in seconds and only ever goes forward. Raises NetdiagError when the disk is full.
    """
    try:
        return _record(ear, files, limits, wait, clock)
    except OSError as err:
        raise NetdiagError(f"the capture ends here: {err.strerror or err}") from err


def _record(
    ear: Ear,
    files: Files,
    limits: Limits,
    wait: Callable[[float], bool],
    clock: Callable[[], float],
) -> Outcome:
    begun = flushed = clock()
    most = math.inf if limits.frames is None else limits.frames
    seconds = math.inf if limits.seconds is None else limits.seconds
    while files.frames < most:
        heard = ear.hear()
        if heard is not None:
            files.add(heard, ear.counts)
            if files.frames & _BUSY:
                continue
        now = clock()
        if now - flushed >= _FLUSH:
            files.flush()
            flushed = now
        left = min(_FLUSH, seconds - (now - begun))
        if left <= 0 or wait(0 if heard is not None else left):
            break
    received, dropped = ear.counts()
    most = min(most, received - dropped)
    while files.frames < most and (heard := ear.hear()) is not None:  # heard, not yet written
        files.add(heard, ear.counts)
    files.close((received, dropped))
    return Outcome(files.frames, files.bytes, dropped, clock() - begun)


_FLUSH: Final = 0.5  # s
_BUSY: Final = 0xFF  # with frames waiting, the clock is asked every 256th time
