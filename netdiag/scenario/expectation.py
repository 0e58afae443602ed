"""What a person expects of a cell: `{detected_within: read_timeout + 1s}` -> Expectations.

The rule this file guards: an expectation is fully understood when the scenario is loaded: its kind
is a row of KINDS, its bound is a value, its formula is a tree. Judging it is the analysis' work.

Bounds of numbers are written as `3s` (what that means is the kind's row: at most, or exactly),
`<= 3s`, `2s .. 4s`, `[2s, 4s]`, a formula in place of any number, `any`, and, for times, `never`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from netdiag.scenario.formula import (
    Dimension,
    Number,
    Operation,
    Tree,
    dimension,
    names,
    parse_formula,
)
from netdiag.units import shown

Sign = Literal["<=", "<", ">=", ">", "==", "!="]
_SIGNS: dict[str, Sign] = {"<=": "<=", "<": "<", ">=": ">=", ">": ">", "==": "==", "=": "==",
                           "!=": "!="}
_SIGNED = re.compile(r"\s*(<=|>=|==|!=|<|>|=)\s*(.*)", re.DOTALL)


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
class ErrorIs:
    """The error that the application sees. type: the exception's class name; errno: its symbol;
    None: not asked for. Both None: no error at all."""

    type: str | None = None
    errno: str | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """Every one of these findings is made (names of the analysis' rules)."""

    names: tuple[str, ...]


Bound = Never | Anything | Compare | Between | Flag | ErrorIs | Findings


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
    "lost": ExpectationKind("messages that left the queue and reached nobody", "count"),
    "duplicated": ExpectationKind("messages that were consumed more than once", "count"),
    "stuck": ExpectationKind("messages still in the queue at the end", "count"),
    "zombies": ExpectationKind("connections that one side believes in and the other forgot",
                               "count"),
    "fin_wait1": ExpectationKind("the client's sockets in FIN-WAIT-1 at the end", "count"),
    "open_sockets": ExpectationKind("the client's open sockets at the end", "count"),
    "reconnects_per_minute": ExpectationKind("new connections a minute", "count", "<="),
    "no_false_timeout": ExpectationKind("no timeout while the link was healthy"),
    "packets": ExpectationKind("packets with this label", "count"),
    "error": ExpectationKind("the error that the application sees"),
    "finding": ExpectationKind("a finding of the analysis"),
}


def trees(bound: Bound) -> tuple[Tree, ...]:
    """The formulas of a bound."""
    if isinstance(bound, Compare):
        return (bound.limit,)
    return (bound.low, bound.high) if isinstance(bound, Between) else ()


def _tree(raw: object, measures: Dimension) -> Tree:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError(f"{shown(raw)} is no bound; {_HOW[measures]}")
    if isinstance(raw, int | float):
        if raw < 0:
            raise ValueError(f"{raw} is less than nothing; {_HOW[measures]}")
        return Number(float(raw))
    tree = parse_formula(raw)
    if dimension(tree) not in (measures, "either"):
        raise ValueError(f"{shown(raw)} is in {_NOUN[dimension(tree)]}, but {_NOUN[measures]} are "
                         f"compared here; {_HOW[measures]}")
    return tree


_NOUN: dict[Dimension, str] = {"seconds": "seconds", "count": "counts", "either": "numbers"}
_HOW: dict[Dimension, str] = {
    "seconds": "write a time such as 3s, '<= read_timeout + 1s', 2s .. 4s, never or any",
    "count": "write a number such as 0, '>= 3', 1 .. 3 or any",
    "either": "write a number",
}


def parse_bound(raw: object, kind: ExpectationKind) -> Bound:
    """A bound as it is written -> the value. Raises ValueError."""
    measures = kind.measures or "either"
    if raw == "any":
        return Anything()
    if raw == "never":
        if measures != "seconds":
            raise ValueError(f"'never' belongs to times; {_HOW[measures]}")
        return Never()
    pair = raw if isinstance(raw, list | tuple) else raw.split("..") \
        if isinstance(raw, str) and ".." in raw else None
    if pair is not None:
        if len(pair) != 2:
            raise ValueError(f"a range has two ends and this one {len(pair)}; {_HOW[measures]}")
        low, high = (_tree(end, measures) for end in pair)
        if isinstance(low, Number) and isinstance(high, Number) and low.value > high.value:
            raise ValueError(f"the range {text_of(raw)} ends before it begins; swap its ends")
        return Between(low, high)
    signed = _SIGNED.fullmatch(raw) if isinstance(raw, str) else None
    if signed:
        return Compare(_SIGNS[signed[1]], _tree(signed[2], measures))
    return Compare(kind.sign, _tree(raw, measures))


def text_of(raw: object) -> str:
    """A bound as reports quote it, on one line."""
    if isinstance(raw, dict):
        return ", ".join(f"{key}={text_of(value)}" for key, value in raw.items())
    if isinstance(raw, list | tuple):
        return " .. ".join(text_of(one) for one in raw)
    if raw is None or isinstance(raw, bool):
        return shown(raw)
    return " ".join(str(raw).split())


def is_plain(tree: Tree) -> bool:
    """Whether a tree is a number as it stands."""
    return isinstance(tree, Number) or (
        isinstance(tree, Operation) and is_plain(tree.left) and is_plain(tree.right))


Parse = Callable[[object], Bound]
