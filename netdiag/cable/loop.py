"""The cable's process: frames from one packet socket to the other, as the core decides, and onto
the tape.

Talks to its cell over one SOCK_SEQPACKET socket, JSON a message: out go notes (to be recorded),
signals (triggers that start a producer) and `seen` (which connections had frames, and their labels,
so that somebody may look at their sockets); in come the client's events, the edges of other cables'
faults, `done` (a host fault was carried out, and the packet that began it may go on) and `stop`. A
frame whose fate is certain goes on before it is looked at: nobody waits for our thoughts.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import ipaddress
import json
import select
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from netdiag.cable.arrivals import Arrivals
from netdiag.cable.core import Core, Decision, Note
from netdiag.units import MILLISECOND

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from netdiag.cable.arrivals import Ports
    from netdiag.cable.tape import Tape
    from netdiag.recording import Json
    from netdiag.tcp.flows import Observation
    from netdiag.tcp.labels import Label

_SEEN_EVERY: Final = 5_000_000
_SEEN_ROWS: Final = 256  # connections in one message, whose size is limited
_HOST_PATIENCE: Final = 15.0
"""s. The cell tells of every act as soon as it has ended: a signal in a fraction of a millisecond,
`docker stop` in up to 10 s and what a busy machine adds."""
_NO_LINK: Final = (errno.ENETDOWN, errno.ENXIO, errno.ENODEV)  # the host has lost its link


class CableLoop:
    """Runs a Core between two ports until the cell says stop or goes away."""

    def __init__(self, core: Core, ports: Ports, tape: Tape, control: socket.socket) -> None:
        self._core = core
        self._ports = ports
        self._tape = tape
        self._control = control
        self._arrivals = Arrivals(ports)
        self._seen: dict[int, tuple[Observation, set[Label]]] = {}
        self._seen_at = 0
        self._going = True
        self._orders: deque[dict[str, Any]] = deque()  # came while a frame waited for a host

    def run(self, dropped: Callable[[], tuple[int, int]]) -> int:
        """Forward until told to stop; then write the tape's statistics and report. Returns an exit
        code. Raises OSError when the tape cannot be written.
        """
        gc.freeze()
        gc.set_threshold(100_000)  # a collection in mid-frame would be a delay on the wire
        self._forward()
        self._finish(dropped())
        return 0

    def _forward(self) -> None:
        poll = select.poll()
        for one in (*self._ports, self._control):
            poll.register(one, select.POLLIN)
        orders = self._control.fileno()
        while self._going:
            ready = poll.poll(self._patience())
            for arrival in self._arrivals.batch():
                self._one(*arrival)
            self._tick(time.monotonic_ns())
            if self._orders or any(fd == orders for fd, _ in ready):  # after the frames before it
                self._take_control()
            self._tape.flush()
        for arrival in self._arrivals.batch(whole=True):  # what came before the order to stop
            self._one(*arrival)

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
        if self._arrivals.waiting:
            return 0
        dues = [due for due in (self._core.due(), self._seen_due()) if due is not None]
        if not dues:
            return None
        return max(0.0, (min(dues) - time.monotonic_ns()) / MILLISECOND)

    def _seen_due(self) -> int | None:
        return self._seen_at + _SEEN_EVERY if self._seen else None

    def _one(self, side: int, t: int, frame: bytes) -> None:
        core, tape = self._core, self._tape
        due = core.due()
        if due is not None and due <= t:
            self._tick(t)
        leaves = self._send(1 - side, frame) if core.certain(side) else None
        decision = core.frame(t, side, frame, tape.next_number)
        if decision.awaits:
            self._tell_notes(decision, t)
            self._too_late(self._await_hosts(set(decision.awaits)))
        if leaves is None and decision.taken is None:
            leaves = self._send(1 - side, frame)
        tape.arrived(side, t, frame, decision.taken)
        if leaves is not None:
            tape.left(1 - side, leaves, frame)
        self._inject(decision)
        if not decision.awaits:
            self._tell_notes(decision, t)
        self._tell_signals(decision, t)
        core.settle()
        if decision.seen is not None:
            self._saw(decision.seen)

    def _send(self, side: int, frame: bytes) -> int:
        """Hand a frame to the host on `side`; returns when it left.

        It is stamped before it is sent: the answer, stamped by the kernel, must not seem to come
        first.
        """
        port = self._ports[side]
        while True:
            leaves = time.monotonic_ns()
            try:
                port.send(frame)
            except BlockingIOError:
                select.select([], [port], [], 1.0)
                continue
            except OSError as err:
                if err.errno not in _NO_LINK:
                    raise
            return leaves

    def _act(self, decision: Decision, t: int) -> None:
        self._inject(decision)
        self._tell_notes(decision, t)
        self._tell_signals(decision, t)

    def _inject(self, decision: Decision) -> None:
        for injected in decision.injected:
            leaves = self._send(injected.side, injected.frame)
            self._tape.left(injected.side, leaves, injected.frame, injected.comment)

    def _tell_notes(self, decision: Decision, t: int) -> None:
        for note in decision.notes:
            at = note.data.get("at")
            self._tell_note(note, at if isinstance(at, int) else t)

    def _tell_signals(self, decision: Decision, t: int) -> None:
        for name in decision.signals:
            self._tell({"signal": name, "t": t})

    def _tick(self, now: int) -> None:
        while (due := self._core.due()) is not None and due <= now:
            self._act(self._core.tick(due), due)
        if self._seen and now >= self._seen_at + _SEEN_EVERY:
            self._seen_at = now
            rows = [_row(seen, labels) for seen, labels in self._seen.values()]
            self._seen = {}
            for at in range(0, len(rows), _SEEN_ROWS):
                self._tell({"seen": rows[at : at + _SEEN_ROWS], "t": now}, urgent=False)

    def _saw(self, seen: Observation) -> None:
        known = self._seen.get(seen.flow)
        if known is None:
            self._seen[seen.flow] = seen, {seen.label}
        else:
            known[1].add(seen.label)

    def _await_hosts(self, faults: set[str]) -> set[str]:
        """Hold the frame until the cell says that these faults have met their host's program;
        returns those of which it did not before it lost patience or ended. What else it says
        meanwhile has its turn later.
        """
        limit = time.monotonic() + _HOST_PATIENCE
        while faults and (patience := limit - time.monotonic()) > 0:
            if not select.select([self._control], [], [], patience)[0]:
                break
            order = self._receive_order()
            if order is not None and "done" in order:
                faults.discard(str(order["done"]))
            elif order is not None:
                self._orders.append(order)
                if "event" not in order:  # it stops, or has gone
                    break
        return faults

    def _too_late(self, faults: set[str]) -> None:
        """A frame goes on that was to find these faults done: what it meets is not theirs."""
        for fault in sorted(faults):
            reason = "the packet that began it had to go on before it was done"
            self._tell_note(
                Note("late", "fail", {"fault": fault, "reason": reason}), time.monotonic_ns()
            )

    def _receive_order(self) -> dict[str, Any] | None:
        """What the cell says next: None when nothing is there, empty when it has gone."""
        try:
            message = self._control.recv(65536)
        except BlockingIOError:
            return None
        except ConnectionError:
            message = b""
        order: dict[str, Any] = json.loads(message) if message else {}
        return order

    def _take_control(self) -> None:
        while self._going:
            order = self._orders.popleft() if self._orders else self._receive_order()
            if order is None:
                return
            if "done" in order:
                continue  # of a fault whose packet did not wait for it
            if "event" in order:
                now = time.monotonic_ns()
                self._act(self._core.event(now, order["event"], order.get("fault")), now)
            else:
                self._going = False

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


def _row(seen: Observation, labels: set[Label]) -> Json:
    """A connection that had frames: client's address and port, server's, labels."""
    segment = seen.segment
    ends = ((segment.src, segment.sport), (segment.dst, segment.dport))
    (client, cport), (server, sport) = ends if seen.side == 0 else ends[::-1]
    names = sorted(label.text for label in labels)
    return [_address(client), cport, _address(server), sport, *names]


def _address(raw: bytes) -> str:
    return str(ipaddress.ip_address(raw))
