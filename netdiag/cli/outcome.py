"""A scenario's analysis -> what is said of it beside others: one summary, and a line for each thing
that is not as it should be.

The rule this file guards: a summary counts each message once, however many clients saw it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.analysis import Outcome
from netdiag.analysis.baseline import compare_with_baseline
from netdiag.report.fates import fates
from netdiag.report.words import count, plain

if TYPE_CHECKING:
    from pathlib import Path

    from netdiag.analysis import Analysis
    from netdiag.analysis.model import CellAnalysis


def summary(analysis: Analysis) -> str:
    """`3 cells; 12 messages: 10 delivered, 2 lost`."""
    # every client's view of a cell tells of the same messages, but for those that clients make
    once = {(_without_client(cell), message.id): message
            for cell in analysis.cells for message in cell.messages}
    messages = list(once.values())
    cells = count(len(analysis.cells), "cell")
    if not messages:
        return cells
    told = ", ".join(f"{number} {words}" for number, words in fates(messages))
    return f"{cells}; {count(len(messages), 'message')}: {told}"


def _without_client(cell: CellAnalysis) -> str:
    """The id that the views of one cell's clients share."""
    stem, mark, number = cell.id.partition("~")
    own = f".{cell.choices.get('client')}"
    return f"{stem.removesuffix(own)}{mark}{number}"


def unexpected(analysis: Analysis) -> list[str]:
    """For each cell that did not pass: why, in a line each."""
    lines = []
    for cell in analysis.cells:
        lines += [f"{plain(cell.id)}: {plain(why)}" for why in cell.unknown]
        if cell.unknown:
            continue
        for verdict in cell.verdicts:
            if verdict.outcome is not Outcome.PASS:
                told = f"{verdict.outcome.value}  {verdict.expectation}  "
                told += f"measured: {verdict.measured}{f' ({verdict.why})' if verdict.why else ''}"
                lines.append(f"{plain(cell.id)}: {plain(told)}")
    return lines


def worse(baseline: Path, analysis: Analysis) -> list[str]:
    """What is worse than its baseline, each thing in a line of its own."""
    comparison = compare_with_baseline(baseline, analysis)
    return [
        f"{plain(one.id)}: worse than its baseline: {plain(why)}"
        for one in comparison.worse
        for why in one.sentences
    ]
