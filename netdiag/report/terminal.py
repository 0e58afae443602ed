"""View -> rich renderables -> a Console that is injected.

The rule this file guards: what stands on the terminal is complete at any width, with or without
colour, with or without Unicode. Words wrap and are never cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from netdiag.analysis.model import Outcome
from netdiag.report.columns import Compared, SideBySide
from netdiag.report.ink import NARROW, Ink
from netdiag.report.lanes import timeline_table, timers_table
from netdiag.report.plainly import print_parts
from netdiag.report.predicted import SURPRISE
from netdiag.report.reach import reach_table
from netdiag.report.spread import spread_table
from netdiag.report.words import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType

    from netdiag.report.view import CellView, View


def print_report(view: View, console: Console) -> None:
    """Print a whole run: every cell, then the comparison, then the outcome."""
    options = console.options
    print_parts(report(view, Ink(options.ascii_only, options.max_width < NARROW)), console)


def report(view: View, ink: Ink) -> Iterator[RenderableType]:
    """The parts of a report, from top to bottom."""
    yield ink.text(view.scenario, "bold")
    if view.about:
        yield ink.text(view.about)
    for cell in view.cells:
        yield Text()
        yield from _cell(cell, ink)
    if len(view.cells) > 1:
        yield Text()
        yield Rule(ink.text("Comparison", "bold"), align="left", style="none")
        yield Compared(view.comparison.rows, ink)
    if view.reach:
        yield Text()
        title = "What the client sent while the fault lasted"
        yield Rule(ink.text(title, "bold"), align="left", style="none")
        yield reach_table(view.reach, ink)
    if view.spreads:
        yield Text()
        yield Rule(ink.text("Repeats", "bold"), align="left", style="none")
        yield spread_table(view.spreads, ink)
    yield Text()
    yield ink.outcome(view.outcome, f"{view.scenario}: ", f" ({view.summary})")


def _cell(cell: CellView, ink: Ink) -> Iterator[RenderableType]:
    yield from _head(cell, ink)
    if cell.observations:
        about = f" about {cell.observed_at}" if cell.observed_at else ""
        title = f"What each side believes{about} at the end"
        yield from _block(title, SideBySide(cell.observations, ink), ink)
    if cell.rows:
        routine = count(cell.routine, "routine line")
        left_out = f"; {routine} left out" if cell.routine else ""
        title = f"Timeline (times since {cell.since}{left_out})"
        yield from _block(title, timeline_table(cell.rows, ink), ink)
    if cell.timers:
        title = "Which kernel timer owned each socket"
        yield from _block(title, timers_table(cell.timers, ink), ink)
    yield Text()
    yield _facts(cell, ink)
    if cell.predicted or cell.unpredicted:
        yield from _block("Predicted beside measured", _predicted(cell, ink), ink)
    if cell.verdicts:
        yield from _block("Expectations", _verdicts(cell, ink), ink)


def _head(cell: CellView, ink: Ink) -> Iterator[RenderableType]:
    title = Text.assemble(ink.text(cell.id, "bold"), "  ", ink.outcome(cell.outcome))
    if len(title) < _TITLE:
        yield Rule(title, align="left", style="none")
    else:
        yield title
    yield ink.text(cell.headline, "bold")
    for axis, choice in cell.choices:
        yield ink.text(f"{axis}: {choice}", "dim")
    for why in cell.unknown:
        yield ink.outcome(Outcome.UNKNOWN, after=f" because {why}")
    for sentence in cell.surprises:
        yield ink.told(SURPRISE, "bold yellow", sentence)
    for fault in cell.faults:
        yield ink.text(f"fault {fault.name}: {fault.text}")


_TITLE = 30


def _block(title: str, body: RenderableType, ink: Ink) -> Iterator[RenderableType]:
    yield Text()
    yield ink.text(title, "bold")
    yield body


def _named() -> Table:
    """A table whose first column names what stands beside it."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    return table


def _facts(cell: CellView, ink: Ink) -> Table:
    """What is left to say of a cell."""
    facts = [("FIN-WAIT-1", text) for text in cell.fin_wait1]
    facts += [("zombie", text) for text in cell.zombies]
    facts += [("messages", cell.messages)]
    facts += [(f"  {one.fate}", f"{one.id}: {one.text}") for one in cell.missing]
    facts += [("packets", cell.packets)] if cell.packets else []
    table = _named()
    table.add_column(ratio=1, overflow="fold")
    for name, text in facts:
        table.add_row(ink.text(name, "bold"), ink.text(text))
    return table


def _predicted(cell: CellView, ink: Ink) -> Table:
    """What, foretold, measured, and why; on a narrow console the words stand below the rest."""
    table = _named()
    for column in () if ink.narrow else (0, 0, 1):
        table.add_column(ratio=column or None, overflow="fold")
    for one in cell.predicted:
        style = "bold yellow" if one.verdict == SURPRISE else ""
        words = ink.told(one.verdict, style, one.why) if one.verdict else ink.text(one.why, "dim")
        facts = ink.text(one.what), ink.text(one.predicted), ink.text(one.measured, "bold")
        if ink.narrow:
            what, foretold, measured = facts
            table.add_row(Text.assemble(what, ": ", foretold, "; measured: ", measured))
            table.add_row(words)
        else:
            table.add_row(*facts, words)
    for why in cell.unpredicted:
        name = ink.text("cannot be told")
        if ink.narrow:
            table.add_row(Text.assemble(name, ": ", ink.text(why)))
        else:
            table.add_row(name, "", "", ink.text(why))
    return table


def _verdicts(cell: CellView, ink: Ink) -> Table:
    table = _named()
    table.add_column(overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    for one in cell.verdicts:
        table.add_row(
            ink.outcome(one.outcome),
            ink.text(one.expectation),
            ink.told(f"measured: {one.measured}", "", one.why),
        )
    return table
