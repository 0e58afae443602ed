"""What a recording means: the values that every report is drawn from.

All times are seconds relative to the cell's origin (the moment the first fault took effect; without
one, the client's first SYN), unless a name says otherwise. Everything here is frozen and turns into
plain JSON.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = 1

FATES: Final = {
    "delivered": "delivered",
    "late": "late",
    "duplicated": "duplicated",
    "stuck": "stuck",
    "lost": "lost",
    "zombie": "taken by a zombie",
    "refused": "refused",
    "unknown": "of unknown fate",
    "unexpected": "unexpected",
}
"""Every fate of a message, in the words of a report; what was produced has exactly one of them, and
`unexpected` is what was received without having been produced."""
LOST: Final = ("lost", "zombie")
"""The fates of messages that left the queue and reached nobody."""


class Outcome(Enum):
    """How a verdict went; within a run FAIL is worst, then UNKNOWN."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    UNKNOWN = "UNKNOWN"
    FAIL = "FAIL"


_RANK = {Outcome.PASS: 0, Outcome.UNKNOWN: 1, Outcome.FAIL: 2}


def worst(outcomes: list[Outcome]) -> Outcome:
    """The worst of some outcomes; PASS when there are none."""
    return max(outcomes, key=_RANK.__getitem__, default=Outcome.PASS)


@dataclass(frozen=True)
class Entry:
    """One line of the timeline: who, what, and why; `packet` is its number on the tape.

    `weight` is 0 for what a person must see, 1 for detail, 2 for routine.
    """

    t: float
    lane: str
    text: str
    reason: str = ""
    kind: str = "info"
    packet: int | None = None
    weight: int = 0


@dataclass(frozen=True)
class FaultEffect:
    """What became of one fault: when it began and healed (absolute ns too), and what it touched.

    acts: what was seen to happen to a program; undone: what should have and was not; unhealed: why
    its `heal` was not met; lasts: it goes on until it heals, instead of being over at once.
    """

    name: str
    verb: str
    trigger: str
    began_ns: int | None
    healed_ns: int | None
    began: float | None
    healed: float | None
    packet: int | None
    taken: Mapping[str, int]
    injected: int
    why_not: str | None
    acts: tuple[str, ...] = ()
    undone: str | None = None
    unhealed: str | None = None
    lasts: bool = True

    def active(self, start: int, end: int) -> bool:
        """Whether it was active at some time after `start` and before `end` (ns); a packet that
        begins it is not hit by it.
        """
        over = self.healed_ns if self.lasts else self.began_ns
        return self.began_ns is not None and self.began_ns < end and (over is None or over > start)

    @property
    def touched(self) -> int:
        """How many frames it took or made, and what it did to a program."""
        return sum(self.taken.values()) + self.injected + len(self.acts)


@dataclass(frozen=True)
class Notice:
    """When and how the client found out; `by` names the timer that told it."""

    t: float
    how: str
    by: str
    type: str | None = None
    errno: int | None = None
    message: str = ""


@dataclass(frozen=True)
class Regime:
    """An interval in which one kernel timer owned a socket; `end` None: until the cell's end."""

    side: str
    client: str
    state: str
    timer: str
    start: float
    end: float | None
    reason: str
    orphan: bool = False


@dataclass(frozen=True)
class FinWait1:
    """A FIN that nobody acknowledged: how long a kernel held the socket, and whether it still did
    at the end.
    """

    side: str
    client: str
    start: float
    seconds: float
    ended: bool
    orphan: bool
    sent: bool = True


@dataclass(frozen=True)
class Zombie:
    """A connection that one side still believes in and the other has forgotten."""

    side: str
    client: str
    since: float
    text: str


@dataclass(frozen=True)
class Interval:
    """From one time to another, seconds, both included."""

    low: float
    high: float


@dataclass(frozen=True)
class Predicted:
    """One thing that the settings alone foretold, beside what was measured.

    `when` empty: it was foretold never to happen; `measured` None: it did not happen; `within`
    None: the cell says nothing about it, and `why` says why not.
    """

    what: str
    when: tuple[Interval, ...]
    by: str
    text: str
    formula: str
    source: str
    measured: float | None
    within: bool | None
    why: str = ""


@dataclass(frozen=True)
class Message:
    """The fate of one message (one of FATES), and in a sentence where it went."""

    id: str
    fate: str
    text: str
    pushed: float | None = None
    popped: float | None = None
    received: float | None = None
    processed: float | None = None
    acknowledged: float | None = None


@dataclass(frozen=True)
class Belief:
    """What one observer holds for true at one moment, and since when."""

    who: str
    text: str
    since: float | None


@dataclass(frozen=True)
class Reach:
    """What the client sent on its connection while the fault lasted, and what became of links."""

    probes: int
    answered: int
    retransmissions: int
    taken: int
    arp: int
    arp_answered: int
    rst: int
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """One expectation, judged."""

    expectation: str
    outcome: Outcome
    measured: str
    why: str = ""


@dataclass(frozen=True)
class Backlog:
    """How many elements waited in a queue that others fill and empty: when the fault began, at
    most since then, at last; and how long after the healing it was seen empty.
    """

    key: str
    before: int
    most: int
    most_at: float
    last: int
    empty_after: float | None


@dataclass(frozen=True)
class CellAnalysis:
    """One cell, explained and judged."""

    id: str
    choices: Mapping[str, str]
    outcome: Outcome
    unknown: tuple[str, ...]
    length: float
    faults: tuple[FaultEffect, ...] = ()
    noticed: Notice | None = None
    recovered: float | None = None
    regimes: tuple[Regime, ...] = ()
    fin_wait1: tuple[FinWait1, ...] = ()
    zombies: tuple[Zombie, ...] = ()
    messages: tuple[Message, ...] = ()
    beliefs: tuple[Belief, ...] = ()
    beliefs_at: str = ""
    packets: Mapping[str, int] = field(default_factory=dict)
    reach: Reach | None = None
    predicted: tuple[Predicted, ...] = ()
    unpredicted: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    timeline: tuple[Entry, ...] = ()
    backlog: Backlog | None = None
    origin: str = "the fault"
    errors: Mapping[str, int] = field(default_factory=dict)
    recovered_on: str = ""

    @property
    def surprises(self) -> tuple[Predicted, ...]:
        """What was measured outside of its interval."""
        return tuple(one for one in self.predicted if one.within is False)

    def fated(self, *fates: str) -> tuple[Message, ...]:
        """The messages with one of these fates."""
        return tuple(message for message in self.messages if message.fate in fates)


@dataclass(frozen=True)
class Analysis:
    """A run, explained and judged; the outcome is its worst cell's."""

    scenario: str
    about: str
    outcome: Outcome
    cells: tuple[CellAnalysis, ...]
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, the same for the same recording."""
        plain = asdict(self, dict_factory=_plain)
        return {"version": plain.pop("version"), **plain}


def _plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: _value(value) for key, value in pairs}


def _value(value: Any) -> Any:  # noqa: ANN401 - any value of a dataclass
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return round(value, 6)
    return value
