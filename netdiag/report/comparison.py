"""Comparison -> lines for a Console: what changed for the worse first, what is the same last.

The rule this file guards: a change is never only a colour. Its word stands before the cell, and
every sentence that names it stands below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from netdiag.analysis.changes import Change
from netdiag.report.ink import Ink
from netdiag.report.plainly import print_parts
from netdiag.report.words import count, listed, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, RenderableType

    from netdiag.analysis.compare import CellChange, Comparison

STYLES: Final = {
    Change.WORSE: "bold red",
    Change.DIFFERENT: "bold yellow",
    Change.BETTER: "bold green",
    Change.SAME: "",
}


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print a comparison."""
    print_parts(comparison_lines(comparison, Ink(console.options.ascii_only)), console)


def comparison_lines(comparison: Comparison, ink: Ink) -> Iterator[RenderableType]:
    """The parts of a comparison, from top to bottom."""
    if comparison.base != comparison.new:
        yield ink.text(
            f"{plain(comparison.new)} is compared with another scenario, {plain(comparison.base)}"
        )
        yield Text()
    changed = [one for change in STYLES for one in comparison.cells if one.change is change]
    yield from _cells([one for one in changed if one.sentences], ink)
    same = [one.id for one in comparison.cells if not one.sentences]
    for word, names in (
        ("same: ", same),
        ("only in the base: ", list(comparison.only_base)),
        ("only in the new run: ", list(comparison.only_new)),
    ):
        if names:
            yield ink.text(word + ", ".join(map(plain, names)))
    yield Text()
    yield _summary(comparison, ink)


def _cells(cells: Sequence[CellChange], ink: Ink) -> Iterator[RenderableType]:
    for one in cells:
        yield Text.assemble(
            ink.text(one.change.value, STYLES[one.change]),
            ink.text(f"  {plain(one.id)}", "bold"),
            overflow="fold",
        )
        table = Table.grid(padding=(0, 1, 0, 0))
        table.add_column()
        table.add_column(overflow="fold")
        for sentence in one.sentences:
            table.add_row("-", ink.text(plain(sentence)))
        yield Padding(table, (0, 0, 0, 2))


def _summary(comparison: Comparison, ink: Ink) -> Text:
    """`base against new: worse (4 cells: 1 worse and 3 same)`."""
    changes = [one.change for one in comparison.cells]
    parts = [f"{changes.count(change)} {change.value}" for change in STYLES if change in changes]
    told = f" ({count(len(changes), 'cell')}: {listed(parts)})" if parts else " (no cell in both)"
    return Text.assemble(
        ink.text(f"{plain(comparison.new)} against its base: "),
        ink.text(comparison.change.value, STYLES[comparison.change]),
        ink.text(told),
        overflow="fold",
    )
