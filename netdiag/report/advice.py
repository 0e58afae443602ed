"""Advice -> lines for a Console: each set of settings, what it notices in time, and what it costs.

The rule this file guards: what a set does not cover stands beside what it does, with the time that
it takes there.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from netdiag.predict.advice import UNTOLD
from netdiag.report.ink import Ink
from netdiag.report.plainly import print_parts
from netdiag.report.words import span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType

    from netdiag.predict.advice import Advice, Coverage


def print_advice(advice: tuple[Advice, ...], best: Advice, console: Console) -> None:
    """Print advice, set by set."""
    ink = Ink(console.options.ascii_only)
    sets = (_set(number, one, ink, best=one is best) for number, one in enumerate(advice))
    print_parts(chain.from_iterable(sets), console)


def _set(number: int, one: Advice, ink: Ink, *, best: bool) -> Iterator[RenderableType]:
    yield Text()
    title = f"{number}. {', '.join(one.settings)}" if number else "What it does by itself"
    more = "  (the smallest set that covers most)" if best else ""
    yield Text.assemble(ink.text(title, "bold"), ink.text(more), overflow="fold")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=2)
    table.add_column(overflow="fold", min_width=14)
    table.add_column(ratio=1, overflow="fold")
    for word, within in (("in time", True), ("not covered", False)):
        for row in one.coverage:
            if row.within is within:
                table.add_row("", ink.text(word, "bold"), ink.text(_covered(row)))
                word = ""  # noqa: PLW2901 - said once
    for word, lines in (("costs", one.costs), ("written", one.code)):
        for place, line in enumerate(lines):
            table.add_row("", ink.text("" if place else word, "bold"), ink.text(line))
    yield table


def _covered(row: Coverage) -> str:
    """`the path dies while it waits: 27.15 to 29.54 s, by the kernel's keepalive timer`."""
    if row.by == UNTOLD:
        return f"{row.about}: settings this short do not tell"
    if row.low is None or row.high is None:
        return f"{row.about}: never noticed"
    low, high = span(row.low), span(row.high)
    unit = f" {high.rpartition(' ')[2]}"
    return f"{row.about}: {low.removesuffix(unit)} to {high}, by {row.by}"
