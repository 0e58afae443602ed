"""Spreads of repeated cells -> a table, one row a cell.

The rule this file guards: a spread is shown as what was measured, never as one number that hides
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from netdiag.report.words import listed, plain, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdiag.analysis.spread import Spread
    from netdiag.report.ink import Ink

_COLUMNS = ("cell", "outcomes", "noticed", "min", "median", "max", "lost", "told by")


def spread_table(rows: Sequence[tuple[str, ...]], ink: Ink) -> Table:
    """The repeats side by side, a row of `spread_words` for each cell."""
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="none",
        show_edge=False,
    )
    for name in _COLUMNS:
        table.add_column(ink.text(name, "bold"), overflow="fold")
    for row in rows:
        table.add_row(*(ink.text(words) for words in row))
    return table


def spread_words(spread: Spread) -> tuple[str, ...]:
    """One row: outcomes, how many noticed, after how long, what was lost, who told it."""
    time = spread.time
    return (
        plain(spread.id),
        listed([f"{number} {outcome}" for outcome, number in spread.outcomes.items()]),
        f"{spread.noticed} of {spread.noticed + spread.never}" if spread.never else _all(spread),
        *(("-", "-", "-") if time is None else map(span, (time.low, time.middle, time.high))),
        _range(*spread.lost),
        ", ".join(_told(plain(error), number) for error, number in spread.errors.items()) or "-",
    )


def _all(spread: Spread) -> str:
    return f"all {spread.noticed}" if spread.noticed else "-"


def _told(error: str, number: int) -> str:
    return error if number == 1 else f"{error} ({number})"


def _range(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low} to {high}"
