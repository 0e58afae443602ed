"""The runner: reads the plan, imports what every cell needs once, and forks a process a cell.

The run directory is the only channel to the front. Each cell is pid 1 of a pid namespace of its
own, so nothing that its programs started outlives it. A cell that fails says so in its own events,
and for one that was killed the runner says it; it goes on with the others.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import select
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netdiag.clients.start import warm
from netdiag.errors import LabError, NetdiagError
from netdiag.lab.uml.kernels import host_tick
from netdiag.lab.uml.phase import wait_for_round
from netdiag.lab.uml.processor import hide_counters
from netdiag.process import MS_NODEV, MS_NOSUID, Child, how_it_ended, mount
from netdiag.recording import CellFiles, Recording
from netdiag.run.cell import CellRun
from netdiag.run.ground import Ground, Namespaces
from netdiag.run.recorder import Recorder
from netdiag.scenario import Cell, Plan

if TYPE_CHECKING:
    from collections.abc import Collection

FRONT_GONE: Final = 130
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def serve(lifeline: int, ground: Ground | None = None, *, most: int | None = None) -> int:
    """Import what cells need, wait for the front's order on the lifeline, and run it.

    The order is one line of JSON, `{"directory": ..., "jobs": ..., "keep_going": ...}`; `most` is
    how many cells this ground can bear at a time. Returns as `run` does.
    """
    import netdiag.clients.programs.redis_py.driving  # noqa: F401, PLC0415 - most cells want it

    with os.fdopen(lifeline, "rb") as told:
        line = told.readline()
    if not line:
        return FRONT_GONE
    order = json.loads(line)
    jobs = min(order["jobs"], most or order["jobs"])
    return run(Path(order["directory"]), jobs, keep_going=order["keep_going"], ground=ground)


def run(
    directory: Path,
    jobs: int,
    *,
    keep_going: bool = False,
    clock: str = "real",
    only: Collection[str] | None = None,
    ground: Ground | None = None,
) -> int:
    """Run the cells of `<directory>/plan.json`, all or those named by `only`, `jobs` at a time.

    `clock` is what the recording says of our clock: real, guest (real, but not the machine's own)
    or virtual.
    Once a cell could not be run to its end no other is started, unless we shall keep going.
    Returns 0 when every cell was run to its end, whatever that end was: cells speak through their
    events. Raises RecordingError and LabError.
    """
    recording = Recording(directory)
    plan = Plan.from_json(recording.load_plan())
    scratch = directory / "scratch"
    _mount_scratch(scratch)
    ground = ground or Namespaces()
    if not ground.apart:
        warm([client for cell in plan.cells for client in cell.clients.values()])
    if any(fault.on_start() for cell in plan.cells for fault in cell.faults):
        import netdiag.packets  # noqa: F401, PLC0415 - scapy, once, before anything is forked
    wall_offset = time.time_ns() - time.monotonic_ns()
    gc.collect()
    gc.freeze()
    waiting = [cell for cell in reversed(plan.cells) if only is None or cell.id in only]
    running: dict[int, tuple[Child, Cell]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            cell = waiting.pop()
            made = CellProcess(cell, recording.cell(cell.id), scratch, wall_offset, clock)
            child = made.start(ground)
            running[child.pidfd] = child, cell
        for pidfd in select.select(list(running), [], [])[0]:
            child, cell = running.pop(pidfd)
            os.close(pidfd)
            if child.wait() < 0:
                _was_killed(recording.cell(cell.id), child.wait())
            if child.wait() != 0 and not keep_going:
                _not_begun(cell, len(waiting))
                waiting.clear()
    return 0


def _mount_scratch(scratch: Path) -> None:
    try:
        mount("tmpfs", str(scratch), "tmpfs", MS_NOSUID | MS_NODEV, "mode=700")
    except OSError as err:
        raise LabError(
            f"the sandbox cannot mount a tmpfs on {scratch} ({err.strerror}), so no lab can be "
            "made; give another directory with --out"
        ) from err


def _not_begun(failed: Cell, count: int) -> None:
    if count:
        print(
            f"cell {failed.id} could not be run to its end, so {count} more "
            f"{'was' if count == 1 else 'were'} not begun; --keep-going begins them all the same",
            file=sys.stderr,
        )


def _was_killed(files: CellFiles, code: int) -> None:
    reason = f"the cell's process was ended from outside ({how_it_ended(code)})"
    try:
        Recorder(files.events).note("netdiag", "cell", "fail", reason=reason)
    except OSError as err:
        print(why(err), file=sys.stderr)


class CellProcess:
    """One cell's process: `start` forks it; what goes wrong in it becomes its last event."""

    def __init__(
        self, cell: Cell, files: CellFiles, scratch: Path, wall_offset: int, clock: str
    ) -> None:
        self._cell = cell
        self._files = files
        self._scratch = scratch / f"{cell.index}"
        self._wall_offset = wall_offset
        self._clock = clock

    def start(self, ground: Ground) -> Child:
        """Fork the cell's process on that ground. Raises LabError when that is forbidden."""
        try:
            return ground.fork(lambda: self._main(ground), f"cell {self._cell.id}")
        except OSError as err:
            raise LabError(
                f"no process can be started for cell {self._cell.id}: {err.strerror}; "
                "run with fewer --jobs"
            ) from err

    def _main(self, ground: Ground) -> int:
        complain = os.dup(2)
        os.set_inheritable(complain, False)
        try:
            self._files.make()
            log = self._own_log()
            recorder = Recorder(self._files.events)
        except OSError as err:
            return _complain(complain, why(err))
        try:
            self._run(recorder, ground)
            recorder.note("netdiag", "cell", "ok")
        except Exception as err:  # noqa: BLE001 - whatever it is, the recording says it
            if not isinstance(err, NetdiagError | OSError):
                traceback.print_exc()
            return _last_word(recorder, why(err), complain)
        if log.stat().st_size == 0:
            log.unlink()
        return 0

    def _own_log(self) -> Path:
        """Our own standard error, and the cable's, to logs/netdiag.log."""
        path = self._files.logs / "netdiag.log"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(fd, 2)
        os.close(fd)
        return path

    def _run(self, recorder: Recorder, ground: Ground) -> None:
        virtual = self._clock == "virtual"
        if virtual:
            wait_for_round()
        about = os.uname()
        recorder.note(
            "netdiag",
            "cell",
            "start",
            wall_offset=self._wall_offset,
            kernel=about.release,
            machine=about.machine,
            tick=host_tick(),
            clock=self._clock,
            lab=ground.name,
        )
        self._scratch.mkdir(mode=0o700)
        with ground.labs(self._cell, self._files) as labs:
            if virtual:
                hide_counters(self._scratch)
            made = CellRun(
                self._cell, self._files, self._scratch, self._wall_offset, virtual=virtual
            )
            made.run(labs)


def _last_word(recorder: Recorder, reason: str, complain: int) -> int:
    try:
        recorder.note("netdiag", "cell", "fail", reason=reason)
    except OSError:
        return _complain(complain, reason)
    return LabError.exit_code


def _complain(complain: int, reason: str) -> int:
    os.write(complain, reason.encode("utf-8", "backslashreplace") + b"\n")
    return LabError.exit_code


def why(err: Exception) -> str:
    """One sentence that says why a cell cannot go on."""
    if isinstance(err, NetdiagError):
        return str(err)
    if isinstance(err, OSError) and err.errno in _FULL:
        return (
            f"nothing more can be recorded ({os.strerror(err.errno)}); what was recorded is kept; "
            "make room, or give another directory with --out"
        )
    if isinstance(err, OSError):
        return f"the system refused what the cell needs: {err.strerror or err}"
    return (
        f"netdiag itself failed ({type(err).__name__}: {err}); "
        "please report this with logs/netdiag.log of the cell"
    )
