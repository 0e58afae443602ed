"""One client of a cell with all that belongs to it: its cable, its program, its sockets, its sleep.

A cell has a strand for each of its clients; they share the server and the loop. The rule it guards:
a strand tells the cell what concerns the others (a signal, a change, a failure) by its Ear alone.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Protocol

from netdiag.errors import LabError
from netdiag.lab import CLIENT, SERVER, SIDE_NAMES
from netdiag.process import how_it_ended
from netdiag.run.acts import EngineActs
from netdiag.run.hosts import HostFaults
from netdiag.run.last_words import last_line
from netdiag.run.listen import ClientVoice
from netdiag.run.orders import Orders
from netdiag.run.program import Program
from netdiag.run.watch import GONE, SleepWatch, SocketWatch
from netdiag.units import MILLISECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdiag.lab import Side
    from netdiag.process import Child
    from netdiag.run.bench import Bench
    from netdiag.run.loop import Loop
    from netdiag.run.recorder import Recorder

_FALLS_ASLEEP = 50 * MILLISECOND
_LOOK_FOR_IT = 20 * MILLISECOND
_PAST_THE_CABLE = "the client was started again, and its first frames may have passed by the cable"
_CHANGES = frozenset({"handshake_ack", "fin", "fin_retransmission", "rst"})
"""Frames after which CLIENT LIST may be another one: a SYN alone is nobody's connection yet."""
_WORK = frozenset({"call", "connect"})
_SOCKET_WORDS = frozenset({"error", "connect", "disconnect"})


class Ear(Protocol):
    """What the cell wants to hear of its strands."""

    def signalled(self, entry: int) -> None:
        """A producer's trigger was met at this strand's cable."""

    def edge(self, fault: str, edge: str) -> None:
        """A fault of this strand's cable is `active`, or has `healed`."""

    def server_fault(self, fault: str, edge: str, then: Callable[[], None]) -> None:
        """A fault of the server's program has begun or healed; `then`: when that is carried out."""

    def began(self, t: int) -> None:
        """Frames passed at `t` (ns); the first ones start the cell's clock."""

    def spoke(self) -> None:
        """The client said something."""

    def changed(self) -> None:
        """Something changed that the server's own view may show."""

    def useless(self) -> None:
        """The client ended before its first call."""

    def cannot_write(self, number: int) -> None:
        """The tape could not be written: an errno, of a full disk for example."""

    def failed(self, reason: str) -> None:
        """The cell cannot go on."""

    def settled(self) -> None:
        """The cable has ended its tape."""


