"""What was foretold beside what was measured -> words, for a cell and for the comparison.

The rule this file guards: a measurement outside of its interval is said in words, never by colour
alone, and what a cell says nothing about is not called fulfilled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.report.words import plain, span

if TYPE_CHECKING:
    from netdiag.analysis.model import CellAnalysis, Predicted

LABELS: Final = {
    "noticed": "the client notices",
    "error": "the application sees",
    "fin_wait1": "FIN-WAIT-1 lasts",
    "server": "the server forgets",
}
SURPRISE: Final = "NOT as predicted"


@dataclass(frozen=True)
class PredictedView:
    """One thing that was foretold; `verdict` is empty where nothing is known, and `why` says why.
    """

    what: str
    predicted: str
    measured: str
    verdict: str
    why: str


def predicted_views(cell: CellAnalysis) -> tuple[PredictedView, ...]:
    """The rows of a cell; what the application sees only where it comes later than the noticing."""
    noticed = next((one for one in cell.predicted if one.what == "noticed"), None)
    return tuple(_view(one) for one in cell.predicted if not _same(one, noticed))


def surprises(cell: CellAnalysis) -> tuple[str, ...]:
    """A sentence for each measurement outside of its interval."""
    return tuple(
        f"{_label(one)}: {_measured(one)}, predicted {interval(one)} ({plain(one.formula)})"
        for one in cell.surprises
    )


def beside(cell: CellAnalysis, what: str) -> str:
    """`predicted 2.95 to 3.05 s` for the comparison; empty where nothing was foretold."""
    one = next((one for one in cell.predicted if one.what == what), None)
    if one is None:
        return ""
    return f"{SURPRISE}: {interval(one)}" if one.within is False else f"predicted {interval(one)}"


def interval(one: Predicted) -> str:
    """`2.95 to 3.05 s`, `3.42 to 3.43 s or 6.76 to 7.01 s`, `never`."""
    return " or ".join(_from_to(piece.low, piece.high) for piece in one.when) or "never"


def _from_to(low: float, high: float) -> str:
    first, last = span(low), span(high)
    number, _, unit = last.partition(" ")
    same = first.endswith(f" {unit}") and first.count(" ") == 1 and number
    return f"{first.removesuffix(f' {unit}') if same else first} to {last}"


def _label(one: Predicted) -> str:
    return LABELS.get(one.what, plain(one.what))


def _same(one: Predicted, noticed: Predicted | None) -> bool:
    return (
        one.what == "error"
        and noticed is not None
        and one.when == noticed.when
        and one.within == noticed.within
    )


def _view(one: Predicted) -> PredictedView:
    verdict = {True: "as predicted", False: SURPRISE, None: ""}[one.within]
    about = f"{plain(one.by)}: {plain(one.formula)}" if one.when else plain(one.formula)
    return PredictedView(
        _label(one),
        interval(one),
        _measured(one),
        verdict,
        plain(one.why) or about,
    )


def _measured(one: Predicted) -> str:
    if one.measured is not None:
        return span(one.measured)
    return "never" if one.within is not None else "-"
