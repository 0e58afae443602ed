"""One cell, from the first socket to the last event: lab, cable, server, client, watchers, producer.

Turns a Cell of the plan into its part of the recording. It is a process of its own, in which one loop waits
for everything; whatever it starts dies with it. The rule it guards: what goes wrong is an event with a
sentence before it is an exit code.
"""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from netdiag.cable.core import Core
from netdiag.cable.loop import CableLoop
from netdiag.cable.tape import Tape
from netdiag.clients.start import library_version, start_client
from netdiag.errors import LabError
from netdiag.lab import CLIENT, SERVER, Lab
from netdiag.process import Child, fork
from netdiag.run.listen import ClientVoice
from netdiag.run.loop import MILLISECOND, SECOND, Loop
from netdiag.run.produce import Producer
from netdiag.run.recorder import Recorder
from netdiag.run.watch import SLOW_CLOCK, ServerWatch, SleepWatch, SocketWatch
from netdiag.scenario.workload import Pause
from netdiag.servers.admin import Admin, Answer
from netdiag.servers.redis import PORT, SOCKET, start_server

if TYPE_CHECKING:
    from pathlib import Path

    from netdiag.recording import CellFiles, Json
    from netdiag.scenario import Cell
    from netdiag.scenario.workload import Workload

_SERVER_READY = 10 * SECOND
_RETRY = 5 * MILLISECOND
_LAST_ANSWERS = SECOND
_CABLE_DONE = 3 * SECOND
_CHANGES = frozenset({"syn", "fin", "rst", "handshake_ack", "fin_retransmission"})


