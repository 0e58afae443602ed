"""What is predicted of a fault: the values, and their way into plain JSON.

Times are seconds after the fault takes effect, unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from netdiag.predict.wheel import Span

NOTICED: Final = "noticed"
ERROR: Final = "error"
FIN_WAIT1: Final = "fin_wait1"
SERVER: Final = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One thing that is predicted.

    what: NOTICED (the client finds out), ERROR (its application does), FIN_WAIT1 (how long the
    client's kernel holds the closed socket, from close()), SERVER (the server's socket is gone);
    when: None when it never happens; by: which timer; text: what it looks like there; formula:
    with the numbers put in; source: where the rule is written.
    """

    what: str
    when: Span | None
    by: str
    text: str
    formula: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPrediction:
    """What one fault leads to; `unsaid` holds a sentence for each thing that cannot be told."""

    fault: str
    verb: str
    trigger: str
    forecasts: tuple[Forecast, ...] = ()
    assumes: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()

    def of(self, what: str) -> Forecast | None:
        """The forecast of one thing; None: nothing is said of it."""
        return next((one for one in self.forecasts if one.what == what), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A cell, predicted: one entry for each of its faults, each as if it were alone; healthy: what
    goes wrong for `client` on a link without a fault, a sentence each."""

    cell: str
    client: str
    healthy: tuple[str, ...] = ()
    faults: tuple[FaultPrediction, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `when` is null or {low, high} in seconds."""
        return asdict(self, dict_factory=_rounded)


def _rounded(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in pairs}
