"""A Plan -> the Plan that is really run: only some of its cells, or each of them several times.

The rule this file guards: a repeat is the same cell. Its seed, its settings and its expectations
are those of the cell it repeats, so that what differs between `ID~1` and `ID~2` is the machine's
own spread and nothing that netdiag chose. An id of the matrix never holds a `~`.
"""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from netdiag.errors import ScenarioError
from netdiag.units import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdiag.scenario.plan import Cell, Plan

MARK: Final = "~"
MAX_REPEATS: Final = 1000
_PATTERN: Final = frozenset("*?[")


def repeated(plan: Plan, times: int) -> Plan:
    """The plan with each cell `times` times, as `ID~1` ... `ID~N`; 1 leaves the plan as it is.

    Raises ScenarioError when `times` is below 1 or above MAX_REPEATS.
    """
    if not 1 <= times <= MAX_REPEATS:
        raise ScenarioError(
            f"--repeat {times}: a cell cannot run so often; give a number from 1 to {MAX_REPEATS}"
        )
    if times == 1:
        return plan
    cells = [
        replace(cell, id=f"{cell.id}{MARK}{number}")
        for cell in plan.cells
        for number in range(1, times + 1)
    ]
    return _with_cells(plan, cells)


def only(plan: Plan, wanted: Sequence[str]) -> Plan:
    """The plan with the cells that are named, in the plan's order; none named: all of them.

    A name is a cell's id, an id without its `~N` (all its repeats), or a pattern such as `keep*`.
    Raises ScenarioError with a sentence for each name that no cell has.
    """
    if not wanted:
        return plan
    names = tuple(dict.fromkeys(name for cell in plan.cells for name in (cell.id, base(cell.id))))
    mistakes = [
        f"--only {shown(name)[1:-1]}: no cell is called so; {did_you_mean(name, names)}"
        for name in wanted
        if not any(_is_meant(cell.id, name) for cell in plan.cells)
    ]
    if mistakes:
        raise ScenarioError(*mistakes)
    return _with_cells(
        plan,
        [cell for cell in plan.cells if any(_is_meant(cell.id, name) for name in wanted)],
    )


def base(cell_id: str) -> str:
    """`ID~2` -> `ID`; an id that is no repeat's stays as it is."""
    stem, mark, number = cell_id.rpartition(MARK)
    return stem if mark and stem and number.isascii() and number.isdigit() else cell_id


def _is_meant(cell_id: str, name: str) -> bool:
    names = (cell_id, base(cell_id))
    if name in names:
        return True
    return not _PATTERN.isdisjoint(name) and any(fnmatchcase(one, name) for one in names)


def _with_cells(plan: Plan, cells: Sequence[Cell]) -> Plan:
    """Cells are numbered anew: a runner keeps their working directories apart by number."""
    numbered = (replace(cell, index=index) for index, cell in enumerate(cells))
    return replace(plan, cells=tuple(numbered))
