"""The cable's process: frames from one packet socket to the other, as the core decides, and onto
the tape.

Talks to its cell over one SOCK_SEQPACKET socket, JSON a message: out go notes (to be recorded),
signals (triggers that start a producer) and `seen` (which connections had frames, and their labels,
so that somebody may look at their sockets); in come the client's events and `stop`. Of two waiting
frames the older goes first, by the kernel's time stamps, so the order on the tape is the order on
the wire.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import select
import struct
import time
from typing import TYPE_CHECKING, Final

from netdiag.cable.core import Core, Decision, Note

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from netdiag.cable.tape import Tape
    from netdiag.recording import Json
    from netdiag.tcp.wire import Segment

_FRAME = 262144
_ANCILLARY = 64
_SCM_TIMESTAMPNS = 35
_STAMP = struct.Struct("qq")
_BATCH = 256
_SEEN_EVERY: Final = 5_000_000
_MILLISECOND: Final = 1_000_000

Ports = tuple["socket.socket", "socket.socket"]
Connection = tuple[bytes, int, bytes, int]


class CableLoop:
    """Runs a Core between two ports until the cell says stop or goes away."""

    def __init__(self, core: Core, ports: Ports, tape: Tape, control: socket.socket) -> None:
        self._core = core
        self._ports = ports
        self._tape = tape
        self._control = control
        self._pending: list[tuple[int, bytes] | None] = [None, None]
        self._seen: dict[Connection, set[str]] = {}
        self._seen_at = 0
        self._going = True

    def run(self, dropped: Callable[[], tuple[int, int]]) -> int:
        """Forward until told to stop; then write the tape's statistics and report. Returns an exit
        code.
        """
        poll = select.poll()
        for readable in (*self._ports, self._control):
            poll.register(readable, select.POLLIN)
        while self._going:
            poll.poll(self._patience())
            self._forward_batch()
            self._tick(time.monotonic_ns())
            self._take_control()
            self._tape.flush()
        self._finish(dropped())
        return 0

    def _finish(self, dropped: tuple[int, int]) -> None:
        for note in self._core.summary():
            self._tell_note(note, time.monotonic_ns())
        drops: dict[str, Json] = {"client": dropped[0], "server": dropped[1]}
        self._tell_note(
            Note("tape", "fail" if any(dropped) else "ok", {"dropped": drops}), time.monotonic_ns()
        )
        self._tape.close(time.monotonic_ns(), dropped)
        self._tell({"done": True})

    def _patience(self) -> float | None:
        """How long poll may sleep, ms: until something is due; None for ever."""
        if any(self._pending):
            return 0
        dues = [due for due in (self._core.due(), self._seen_due()) if due is not None]
        if not dues:
            return None
        return max(0.0, (min(dues) - time.monotonic_ns()) / _MILLISECOND)

    def _seen_due(self) -> int | None:
        return self._seen_at + _SEEN_EVERY if self._seen else None

    def _forward_batch(self) -> None:
        offset = time.monotonic_ns() - time.time_ns()
        for _ in range(_BATCH):
            side = self._oldest(offset)
            if side is None:
                break
            arrived = self._pending[side]
            self._pending[side] = None
            if arrived is not None:
                self._one(side, *arrived)

    def _oldest(self, offset: int) -> int | None:
        """Fill both lookaheads; the side whose frame came first, None when nothing waits."""
        pending = self._pending
        for side in (0, 1):
            if pending[side] is None:
                pending[side] = self._receive(side, offset)
        first, second = pending
        if first is None or second is None:
            return 0 if first is not None else 1 if second is not None else None
        return 0 if first[0] <= second[0] else 1

    def _receive(self, side: int, offset: int) -> tuple[int, bytes] | None:
        try:
            frame, extra, _, _ = self._ports[side].recvmsg(_FRAME, _ANCILLARY)
        except BlockingIOError:
            return None
        except OSError:
            return None
        for _, kind, data in extra:
            if kind == _SCM_TIMESTAMPNS:
                seconds, nanoseconds = _STAMP.unpack_from(data)
                return seconds * 1_000_000_000 + nanoseconds + offset, frame
        return time.monotonic_ns(), frame

    def _one(self, side: int, t: int, frame: bytes) -> None:
        due = self._core.due()
        if due is not None and due <= t:
            self._tick(due)
        decision = self._core.frame(t, side, frame, self._tape.next_number)
        self._tape.arrived(side, t, frame, decision.taken)
        if decision.taken is None:
            self._deliver(1 - side, frame, None)
        self._act(decision, t)
        if decision.seen is not None:
            self._saw(decision.seen.segment, side, decision.seen.label.text)

    def _deliver(self, side: int, frame: bytes, comment: str | None) -> None:
        # stamped before it is sent: the answer, stamped by the kernel, must not seem to come first
        leaves = time.monotonic_ns()
        port = self._ports[side]
        while True:
            try:
                port.send(frame)
            except BlockingIOError:
                select.select([], [port], [], 1.0)
                continue
            break
        self._tape.left(side, leaves, frame, comment)

    def _act(self, decision: Decision, t: int) -> None:
        for injected in decision.injected:
            self._deliver(injected.side, injected.frame, injected.comment)
        for note in decision.notes:
            at = note.data.get("at")
            self._tell_note(note, at if isinstance(at, int) else t)
        for name in decision.signals:
            self._tell({"signal": name, "t": t})

    def _tick(self, now: int) -> None:
        while (due := self._core.due()) is not None and due <= now:
            self._act(self._core.tick(due), due)
        if self._seen and now >= self._seen_at + _SEEN_EVERY:
            self._seen_at = now
            rows: list[Json] = [
                [
                    str(ipaddress.ip_address(client)),
                    cport,
                    str(ipaddress.ip_address(server)),
                    sport,
                    *sorted(labels),
                ]
                for (client, cport, server, sport), labels in self._seen.items()
            ]
            self._seen = {}
            self._tell({"seen": rows, "t": now}, urgent=False)

    def _saw(self, segment: Segment, side: int, label: str) -> None:
        client, server = (segment.src, segment.sport), (segment.dst, segment.dport)
        if side == 1:
            client, server = server, client
        self._seen.setdefault((*client, *server), set()).add(label)

    def _take_control(self) -> None:
        while True:
            try:
                message = self._control.recv(65536)
            except BlockingIOError:
                return
            if not message:
                self._going = False
                return
            order = json.loads(message)
            if order.get("stop"):
                self._going = False
                return
            if "event" in order:
                now = time.monotonic_ns()
                self._act(self._core.event(now, order["event"]), now)

    def _tell_note(self, note: Note, t: int) -> None:
        self._tell({"note": note.what, "outcome": note.outcome, "data": note.data, "t": t})

    def _tell(self, message: dict[str, Json], *, urgent: bool = True) -> None:
        """Send to the cell; when its queue is full, what is urgent waits, the rest is dropped."""
        data = json.dumps(message).encode()
        with contextlib.suppress(ConnectionError):
            while True:
                try:
                    self._control.send(data)
                except BlockingIOError:
                    if urgent:
                        select.select([], [self._control], [], 1.0)
                        continue
                return
