"""The runner's place where hosts are containers, and the process that tidies up after it.

Runs on the machine itself, as root: the cable is spliced in between a container and its bridge. The
warden holds the run's journal and waits for the runner's end or the front's, whichever comes first;
then it removes what carries the run's label and undoes what stands in the journal. The rule it
guards: whoever is killed, somebody is left who knows what there was.
"""

from __future__ import annotations

import json
import os
import select
import sys
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError, NetdiagError
from netdiag.faults import DockerFault
from netdiag.lab.docker.compose import command
from netdiag.lab.docker.described import PROJECT
from netdiag.lab.docker.engine import connect
from netdiag.lab.docker.journal import Journal, begin
from netdiag.lab.docker.lab import Wishes, docker_labs
from netdiag.lab.docker.reaping import end, reap
from netdiag.lab.docker.stack import Ends, Services, bring_up, look_ahead, running
from netdiag.lab.docker.undoing import Undoing, play_back
from netdiag.process import CLONE_NEWNS, MS_PRIVATE, MS_REC, Child, fork, mount, unshare
from netdiag.run.ground import sysctls
from netdiag.scenario.shelf import compose_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from netdiag.lab import Lab
    from netdiag.lab.docker.engine import Engine
    from netdiag.lab.docker.reaping import Reaped
    from netdiag.recording import CellFiles
    from netdiag.scenario import Cell, Plan

FRONT_GONE: Final = 130
_MOST_AT_ONCE: Final = 4
"""Cells at a time: each has networks of its own, and Docker has room for about thirty."""


_COMPOSE: Final = {"redis-py": "redis-consumer", "phpredis": "phpredis-consumer"}
"""By the client's kind: the compose file that ships for it."""


@dataclass(frozen=True)
class Containers:
    """What the front asks for: hosts that are containers. `attach` is the project of a stack that
    runs already; None: each cell brings up its own.
    """

    attach: str | None = None

    apart = True

    def to_json(self) -> str:
        """As one word for a command line."""
        return json.dumps({"containers": asdict(self)})

    def look_ahead(self, plan: Plan) -> None:
        """Whether every stack of the plan can be brought up, or is there. Raises LabError."""
        engine = connect()
        for cell in plan.cells if self.attach is not None else ():
            _leave_as_it_is(cell)
        for services in dict.fromkeys(services_of(cell) for cell in plan.cells):
            if self.attach is None:
                look_ahead(engine, services)
            else:
                running(engine, services, self.attach)
        engine.close()

    @classmethod
    def from_json(cls, text: str) -> Containers:
        """What `to_json` gave."""
        return cls(**json.loads(text)["containers"])


class Docked:
    """The ground: each cell in containers of its own, or all, one by one, in a running stack."""

    name = "docker"
    apart = True

    def __init__(self, journal: Journal, wanted: Containers) -> None:
        self._journal = journal
        self._wanted = wanted

    def fork(self, main: Callable[[], int], name: str) -> Child:
        return fork(main, name)

    @contextmanager
    def labs(self, cell: Cell, files: CellFiles) -> Iterator[Sequence[Lab]]:
        engine = connect()  # no process shares another one's
        with ExitStack() as undo:
            if self._wanted.attach is None:
                undoing = Undoing(None)
                ends = self._own(cell, files, engine, undo)
            else:
                undoing = Undoing(self._journal)
                ends = self._theirs(self._wanted.attach, cell, files, engine, undo)
            yield undo.enter_context(docker_labs(engine, *ends, _wishes(cell), undoing=undoing))

    def _own(self, cell: Cell, files: CellFiles, engine: Engine, undo: ExitStack) -> Ends:
        """A stack for this cell, gone with it: Docker has addresses for about thirty networks."""
        run = self._journal.run
        name = f"netdiag-{run}-{cell.index}"
        undo.callback(_remove, engine, f"{PROJECT}={name}")
        undo.callback(_keep_logs, engine, f"{PROJECT}={name}", files)
        into = files.root / "compose.json"
        return bring_up(engine, services_of(cell), run=run, name=name, into=into, ip=cell.lab.ip)

    def _theirs(
        self, attach: str, cell: Cell, files: CellFiles, engine: Engine, undo: ExitStack
    ) -> Ends:
        """A stack that is left as it was when the cell ends."""
        undo.callback(self._undo_changes, engine)
        undo.callback(_keep_logs, engine, f"{PROJECT}={attach}", files)
        return running(engine, services_of(cell), attach)

    def _undo_changes(self, engine: Engine) -> None:
        play_back(self._journal, engine)  # what it cannot undo now is tried again at the run's end