class CellRun:
    """The parts of one running cell; `run` makes, watches and ends them."""

    def __init__(self, cell: Cell, files: CellFiles, scratch: Path, wall_offset: int) -> None:
        self._cell = cell
        self._files = files
        self._scratch = scratch
        self._wall_offset = wall_offset
        self._recorder = Recorder(files.events)
        self._loop = Loop()
        self._undo = ExitStack()
        self._end = 0
        self._lasts = round(cell.duration * SECOND)
        self._began = False
        self._cable_done = False

    def run(self, lab: Lab) -> None:
        """Run the cell in that lab. Raises LabError with a sentence when it cannot go on."""
        with self._undo:
            self._cable, self._cable_control = self._fork_cable(lab)
            self._loop.on_readable(self._cable_control.fileno(), self._from_cable)
            self._loop.on_readable(self._cable.pidfd, self._cable_ended)
            server = self._start_server(lab)
            self._server_watch = ServerWatch(self._admin(server), self._loop, self._recorder)
            self._producer_admin = self._admin(server)
            self._producer = Producer(self._producer_admin, self._loop, self._recorder,
                                      key=self._cell.workload.key, entries=self._cell.workload.produce)
            self._sockets = SocketWatch(lab, self._loop, self._recorder,
                                        on_death=lambda _: self._server_watch.look_twice())
            self._describe_server()
            client = self._start_client(lab)
            self._sleep = SleepWatch(client.pid, self._recorder)
            self._loop.every(SLOW_CLOCK, self._slow_tick)
            self._last_until_the_end()
            self._finish((client, server))

    def _last_until_the_end(self) -> None:
        """Serve until the cell's duration, counted from the client's first SYN, is over."""
        self._end = time.monotonic_ns() + self._lasts
        while time.monotonic_ns() < self._end:
            if self._loop.run(until=self._end):
                break

    def _fork_cable(self, lab: Lab) -> tuple[Child, socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        theirs.setblocking(False)
        workload = self._cell.workload
        core = Core(self._cell.faults, workload.commands,
                    {str(index): entry.at for index, entry in enumerate(workload.produce)})
        about = f"netdiag: scenario cell {self._cell.id}; interface 0 is the client's end, 1 the server's"

        def forward() -> int:
            ours.close()
            tape = Tape(self._files.tape, wall_offset=self._wall_offset, about=about)
            ports = (lab.port(CLIENT), lab.port(SERVER))
            return CableLoop(core, ports, tape, theirs).run(lab.dropped)

        cable = fork(forward, "cable")
        theirs.close()
        self._undo.callback(ours.close)
        self._undo.callback(cable.kill)
        return cable, ours

    def _log(self, name: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(self._files.logs / name, flags, 0o644)

    def _start_server(self, lab: Lab) -> Child:
        log = self._log("server.log")
        server = start_server(lab, self._cell.server, config=self._files.root / "server.conf",
                              scratch=self._scratch, log=log)
        os.close(log)
        self._undo.callback(server.kill)
        return server

    def _admin(self, server: Child) -> Admin:
        """A connection to the server's unix socket, as soon as it listens there."""
        limit = time.monotonic_ns() + _SERVER_READY
        while True:
            try:
                admin = Admin(self._scratch, SOCKET)
            except OSError as err:
                if server.poll() is not None:
                    raise LabError(f"the server ended at once with code {server.poll()}: "
                                   f"{last_line(self._files.logs / 'server.log')}; "
                                   "see logs/server.log of the cell") from err
                if time.monotonic_ns() > limit:
                    raise LabError("the server did not listen on its unix socket within 10 s; "
                                   "see logs/server.log of the cell") from err
                self._loop.run(until=time.monotonic_ns() + _RETRY)
                continue
            self._undo.callback(admin.close)
            self._loop.on_readable(admin.fileno(), lambda: self._admin_ready(admin))
            return admin

    def _admin_ready(self, admin: Admin) -> None:
        if not admin.ready():
            self._loop.forget(admin.fileno())
            self._recorder.note("server.app", "admin_closed", "fail")

    def _describe_server(self) -> None:
        def answered(answer: Answer) -> None:
            text = answer.decode("ascii", "replace") if isinstance(answer, bytes) else ""
            info = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
            kept = ("server_name", "redis_version", "valkey_version", "process_id", "tcp_port")
            self._recorder.note("server.app", "ready", "ok", **{k: info[k] for k in kept if k in info})

        self._producer_admin.ask(answered, "INFO", "server")

    def _start_client(self, lab: Lab) -> Child:
        reading, writing = os.pipe2(os.O_CLOEXEC)
        log = self._log("client.log")
        self._undo.callback(os.close, reading)
        client = start_client(lab, self._cell.client, workload_json(self._cell.workload),
                              server=(lab.address(SERVER), PORT), log=log, events=writing)
        os.close(writing)
        os.close(log)
        self._undo.callback(client.kill)
        self._recorder.note("client.app", "start", "start", pid=client.pid, kind=self._cell.client.kind,
                            version=library_version(self._cell.client))
        voice = ClientVoice(reading, self._recorder, self._heard)
        self._loop.on_readable(reading, lambda: voice.ready() or self._loop.forget(reading))
        self._loop.on_readable(client.pidfd, lambda: self._client_ended(client))
        return client

    def _heard(self, what: str) -> None:
        """The client said something: tell the cable's triggers, and look where it sleeps soon."""
        self._cable_control.send(json.dumps({"event": what}).encode())
        now = time.monotonic_ns()
        self._loop.at(now + 50 * MILLISECOND, self._sleep.look)
        if what in ("error", "connect", "disconnect"):
            self._sockets.look_at_all()

    def _client_ended(self, client: Child) -> None:
        self._loop.forget(client.pidfd)
        self._recorder.note("client.app", "exit", "fail" if client.wait() else "ok", code=client.wait(),
                            said=last_line(self._files.logs / "client.log"))
        self._sockets.look_at_all()
        self._server_watch.look_twice()

    def _from_cable(self) -> None:
        while True:
            try:
                message = self._cable_control.recv(1 << 20)
            except BlockingIOError:
                return
            if not message:
                self._loop.forget(self._cable_control.fileno())
                return
            self._cable_said(json.loads(message))

    def _cable_said(self, said: dict[str, Any]) -> None:
        if "note" in said:
            self._recorder.record("cable", said["note"], said["outcome"], said["data"], t=said["t"])
            if said["note"] == "fault":
                self._sockets.look_at_all()
        elif "signal" in said:
            self._producer.start(int(said["signal"]))
        elif "seen" in said:
            rows = said["seen"]
            self._frames_begin(said["t"])
            self._sockets.seen(((row[0], row[1]), (row[2], row[3])) for row in rows)
            if any(_CHANGES.intersection(row[4:]) for row in rows):
                self._server_watch.look_twice()
        elif "done" in said:
            self._cable_done = True
            self._loop.stop()

    def _frames_begin(self, t: int) -> None:
        """The client's first SYN: from here the cell's duration counts."""
        if not self._began:
            self._began = True
            self._end = t + self._lasts

    def _cable_ended(self) -> None:
        self._loop.forget(self._cable.pidfd)
        if not self._cable_done:
            self._recorder.note("cable", "crash", "fail", code=self._cable.wait())
            self._loop.stop()

    def _slow_tick(self) -> None:
        self._server_watch.look()
        self._sleep.look()

    def _finish(self, programs: tuple[Child, ...]) -> None:
        """Look at everything once more, stop the cable so that its tape is whole, then end the programs."""
        self._slow_tick()
        self._sockets.look_at_all()
        self._ask_what_is_left()
        self._recorder.note("netdiag", "end")
        if self._cable.poll() is None:
            self._cable_control.send(json.dumps({"stop": True}).encode())
            self._loop.run(until=time.monotonic_ns() + _CABLE_DONE)
        for program in programs:
            program.kill()

    def _ask_what_is_left(self) -> None:
        def answered(answer: Answer) -> None:
            items = answer if isinstance(answer, tuple | list) else ()
            self._recorder.note("server.app", "left", "ok", ids=[
                one.decode("utf-8", "backslashreplace") for one in items if isinstance(one, bytes)])
            self._loop.stop()

        if self._producer_admin.ask(answered, "LRANGE", self._cell.workload.key, "0", "-1"):
            self._loop.run(until=time.monotonic_ns() + _LAST_ANSWERS)


def workload_json(workload: Workload) -> dict[str, Json]:
    """The part of the workload that the client needs to know, as the contract has it."""
    after = workload.after_error
    return {"pattern": workload.pattern, "key": workload.key, "block": workload.block,
            "after_error": {"pause": after.pause} if isinstance(after, Pause) else "exit"}


def last_line(path: Path) -> str:
    """The last line that a program printed, made safe for a terminal; empty when it printed nothing."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 4096))
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    last = lines[-1] if lines else ""
    return "".join(c if c.isprintable() else " " for c in last)[:300]
