"""How much a measured time may differ before it means anything.

The rule this file guards: a tolerance is learned, never chosen. Repeats of a cell show how far it
spreads by itself; without them the kernel's timer wheel says it: a timer fires never early and late
by at most 8/63 (Linux `kernel/time/timer.c`: LVL_START, LVL_GRAN), so the sum of several does, too.
Where both runs' settings foretold an interval and both times lie in it, nothing is asked of them
(`changes`).

Repeats that ran at the same time share the wheel's phase and look more alike than tomorrow's run
will be. A time that a kernel timer decided therefore keeps one step of its wheel, whatever they
say; a client's own timeout is no timer of that wheel.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from netdiag.predict.wheel import KNOWN_HZ, Wheel
from netdiag.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

WHEEL: Final = 8 / 63
SCHEDULING: Final = 0.05
_FEW: Final = 4


@dataclass(frozen=True)
class Tolerance:
    """What was measured before, from `low` to `high` (seconds), how much more or less still is the
    same, and how that is known.
    """

    low: float
    high: float
    seconds: float
    why: str

    def later(self, times: Sequence[float]) -> float:
        """Seconds by which these times are beyond the tolerance: above 0 too late, below 0 too
        early, 0 the same. The median decides, so that one run of several does not.
        """
        middle = median(times)
        if middle > self.high + self.seconds:
            return middle - self.high
        return min(0.0, middle - self.low) if middle < self.low - self.seconds else 0.0


def wheel_step(seconds: float) -> float:
    """The step of the kernel's timer wheel for a timer of that length, for the coarsest of the tick
    rates that kernels have.
    """
    return max(wheel.step(seconds) for wheel in map(Wheel, KNOWN_HZ))


def learn(times: Sequence[float], *, own_timeout: bool = False) -> Tolerance:
    """The tolerance for times like these (seconds, at least one); own_timeout: no kernel timer
    decided them.

    Of few repeats the true spread is seen badly: 2 count four times what they differ, 5 or more
    once (a sixth run beyond that is rarer than one in twenty).
    """
    low, high, runs = min(times), max(times), len(times)
    if runs == 1:
        return Tolerance(
            low,
            high,
            high * WHEEL + SCHEDULING,
            "12.7 % for the kernel's timer wheel and 50 ms for scheduling",
        )
    spread = (high - low) * max(1.0, _FEW / (runs - 1))
    why = f"{runs} repeats differ by {format_duration(round(high - low, 3))}"
    step = 0.0 if own_timeout else wheel_step(high)
    if step > spread:
        why += f", a step of the kernel's timer wheel is {format_duration(step)}"
    return Tolerance(low, high, max(spread, step) + SCHEDULING, why)
