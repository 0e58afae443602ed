"""The cells of a run -> the table that sets them side by side, one row a cell.

The rule this file guards: a column holds one measured thing in its shortest words, so that cells
can be compared by eye.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdiag.report.fates import fates
from netdiag.report.predicted import beside
from netdiag.report.sentence import by
from netdiag.report.words import errno_name, plain, span

if TYPE_CHECKING:
    from netdiag.analysis.model import CellAnalysis, Outcome


@dataclass(frozen=True)
class ComparisonRow:
    """One cell in short. `choices`: only what distinguishes it and its id does not say already."""

    id: str
    choices: tuple[tuple[str, str], ...]
    noticed: str
    how: str
    timer: str
    fin_wait1: str
    zombies: str
    messages: str
    outcome: Outcome
    noticed_predicted: str = ""
    fin_wait1_predicted: str = ""


@dataclass(frozen=True)
class ComparisonView:
    """All cells in short, in the plan's order."""

    rows: tuple[ComparisonRow, ...]


def compared(cells: tuple[CellAnalysis, ...]) -> ComparisonView:
    """The comparison over cells."""
    axes = _varying(cells)
    return ComparisonView(tuple(_row(cell, axes) for cell in cells))


def _varying(cells: tuple[CellAnalysis, ...]) -> tuple[str, ...]:
    """The axes on which the cells differ, in their order."""
    values: dict[str, set[str | None]] = {axis: set() for cell in cells for axis in cell.choices}
    for axis, seen in values.items():
        seen.update(cell.choices.get(axis) for cell in cells)
    return tuple(axis for axis, seen in values.items() if len(seen) > 1)


def _row(cell: CellAnalysis, axes: tuple[str, ...]) -> ComparisonRow:
    notice = cell.noticed
    choices = tuple(
        (plain(axis), plain(cell.choices[axis]))
        for axis in axes
        if axis in cell.choices and cell.choices[axis] not in cell.id
    )
    return ComparisonRow(
        id=plain(cell.id),
        choices=choices,
        noticed=_noticed(cell),
        how="-"
        if notice is None
        else " ".join(filter(None, (plain(notice.type or notice.how), errno_name(notice.errno)))),
        timer="-" if notice is None else by(notice) or "-",
        fin_wait1=_fin_wait1(cell),
        zombies=_zombies(cell),
        messages=_messages(cell),
        outcome=cell.outcome,
        noticed_predicted=beside(cell, "noticed"),
        fin_wait1_predicted=beside(cell, "fin_wait1"),
    )


def _noticed(cell: CellAnalysis) -> str:
    if cell.noticed is not None:
        return span(cell.noticed.t)
    return "never" if any(fault.began is not None for fault in cell.faults) else "-"


def _fin_wait1(cell: CellAnalysis) -> str:
    """The longest one at the client; `> 18.99 s` when it was still there at the end."""
    held = [one for one in cell.fin_wait1 if one.side == "client"]
    if not held:
        return "-"
    longest = max(held, key=lambda one: one.seconds)
    return f"{'' if longest.ended else '> '}{span(longest.seconds)}"


def _zombies(cell: CellAnalysis) -> str:
    """`1 client, 2 server`: the sides that still believe."""
    sides = Counter(plain(zombie.side) for zombie in cell.zombies)
    return ", ".join(f"{number} {side}" for side, number in sorted(sides.items())) or "-"


def _messages(cell: CellAnalysis) -> str:
    missing = fates(cell.messages, but=("delivered",))
    if not missing:
        return "all there" if cell.messages else "-"
    return ", ".join(f"{number} {words}" for number, words in missing)
