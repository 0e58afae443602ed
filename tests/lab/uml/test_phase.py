"""Where cells begin: at a count of ticks that is known, on whatever kernel this is."""

from __future__ import annotations

import os

from netdiag.lab.uml import phase
from netdiag.lab.uml.kernels import host_tick
from netdiag.predict.wheel import ROUND


def test_the_kernels_count_has_the_phase_that_was_waited_for() -> None:
    ticks = phase.settle()
    hundredths = round(os.times().elapsed * os.sysconf("SC_CLK_TCK"))
    since = (hundredths * host_tick() // 100 - ticks) % phase.ROUND
    assert ticks % phase.SETTLED == 0
    assert since < host_tick() or since > phase.ROUND - host_tick() // 20  # told in hundredths


def test_a_round_is_the_same_to_who_waits_and_to_who_foretells() -> None:
    assert phase.ROUND == ROUND
    assert phase.SETTLED < phase.ROUND
