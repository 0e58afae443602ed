"""What a person expects of a cell, as values: Expectation, its Bound, and the table of KINDS.

The rule this file guards: an expectation is fully understood when the scenario is loaded: its kind
is a row of KINDS, its bound is a value, its formula is a tree. Judging it is the analysis' work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from netdiag.scenario.formula import Dimension, Tree, names

Sign = Literal["<=", "<", ">=", ">", "==", "!="]

@dataclass(frozen=True, slots=True)
class Never:
    """It must not happen while the cell lasts."""


@dataclass(frozen=True, slots=True)
class Anything:
    """Measured and reported; every result passes."""


@dataclass(frozen=True, slots=True)
class Compare:
    """measured sign limit."""

    sign: Sign
    limit: Tree


@dataclass(frozen=True, slots=True)
class Between:
    """low <= measured <= high."""

    low: Tree
    high: Tree


@dataclass(frozen=True, slots=True)
class Flag:
    """It holds, or it does not."""

    holds: bool


@dataclass(frozen=True, slots=True)
class WhereTold:
    """It holds, or nothing about the cell could be told that it could be held against."""


@dataclass(frozen=True, slots=True)
class ErrorIs:
    """The error that the application sees. type: the exception's class name; errno: its symbol;
    None: not asked for. Both None: no error at all."""

    type: str | None = None
    errno: str | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """Every one of these findings is made (netdiag.catalogue.findings); no names: none is."""

    names: tuple[str, ...]


Bound = Never | Anything | Compare | Between | Flag | WhereTold | ErrorIs | Findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One thing that is expected of a cell.

    kind: a row of KINDS; of: which one of several, where the kind counts several things (`server`
    of zombies, `keepalive_probe` of packets), else None; text: the bound as the person wrote it.
    """

    kind: str
    of: str | None = None
    bound: Bound
    text: str

    @property
    def formula_names(self) -> frozenset[str]:
        """The settings that the bound's formulas speak of."""
        return frozenset().union(*(names(tree) for tree in trees(self.bound)))

    def __str__(self) -> str:
        return f"{self.kind}{'.' + self.of if self.of else ''}: {self.text}"


@dataclass(frozen=True, slots=True)
class ExpectationKind:
    """A row of KINDS. measures: seconds, a count, or neither; sign: what a bare number means."""

    about: str
    measures: Dimension | None = None
    sign: Sign = "=="


KINDS: dict[str, ExpectationKind] = {
    "detected_within": ExpectationKind(
        "from the first fault until the client's call fails", "seconds", "<="),
    "recovered_within": ExpectationKind(
        "from healing until a message is really consumed", "seconds", "<="),
    "lost": ExpectationKind("messages that left the queue and reached nobody; those taken by a "
                            "zombie, too", "count"),
    "taken_by_zombies": ExpectationKind(
        "messages handed to a connection that nobody was behind any more", "count"),
    "duplicated": ExpectationKind("messages that were consumed more than once", "count"),
    "late": ExpectationKind("messages that arrived late because of a fault", "count"),
    "stuck": ExpectationKind("messages still in the queue, a processing list or a pending list at "
                             "the end", "count"),
    "unexpected": ExpectationKind("messages that were received and never produced", "count"),
    "zombies": ExpectationKind("connections that one side believes in and the other forgot",
                               "count"),
    "fin_wait1": ExpectationKind("the client's sockets in FIN-WAIT-1 at the end", "count"),
    "open_sockets": ExpectationKind("the client's open sockets at the end", "count"),
    "reconnects_per_minute": ExpectationKind("new connections a minute", "count", "<="),
    "no_false_timeout": ExpectationKind("no timeout while the link was healthy"),
    "as_predicted": ExpectationKind("every measured time is in the interval that was foretold"),
    "packets": ExpectationKind("packets with this label", "count"),
    "error": ExpectationKind("the error that the application sees"),
    "finding": ExpectationKind("what `netdiag analyse` finds on the tape, at either end"),
}


def trees(bound: Bound) -> tuple[Tree, ...]:
    """The formulas of a bound."""
    if isinstance(bound, Compare):
        return (bound.limit,)
    return (bound.low, bound.high) if isinstance(bound, Between) else ()
