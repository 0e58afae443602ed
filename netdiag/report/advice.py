"""Advice -> lines for a Console: each set of settings, what it notices in time, and what it costs.

The rule this file guards: what a set does not cover stands beside what it does, with the time that
it takes there, and the set to take comes first.
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
    from collections.abc import Iterable, Iterator

    from rich.console import Console, RenderableType

    from netdiag.predict.advice import Advice, Coverage


def print_advice(advice: tuple[Advice, ...], best: Advice, console: Console, *, assumed: str,
                 ) -> None:
    """Print advice: the recommended set, which set notices what in time, then every set's price;
    assumed: what its times take for granted."""
    ink = Ink(console.options.ascii_only)
    granted = (Text(), ink.text(f"assumed: {assumed}", "dim"))
    print_parts(chain(_recommended(advice, best, ink), granted, _side_by_side(advice, ink),
                      *(_other(number, one, ink) for number, one in enumerate(advice)
                        if one is not best)), console)


def _recommended(advice: tuple[Advice, ...], best: Advice, ink: Ink) -> Iterator[RenderableType]:
    yield Text()
    yield _title(advice.index(best), best, ink, "  (the smallest set that covers most)")
    table = _grid()
    for word, within in (("in time", True), ("not covered", False)):
        rows = [_covered(row) for row in best.coverage if row.within is within]
        _rows(table, word, rows, ink)
    _price(table, best, ink)
    yield table


def _side_by_side(advice: tuple[Advice, ...], ink: Ink) -> Iterator[RenderableType]:
    """Sets down, dangers across: after how long each is noticed at the latest."""
    if len(advice) == 1:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("at most")
    for row in advice[0].coverage:
        table.add_column(_short(row))
    for number, one in enumerate(advice):
        name = f"{number}." if number else "by itself"
        table.add_row(ink.text(name), *(_at_most(row, ink) for row in one.coverage))
    yield Text()
    yield table
    yield ink.text("!  too late for the target", "dim")


def _short(row: Coverage) -> str:
    return row.danger.replace("_", " ")


def _at_most(row: Coverage, ink: Ink) -> Text:
    when = "untold" if row.by == UNTOLD else "never" if row.at_most is None else span(row.at_most)
    return ink.text(when, "green") if row.within else ink.text(f"{when} !", "red")


def _other(number: int, one: Advice, ink: Ink) -> Iterator[RenderableType]:
    yield Text()
    yield _title(number, one, ink)
    table = _grid()
    _price(table, one, ink)
    yield table


def _title(number: int, one: Advice, ink: Ink, more: str = "") -> Text:
    title = f"{number}. {', '.join(one.settings)}" if number else "What it does by itself"
    return Text.assemble(ink.text(title, "bold"), ink.text(more), overflow="fold")


def _grid() -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=2)
    table.add_column(overflow="fold", min_width=14)
    table.add_column(ratio=1, overflow="fold")
    return table


def _price(table: Table, one: Advice, ink: Ink) -> None:
    _rows(table, "costs", one.costs, ink)
    _rows(table, "written", one.code, ink)


def _rows(table: Table, word: str, lines: Iterable[str], ink: Ink) -> None:
    """Lines under one word, which is said once."""
    for place, line in enumerate(lines):
        table.add_row("", ink.text("" if place else word, "bold"), ink.text(line))


def _covered(row: Coverage) -> str:
    """`idle, the path dies while it waits: at most 29.54 s, by the kernel's keepalive timer`."""
    about = f"{_short(row)}, {row.about}"
    if row.by == UNTOLD:
        return f"{about}: settings this short do not tell"
    if row.at_most is None:
        return f"{about}: never noticed"
    return f"{about}: at most {span(row.at_most)}, by {row.by}"
