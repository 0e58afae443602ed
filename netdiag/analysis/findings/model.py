"""What a capture's findings are, and what a rule is.

The rule this file guards: a finding names its evidence (frame numbers), one sentence of cause and
one of cure; a rule says when it must keep silent, because a wrong finding sends an engineer the
wrong way and a missing one does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdiag.analysis.findings.survey import Survey
    from netdiag.tcp.facts import ConnectionFacts


class Harm(IntEnum):
    """How much a finding matters."""

    LOW = 1  # something is left over, or less can be said than one would like
    MEDIUM = 2  # requests fail or are late, and are told so
    HIGH = 3  # somebody waits for what never comes, or messages are lost

    @property
    def text(self) -> str:
        """The word in reports and JSON."""
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """One thing that a capture proves."""

    rule: str
    harm: Harm
    connections: tuple[int, ...]  # numbers of ConnectionFacts; empty: the capture itself
    cause: str  # one sentence
    cure: str  # one sentence
    frames: tuple[int, ...]  # evidence, as tshark counts; in order
    at_ns: int  # when it began, on the capture's clock
    details: Mapping[str, float | str] = field(default_factory=dict)  # seconds end in `_s`

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "rule": self.rule,
            "harm": self.harm.text,
            "connections": list(self.connections),
            "cause": self.cause,
            "cure": self.cure,
            "frames": list(self.frames),
            "at_ns": self.at_ns,
            "details": {
                key: round(value, 6) if isinstance(value, float) else value
                for key, value in self.details.items()
            },
        }


@dataclass(frozen=True)
class Evidence:
    """What a rule returns when it speaks; the rule's name and harm make it a Finding."""

    cause: str
    cure: str
    frames: tuple[int, ...]
    at_ns: int
    details: Mapping[str, float | str] = field(default_factory=dict)
    connections: tuple[int, ...] | None = None  # None: the connection that was judged


JudgeOne: TypeAlias = Callable[["ConnectionFacts", "Survey"], Evidence | None]
JudgeAll: TypeAlias = "Callable[[Survey, tuple[Finding, ...]], Iterable[Evidence]]"


@dataclass(frozen=True)
class Rule:
    """One row of the table: `one` looks at each connection, `all` at the whole capture and what was
    found in its connections. `over` names rules that this one replaces on the same connection.
    """

    name: str
    harm: Harm
    about: str  # what it says, for people
    silent: str  # when it must keep silent
    one: JudgeOne | None = None
    all: JudgeAll | None = None
    over: frozenset[str] = frozenset()

    def finding(self, evidence: Evidence, connection: int | None = None) -> Finding:
        """Its finding from this evidence."""
        own = () if connection is None else (connection,)
        return Finding(
            self.name,
            self.harm,
            own if evidence.connections is None else evidence.connections,
            evidence.cause,
            evidence.cure,
            tuple(dict.fromkeys(sorted(frame for frame in evidence.frames if frame > 0))),
            evidence.at_ns,
            evidence.details,
        )
