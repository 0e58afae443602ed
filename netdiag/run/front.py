"""The front's half of a run: start the sandbox, follow its recording, end with it.

Turns a Plan into a Recording. The rule it guards: the front holds one end of a pipe, and whatever
happens to the front, the pipe closes and the whole sandbox is gone; what was recorded stays.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdiag.errors import LabError, NetdiagError, RecordingError
from netdiag.recording import Recording, create

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netdiag.scenario import Plan

_TICK = 0.2
INTERRUPTED = 130


@dataclass(frozen=True)
class RunResult:
    """Where the recording is, how the sandbox ended, and what it complained about."""

    recording: Recording
    code: int
    complaints: tuple[str, ...]


def run_plan(plan: Plan, *, out: Path, jobs: int, follow: Callable[[Recording], None]) -> RunResult:
    """Run the plan's cells in a sandbox; `follow` is called a few times a second to draw progress.

    Returns when the sandbox has ended, also after Ctrl-C (code 130). Raises LabError when no lab
    could be made, RecordingError when nothing can be written.
    """
    recording = create(out, plan.scenario)
    try:
        recording.save_plan(plan.to_json())
        scratch = recording.root / "scratch"
        scratch.mkdir()
    except OSError as err:
        raise RecordingError(
            f"cannot write a recording in {recording.root}: {err.strerror}; "
            "make room, or give another directory with --out"
        ) from err
    with contextlib.ExitStack() as undo:
        undo.callback(_remove_empty, scratch)
        code, complaints = _run_sandbox(recording, jobs, follow)
    if code == LabError.exit_code and complaints and not (recording.root / "cells").exists():
        raise LabError(complaints[-1])
    return RunResult(recording, code, complaints)


def _run_sandbox(
    recording: Recording, jobs: int, follow: Callable[[Recording], None]
) -> tuple[int, tuple[str, ...]]:
    lifeline, ours = os.pipe()
    sandbox = subprocess.Popen(
        [sys.executable, "-m", "netdiag.run.reaper", str(recording.root), str(jobs), str(lifeline)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(lifeline,),
        start_new_session=True,
    )
    os.close(lifeline)
    complaints = bytearray()
    try:
        code = _follow(sandbox, recording, follow, complaints)
    except KeyboardInterrupt:
        code = INTERRUPTED
    finally:
        os.close(ours)
        sandbox.wait()
    return code, _sentences(bytes(complaints))


def _follow(
    sandbox: subprocess.Popen[bytes],
    recording: Recording,
    follow: Callable[[Recording], None],
    complaints: bytearray,
) -> int:
    """Call `follow` until the sandbox has ended; collect what it prints on standard error."""
    pipe = sandbox.stderr
    if pipe is None:
        raise NetdiagError("the sandbox has no standard error")
    os.set_blocking(pipe.fileno(), False)
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            sandbox.wait(_TICK)
        complaints += pipe.read() or b""
        follow(recording)
        if sandbox.returncode is not None:
            return sandbox.returncode


def _sentences(text: bytes) -> tuple[str, ...]:
    lines = text.decode("utf-8", "replace").splitlines()
    return tuple(
        "".join(c if c.isprintable() else " " for c in line) for line in lines if line.strip()
    )


def _remove_empty(directory: Path) -> None:
    with contextlib.suppress(OSError):
        directory.rmdir()
