"""The sandbox as the front sees it: started early, told its order once, gone with the front.

Turns a child process into a Sandbox, which makes its namespaces and imports what cells need while
the front still reads the scenario. The rule it guards: the front alone holds the writing end of a
pipe, and however the front ends, the pipe closes and everything in the sandbox is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import netdiag
from netdiag.errors import LabError
from netdiag.process import how_it_ended
from netdiag.run.reaper import READY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netdiag.run.docked import Containers
    from netdiag.run.keeping import Guests
    from netdiag.scenario import Plan

_MOST_COMPLAINTS: Final = 1 << 20
# our own package, wherever it is, and nothing of the directory that a person happens to be in
_BOOT: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from netdiag.run.reaper import main; sys.exit(main(sys.argv[1:]))"
)


def _nothing_to_see(plan: Plan) -> None:
    """Every sandbox of our own has what a plan needs."""


class Sandbox:
    """A running sandbox; make it with `sandbox`, which also ends it.

    `pidfd` polls readable when it has ended, `complaining` when it says something on standard
    error. `apart`: its hosts have programs of their own; `look_ahead`: whether they have what a
    plan needs, asked when it is ready; raises LabError.
    """

    def __init__(self, process: subprocess.Popen[bytes], lifeline: int) -> None:
        if process.stdout is None or process.stderr is None:
            raise ValueError("a sandbox has pipes for its output")
        self.apart = False
        self.look_ahead: Callable[[Plan], None] = _nothing_to_see
        self._process = process
        self._lifeline: int | None = lifeline
        self._saying = process.stdout.fileno()
        self._complaints = bytearray()
        self._heard_all = False
        self.complaining = process.stderr.fileno()
        os.set_blocking(self.complaining, False)
        self.pidfd = os.pidfd_open(process.pid)

    def wait_until_ready(self) -> None:
        """Wait until it has its namespaces. Raises LabError with its own reason when it has not."""
        said = b""
        while not said.endswith(READY):
            block = os.read(self._saying, len(READY))
            if not block:
                how = how_it_ended(self.end())
                nothing = f"the sandbox ended ({how}) before it was ready; run again"
                raise LabError((nothing, *self.complaints())[-1])
            said += block

    def begin(self, directory: Path, jobs: int, *, keep_going: bool = False) -> None:
        """Tell it to run the plan in `directory`, `jobs` cells at a time; see `runner.run`."""
        wanted = {"directory": str(directory), "jobs": jobs, "keep_going": keep_going}
        order = json.dumps(wanted).encode() + b"\n"
        if self._lifeline is not None:
            with contextlib.suppress(BrokenPipeError):  # it has ended, and `poll` says how
                os.write(self._lifeline, order)

    def poll(self) -> int | None:
        """Its exit code (negative for a signal), or None while it runs."""
        return self._process.poll()

    def listen(self) -> None:
        """Take what it said on standard error, so that it need not wait to say more."""
        if self._heard_all:
            return
        with contextlib.suppress(BlockingIOError):
            while block := os.read(self.complaining, 1 << 16):
                if len(self._complaints) < _MOST_COMPLAINTS:
                    self._complaints += block

    def complaints(self) -> tuple[str, ...]:
        """What it said on standard error so far: each line once, safe for a terminal."""
        self.listen()
        lines = self._complaints.decode("utf-8", "replace").split("\n")
        shown = ("".join(c if c.isprintable() else " " for c in line).rstrip() for line in lines)
        return tuple(dict.fromkeys(filter(None, shown)))

    def end(self) -> int:
        """End it, with all that runs in it; returns its exit code (negative for a signal)."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        code = self._process.wait()
        self.listen()
        self._heard_all = True  # the descriptor may be somebody else's from here on
        return code


@contextlib.contextmanager
def sandbox(hosts: Guests | Containers | None = None) -> Iterator[Sandbox]:
    """Start a sandbox; when the context ends, it and all that runs in it are gone.

    The runner works in namespaces of this machine or, where `hosts` are given, with those.
    Raises LabError when no process can be started.
    """
    theirs, lifeline = os.pipe()
    try:
        process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-c",
                _BOOT,
                str(Path(netdiag.__file__).parent.parent),
                str(theirs),
                *([] if hosts is None else [hosts.to_json()]),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(theirs,),
            start_new_session=True,
        )
    except OSError as err:
        os.close(lifeline)
        raise LabError(f"no process can be started here: {err.strerror}") from err
    finally:
        os.close(theirs)
    with process:
        box = Sandbox(process, lifeline)
        box.apart = hosts is not None and hosts.apart
        if hosts is not None:
            box.look_ahead = hosts.look_ahead
        try:
            yield box
        finally:
            box.end()
            os.close(box.pidfd)
