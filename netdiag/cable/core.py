"""The decisions of the cable: frames, events and the time in; fates, injections and notes out.

Sans-IO: it never reads a clock or a socket, so a test plays frames to it and reads what it would
do. The rule it guards: a fault falls on the very packet that meets its trigger, and what becomes of
that packet is the trigger's word (design: what a trigger does with its own packet), not an accident
of timing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from netdiag.cable.fault_run import FaultRun, Stage
from netdiag.cable.reset import Resets
from netdiag.cable.waiting import Signal
from netdiag.faults.trigger import PhaseTrigger
from netdiag.tcp.ends import BothEnds
from netdiag.tcp.phases import PhaseReader
from netdiag.tcp.wire import parse_ethernet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdiag.faults import Fault
    from netdiag.faults.fate import Host
    from netdiag.faults.trigger import Trigger
    from netdiag.recording import Json
    from netdiag.tcp.flows import Observation
    from netdiag.tcp.phases import Occurrence

_HOSTS: Final[tuple[Host, Host]] = ("client", "server")


@dataclass(frozen=True)
class Note:
    """Something to be recorded: an event of the cable's lane, and the fault it belongs to."""

    what: str
    outcome: str
    data: dict[str, Json]


@dataclass(frozen=True)
class Injected:
    """A frame the cable makes: for the host on `side`, with the words for the tape."""

    side: int
    frame: bytes
    comment: str


@dataclass
class Decision:
    """What becomes of one frame (`taken` says why it goes no further), and what else happens with
    it.
    """

    taken: str | None = None
    injected: list[Injected] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)
    seen: Observation | None = None


class Core:
    """One cable's state: flows, phase readers and the faults of the cell.

    `commands` are the workload's own commands, upper case; `signals` are triggers by name that
    start something outside; times are ns of CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        commands: frozenset[str],
        signals: Mapping[str, Trigger] | None = None,
    ) -> None:
        self._ends = BothEnds()
        self._resets = Resets(self._ends)
        self._start: int | None = None
        self._faults = [FaultRun(fault) for fault in faults]
        self._signals = [Signal(name, trigger) for name, trigger in (signals or {}).items()]
        self._readers: dict[str | None, PhaseReader] = {None: PhaseReader(commands)}
        triggers = [t for fault in faults for t in (fault.at, fault.heal)]
        for trigger in (*triggers, *(signals or {}).values()):
            if isinstance(trigger, PhaseTrigger) and trigger.command is not None:
                self._readers[trigger.command] = PhaseReader(frozenset({trigger.command}))

    def frame(self, t: int, side: int, frame: bytes, number: int) -> Decision:
        """Decide a frame that the host on `side` sent; `number` is the one it will have on the
        tape.
        """
        decision = Decision()
        segment = parse_ethernet(frame)
        phases: dict[str | None, tuple[Occurrence, ...]] = {}
        if segment is not None:
            decision.seen = seen = self._ends.sent(t, side, segment)
            phases = {key: reader.observe(seen) for key, reader in self._readers.items()}
            if self._start is None:
                self._start = t
        for run in self._faults:
            taken = self._one_fault(run, decision, phases, (t, side, number))
            decision.taken = decision.taken or taken
        if decision.seen is not None:
            for signal in self._signals:
                if signal.packet(t, decision.seen, phases):
                    decision.signals.append(signal.name)
            self._resets.note(side, decision.seen.segment, frame)
            if decision.taken is None:
                self._ends.received(t, 1 - side, decision.seen.segment)
        self._inject(decision)
        return decision

    def _one_fault(
        self,
        run: FaultRun,
        decision: Decision,
        phases: dict[str | None, tuple[Occurrence, ...]],
        at: tuple[int, int, int],
    ) -> str | None:
        t, side, number = at
        towards = _HOSTS[1 - side]
        governed = run.stage is Stage.ACTIVE
        met = decision.seen is not None and run.meets(decision.seen, phases)
        if met:
            governed = run.step_on_packet(t, number, governed=governed)
            decision.notes += self._edges(run, t, number, decision)
        reason = run.take(towards, governed=governed, own=met)
        if reason is not None and decision.seen is not None:
            run.count(decision.seen)
        elif reason is not None:
            run.count_other()
        return reason

    def _edges(self, run: FaultRun, t: int, number: int | None, decision: Decision) -> list[Note]:
        """Notes for what has just begun or ended, and the faults that waited for exactly that."""
        notes = []
        for name, data in run.edges(t, number):
            notes.append(Note("fault", "start" if name == "active" else "ok", data))
            self._tell_signals(t, name, run.fault.name, decision)
            for other in self._faults:
                if other.event(t, name, run.fault.name):
                    notes += self._edges(other, t, None, decision)
        return notes

    def _tell_signals(self, t: int, name: str, fault: str | None, decision: Decision) -> None:
        decision.signals += [one.name for one in self._signals if one.event(t, name, fault)]

    def _inject(self, decision: Decision) -> None:
        for run in self._faults:
            for injection in run.injections():
                side = _HOSTS.index(injection.to)
                for frame in self._resets.towards(side):
                    run.made += 1
                    decision.injected.append(
                        Injected(
                            side,
                            frame,
                            f"injected by fault {run.fault.name}: rst to {injection.to}",
                        )
                    )

    def event(self, t: int, name: str) -> Decision:
        """An event of the client (`call`, `error`, ...), for the faults that wait for it."""
        decision = Decision()
        self._tell_signals(t, name, None, decision)
        for run in self._faults:
            if run.event(t, name, None):
                decision.notes += self._edges(run, t, None, decision)
        self._inject(decision)
        return decision

    def due(self) -> int | None:
        """When `tick` must be called next, if no frame comes before."""
        waiting: list[FaultRun | Signal] = [*self._faults, *self._signals]
        return min((t for one in waiting if (t := one.due(self._start)) is not None), default=None)

    def tick(self, t: int) -> Decision:
        """Let the time pass: delays that are over, and triggers that are times."""
        decision = Decision()
        for run in self._faults:
            if run.tick(t, self._start):
                decision.notes += self._edges(run, t, None, decision)
        decision.signals += [one.name for one in self._signals if one.tick(t, self._start)]
        self._inject(decision)
        return decision

    def summary(self) -> list[Note]:
        """For each fault: whether it took effect, what it took, and if it never fired, why not."""
        return [
            Note("fault_summary", "info", {**run.summary(), "why_not": self._why_not(run)})
            for run in self._faults
        ]

    def _why_not(self, run: FaultRun) -> str | None:
        if run.stage is not Stage.WAITING:
            return None
        trigger = run.fault.at
        if isinstance(trigger, PhaseTrigger):
            return self._readers[trigger.command].why_not(trigger.phase)
        if self._start is None:
            return "no connection was opened"
        return f"{trigger} never came"
