"""Where a cell begins on a virtual clock: always at the same phase of the kernel's count of ticks.

The kernel's timer wheel rounds a timer up to its bucket, and where in a bucket it falls hangs on
the count of ticks at which it was set. Real time has any phase; but on a virtual clock waiting is
free, so every cell waits for the same one. The rule this file guards: what a cell measures hangs on
its own settings alone, not on the cells that ran before it in the same guest.
"""

from __future__ import annotations

import os
import time
from typing import Final

from netdiag.lab.uml.kernels import host_tick

ROUND: Final = 8**6
"""The width of a bucket of the wheel's seventh level, ticks: 17 minutes at 250 Hz. Timers that are
longer than some 18 hours have wider ones."""
SETTLED: Final = 8**2
"""The count, modulo ROUND, at which the clients start: the lab and its server are up by then."""
_GLANCE: Final = 0.001


def wait_for_round() -> None:
    """Wait until the kernel's count of ticks is a multiple of ROUND, before anything is started."""
    _wait(ROUND)


def settle() -> int:
    """Wait until that count is a multiple of SETTLED; returns it, modulo ROUND."""
    return _wait(SETTLED) % ROUND


def _wait(ticks: int) -> int:
    hz = host_tick()
    now = _count(hz)
    left = -now % ticks
    time.sleep(left / hz)
    return now + left


def _count(hz: int) -> int:
    """The kernel's count of ticks, at a moment when it has just become that.

    times(2) tells it in hundredths of a second, so it is known exactly when that number steps.
    """
    before = _hundredths()
    while _hundredths() == before:
        time.sleep(_GLANCE)
    return -(-_hundredths() * hz // 100)


def _hundredths() -> int:
    return round(os.times().elapsed * os.sysconf("SC_CLK_TCK"))
