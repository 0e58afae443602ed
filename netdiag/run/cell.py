"""One cell, from the first socket to the last event: its programs, its watchers, its producer.

Turns a Cell of the plan into its part of the recording. It is a process of its own, in which one
loop waits for everything; whatever it starts dies with it. The rule it guards: what goes wrong is
an event with a sentence before it is an exit code.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from netdiag.clients.start import library_version
from netdiag.errors import LabError
from netdiag.process import how_it_ended
from netdiag.run.bench import Bench, last_line, server_ended
from netdiag.run.listen import ClientVoice
from netdiag.run.loop import MILLISECOND, SECOND, Loop
from netdiag.run.produce import Producer
from netdiag.run.recorder import Recorder
from netdiag.run.watch import SLOW_CLOCK, ServerWatch, SleepWatch, SocketWatch

if TYPE_CHECKING:
    from pathlib import Path

    from netdiag.lab import Lab
    from netdiag.process import Child
    from netdiag.recording import CellFiles
    from netdiag.scenario import Cell
    from netdiag.servers.admin import Admin, Answer

_LAST_ANSWERS = SECOND
_CABLE_DONE = 3 * SECOND
_FALLS_ASLEEP = 50 * MILLISECOND
_CHANGES = frozenset({"syn", "fin", "rst", "handshake_ack", "fin_retransmission"})
_SOCKET_WORDS = frozenset({"error", "connect", "disconnect"})
_SERVER_FACTS = ("server_name", "redis_version", "valkey_version", "process_id", "tcp_port")


class CellRun:
    """One running cell: `run` makes its parts, serves them and ends them."""

    def __init__(self, cell: Cell, files: CellFiles, scratch: Path, wall_offset: int) -> None:
        self._cell = cell
        self._files = files
        self._scratch = scratch
        self._wall_offset = wall_offset
        self._recorder = Recorder(files.events)
        self._loop = Loop()
        self._end = 0
        self._lasts = round(cell.duration * SECOND)
        self._began = False
        self._worked = False
        self._cable_done = False
        self._disk: int | None = None
        self._failure = ""

    def run(self, lab: Lab) -> None:
        """Run the cell in that lab. Raises LabError with a sentence when it cannot go on, and
        OSError when nothing can be recorded.
        """
        with ExitStack() as undo:
            bench = Bench(self._cell, self._files, self._scratch, self._wall_offset, lab, undo)
            self._cable, self._control = bench.cable()
            self._loop.on_readable(self._control.fileno(), self._from_cable)
            self._loop.on_readable(self._cable.pidfd, self._cable_ended)
            server = bench.server()
            self._loop.on_readable(server.pidfd, lambda: self._server_ended(server))
            self._watch_server(bench, server)
            self._sockets = SocketWatch(
                lab, self._loop, self._recorder, on_death=lambda _: self._server_watch.look_twice()
            )
            client = self._start_client(bench)
            self._sleep = SleepWatch(client.pid, self._recorder)
            self._loop.every(SLOW_CLOCK, self._slow_tick)
            self._serve()
            self._finish((client, server))

    def _serve(self) -> None:
        """Serve until the cell's duration, counted from the client's first SYN, is over."""
        self._end = time.monotonic_ns() + self._lasts
        while time.monotonic_ns() < self._end:
            if self._loop.run(until=self._end):
                break
        self._check()

    def _fail(self, reason: str) -> None:
        """The cell cannot go on: end it at once, with the first reason there was."""
        self._failure = self._failure or reason
        self._loop.stop()

    def _check(self) -> None:
        if self._disk is not None:
            raise OSError(self._disk, os.strerror(self._disk))
        if self._failure:
            raise LabError(self._failure)

    def _watch_server(self, bench: Bench, server: Child) -> None:
        def pause(until: int) -> None:
            self._loop.run(until=until)
            self._check()

        watching = self._served(bench.admin(server, pause))
        self._server_watch = ServerWatch(watching, self._loop, self._recorder)
        self._producing = self._served(bench.admin(server, pause))
        workload = self._cell.workload
        self._producer = Producer(
            self._producing,
            self._loop,
            self._recorder,
            key=workload.key,
            entries=workload.produce,
        )
        self._producing.ask(self._server_told, "INFO", "server")

    def _served(self, admin: Admin) -> Admin:
        self._loop.on_readable(admin.fileno(), lambda: self._admin_ready(admin))
        return admin

    def _admin_ready(self, admin: Admin) -> None:
        if not admin.ready():
            self._loop.forget(admin.fileno())
            self._recorder.note("server.app", "admin_closed", "fail")

    def _server_told(self, answer: Answer) -> None:
        text = answer.decode("ascii", "replace") if isinstance(answer, bytes) else ""
        info = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        facts = {name: info[name] for name in _SERVER_FACTS if name in info}
        self._recorder.record("server.app", "ready", "ok", facts)

    def _server_ended(self, server: Child) -> None:
        self._loop.forget(server.pidfd)
        log = self._files.logs / "server.log"
        self._recorder.note("server.app", "exit", "fail", code=server.wait(), said=last_line(log))
        self._fail(server_ended(server, log))

    def _start_client(self, bench: Bench) -> Child:
        client, reading = bench.client()
        self._recorder.note(
            "client.app",
            "start",
            "start",
            pid=client.pid,
            kind=self._cell.client.kind,
            version=library_version(self._cell.client),
        )
        voice = ClientVoice(reading, self._recorder, self._heard)
        self._loop.on_readable(reading, lambda: self._hear(voice, reading))
        self._loop.on_readable(client.pidfd, lambda: self._client_ended(client, voice))
        return client

    def _hear(self, voice: ClientVoice, reading: int) -> None:
        if not voice.ready():
            self._loop.forget(reading)

    def _heard(self, what: str) -> None:
        """The client said something: tell the cable's triggers; see soon where it sleeps."""
        self._worked = self._worked or what == "call"
        self._tell_cable({"event": what})
        self._loop.at(time.monotonic_ns() + _FALLS_ASLEEP, self._sleep.look)
        if what in _SOCKET_WORDS:
            self._sockets.look_at_all()

    def _client_ended(self, client: Child, voice: ClientVoice) -> None:
        self._loop.forget(client.pidfd)
        voice.last_words()
        code = client.wait()
        said = last_line(self._files.logs / "client.log")
        self._recorder.note("client.app", "exit", "fail" if code else "ok", code=code, said=said)
        self._sockets.look_at_all()
        self._server_watch.look_twice()
        if not self._worked:
            self._end = 0  # the experiment will never begin
            self._loop.stop()

    def _tell_cable(self, order: dict[str, object]) -> None:
        if self._cable.poll() is None:
            try:
                self._control.send(json.dumps(order).encode())
            except (BlockingIOError, ConnectionError) as err:
                self._fail(f"the cable takes no more orders ({err.strerror}); run it again")

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
            self._recorder.record("cable", said["note"], said["outcome"], said["data"], t=said["t"])
            if said["note"] == "fault":
                self._sockets.look_at_all()
        elif "signal" in said:
            self._producer.start(int(said["signal"]))
        elif "seen" in said:
            self._frames_passed(said["t"], said["seen"])
        elif "failed" in said:
            self._disk = said["failed"]
        elif "done" in said:
            self._cable_done = True
            self._loop.stop()

    def _frames_passed(self, t: int, rows: list[list[Any]]) -> None:
        if not self._began:
            self._began = True
            self._end = t + self._lasts
        self._sockets.seen(((row[0], row[1]), (row[2], row[3])) for row in rows)
        if any(_CHANGES.intersection(row[4:]) for row in rows):
            self._server_watch.look_twice()

    def _cable_ended(self) -> None:
        self._loop.forget(self._cable.pidfd)
        self._from_cable()
        if not self._cable_done:
            code = self._cable.wait()
            self._recorder.note("cable", "crash", "fail", code=code)
            self._fail(f"the cable ended before the cell did ({how_it_ended(code)})")

    def _slow_tick(self) -> None:
        self._server_watch.look()
        self._sleep.look()

    def _finish(self, programs: tuple[Child, ...]) -> None:
        """Look at everything once more, let the cable end its tape, then end the programs."""
        self._slow_tick()
        self._sockets.look_at_all()
        if self._producing.ask(self._left, "LRANGE", self._cell.workload.key, "0", "-1"):
            self._loop.run(until=time.monotonic_ns() + _LAST_ANSWERS)
        self._recorder.note("netdiag", "end")
        if self._cable.poll() is None:
            self._tell_cable({"stop": True})
            self._loop.run(until=time.monotonic_ns() + _CABLE_DONE)
        for program in programs:
            program.kill()
        if not self._cable_done:
            self._fail("the cable did not end its tape within 3 s; run it again")
        self._check()

    def _left(self, answer: Answer) -> None:
        items = answer if isinstance(answer, tuple) else ()
        ids = [one.decode("utf-8", "backslashreplace") for one in items if isinstance(one, bytes)]
        self._recorder.record("server.app", "left", "ok", {"ids": [*ids]})
        self._loop.stop()