class Strand:
    """One client and its cable; `start_cable`, then `start_client`, at the end `stop_cable`."""

    def __init__(
        self, bench: Bench, loop: Loop, recorders: tuple[Recorder, Recorder], ear: Ear
    ) -> None:
        """`recorders`: for what belongs to this client, and for what belongs to all."""
        engine = EngineActs((bench.lab,), loop, recorders[0], self.renewed)
        self._bench = bench
        self._loop = loop
        self._recorder, self._shared = recorders
        self._ear = ear
        self._hosts = HostFaults(bench.cell.faults, engine)
        self._awaited = bench.awaited
        self._worked = False
        self._spoke = 0
        self._looking = False
        self._lives = 0
        self._active: set[str] = set()
        self.tape_done = False

    def start_cable(self) -> None:
        """Fork the cable and listen to it; from now on frames pass."""
        self._cable, self._control = self._bench.cable()
        self._orders = Orders(self._control, self._loop)
        self._loop.on_readable(self._control.fileno(), self._from_cable)
        self._loop.on_readable(self._cable.pidfd, self._cable_ended)
        self._sockets = SocketWatch(
            self._bench.lab, self._loop, self._recorder, on_state=self._socket_is
        )

    def _socket_is(self, side: Side, state: str) -> None:
        """A socket has a new state: tell the cable's triggers. One of the server's that ended is
        news to its application, or about to be.
        """
        self._tell_event(f"{SIDE_NAMES[side]} {state}")
        if state == GONE and side == SERVER:
            self._ear.changed()

    def start_client(self) -> None:
        """Start the program under test."""
        self._program = Program("client.app", self._start_client(), self._recorder, self._again)

    def _again(self) -> Child:
        """The program once more, after a fault has ended it."""
        client = self._start_client()
        self._ear.changed()
        return client

    def end_client(self) -> None:
        """Kill the program, as it is now."""
        self._program.child.kill()

    def _start_client(self) -> Child:
        version = self._bench.version()
        self._lives += 1
        client, reading = self._bench.client(self._lives)
        self._recorder.note(
            "client.app",
            "start",
            "start",
            pid=client.pid,
            kind=self._bench.client_spec.kind,
            version=version,
        )
        self._sleep = SleepWatch(client.pid, self._recorder)
        voice = ClientVoice(reading, self._recorder, self._heard)
        self._listen(voice, reading)
        self._loop.on_readable(client.pidfd, lambda: self._client_ended(client, voice))
        return client

    def hear(self, fault: str, edge: str) -> None:
        """Some strand's fault is `active`, or has `healed`: news to this cable, if it is not one of
        its own.
        """
        if fault not in self._bench.carried:
            self._tell_event(edge, fault=fault)

    def renewed(self, side: Side) -> None:
        """That host has begun anew, with a kernel's memory that knows no socket."""
        self._sockets.renew(side)

    def look(self) -> None:
        """Where does the client sleep? (The slow clock asks.)"""
        self._sleep.look()

    def look_at_sockets(self) -> None:
        """Look at every socket of this strand."""
        self._sockets.look_at_all()

    def stop_cable(self) -> None:
        """Let the cable end its tape; `Ear.settled` says when it has."""
        if self._cable.poll() is None:
            self._tell_cable({"stop": True})

    def _listen(self, voice: ClientVoice, reading: int) -> None:
        self._loop.on_readable(reading, lambda: self._hear(voice, reading))

    def _hear(self, voice: ClientVoice, reading: int) -> None:
        if not voice.ready():
            self._loop.forget(reading)
            return
        self._ear.spoke()
        if self._orders.crowded:  # it talks faster than its cable listens
            self._loop.forget(reading)
            self._orders.when_relieved(lambda: self._listen(voice, reading))

    def _heard(self, what: str) -> None:
        """The client said something: tell the cable's triggers; see soon where it sleeps."""
        self._worked = self._worked or what in _WORK
        self._tell_event(what)
        self._spoke = time.monotonic_ns()
        if not self._looking:
            self._looking = True
            self._loop.at(self._spoke + _FALLS_ASLEEP, self._look_soon)
        if what in _SOCKET_WORDS:
            self._sockets.look_at_all()

    def _look_soon(self) -> None:
        """Some time after a word; once more after the last one, if it has spoken since."""
        self._sleep.look()
        again = self._spoke + _FALLS_ASLEEP
        self._looking = again > time.monotonic_ns()
        if self._looking:
            self._loop.at(again, self._look_soon)

    def _client_ended(self, client: Child, voice: ClientVoice) -> None:
        self._loop.forget(client.pidfd)
        voice.last_words()
        code = client.wait()
        said = last_line(self._bench.client_log)
        by = self._program.ended_by
        self._recorder.record(
            "client.app",
            "exit",
            "fail" if code else "ok",
            {"code": code, "said": said, **({} if by is None else {"fault": by})},
        )
        self._sockets.look_at_all()
        self._ear.changed()
        self._program.ended()
        if by is None and self._bench.lab.expects_back(CLIENT, code):
            self._wait_for_return()
        elif not self._worked and by is None:
            self._ear.useless()

    def _wait_for_return(self) -> None:
        """Its engine starts it again: its new link must cross the cable before it dials."""
        try:
            whole = self._bench.lab.returned(CLIENT)
        except (LabError, OSError) as err:
            self._ear.failed(f"the client was started again and cannot be followed: {err}")
            return
        if whole is None:
            self._loop.at(time.monotonic_ns() + _LOOK_FOR_IT, self._wait_for_return)
            return
        for fault in () if whole else sorted(self._active):
            self._recorder.note("cable", "late", "fail", fault=fault, reason=_PAST_THE_CABLE)
        self.renewed(CLIENT)
        self._program.came_back()

    def _tell_cable(self, order: dict[str, object]) -> None:
        if self._cable.poll() is None:
            self._orders.give(order)

    def _tell_event(self, name: str, **of: object) -> None:
        """Tell the cable of an event, if a trigger there may wait for it."""
        if name in self._awaited:
            self._tell_cable({"event": name, **of})

    def _from_cable(self) -> None:
        while True:
            try:
                message = self._control.recv(1 << 20)
            except BlockingIOError:
                return
            except ConnectionError:
                message = b""
            if not message:
                self._loop.forget(self._control.fileno())
                return
            self._cable_said(json.loads(message))

    def _cable_said(self, said: dict[str, Any]) -> None:
        if "note" in said:
            self._noted(said)
        elif "signal" in said:
            self._ear.signalled(int(said["signal"]))
        elif "seen" in said:
            self._frames_passed(said["t"], said["seen"])
        elif "failed" in said:
            self._ear.cannot_write(said["failed"])
        elif "done" in said:
            self.tape_done = True
            self._ear.settled()

    def _noted(self, said: dict[str, Any]) -> None:
        """Record what the cable noted, and do at a host what a fault has just ordered there."""
        data = said["data"]
        host = self._hosts.host(data.get("fault", ""))
        recorder = self._shared if host == "server" else self._recorder
        recorder.record("cable", said["note"], said["outcome"], data, t=said["t"])
        if said["note"] != "fault":
            return
        if data["edge"] == "active":
            self._active.add(data["fault"])
        else:
            self._active.discard(data["fault"])
        self._ear.edge(data["fault"], data["edge"])

        def done() -> None:
            self._tell_cable({"done": data["fault"]})
            self._sockets.look_at_all()

        if host == "client":
            self._hosts.carry_out(data["fault"], data["edge"], self._program, done)
        elif host == "server":
            self._ear.server_fault(data["fault"], data["edge"], done)
        else:
            self._sockets.look_at_all()

    def _frames_passed(self, t: int, rows: list[list[Any]]) -> None:
        self._ear.began(t)
        self._sockets.seen(((row[0], row[1]), (row[2], row[3])) for row in rows)
        if any(_CHANGES.intersection(row[4:]) for row in rows):
            self._ear.changed()

    def _cable_ended(self) -> None:
        self._loop.forget(self._cable.pidfd)
        self._from_cable()
        if not self.tape_done:
            code = self._cable.wait()
            self._recorder.note("cable", "crash", "fail", code=code)
            self._ear.failed(f"the cable ended before the cell did ({how_it_ended(code)})")
