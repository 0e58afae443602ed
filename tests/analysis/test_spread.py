"""Repeats, folded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netdiag.analysis import Analysis, CellAnalysis, Outcome
from netdiag.analysis.model import FaultEffect, Message, Notice
from netdiag.analysis.spread import Span, spreads

from .recorded import analysed

CUT = FaultEffect("cut", "blackhole", "blocked", 0, None, 0.0, None, 1, {"server data": 1}, 0, None)


def one(number: int, noticed: float | None, outcome: Outcome = Outcome.PASS, *,
        lost: int = 0, kind: str = "TimeoutError") -> CellAnalysis:
    notice = None if noticed is None else Notice(noticed, "an error", "a timer", kind)
    return CellAnalysis(f"cell~{number}", {}, outcome, (), 9.0, faults=(CUT,), noticed=notice,
                        messages=(Message("m1", "lost", ""),) * lost)


def folded(*cells: CellAnalysis) -> Analysis:
    return Analysis("s", "", Outcome.PASS, cells)


def test_min_median_and_max() -> None:
    (spread,) = spreads(folded(one(1, 3.0), one(2, 5.0, Outcome.FAIL, lost=2), one(3, 4.0),
                               one(4, None), one(5, 99.0, Outcome.UNKNOWN, lost=7)))
    assert (spread.id, spread.runs) == ("cell", 5)
    assert spread.outcomes == {"PASS": 3, "UNKNOWN": 1, "FAIL": 1}
    assert spread.time == Span(3.0, 4.0, 5.0)
    assert (spread.noticed, spread.never, spread.lost) == (3, 1, (0, 2))
    assert spread.errors == {"TimeoutError": 3}


def test_a_cell_that_ran_once_has_no_spread() -> None:
    assert spreads(folded(one(1, 3.0))) == ()
    assert spreads(analysed("brpop-zombie")) == ()


def test_cells_stay_apart() -> None:
    other = [replace(one(number, 1.0), id=f"other~{number}") for number in (1, 2)]
    found = spreads(folded(one(1, 3.0), *other, one(2, 3.0)))
    assert [(spread.id, spread.runs) for spread in found] == [("cell", 2), ("other", 2)]


def test_only_unknown_runs_say_nothing() -> None:
    (spread,) = spreads(folded(one(1, 1.0, Outcome.UNKNOWN), one(2, 2.0, Outcome.UNKNOWN)))
    assert (spread.time, spread.noticed, spread.never, spread.lost) == (None, 0, 0, (0, 0))


def test_the_repeats_of_a_stored_recording() -> None:
    (spread,) = spreads(analysed("repeats"))
    assert (spread.id, spread.runs, spread.outcomes) == ("kept", 5, {"PASS": 5})
    assert spread.time is not None
    assert spread.time.low <= spread.time.middle <= spread.time.high
    assert spread.time.low == pytest.approx(3, abs=0.5)
    assert spread.time.high - spread.time.low < 0.5
