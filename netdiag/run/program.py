"""A program under test as faults reach it: signals and new starts, each with its proof.

A program is a process group, so that a signal reaches what it started too. The rule it guards: an
order counts when its effect was seen (the process's state in /proc, its exit by the pidfd, the new
process), never because a system call returned.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netdiag.process import Stranger, how_it_ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdiag.process import Child
    from netdiag.run.recorder import Recorder

_SEEN_IN: Final = {
    "SIGSTOP": os.WSTOPPED | os.WEXITED | os.WNOWAIT,
    "SIGCONT": os.WCONTINUED | os.WEXITED | os.WNOWAIT,
    "SIGKILL": os.WEXITED | os.WNOWAIT,
}
"""For the signals that no program can refuse: what its parent is told of their effect."""
_SHOWN: Final[dict[str, Callable[[str], bool]]] = {
    "SIGSTOP": lambda state: state.startswith("T"),
    "SIGCONT": lambda state: not state.startswith("T"),
    "SIGKILL": lambda state: state.startswith("ended"),
}
"""And the states in which it shows."""
_WITNESSED: Final = 0.5  # s
_LOOK_AGAIN: Final = 0.001  # s; what becomes of a stranger is told to its own parent alone


def _shows(name: str, state: str) -> bool:
    """Whether a program in this state has met the signal; of one that it may refuse, who knows."""
    return name not in _SHOWN or _SHOWN[name](state)


def own_group(child: Child) -> None:
    """Make a child the leader of a process group of its own (it does the same for itself)."""
    with contextlib.suppress(OSError):  # it has, and runs its program already; or it has ended
        os.setpgid(child.pid, child.pid)


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
        self._ended_by: str | None = None
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
        """The fault whose signal may have ended it; None: it can only have ended by itself."""
        return self._ended_by

    def expect_end(self, fault: str) -> None:
        """A fault is about to end it, by other means than a signal of ours."""
        self._ended_by = fault

    def ended(self) -> None:
        """Its end was heard of (and recorded): start it again if a fault is waiting for that."""
        self._running = False
        if self._again is not None:
            self._start(self._again)

    def start_again(self, fault: str) -> None:
        """Start it again as soon as its end was heard of."""
        self._again = fault
        if not self._running:
            self._start(fault)

    def send(self, fault: str, name: str) -> None:
        """Send a signal to it and all it started, and record what that did."""
        if not self._running or self.child.poll() is not None:
            self._failed(fault, name, "it had ended before")
            return
        ignored = self._ignores(name)
        if name not in ("SIGSTOP", "SIGCONT"):
            self._ended_by = fault
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
        )

    def _effect(self, name: str) -> str:
        """What the signal did: waits for the effect of one that cannot be refused."""
        seen = None
        if isinstance(self.child, Stranger):
            return self._effect_on_stranger(name)
        if name in _SEEN_IN:
            seen = os.waitid(os.P_PIDFD, self.child.pidfd, _SEEN_IN[name])
        if seen is not None and seen.si_code in (os.CLD_KILLED, os.CLD_EXITED, os.CLD_DUMPED):
            code = seen.si_status if seen.si_code == os.CLD_EXITED else -seen.si_status
            return f"ended: {how_it_ended(code)}"
        return self._state()

    def _effect_on_stranger(self, name: str) -> str:
        """The same for a process whose parent is told in our place: seen in /proc, and its end by
        its pidfd.
        """
        limit = time.monotonic() + _WITNESSED
        while True:
            state = f"ended: {name}" if self.child.poll() is not None else self._state()
            if _shows(name, state) or time.monotonic() > limit:
                return state
            time.sleep(_LOOK_AGAIN)

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

    def _start(self, fault: str) -> None:
        self._again = self._ended_by = None
        self._running = True
        began = time.monotonic_ns()  # before whatever the new process does
        self.child = self._starting()
        self._recorder.record(
            self._lane,
            "started",
            "ok",
            {"fault": fault, "pid": self.child.pid, "state": self._state()},
            t=began,
        )

    def _failed(self, fault: str, name: str, reason: str) -> None:
        self._recorder.record(
            self._lane, "signal", "fail", {"fault": fault, "signal": name, "reason": reason}
        )
