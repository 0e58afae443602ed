"""What a guest on a virtual clock is told of its processor: no counter that could be a clock."""

from __future__ import annotations

from netdiag.lab.uml.processor import without_counters

TOLD = """processor\t: 0
model name\t: UML, not a tscale
flags\t\t: fpu tsc msr rdtscp constant_tsc nonstop_tsc lm tsc_known_freq
bogomips\t: 5000.00
"""


def test_the_flags_of_the_time_stamp_counter_are_left_out_and_nothing_else() -> None:
    told = without_counters(TOLD).splitlines()
    assert told[2] == "flags\t\t: fpu msr lm"
    assert told[:2] + told[3:] == TOLD.splitlines()[:2] + TOLD.splitlines()[3:]
