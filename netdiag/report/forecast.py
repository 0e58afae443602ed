"""Prediction -> lines for a Console: each fault of each cell, who notices it, when, and why.

The rule this file guards: every interval stands beside the formula it comes from, and what settings
alone do not tell is said where it would have stood.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from netdiag.predict import written
from netdiag.report.ink import Ink
from netdiag.report.plainly import print_parts
from netdiag.report.predicted import LABELS
from netdiag.report.words import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, RenderableType

    from netdiag.predict import FaultPrediction, Forecast, Prediction


def print_predictions(predictions: Sequence[Prediction], console: Console) -> None:
    """Print predictions, cell by cell."""
    ink = Ink(console.options.ascii_only)
    print_parts(chain.from_iterable(_cell(one, ink) for one in predictions), console)


def _cell(one: Prediction, ink: Ink) -> Iterator[RenderableType]:
    yield Text()
    yield ink.text(plain(one.cell), "bold")
    if not one.faults and not one.healthy:
        yield ink.text("  no fault, so there is nothing to predict")
    for sentence in one.healthy:
        yield Padding(ink.text(f"without a fault: {plain(sentence)}"), (0, 0, 0, 2))
    for fault in one.faults:
        yield ink.text(f"  {plain(fault.fault)}: {plain(fault.verb)} at {plain(fault.trigger)}")
        yield _fault(fault, ink)


def _fault(fault: FaultPrediction, ink: Ink) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=2)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    noticed = fault.of("noticed")
    for one in fault.forecasts:
        if one.what == "error" and noticed is not None and one.when == noticed.when:
            continue  # the application is told at once, by the same words
        when = "never" if one.when is None else written(one.when)
        table.add_row("", ink.text(LABELS[one.what]), ink.text(when, "bold"),
                      ink.told(plain(_who(one)), "", plain(one.formula)))
    for what, sentences in (("cannot be told", fault.unsaid), ("assumed", fault.assumes)):
        for sentence in sentences:
            table.add_row("", ink.text(what, "dim"), "", ink.text(plain(sentence)))
    return table


def _who(one: Forecast) -> str:
    """`TimeoutError ETIMEDOUT: ..., by the kernel's keepalive timer`."""
    return one.text if one.when is None else f"{one.text}, by {one.by}"
