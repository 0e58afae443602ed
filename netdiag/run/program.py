"""A program under test as faults reach it: signals and new starts, each with its proof.

A program is a process group, so that a signal reaches what it started too. The rule it guards: an
order counts when its effect was seen (the process's state in /proc, its exit by the pidfd, the new
process), never because a system call returned.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netdiag.process import how_it_ended
from netdiag.units import MILLISECOND, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdiag.process import Child
    from netdiag.recording import Json
    from netdiag.run.recorder import Recorder

_SHOWN: Final[dict[str, Callable[[str], bool]]] = {
    "SIGSTOP": lambda state: state.startswith("T"),
    "SIGCONT": lambda state: not state.startswith("T"),
    "SIGKILL": lambda state: state.startswith("ended"),
}
"""For the signals that no program can refuse: the states in which their effect shows."""
_IN_VAIN: Final = {"SIGSTOP": "it was stopped already", "SIGCONT": "it was not stopped"}
"""And why there is none to be seen in a program that is in such a state before."""
_RUNS: Final = "what it should have started again was running"
_WITNESSED: Final = 2 * SECOND
_LOOK_AGAIN: Final = MILLISECOND  # of a stop nobody but a parent is told, and not all are ours

_LEAVES: Final = 30 * SECOND
"""How long a program that was asked to end may take: what Kubernetes gives it by default."""
_REACTS: Final = SECOND
"""And how long what it does on any other signal may take to end it."""
_ASK_TO_END: Final = ("SIGTERM", "SIGINT", "SIGQUIT")
_NO_LIMIT: Final = 1 << 62


def _shows(name: str, state: str) -> bool:
    """Whether a program in this state has met the signal; of one that it may refuse, who knows."""
    return name not in _SHOWN or _SHOWN[name](state)


def own_group(child: Child) -> None:
    """Make a child the leader of a process group of its own (it does the same for itself)."""
    with contextlib.suppress(OSError):  # it has, and runs its program already; or it has ended
        os.setpgid(child.pid, child.pid)


@dataclass(frozen=True)
class _Blame:
    """A fault that may end the program: by this signal (a number) at any time, and until `until`
    (ns) in any way.
    """

    fault: str
    signal: int
    until: int


class Program:
    """A program that faults can reach. `starting` starts it again and gives the new process."""

    def __init__(
        self, lane: str, child: Child, recorder: Recorder, starting: Callable[[], Child]
    ) -> None:
        self.child = child
        self._lane = lane
        self._recorder = recorder
        self._starting = starting
        self._running = True
        self._blamed: list[_Blame] = []
        self._again: str | None = None

    @property
    def running(self) -> bool:
        """Whether its end has not been heard of."""
        return self._running

    @property
    def frozen(self) -> bool:
        """Whether it is stopped now."""
        return self._running and self._state().startswith("T")

    @property
    def ended_by(self) -> str | None:
        """The fault that has ended it, or is about to; None: it ended by itself, if it has.

        That is so when it died of the fault's signal, or did not outlive what a signal asks for.
        """
        code, now = self.child.poll(), time.monotonic_ns()
        died = [one for one in self._blamed if one.signal and code == -one.signal]
        meant = died or [one for one in self._blamed if now < one.until]
        return meant[-1].fault if meant else None

    def expect_end(self, fault: str) -> None:
        """A fault is about to end it, by other means than a signal of ours."""
        self._blamed.append(_Blame(fault, 0, _NO_LIMIT))

    def ended(self) -> None:
        """Its end was heard of (and recorded): start it again if a fault is waiting for that."""
        self._running = False
        if self._again is not None:
            self._start(self._again)

    def start_again(self, fault: str) -> None:
        """Start it again as soon as its end was heard of; one that nobody ends runs already."""
        if not self._running:
            self._start(fault)
        elif self.ended_by is None and self.child.poll() is None:
            self._recorder.note("cable", "late", "fail", fault=fault, reason=_RUNS)
        else:
            self._again = fault

    def came_back(self) -> None:
        """Somebody else has started it again: take up the new process."""
        self._start(None)

    def send(self, fault: str, name: str) -> None:
        """Send a signal to it and all it started, and record what that did."""
        if not self._running or self.child.poll() is not None:
            self._failed(fault, name, "it had ended before")
            return
        if name in _IN_VAIN and _shows(name, self._state()):
            self._failed(fault, name, _IN_VAIN[name])
            return
        ignored = self._ignores(name)
        if name not in _IN_VAIN:
            limit = _LEAVES if name in _ASK_TO_END else _REACTS
            until = time.monotonic_ns() + limit
            self._blamed.append(_Blame(fault, signal.Signals[name], until))
        began = time.monotonic_ns()
        try:
            os.killpg(self.child.pid, signal.Signals[name])
        except OSError as err:
            self._failed(fault, name, f"it could not be sent: {err.strerror}")
            return
        if ignored:
            self._failed(fault, name, "the program ignores it")
            return
        state = self._effect(name)
        if not _shows(name, state):
            self._failed(fault, name, f"no effect was seen, the program is still {state}")
            return
        self._recorder.record(
            self._lane,
            "signal",
            "ok",
            {"fault": fault, "signal": name, "pid": self.child.pid, "state": state},
            t=began if name == "SIGCONT" else None,  # before whatever it does, thawed
        )

    def _effect(self, name: str) -> str:
        """What the signal did: waits for the effect of one that cannot be refused, but not for
        ever. It is seen in /proc, and an end by the pidfd.
        """
        limit = time.monotonic_ns() + _WITNESSED
        ends = select.poll()
        ends.register(self.child.pidfd, select.POLLIN)
        while True:
            code = self.child.poll()
            state = self._state() if code is None else f"ended: {how_it_ended(code)}"
            if _shows(name, state) or time.monotonic_ns() > limit:
                return state
            ends.poll(_LOOK_AGAIN / MILLISECOND)

    def _state(self) -> str:
        """`T (stopped)`, from /proc/PID/status."""
        return self._status("State") or "gone"

    def _ignores(self, name: str) -> bool:
        mask = self._status("SigIgn")
        return bool(mask) and bool(int(mask, 16) >> (signal.Signals[name] - 1) & 1)

    def _status(self, key: str) -> str:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{self.child.pid}/status").read_text(encoding="utf-8")
            for line in text.splitlines():
                if line.startswith(f"{key}:"):
                    return line.partition(":")[2].strip()
        return ""

    def _start(self, fault: str | None) -> None:
        self._again = None
        self._blamed.clear()
        self._running = True
        by: dict[str, Json] = {} if fault is None else {"fault": fault}
        began = time.monotonic_ns()  # before whatever the new process does
        self.child = self._starting()
        self._recorder.record(
            self._lane,
            "started",
            "ok",
            {**by, "pid": self.child.pid, "state": self._state()},
            t=began,
        )

    def _failed(self, fault: str, name: str, reason: str) -> None:
        self._recorder.record(
            self._lane, "signal", "fail", {"fault": fault, "signal": name, "reason": reason}
        )
