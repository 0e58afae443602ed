"""Docker's own faults carried out: one verb of the engine after the other, each with its proof.

The engine is asked from a child process, because `stop` may take seconds and the cell goes on
watching meanwhile. The rule it guards, as in `run.program`: an act counts when its effect was seen
(what the engine then says of the container, the link that came or went), not because it returned.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError
from netdiag.lab import CLIENT, SERVER
from netdiag.process import Child, fork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdiag.lab import Lab, Side
    from netdiag.recording import Json
    from netdiag.run.loop import Loop
    from netdiag.run.program import Program
    from netdiag.run.recorder import Recorder

_ENDS: Final = ("kill", "stop", "restart")
_STARTS: Final = ("start", "restart")
_SIDES: Final[dict[str, Side]] = {"client": CLIENT, "server": SERVER}


@dataclass(frozen=True)
class _Act:
    fault: str
    verb: str
    host: str
    program: Program
    then: Callable[[], None]


class EngineActs:
    """Has the engine do things to the containers of these labs, one after the other.

    `renewed` is told when a host has begun anew: its kernel has forgotten every socket.
    """

    def __init__(
        self,
        labs: Sequence[Lab],
        loop: Loop,
        recorder: Recorder,
        renewed: Callable[[Side], None],
    ) -> None:
        self._labs = labs
        self._loop = loop
        self._recorder = recorder
        self._renewed = renewed
        self._waiting: deque[_Act] = deque()
        self._busy = False

    def carry_out(
        self, fault: str, verb: str, host: str, program: Program, then: Callable[[], None]
    ) -> None:
        """Have the verb done to the host's container, and call `then` when it has been."""
        self._waiting.append(_Act(fault, verb, host, program, then))
        if not self._busy:
            self._next()

    def _next(self) -> None:
        self._busy = bool(self._waiting)
        if not self._waiting:
            return
        act = self._waiting.popleft()
        side, lab = _SIDES[act.host], self._labs[0]
        if act.verb in _ENDS:
            act.program.expect_end(act.fault)
        began = time.monotonic_ns()
        child = fork(lambda: _ask(lab, side, act.verb), f"docker {act.verb}")
        self._loop.on_readable(child.pidfd, lambda: self._done(act, child, began))

    def _done(self, act: _Act, child: Child, began: int) -> None:
        self._loop.forget(child.pidfd)
        side = _SIDES[act.host]
        try:
            if child.wait() != 0:
                raise LabError("the engine refused; see logs/netdiag.log of the cell")
            seen, *_ = [lab.settle(side, act.verb) for lab in self._labs]
        except (LabError, OSError) as err:
            self._record(act, "fail", began, reason=str(err))
        else:
            self._record(act, "ok", began, state=seen)
            if act.verb in _STARTS:
                self._renewed(side)
                act.program.start_again(act.fault)
        act.then()
        self._next()

    def _record(self, act: _Act, outcome: str, began: int, **what: str) -> None:
        took = (time.monotonic_ns() - began) / 1e6
        told: dict[str, Json] = {"fault": act.fault, "verb": act.verb, "took_ms": round(took, 1)}
        self._recorder.record(f"{act.host}.app", "docker", outcome, {**told, **what})


def _ask(lab: Lab, side: Side, verb: str) -> int:
    """In a child: have the engine do it; what it says against it goes to the cell's log."""
    try:
        lab.act(side, verb)
    except LabError as err:
        print(err, file=sys.stderr)
        return err.exit_code
    return 0
