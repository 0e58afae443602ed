"""Messages that somebody else makes: a program in the container of a stack's own producer.

Turns an entry of `produce` with `by` into one run of its command for each message, recorded with
its exit code. The rule it guards: what it printed is in the cell's log, and none outlives the cell.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError
from netdiag.process import become
from netdiag.run.mains import in_own_group, with_a_limit

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from netdiag.lab import Lab
    from netdiag.process import Child
    from netdiag.run.loop import Loop
    from netdiag.run.recorder import Recorder
    from netdiag.scenario.workload import Maker

LOG: Final = "produce.log"


class Makers:
    """Starts the programs and hears of their ends; whatever runs when `undo` ends is killed."""

    def __init__(
        self, lab: Lab, loop: Loop, recorder: Recorder, *, logs: Path, undo: ExitStack
    ) -> None:
        self._lab = lab
        self._loop = loop
        self._recorder = recorder
        self._log = logs / LOG
        self._undo = undo
        self._made = 0

    def make(self, maker: Maker) -> None:
        """Run the maker's command once."""
        self._made += 1
        number, service = self._made, maker.service
        self._recorder.note("netdiag", "make", "start", number=number, service=service)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        log = os.open(self._log, flags, 0o644)
        try:
            main = in_own_group(with_a_limit(_running(maker.run, log)))
            child = self._lab.start_in(service, main, "maker")
        except (LabError, OSError) as err:
            self._recorder.note(
                "netdiag", "make", "fail", number=number, service=service, reason=str(err)
            )
            return
        finally:
            os.close(log)
        self._undo.callback(child.kill)
        self._loop.on_readable(child.pidfd, lambda: self._ended(child, number, service))

    def _ended(self, child: Child, number: int, service: str) -> None:
        self._loop.forget(child.pidfd)
        code = child.wait()
        outcome = "fail" if code else "ok"
        self._recorder.note("netdiag", "make", outcome, number=number, service=service, code=code)


def _running(words: tuple[str, ...], log: int) -> Callable[[], int]:
    """In the container: its own environment is ours by then."""
    return lambda: become(words, env=dict(os.environ), log=log)
