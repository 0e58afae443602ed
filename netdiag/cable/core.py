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
from netdiag.faults.fate import HOSTS
from netdiag.faults.trigger import PacketTrigger, PhaseTrigger
from netdiag.tcp.ends import BothEnds
from netdiag.tcp.phases import PhaseReader
from netdiag.tcp.wire import parse_ethernet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdiag.faults import Fault
    from netdiag.faults.trigger import Trigger
    from netdiag.recording import Json
    from netdiag.tcp.flows import Observation
    from netdiag.tcp.phases import Occurrence
    from netdiag.tcp.wire import Segment

_NONE: Final[dict[str | None, tuple[Occurrence, ...]]] = {}


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


@dataclass(slots=True)
class Decision:
    """What becomes of one frame (`taken` says why it goes no further), and what else happens with
    it; `awaits` names the faults that a host must have met before the frame goes on.
    """

    taken: str | None = None
    injected: list[Injected] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)
    seen: Observation | None = None
    awaits: list[str] = field(default_factory=list)


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
        injects = any(fault.on_start() for fault in faults)
        self._resets = Resets(self._ends) if injects else None
        self._start: int | None = None
        self._faults = [FaultRun(fault) for fault in faults]
        self._signals = [Signal(name, trigger) for name, trigger in (signals or {}).items()]
        self._timed: list[FaultRun | Signal] = [*self._faults, *self._signals]
        self._readers = {
            command: PhaseReader(commands if command is None else frozenset({command}))
            for command in self._awaited_commands()
        }
        self._owed: tuple[int, int, Segment] | None = None
        self._look_ahead()

    def _awaited_commands(self) -> set[str | None]:
        """Whose phases somebody still waits for; None: the workload's own commands."""
        pending = [trigger for one in self._timed for trigger in one.pending]
        return {trigger.command for trigger in pending if isinstance(trigger, PhaseTrigger)}

    def _look_ahead(self) -> None:
        """What frames can lead to, which is asked whenever something `moved`: began, ended or
        waits for something else; not once a frame.
        """
        self._moved = False
        dues = (one.due(self._start) for one in self._timed)
        self._due = min((due for due in dues if due is not None), default=None)
        self._certain = tuple(
            not any(run.may_take(host) for run in self._faults) for host in reversed(HOSTS)
        )
        self._every_frame = any(run.governs for run in self._faults) or any(
            isinstance(trigger, PacketTrigger) for one in self._timed for trigger in one.pending
        )
        awaited = self._awaited_commands()
        self._reading = tuple((key, one) for key, one in self._readers.items() if key in awaited)

    def certain(self, side: int) -> bool:
        """Whether the next frame of the host on `side` is delivered, whatever it is."""
        if self._moved:
            self._look_ahead()
        return self._certain[side]

    def settle(self) -> None:
        """Do what no frame's fate waits for; without this call the next one does it."""
        if self._owed is not None:
            t, side, segment = self._owed
            self._owed = None
            self._ends.received(t, side, segment)

    def frame(self, t: int, side: int, frame: bytes, number: int) -> Decision:
        """Decide a frame that the host on `side` sent; `number` is the one it will have on the
        tape.
        """
        self.settle()
        decision = Decision()
        phases: Mapping[str | None, tuple[Occurrence, ...]] = _NONE
        certain = self.certain(side)
        segment = parse_ethernet(frame)
        if segment is not None:
            decision.seen = seen = self._ends.sent(t, side, segment, certain=certain)
            phases = self._phases(seen) if self._reading else _NONE
            if self._start is None:
                self._start = t
                self._moved = True
            if self._resets is not None:
                self._resets.note(side, segment, frame)
        if phases or self._every_frame:
            self._decide(decision, phases, (t, side, number))
            self._tell_signals_of_packet(t, phases, decision)
        if decision.taken is None and segment is not None:
            self._owed = t, 1 - side, segment
        return self._done(decision, t)

    def _phases(self, seen: Observation) -> Mapping[str | None, tuple[Occurrence, ...]]:
        """The phases that the packet meets, for each reader that somebody listens to."""
        met = {}
        for command, reader in self._reading:
            if occurrences := reader.observe(seen):
                met[command] = occurrences
        return met

    def _decide(
        self,
        decision: Decision,
        phases: Mapping[str | None, tuple[Occurrence, ...]],
        at: tuple[int, int, int],
    ) -> None:
        """Let every fault have its say, each as things were when the frame arrived."""
        seen = decision.seen
        before = [
            (run, run.governs, seen is not None and run.meets(seen, phases)) for run in self._faults
        ]
        for run, governed, met in before:
            if governed or met:
                taken = self._one_fault(run, decision, (governed, met), at)
                decision.taken = decision.taken or taken

    def _one_fault(
        self, run: FaultRun, decision: Decision, was: tuple[bool, bool], at: tuple[int, int, int]
    ) -> str | None:
        (governed, met), (t, side, number) = was, at
        if met:
            self._moved = True
            waited = run.stage is Stage.WAITING
            governed = run.step_on_packet(t, number)
            decision.notes += self._edges(run, t, number, decision)
            if waited and run.holds_its_packet:
                decision.awaits.append(run.fault.name)
        reason = run.take(HOSTS[1 - side], governed=governed, own=met)
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
                # its own beginning is what armed its heal, not what the heal waits for
                if other is not run and other.event(t, name, run.fault.name):
                    notes += self._edges(other, t, None, decision)
        return notes

    def _tell_signals(self, t: int, name: str, fault: str | None, decision: Decision) -> None:
        decision.signals += [one.name for one in self._signals if one.event(t, name, fault)]

    def _tell_signals_of_packet(
        self, t: int, phases: Mapping[str | None, tuple[Occurrence, ...]], decision: Decision
    ) -> None:
        seen = decision.seen
        if seen is not None:
            for signal in self._signals:
                if signal.packet(t, seen, phases):
                    decision.signals.append(signal.name)
                self._moved = self._moved or signal.delayed

    def _done(self, decision: Decision, t: int) -> Decision:
        if decision.notes or decision.signals:
            self._moved = True
            self._inject(decision, t)
        return decision

    def _inject(self, decision: Decision, t: int) -> None:
        if self._resets is None:
            return
        for run in self._faults:
            for injection in run.injections():
                self.settle()
                side = HOSTS.index(injection.to)
                for frame in self._resets.towards(side):
                    made = parse_ethernet(frame)
                    if made is not None:  # that end's view: this connection is over
                        self._ends.received(t, side, made)
                    run.made += 1
                    decision.injected.append(
                        Injected(
                            side,
                            frame,
                            f"injected by fault {run.fault.name}: rst to {injection.to}",
                        )
                    )

    def event(self, t: int, name: str, fault: str | None = None) -> Decision:
        """An event of the client (`call`, `error`, ...), or `active` or `healed` of a `fault` that
        is another cable's, for the faults that wait for it.
        """
        self._moved = True
        decision = Decision()
        self._tell_signals(t, name, fault, decision)
        for run in self._faults:
            if run.event(t, name, fault):
                decision.notes += self._edges(run, t, None, decision)
        return self._done(decision, t)

    def due(self) -> int | None:
        """When `tick` must be called next, if no frame comes before."""
        if self._moved:
            self._look_ahead()
        return self._due

    def tick(self, t: int) -> Decision:
        """Let the time pass: delays that are over, and triggers that are times."""
        self._moved = True
        decision = Decision()
        for run in self._faults:
            if run.tick(t, self._start):
                decision.notes += self._edges(run, t, None, decision)
        decision.signals += [one.name for one in self._signals if one.tick(t, self._start)]
        return self._done(decision, t)

    def summary(self) -> list[Note]:
        """What became of each fault and of each signal; of a trigger never met, why it was not."""
        return [
            *(Note("fault_summary", "info", run.summary(self._why_not(run)))
              for run in self._faults),
            *(Note("signal_summary", "info", one.summary(self._why_not(one)))
              for one in self._signals),
        ]

    def _why_not(self, one: FaultRun | Signal) -> str | None:
        """Why the trigger that it still waits for was not met; None when it waits for none."""
        trigger = one.awaited
        if trigger is None:
            return None
        if one.delayed:
            return f"the cell ended before {trigger} was over"
        if isinstance(trigger, PhaseTrigger):
            reader = self._readers[trigger.command]
            healing = isinstance(one, FaultRun) and one.began and reader.came(trigger.phase)
            uncounted = ", and what came before it took effect does not count" if healing else ""
            return f"{reader.why_not(trigger.phase)}{uncounted}"
        if self._start is None:
            return "no connection was opened"
        return f"{trigger} never came"
