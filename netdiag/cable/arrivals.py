"""Frames from both ports, many to a system call, the older first.

The rule it guards: of two frames the one that the kernel stamped first goes first, whichever side
it came from, so the order on the tape is the order on the wire. What comes while a batch is under
way waits for the next: an older frame of the other side may be on its way, too.

recvmmsg(2) by ctypes: Python's own recvmsg makes two system calls a frame (one asks for the name of
the interface) and a buffer for each.

Stamps are the wall clock's, which somebody may set in between: no frame comes later than we have
it, nor before the one that its port gave last.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SLOTS: Final = 32  # frames taken by one system call
_FRAME: Final = 262144  # bytes; memory that no frame fills is never touched
_CONTROL: Final = 64
_SO_TIMESTAMPNS: Final = 35
_BATCH: Final = 256
_ALL: Final = 1 << 62
_STEADY: Final = 10_000  # ns; reading both clocks took longer: something came between

Ports = tuple[socket.socket, socket.socket]


class _Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("header", _Header), ("size", ctypes.c_uint))


_recvmmsg = ctypes.CDLL(None).recvmmsg
_recvmmsg.argtypes = (
    ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p,
)  # fmt: skip
_MESSAGE: Final = ctypes.sizeof(_Message)
_SIZE_AT: Final = _Message.size.offset
_STAMP_AT: Final = 2 * ctypes.sizeof(ctypes.c_size_t)  # behind struct cmsghdr
_size_of: Final = struct.Struct("I").unpack_from
_stamp_of: Final = struct.Struct("ll").unpack_from


class Inlet:
    """One port: the frames that were taken from it and have not gone on."""

    def __init__(self, port: socket.socket) -> None:
        self.held: deque[tuple[int, bytes]] = deque()  # when it came (ns), the frame
        self.more = True  # whether the port may hold more than that
        self._port = port
        self._last = 0
        self._stamped = bool(port.getsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS))
        frames = (ctypes.c_char * (_SLOTS * _FRAME))()
        control = (ctypes.c_char * (_SLOTS * _CONTROL))()
        vectors, messages = (_Vector * _SLOTS)(), (_Message * _SLOTS)()
        for slot in range(_SLOTS):
            vectors[slot] = _Vector(ctypes.addressof(frames) + slot * _FRAME, _FRAME)
            header = messages[slot].header
            header.vectors = ctypes.addressof(vectors[slot])
            header.vector_count = 1
            header.control = ctypes.addressof(control) + slot * _CONTROL
            header.control_size = _CONTROL
        self._address = ctypes.addressof(messages)
        self._vectors = vectors  # the messages only point to them
        self._frames, self._control = memoryview(frames).cast("B"), memoryview(control).cast("B")
        self._messages = memoryview(messages).cast("B")
        self._blank = bytes(self._messages)

    def look(self, now: int, offset: int) -> None:
        """Take what is there, a call's worth at most; `offset` turns its stamps into monotonic."""
        count = _recvmmsg(self._port.fileno(), self._address, _SLOTS, socket.MSG_DONTWAIT, None)
        self.more = count == _SLOTS
        taken = time.monotonic_ns()
        for slot in range(count):  # -1: nothing there, or the link is down
            (size,) = _size_of(self._messages, slot * _MESSAGE + _SIZE_AT)
            begin = slot * _FRAME
            came = now
            if self._stamped:
                seconds, rest = _stamp_of(self._control, slot * _CONTROL + _STAMP_AT)
                came = min(seconds * 1_000_000_000 + rest + offset, taken)
                came = self._last = max(came, self._last)
            self.held.append((came, bytes(self._frames[begin : begin + size])))
        if count > 0:  # the kernel wrote into them what it gave
            self._messages[: count * _MESSAGE] = self._blank[: count * _MESSAGE]


class Arrivals:
    """Both ports as one row of frames."""

    def __init__(self, ports: Ports) -> None:
        self._inlets = Inlet(ports[0]), Inlet(ports[1])

    @property
    def waiting(self) -> bool:
        """Whether frames wait that no poll will tell of."""
        return any(inlet.held or inlet.more for inlet in self._inlets)

    def batch(self, *, whole: bool = False) -> Iterator[tuple[int, int, bytes]]:
        """(side, ns of CLOCK_MONOTONIC, frame) for what has come by now; not too much at a time,
        unless the `whole` is asked for.
        """
        now, offset = _clocks()
        first, second = self._inlets
        first.more = second.more = True
        for _ in range(_ALL if whole else _BATCH):
            for inlet in self._inlets:
                if not inlet.held and inlet.more:
                    inlet.look(now, offset)
            if first.held and (not second.held or first.held[0][0] <= second.held[0][0]):
                side, held = 0, first.held
            else:
                side, held = 1, second.held
            if not held or held[0][0] > now:
                return
            yield side, *held.popleft()


def _clocks() -> tuple[int, int]:
    """CLOCK_MONOTONIC now, and what to add to a wall-clock stamp for it, both ns.

    Read again when something came between the two clocks: every stamp of a batch depends on it.
    """
    for _ in range(4):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        if after - before < _STEADY:
            break
    return after, (before + after) // 2 - wall
