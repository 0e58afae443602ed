"""Everything that is known when one fault of one cell is predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netdiag.faults.fault import Fault
    from netdiag.predict.healing import Healing
    from netdiag.predict.kernel import Kernel
    from netdiag.predict.settings import Limits
    from netdiag.predict.situation import Situation
    from netdiag.scenario.plan import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that is known when one fault of one cell is predicted."""

    cell: Cell
    fault: Fault
    limits: Limits
    client: Kernel
    server: Kernel
    seen: Situation
    heal: Healing
