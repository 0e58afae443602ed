"""The front's half of a run: look whether it can be done, give the order, follow, end with it.

Turns a Plan into a Recording. The rule it guards: what can be known to be missing is said before
anything starts; and whatever happens afterwards, what was recorded stays and is shown.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.clients.start import require
from netdiag.errors import RecordingError, ScenarioError
from netdiag.process import how_it_ended
from netdiag.recording import Recording, create, printable
from netdiag.run.sandbox import Sandbox, sandbox
from netdiag.servers.start import require as require_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from netdiag.scenario import Plan

_TICK_MS: Final = 200
_STOPS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class RunResult:
    """Where the recording is, how the sandbox ended, and what it complained about.

    `stopped` is the signal that a person (or a supervisor) sent us, and None for a run that ended
    by itself.
    """

    recording: Recording
    code: int
    complaints: tuple[str, ...]
    stopped: signal.Signals | None = None


def run_plan(
    plan: Plan,
    *,
    out: Path,
    jobs: int,
    follow: Callable[[Recording], None],
    keep_going: bool = False,
    box: Sandbox | None = None,
) -> RunResult:
    """Run the plan's cells in a sandbox; `follow` is called a few times a second to draw progress.

    Once a cell could not be run to its end no other is started, unless we `keep_going`.

    `box`: a sandbox that was started earlier; it is spent afterwards. Returns when it has ended,
    also after SIGINT or SIGTERM. Raises ScenarioError and LabError before anything has started, and
    RecordingError when nothing can be written.
    """
    preflight(plan, apart=box is not None and box.apart)
    with contextlib.ExitStack() as undo:
        box = box or undo.enter_context(sandbox())
        box.wait_until_ready()
        box.look_ahead(plan)
        stop = undo.enter_context(_stop_requests())
        recording = _recording(plan, out)
        undo.callback(_remove_empty, recording.root / "scratch")
        box.begin(recording.root, jobs, keep_going=keep_going)
        stopped = _follow(box, recording, follow, stop)
        code = box.end()
        _once_more(follow, recording)
        complaints = box.complaints()
    if code != 0 and stopped is None and not complaints:
        complaints = (_ended_early(code),)
    return RunResult(recording, code, complaints, stopped)


def preflight(plan: Plan, *, apart: bool = False) -> None:
    """Look for every program that the plan's cells name, unless the hosts have their own (`apart`).

    Raises ScenarioError for what netdiag cannot run (yet), LabError for what is not installed.
    """
    if apart:
        from netdiag.run.docked import services_of  # noqa: PLC0415 - only where containers are

        for cell in plan.cells:
            services_of(cell)
        return
    for cell in plan.cells:
        if (why := cell.needs_containers) is not None:
            raise ScenarioError(f"cell {cell.id}: {why}; run it with --lab docker")
    for cell in plan.cells:
        require_server(cell.server)
    require(client for cell in plan.cells for client in cell.clients.values())


def _recording(plan: Plan, out: Path) -> Recording:
    recording = create(out, plan.scenario)
    try:
        (recording.root / "scratch").mkdir()
        recording.save_plan(plan.to_json())
    except OSError as err:
        shutil.rmtree(recording.root, ignore_errors=True)
        raise RecordingError(
            f"cannot write a recording under {printable(out)}: {err.strerror}; "
            "make room, or give another directory with --out"
        ) from err
    return recording


@contextlib.contextmanager
def _stop_requests() -> Iterator[int]:
    """A descriptor from which the numbers of stop signals can be read, while the context lasts."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, reading)
        undo.callback(os.close, writing)
        if threading.current_thread() is threading.main_thread():
            undo.callback(
                signal.set_wakeup_fd, signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
            )
            for number in _STOPS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a job of a script
                    undo.callback(signal.signal, number, signal.signal(number, lambda *_: None))
        yield reading


def _follow(
    box: Sandbox, recording: Recording, follow: Callable[[Recording], None], stop: int
) -> signal.Signals | None:
    """Call `follow` until the sandbox has ended or somebody wants it to; then, which signal."""
    poll = select.poll()
    for fd in (box.complaining, box.pidfd, stop):
        poll.register(fd, select.POLLIN)
    while True:
        ready = dict(poll.poll(_TICK_MS))
        if stop in ready:
            for number in os.read(stop, 4096):
                if number in _STOPS:
                    return signal.Signals(number)
        if box.complaining in ready:
            box.listen()
            if not ready[box.complaining] & select.POLLIN:
                poll.unregister(box.complaining)
        _once_more(follow, recording)
        if box.pidfd in ready:
            return None


def _once_more(follow: Callable[[Recording], None], recording: Recording) -> None:
    """Draw progress; when there is nobody to draw for any more, the run goes on all the same."""
    with contextlib.suppress(OSError, SystemExit):  # rich ends the program when its reader is gone
        follow(recording)


def _ended_early(code: int) -> str:
    how = how_it_ended(128 - code if code > 128 else code)
    return f"the sandbox was ended from outside ({how}); what was recorded until then is shown"


def _remove_empty(directory: Path) -> None:
    with contextlib.suppress(OSError):
        directory.rmdir()
