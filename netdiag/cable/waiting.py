"""A trigger that waits: packets, phases, events and times in, "met" out.

Each Waiting counts what its trigger asks for and is met once. The rule it guards: a trigger counts
from the moment it is armed, so a heal's `2nd fin` is the second one since the fault took effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.faults.fate import HOSTS
from netdiag.faults.trigger import (
    EventTrigger,
    PacketTrigger,
    PhaseTrigger,
    StateTrigger,
    TimeTrigger,
)
from netdiag.tcp.labels import BY_NAME, matches
from netdiag.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdiag.faults.trigger import Trigger
    from netdiag.recording import Json
    from netdiag.tcp.flows import Observation
    from netdiag.tcp.phases import Occurrence


class Waiting:
    """One trigger of a fault, from the moment it is armed until it is met."""

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger
        self._left = getattr(trigger, "nth", 1)

    @property
    def after(self) -> int:
        """How long after its packet or event it takes effect, ns."""
        return round(getattr(self.trigger, "after", 0.0) * SECOND)

    def due(self, start: int) -> int | None:
        """For a time: when it is met, `start` being the client's first SYN; None for other
        triggers.
        """
        if isinstance(self.trigger, TimeTrigger):
            return start + round(self.trigger.time * SECOND)
        return None

    def packet(self, seen: Observation, phases: Mapping[str | None, Sequence[Occurrence]]) -> bool:
        """Whether this very packet meets the trigger; `phases` holds what it means to each command
        reader.
        """
        trigger = self.trigger
        if isinstance(trigger, PacketTrigger):
            asked = BY_NAME[trigger.label]
            return (
                HOSTS[seen.side] == trigger.from_ and matches(asked, seen.label) and self._count()
            )
        if isinstance(trigger, PhaseTrigger):
            here = any(one.phase == trigger.phase for one in phases.get(trigger.command, ()))
            return here and self._count()
        return False

    def event(self, name: str, fault: str | None) -> bool:
        """Whether this event (of the client, `active`/`healed` of a fault, or a socket's new state:
        its side and name) meets the trigger.
        """
        trigger = self.trigger
        if not isinstance(trigger, EventTrigger | StateTrigger) or trigger.event != name:
            return False
        meant = trigger.fault if isinstance(trigger, EventTrigger) else None
        return meant in (None, fault) and self._count()

    def _count(self) -> bool:
        self._left -= 1
        return self._left == 0


class Signal:
    """A trigger that starts something outside the cable (a producer): met once, perhaps after a
    delay.
    """

    def __init__(self, name: str, trigger: Trigger) -> None:
        self.name = name
        self.trigger = trigger
        self._waiting: Waiting | None = Waiting(trigger)
        self._due: int | None = None

    @property
    def delayed(self) -> bool:
        """Whether it is met and its delay is not over."""
        return self._due is not None

    @property
    def awaited(self) -> Trigger | None:
        """The trigger that it waits for, or whose delay is not over; None once it is given."""
        return self.trigger if self.delayed or self._waiting is not None else None

    @property
    def pending(self) -> tuple[Trigger, ...]:
        """The trigger that it waits for; none once it is met."""
        return () if self._waiting is None else (self.trigger,)

    def summary(self, why_not: str | None) -> dict[str, Json]:
        """Whether it was given, for the recording's end; why_not: why its trigger was not met."""
        return {"signal": self.name, "trigger": str(self.trigger), "why_not": why_not}

    def packet(
        self, t: int, seen: Observation, phases: Mapping[str | None, Sequence[Occurrence]]
    ) -> bool:
        """Whether this packet is what it waited for, and nothing else is left to wait for."""
        return self._waiting is not None and self._waiting.packet(seen, phases) and self._met(t)

    def event(self, t: int, name: str, fault: str | None) -> bool:
        """Whether this event is what it waited for, and nothing else is left to wait for."""
        return self._waiting is not None and self._waiting.event(name, fault) and self._met(t)

    def _met(self, t: int) -> bool:
        after = self._waiting.after if self._waiting is not None else 0
        self._waiting = None
        self._due = t + after if after else None
        return not after

    def due(self, start: int | None) -> int | None:
        """When its delay, or its time, is over."""
        if self._due is not None or self._waiting is None or start is None:
            return self._due
        return self._waiting.due(start)

    def tick(self, t: int, start: int | None) -> bool:
        """Whether its delay, or its time, is over now."""
        due = self.due(start)
        if due is None or t < due:
            return False
        self._waiting = self._due = None
        return True
