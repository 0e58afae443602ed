"""Two runs by meaning -> what changed, cell by cell, and whether it is for the worse.

The rule this file guards: a change is named by a sentence or it is none. Raw times, ports and
packet numbers are never looked at; a length of time counts only beyond the tolerance that was
learned from the base.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from netdiag.analysis.changes import Change, Said, changes
from netdiag.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Collection

    from netdiag.analysis.meaning import Meaning, Meanings

VERSION: Final = 1
_RANK: Final = (Change.WORSE, Change.BETTER, Change.DIFFERENT)


@dataclass(frozen=True)
class CellChange:
    """One cell in both runs: the gravest change, and a sentence for each (none: the same)."""

    id: str
    change: Change
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What changed from a base to a new run; cells in the order of the base.

    only_base, only_new: cells that one of them alone has; they are named and count as no change.
    """

    base: str
    new: str
    cells: tuple[CellChange, ...]
    only_base: tuple[str, ...] = ()
    only_new: tuple[str, ...] = ()

    @property
    def change(self) -> Change:
        """The gravest change of all cells."""
        found = {cell.change for cell in self.cells}
        return next((change for change in _RANK if change in found), Change.SAME)

    @property
    def worse(self) -> tuple[CellChange, ...]:
        """The cells that changed for the worse."""
        return tuple(cell for cell in self.cells if cell.change is Change.WORSE)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `change` is the gravest of all."""
        plain = asdict(self, dict_factory=_plain)
        return {"version": VERSION, "change": self.change.value, **plain}


def in_common(base: Meanings, scenario: str, cells: Collection[str]) -> list[str]:
    """The cells of `base` that are among a run's. Raises RecordingError when there are none."""
    both = [name for name in base.cells if name in cells]
    if not both:
        raise RecordingError(
            f"a run of {scenario} has no cell in common with its base, one of {base.scenario}; "
            "compare runs of the same scenario"
        )
    return both


def compare(base: Meanings, new: Meanings) -> Comparison:
    """What changed from `base` to `new`. Raises RecordingError when they have no cell in common."""
    both = in_common(base, new.scenario, new.cells)
    return Comparison(
        base.scenario,
        new.scenario,
        tuple(_cell(name, base.cells[name], new.cells[name]) for name in both),
        tuple(name for name in base.cells if name not in new.cells),
        tuple(name for name in new.cells if name not in base.cells),
    )


def _cell(name: str, base: tuple[Meaning, ...], new: tuple[Meaning, ...]) -> CellChange:
    said = changes(base, new)
    return CellChange(name, _gravest(said), tuple(one.text for one in said))


def _gravest(said: tuple[Said, ...]) -> Change:
    found = {one.change for one in said}
    return next((change for change in _RANK if change in found), Change.SAME)


def _plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value.value if isinstance(value, Enum) else value for key, value in pairs}
