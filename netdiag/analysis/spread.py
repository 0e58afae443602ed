"""Repeats of a cell -> how far they spread: which outcomes how often, and how soon it was noticed.

The rule this file guards: a run that is UNKNOWN counts as an outcome and as nothing else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from netdiag.analysis.model import Outcome
from netdiag.scenario.repeat import base

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdiag.analysis.model import Analysis, CellAnalysis


@dataclass(frozen=True)
class Span:
    """The smallest, the median and the largest of some times, in seconds."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Spread:
    """The repeats of one cell, folded.

    outcomes: how often each, in the order PASS, UNKNOWN, FAIL; noticed and never: how many of the
    runs that can be judged; lost: the smallest and the largest number of messages.
    """

    id: str
    runs: int
    outcomes: Mapping[str, int]
    noticed: int
    never: int
    time: Span | None
    lost: tuple[int, int]
    errors: Mapping[str, int]


def spreads(analysis: Analysis) -> tuple[Spread, ...]:
    """One for each cell that ran more than once, in the order of the run."""
    groups: dict[str, list[CellAnalysis]] = {}
    for cell in analysis.cells:
        groups.setdefault(base(cell.id), []).append(cell)
    return tuple(_fold(name, cells) for name, cells in groups.items() if len(cells) > 1)


def _fold(name: str, cells: list[CellAnalysis]) -> Spread:
    counted = Counter(cell.outcome for cell in cells)
    judged = [cell for cell in cells if cell.outcome is not Outcome.UNKNOWN]
    notices = [cell.noticed for cell in judged if cell.noticed is not None]
    times = [notice.t for notice in notices]
    lost = [len(cell.fated("lost")) for cell in judged]
    return Spread(
        id=name,
        runs=len(cells),
        outcomes={one.value: counted[one] for one in Outcome if counted[one]},
        noticed=len(times),
        never=sum(1 for cell in judged if cell.noticed is None and cell.faults),
        time=Span(min(times), median(times), max(times)) if times else None,
        lost=(min(lost, default=0), max(lost, default=0)),
        errors=dict(Counter(notice.type or notice.how for notice in notices).most_common()),
    )
