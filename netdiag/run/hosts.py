"""Host faults carried out: what each edge of a fault orders, done to the program it is about.

Signals and new starts are done here and now (`run.program`), what a container's engine must do is
handed to it (`run.acts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.faults import AskEngine, SendSignal, StartAgain
from netdiag.process import Stranger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdiag.faults import Fault, Order
    from netdiag.run.acts import EngineActs
    from netdiag.run.program import Program

_BY_ENGINE: Final[dict[Order, Order]] = {
    SendSignal("SIGKILL"): AskEngine("kill"),
    StartAgain(): AskEngine("start"),
}
"""A container's own program is ended and started with its container, by the engine."""


class HostFaults:
    """The host faults of a cell: which there are, and what each edge of theirs orders."""

    def __init__(self, faults: Sequence[Fault], engine: EngineActs) -> None:
        self._faults = {fault.name: fault for fault in faults if fault.host is not None}
        self._engine = engine

    def host(self, fault: str) -> str | None:
        """Whose program a fault is about; None for one of the cable."""
        known = self._faults.get(fault)
        return None if known is None else known.host

    def carry_out(self, fault: str, edge: str, program: Program, then: Callable[[], None]) -> None:
        """Do to the program what the fault orders at this edge; `then` is called when it is done,
        at once or, where the engine must be asked, later.
        """
        known = self._faults[fault]
        orders = known.orders(edge)
        if isinstance(program.child, Stranger):
            orders = tuple(_BY_ENGINE.get(order, order) for order in orders)
        asked = [order for order in orders if isinstance(order, AskEngine)]
        for order in orders:
            if isinstance(order, SendSignal):
                program.send(fault, order.name)
            elif isinstance(order, StartAgain):
                program.start_again(fault)
            elif known.host is not None:
                last = then if order is asked[-1] else _nothing
                self._engine.carry_out(fault, order.verb, known.host, program, last)
        if not asked:
            then()


def _nothing() -> None:
    """More is to follow."""
