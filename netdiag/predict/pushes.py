"""A cell's messages -> when they are pushed, where that is known.

The rule this file guards: a push whose time hangs on something that is not predicted makes what
hangs on it unpredictable; it is never left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netdiag.faults.trigger import (
    FAULT_EVENTS,
    EventTrigger,
    PacketTrigger,
    PhaseTrigger,
    TimeTrigger,
)
from netdiag.predict.wheel import Span, exactly
from netdiag.tcp.labels import RESENT_DATA, Label

if TYPE_CHECKING:
    from netdiag.faults.fault import Fault
    from netdiag.faults.trigger import Trigger
    from netdiag.scenario.plan import Cell
    from netdiag.scenario.workload import Produce


_TROUBLE: Final = frozenset(label.text for label in (
    *RESENT_DATA, Label.SYN_RETRANSMISSION, Label.SYN_ACK_RETRANSMISSION, Label.FIN,
    Label.FIN_RETRANSMISSION, Label.RST))
"""Packets that a connection shows only when something is wrong with it."""


class Unpredictable(Exception):
    """Settings alone do not tell; the message is the sentence that says why."""


def early_pushes(cell: Cell) -> list[float]:
    """The pushes whose time is known, in seconds; the others follow some event."""
    return sorted(
        produce.at.time + number
        for produce in cell.workload.produce if isinstance(produce.at, TimeTrigger)
        for number in spaced(produce)
    )


def before(cell: Cell, trigger: Trigger) -> Cell:
    """The cell, with only those of its messages that may be pushed before a fault with that trigger
    takes effect."""
    kept = tuple(one for one in cell.workload.produce if not _follows(one.at, trigger))
    return replace(cell, workload=replace(cell.workload, produce=kept))


def _follows(at: Trigger, trigger: Trigger) -> bool:
    """Whether a trigger surely comes after another, which is a fault's."""
    if isinstance(at, EventTrigger) and at.event in FAULT_EVENTS:
        return True
    if isinstance(at, PacketTrigger) and at.label in _TROUBLE:
        return True
    return _apart(at, trigger) > 0


def _apart(at: Trigger, other: Trigger) -> float:
    """How many seconds one trigger comes after another that waits for the same packet; 0: they do
    not wait for the same, or both come at once."""
    if not isinstance(at, PhaseTrigger) or not isinstance(other, PhaseTrigger):
        return 0.0
    same = replace(at, after=0.0) == replace(other, after=0.0)
    return at.after - other.after if same else 0.0


def later_pushes(cell: Cell, fault: Fault, start: Span, late: Span) -> list[Span]:
    """When something is pushed into a lasting fault, seconds after its beginning, in order.

    start: when the fault begins; late: how long a push takes to become a reply. Raises
    Unpredictable for a push that follows something else.
    """
    found = [exactly(push) + late - start for push in early_pushes(cell) if push > start.high]
    for produce in cell.workload.produce:
        if isinstance(produce.at, TimeTrigger) or _healed(produce.at) \
                or _apart(produce.at, fault.at) < 0:
            continue
        after = _after(produce.at, fault)
        if after is None:
            raise Unpredictable(f"a message is pushed at '{produce.at}', so when the server "
                                "replies does not follow from the settings")
        found += [exactly(after + later) + late for later in spaced(produce)]
    return sorted(found, key=lambda one: one.high)


def pushed_by(cell: Cell, fault: Fault, healed: Span, end: float) -> bool:
    """Whether a message may be pushed between the healing and `end` (seconds after the fault)."""
    for produce in cell.workload.produce:
        at = produce.at
        if not isinstance(at, EventTrigger) or at.event != "healed":
            continue  # the others are `later_pushes`
        if at.fault in (None, fault.name) and healed.low + at.after <= end:
            return True
    return False


def spaced(produce: Produce) -> list[float]:
    """When each of its messages is pushed, seconds after its trigger."""
    return [number / produce.rate if produce.rate else 0.0 for number in range(produce.count)]


def _healed(at: Trigger) -> bool:
    """What is pushed after the healing meets no cut any more."""
    return isinstance(at, EventTrigger) and at.event == "healed"


def _after(at: Trigger, fault: Fault) -> float | None:
    """How many seconds after a fault's beginning a trigger comes; None: nobody knows."""
    if isinstance(at, EventTrigger) and (at.event, at.nth) == ("active", 1):
        return at.after if at.fault in (None, fault.name) else None
    return _apart(at, fault.at) or None
