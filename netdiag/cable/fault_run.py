"""The life of one fault: waiting, delayed, active, healing, over.

Turns "the trigger is met" and "time has passed" into stages, and counts what the fault took, so
that a fault that touched nothing can never pass for one that did.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING

from netdiag.cable.waiting import Waiting
from netdiag.faults.fate import HOSTS, Drop
from netdiag.faults.trigger import PhaseTrigger
from netdiag.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netdiag.faults import Fault
    from netdiag.faults.fate import Host, Injection
    from netdiag.faults.trigger import Trigger
    from netdiag.recording import Json
    from netdiag.tcp.flows import Observation
    from netdiag.tcp.phases import Occurrence


class Stage(Enum):
    """Where a fault is in its life."""

    WAITING = "waiting"
    DELAYED = "delayed"
    ACTIVE = "active"
    HEALING = "healing"
    OVER = "over"


_GOVERNS = (Stage.ACTIVE, Stage.HEALING)


class FaultRun:
    """A fault of the cell and where it is in its life; all times are ns."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.stage = Stage.WAITING
        self.made = 0
        self._at = Waiting(fault.at)
        self._heal: Waiting | None = None
        self._due: int | None = None
        self._edges: list[tuple[str, int | None]] = []
        self._injections: tuple[Injection, ...] = ()
        self._taken: Counter[str] = Counter()

    @property
    def _waiting(self) -> Waiting | None:
        return (
            self._at
            if self.stage is Stage.WAITING
            else (self._heal if self.stage is Stage.ACTIVE else None)
        )

    @property
    def began(self) -> bool:
        """Whether it took effect."""
        return self.stage not in (Stage.WAITING, Stage.DELAYED)

    @property
    def delayed(self) -> bool:
        """Whether a trigger is met and its delay is not over."""
        return self.stage in (Stage.DELAYED, Stage.HEALING)

    @property
    def awaited(self) -> Trigger | None:
        """The trigger that it waits for now, or whose delay is not over; None: it waits for none.
        """
        if self.stage is Stage.OVER:
            return None
        return self.fault.heal if self.began else self.fault.at

    @property
    def governs(self) -> bool:
        """Whether its verb now decides the fate of frames."""
        return self.stage in _GOVERNS

    @property
    def pending(self) -> tuple[Trigger, ...]:
        """The triggers that it waits for, now or later."""
        if self.stage is Stage.WAITING:
            return tuple(t for t in (self.fault.at, self.fault.heal) if t is not None)
        later = self.fault.heal if self.stage in (Stage.DELAYED, Stage.ACTIVE) else None
        return () if later is None else (later,)

    def may_take(self, towards: Host) -> bool:
        """Whether the next frame to that host can be taken, depending on what it is or not."""
        if self.stage is Stage.WAITING:
            return self.fault.at.takes_own_packet
        return self.governs and isinstance(self.fault.do.fate(towards), Drop)

    @property
    def holds_its_packet(self) -> bool:
        """Whether the packet that began it waits until the host has met the fault.

        A cut would take that packet; a host fault lets it pass, but comes before it.
        """
        acts = self.stage is Stage.ACTIVE and self.fault.host is not None
        return acts and self.fault.at.takes_own_packet

    def meets(self, seen: Observation, phases: Mapping[str | None, Sequence[Occurrence]]) -> bool:
        """Whether this packet meets the trigger that the fault waits for now."""
        waiting = self._waiting
        return waiting is not None and waiting.packet(seen, phases)

    def step_on_packet(self, t: int, number: int) -> bool:
        """Its trigger's packet is here: step on; returns whether the fault governs it, too.

        A packet that heals was met while the fault was active, so it is taken unless its trigger
        says `packet: delivered`.
        """
        waiting = self._waiting
        if waiting is None:
            return self.governs
        self._met(t, waiting, number)
        if self._at is waiting:
            return waiting.trigger.takes_own_packet
        is_phase = isinstance(waiting.trigger, PhaseTrigger)
        return waiting.trigger.takes_own_packet or waiting.after > 0 or is_phase

    def event(self, t: int, name: str, fault: str | None) -> bool:
        """An event that may be the one it waits for; true when something began or ended."""
        waiting = self._waiting
        if waiting is None or not waiting.event(name, fault):
            return False
        self._met(t, waiting, None)
        return bool(self._edges)

    def _met(self, t: int, waiting: Waiting, number: int | None) -> None:
        if waiting.after > 0:
            self._due = t + waiting.after
            self.stage = Stage.DELAYED if waiting is self._at else Stage.HEALING
        elif waiting is self._at:
            self._activate(t, number)
        else:
            self._end(number)

    def _activate(self, t: int, number: int | None) -> None:
        self.stage = Stage.ACTIVE
        self._due = None if self.fault.for_ is None else t + round(self.fault.for_ * SECOND)
        self._heal = None if self.fault.heal is None else Waiting(self.fault.heal)
        self._injections = self.fault.do.on_start()
        self._edges.append(("active", number))

    def _end(self, number: int | None) -> None:
        self.stage = Stage.OVER
        self._due = None
        self._edges.append(("healed", number))

    def due(self, start: int | None) -> int | None:
        """The next time at which `tick` has something to do."""
        if self._due is not None:
            return self._due
        waiting = self._waiting
        return None if start is None or waiting is None else waiting.due(start)

    def tick(self, t: int, start: int | None) -> bool:
        """Let the time pass; true when something began or ended."""
        due = self.due(start)
        if due is None or t < due:
            return False
        if self.stage in (Stage.WAITING, Stage.DELAYED):
            self._activate(t, None)
        else:
            self._end(None)
        return True

    def take(self, towards: Host, *, governed: bool, own: bool) -> str | None:
        """Why the frame goes no further because of this fault, or None.

        A trigger takes its own packet whatever the verb does with the rest (a reset lets the rest
        pass); a one-way blackhole spares the packets of the other way.
        """
        if not governed:
            return None
        fate = self.fault.do.fate(towards)
        if isinstance(fate, Drop):
            return f"taken by fault {self.fault.name}: {fate.reason}"
        if own and self.fault.do.on_start():
            return f"taken by fault {self.fault.name}: its trigger's own packet"
        return None

    def count(self, seen: Observation) -> None:
        """Count a frame that the fault took, by sender and label."""
        self._taken[f"{HOSTS[seen.side]} {seen.label.text}"] += 1

    def count_other(self) -> None:
        """Count a frame that is not TCP."""
        self._taken["not tcp"] += 1

    def edges(self, t: int, number: int | None) -> Iterator[tuple[str, dict[str, Json]]]:
        """What began or ended since the last call, as event data."""
        edges, self._edges = self._edges, []
        for name, packet in edges:
            trigger = self.fault.at if name == "active" else self.fault.heal
            words = f"for {self.fault.for_:g} s" if trigger is None else str(trigger)
            yield (
                name,
                {
                    "fault": self.fault.name,
                    "verb": str(self.fault.do),
                    "edge": name,
                    "trigger": words,
                    "packet": packet if packet is not None else number,
                    "at": t,
                    "lasts": self.fault.lasts,
                },
            )

    def injections(self) -> tuple[Injection, ...]:
        """What the verb does once, handed out once."""
        injections, self._injections = self._injections, ()
        return injections

    def summary(self, why_not: str | None) -> dict[str, Json]:
        """What became of the fault, for the recording's end; why_not: why the trigger that it
        waits for was not met, which is its beginning or its `heal`.
        """
        return {
            "fault": self.fault.name,
            "verb": str(self.fault.do),
            "trigger": str(self.fault.at),
            "stage": self.stage.value,
            "taken": dict(self._taken),
            "injected": self.made,
            "lasts": self.fault.lasts,
            "why_not": None if self.began else why_not,
            "unhealed": why_not if self.began else None,
        }