def _wishes(cell: Cell) -> Wishes:
    about_links = any(
        isinstance(fault.do, DockerFault) and fault.do.changes_links for fault in cell.faults
    )
    return Wishes(cell.lab.ip, sysctls(cell), pinned=not about_links)


def _leave_as_it_is(cell: Cell) -> None:
    """Raises LabError for what could not be undone on somebody else's stack."""
    if cell.server.config:
        raise LabError(
            f"server.config ({', '.join(cell.server.config)}) would change the attached stack's "
            "server; leave it out, or run without --attach"
        )


def services_of(cell: Cell) -> Services:
    """The compose file and the services that a cell means. Raises ScenarioError."""
    lab = cell.lab
    file = compose_file(lab.compose or _COMPOSE.get(cell.client.kind, _COMPOSE["redis-py"]))
    makers = {entry.by.service: None for entry in cell.workload.produce if entry.by is not None}
    return Services(file, lab.client, lab.server, len(cell.clients), tuple(makers), lab.without)


def _keep_logs(engine: Engine, label: str, files: CellFiles) -> None:
    """What every container of the stack has printed, beside the client's own log."""
    with suppress(LabError, OSError):  # a log is worth no run
        for one in engine.containers(label):
            engine.save_log(one, files.logs / f"{one.service}-{one.number}.log")


def _remove(engine: Engine, label: str) -> None:
    """The cell's stack; what the engine will not let go now, the warden removes at the end."""
    with suppress(LabError):
        engine.remove(label)


def warden(lifeline: int, asked: str, ready: Callable[[], None]) -> int:
    """Clean up after dead runs, start the runner, and when it or the front has ended, clean up
    after it; returns the runner's exit code.
    """
    try:
        if os.geteuid() != 0:
            raise LabError(
                "the Docker lab needs root, because its cable is spliced in between a container "
                "and its bridge; run netdiag with sudo"
            )
        engine = connect()
        command()
        journal = begin()
        for one in reap(engine):
            _tell(one)
    except LabError as err:
        print(err, file=sys.stderr)
        return err.exit_code
    ready()
    runner = fork(lambda: _runner(lifeline, journal, Containers.from_json(asked)), "netdiag-runner")
    watch = select.poll()
    watch.register(lifeline, 0)  # nothing but the front's end
    watch.register(runner.pidfd, select.POLLIN)
    gone = {fd for fd, _ in watch.poll()}
    if runner.pidfd not in gone:
        runner.kill()
    code = runner.wait()
    try:
        ended = end(journal, engine, killed=code < 0)
    except LabError as err:
        print(f"{err}; `netdiag clean` tries again", file=sys.stderr)
        return err.exit_code
    _tell(ended)
    if ended.refused:
        return LabError.exit_code
    return code if code >= 0 else 128 - code


def _tell(ended: Reaped) -> None:
    for sentence in ended.refused:
        print(f"{sentence}; `netdiag clean` tries again", file=sys.stderr)


def _runner(lifeline: int, journal: Journal, wanted: Containers) -> int:
    from netdiag.run.runner import serve  # noqa: PLC0415 - the warden itself stays small

    try:
        unshare(CLONE_NEWNS)  # what is mounted for the run is nobody else's, and goes with it
        mount("none", "/", "", MS_REC | MS_PRIVATE)
        most = _MOST_AT_ONCE if wanted.attach is None else 1
        return serve(lifeline, Docked(journal, wanted), most=most)
    except NetdiagError as err:
        print(err, file=sys.stderr)
        return err.exit_code
    except OSError as err:
        print(f"the Docker lab could not be made: {err.strerror or err}", file=sys.stderr)
        return LabError.exit_code
