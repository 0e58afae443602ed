"""One cell, from the first socket to the last event: a strand for each client, one server.

Turns a Cell of the plan into its part of the recording. It is a process of its own, in which one
loop waits for everything; whatever it starts dies with it. The rule it guards: what goes wrong is
an event with a sentence before it is an exit code.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from netdiag.errors import LabError
from netdiag.lab.uml.phase import settle
from netdiag.run.acts import EngineActs
from netdiag.run.bench import Bench
from netdiag.run.hosts import HostFaults
from netdiag.run.loop import Loop
from netdiag.run.makers import Makers
from netdiag.run.produce import Producer
from netdiag.run.recorder import Recorder
from netdiag.run.requeue import Requeue
from netdiag.run.server import ServerSide
from netdiag.run.strand import Strand
from netdiag.run.watch import BacklogWatch, Pace, ServerWatch
from netdiag.servers.queues import QUEUES, words
from netdiag.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from netdiag.lab import Lab, Side
    from netdiag.recording import CellFiles
    from netdiag.scenario import Cell

_STARTS = 10 * SECOND  # a program that imports much on a busy machine has not dialled before
_LAST_PUSHES = SECOND // 5  # what was pushed until the end has so long to reach its consumer
_LAST_ANSWERS = SECOND
_CABLE_DONE = 15 * SECOND


class CellRun:
    """One running cell: `run` makes its parts, serves them, ends them. It is its strands' Ear."""

    def __init__(
        self,
        cell: Cell,
        files: CellFiles,
        scratch: Path,
        wall_offset: int,
        *,
        virtual: bool = False,
    ) -> None:
        self._cell = cell
        self._files = files
        self._scratch = scratch
        self._wall_offset = wall_offset
        self._virtual = virtual
        self._pace = Pace(virtual=virtual)
        self._looks_at = 0
        self._recorder = Recorder(files.events)
        self._loop = Loop()
        self._end = 0
        self._lasts = round(cell.duration * SECOND)
        self._began = False
        self._spoke = False
        self._strands: list[Strand] = []
        self._useless = 0
        self._disk: int | None = None
        self._backlog: BacklogWatch | None = None
        self._failure = ""

    def run(self, labs: Sequence[Lab]) -> None:
        """Run the cell in these labs, one for each client, which share the server's host.

        Raises LabError with a sentence when it cannot go on, and OSError when nothing can be
        recorded.
        """
        engine = EngineActs(labs, self._loop, self._recorder, self._renewed)
        self._hosts = HostFaults(self._cell.faults, engine)
        with ExitStack() as undo:
            benches = [
                Bench(
                    self._cell,
                    name,
                    self._files,
                    self._scratch,
                    self._wall_offset,
                    lab,
                    undo,
                    self._virtual,
                )
                for name, lab in zip(self._cell.clients, labs, strict=True)
            ]
            for bench in benches:
                recorder = Recorder(self._files.events, who=bench.who)
                self._strands.append(Strand(bench, self._loop, (recorder, self._recorder), self))
            for strand in self._strands:
                strand.start_cable()
            self._makers = Makers(
                labs[0], self._loop, self._recorder, logs=self._files.logs, undo=undo
            )
            addresses = [bench.server_address for bench in benches]
            self._server = ServerSide(
                benches[0], addresses, self._loop, self._recorder, self.failed
            )
            self._watch_server()
            if self._virtual:
                self._recorder.note("netdiag", "settled", ticks=settle())
            for strand in self._strands:
                strand.start_client()
            self._slow_tick()
            self._serve()
            self._finish()

    def _serve(self) -> None:
        """Serve until the cell's duration, counted from the client's first SYN, is over."""
        self._end = time.monotonic_ns() + max(self._lasts, _STARTS)
        while time.monotonic_ns() < self._end:
            if self._loop.run(until=self._end):
                break
        self._end = 0
        self._check()

    def _lasts_from(self, t: int) -> None:
        self._end = t + self._lasts
        self._loop.at(self._end, self._over)

    def _over(self) -> None:
        if 0 < self._end <= time.monotonic_ns():
            self._loop.stop()

    def signalled(self, entry: int) -> None:
        """A producer's trigger was met (at several cables: the first one counts)."""
        self._producer.start(entry)

    def edge(self, fault: str, edge: str) -> None:
        """A fault has begun or healed at some cable: others may wait for it at theirs."""
        for strand in self._strands:
            strand.hear(fault, edge)

    def server_fault(self, fault: str, edge: str, then: Callable[[], None]) -> None:
        """A fault of the server's program: carried out here, because the clients share it."""

        def done() -> None:
            self.changed()
            then()

        self._hosts.carry_out(fault, edge, self._server.program, done)

    def _renewed(self, side: Side) -> None:
        for strand in self._strands:
            strand.renewed(side)

    def began(self, t: int) -> None:
        """Frames pass: the cell's duration counts from the first of them."""
        if not self._began:
            self._began = True
            self._lasts_from(t)

    def spoke(self) -> None:
        """A client is at work: until frames pass, the duration counts from its first word."""
        if not self._began and not self._spoke:
            self._spoke = True
            self._lasts_from(time.monotonic_ns())

    def changed(self) -> None:
        """Ask for CLIENT LIST, now and when the server has had time to see it."""
        self._server_watch.look_twice()
        self._pace.quicken()
        self._look_later()

    def useless(self) -> None:
        """A client ended before its first call: without any other the experiment never begins."""
        self._useless += 1
        if self._useless == len(self._strands):
            self._end = 0
            self._loop.stop()

    def cannot_write(self, number: int) -> None:
        """A tape could not be written; the cell ends when the cable has."""
        self._disk = number

    def failed(self, reason: str) -> None:
        """The cell cannot go on: end it at once, with the first reason there was."""
        self._failure = self._failure or reason
        self._loop.stop()

    def settled(self) -> None:
        """Stop waiting when every cable has ended its tape."""
        if all(strand.tape_done for strand in self._strands):
            self._loop.stop()

    def _check(self) -> None:
        if self._disk is not None:
            raise OSError(self._disk, os.strerror(self._disk))
        if self._failure:
            raise LabError(self._failure)

    def _watch_server(self) -> None:
        def pause(until: int) -> None:
            self._loop.run(until=until)
            self._check()

        watching = self._server.admin(pause)
        self._server_watch = ServerWatch(watching, self._loop, self._recorder)
        self._producing = self._server.admin(pause)
        self._server.ask_who_it_is()
        workload = self._cell.workload
        others = any(client.kind == "service" for client in self._cell.clients.values())
        self._producer = Producer(
            self._producing, self._loop, self._recorder, workload=workload, makers=self._makers,
            others=others,
        )
        self._producer.prepare()
        length = QUEUES[workload.pattern].length if others else None
        if length is not None:
            ask = words(length, **workload.names)
            self._backlog = BacklogWatch(watching, self._recorder, key=workload.key, ask=ask)
        if workload.reaper is not None and "processing" in workload.own_settings:
            Requeue(self._producing, self._loop, self._recorder, names=workload.names).every(
                workload.reaper
            )

    def _slow_tick(self) -> None:
        self._look()
        self._look_later()

    def _look_later(self) -> None:
        """Look again when our pace says so; a look that was meant for another time is dropped."""
        at = self._looks_at = time.monotonic_ns() + self._pace.next()
        self._loop.at(at, lambda: self._slow_tick() if at == self._looks_at else None)

    def _look(self) -> None:
        self._server_watch.look()
        if self._backlog is not None:
            self._backlog.look()
        for strand in self._strands:
            strand.look()

    def _finish(self) -> None:
        """Look at everything once more, let the cables end their tapes, then end the programs."""
        if self._producer.stop():
            self._loop.run(until=time.monotonic_ns() + _LAST_PUSHES)
            self._check()
        self._look()
        for strand in self._strands:
            strand.look_at_sockets()
        if self._producer.look_for_what_is_left():
            self._loop.run(until=time.monotonic_ns() + _LAST_ANSWERS)
        self._recorder.note("netdiag", "end")
        for strand in self._strands:
            strand.stop_cable()
        self._loop.run(until=time.monotonic_ns() + _CABLE_DONE)
        for strand in self._strands:
            strand.end_client()
        self._server.program.child.kill()
        if not all(strand.tape_done for strand in self._strands):
            self.failed("the cable did not end its tape within 15 s; run it again")
        self._check()
