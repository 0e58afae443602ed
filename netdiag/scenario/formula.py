"""`read_timeout + 1s` -> a tree -> a number. Arithmetic over a cell's settings, and nothing else.

The rule this file guards: a formula is parsed by this grammar and never by eval; names come from
the closed table NAMES, seconds are not added to counts, and all of that is known at load time.

    expression = term (("+" | "-") term)*          term = factor (("*" | "/") factor)*
    factor = number | duration | name | ("min" | "max") "(" expression ("," expression)* ")"
           | "(" expression ")"
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from netdiag.units import did_you_mean, parse_duration, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Dimension = Literal["seconds", "count", "either"]

NAMES: dict[str, tuple[Dimension, str]] = {
    "read_timeout": ("seconds", "the client's read timeout"),
    "connect_timeout": ("seconds", "the client's connect timeout"),
    "user_timeout": ("seconds", "the client's TCP_USER_TIMEOUT"),
    "keepalive": ("seconds", "idle + interval * count of the client's keepalive"),
    "keepalive_idle": ("seconds", "silence before the client's first probe"),
    "keepalive_interval": ("seconds", "between the client's probes"),
    "keepalive_count": ("count", "the client's unanswered probes until death"),
    "health_check_interval": ("seconds", "the client's health check interval"),
    "retry": ("count", "the library's own retries"),
    "block": ("seconds", "the blocking command's own timeout"),
    "pause": ("seconds", "the loop's pause after an error"),
    "tcp_keepalive": ("seconds", "the server's tcp-keepalive"),
    "duration": ("seconds", "how long the cell lasts"),
}
FUNCTIONS: dict[str, Callable[..., float]] = {"min": min, "max": max}
_OPERATIONS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
}
_MAX_LENGTH = 200
_MAX_DEPTH = 20
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d{1,12}(?:\.\d{1,9})?(?:ms|us|[dhms])(?![a-z_]))+"
    r"|\d{1,12}(?:\.\d{1,9})?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_.-]*[A-Za-z0-9_]|[A-Za-z_])|(?P<sign>[-+*/(),]))")
_JOINED: dict[Dimension, dict[Dimension, Dimension | None]] = {
    "seconds": {"seconds": "seconds", "count": None, "either": "seconds"},
    "count": {"seconds": None, "count": "count", "either": "count"},
    "either": {"seconds": "seconds", "count": "count", "either": "either"},
}


@dataclass(frozen=True, slots=True)
class Number:
    """A literal. dimension: `seconds` when it was written as a duration, else either."""

    value: float
    dimension: Dimension = "either"


@dataclass(frozen=True, slots=True)
class Setting:
    """A name out of NAMES."""

    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """left sign right."""

    sign: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Call:
    """function(arguments)."""

    function: str
    arguments: tuple[Tree, ...]


Tree = Number | Setting | Operation | Call


def parse_formula(text: str) -> Tree:
    """Text -> tree. Raises ValueError that says what is wrong and what would be right."""
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"the formula {shown(text)} has {len(text)} characters; "
                         f"write at most {_MAX_LENGTH}")
    parser = _Parser(_tokens(text), text)
    tree = parser.expression(0)
    parser.end()
    dimension(tree)
    return tree


def names(tree: Tree) -> frozenset[str]:
    """The settings that a formula speaks of."""
    if isinstance(tree, Setting):
        return frozenset({tree.name})
    if isinstance(tree, Operation):
        return names(tree.left) | names(tree.right)
    if isinstance(tree, Call):
        return frozenset().union(*(names(argument) for argument in tree.arguments))
    return frozenset()


def evaluate(tree: Tree, values: Mapping[str, float | None]) -> float:
    """The number, with settings looked up in values (seconds or counts).

    Raises ValueError when a setting is missing or None, or for a division by zero.
    """
    if isinstance(tree, Number):
        return tree.value
    if isinstance(tree, Setting):
        value = values.get(tree.name)
        if value is None:
            raise ValueError(f"{tree.name} has no value here; give one, or use 'when'")
        return value
    if isinstance(tree, Call):
        return FUNCTIONS[tree.function](*(evaluate(one, values) for one in tree.arguments))
    try:
        return _OPERATIONS[tree.sign](evaluate(tree.left, values), evaluate(tree.right, values))
    except ZeroDivisionError:
        raise ValueError("the formula divides by zero; use another divisor") from None


def dimension(tree: Tree) -> Dimension:
    """Seconds, a count, or either (bare numbers). Raises ValueError when they are mixed up."""
    if isinstance(tree, Number):
        return tree.dimension
    if isinstance(tree, Setting):
        return NAMES[tree.name][0]
    if isinstance(tree, Call):
        found = dimension(tree.arguments[0])
        for argument in tree.arguments[1:]:
            found = _same(found, dimension(argument), f"'{tree.function}' of")
        return found
    left, right = dimension(tree.left), dimension(tree.right)
    if tree.sign == "*":
        if left == right == "seconds":
            raise ValueError("seconds times seconds is no time; multiply by a number")
        return "seconds" if "seconds" in (left, right) else _same(left, right, "")
    if tree.sign == "/":
        if right == "seconds" and left != "seconds":
            raise ValueError("a number divided by seconds is no time; divide by a number")
        return "count" if left == right == "seconds" else left
    return _same(left, right, f"'{tree.sign}' between")


def _same(left: Dimension, right: Dimension, where: str) -> Dimension:
    joined = _JOINED[left][right]
    if joined is None:
        raise ValueError(f"{where} seconds and a count has no meaning; write both in one unit")
    return joined


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise ValueError(f"{shown(text[at:].strip())} cannot be read; write a formula such as "
                             "read_timeout + 1s")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], text: str) -> None:
        self.tokens = tokens
        self.text = text
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, *signs: str) -> str | None:
        if self.at < len(self.tokens) and self.tokens[self.at] in [("sign", s) for s in signs]:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return None

    def need(self, sign: str) -> None:
        if not self.take(sign):
            found = shown(self.peek()) if self.peek() else "the end"
            raise ValueError(f"{found} stands in {shown(self.text)} where '{sign}' should be; "
                             "close what was opened")

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise ValueError(f"{shown(self.peek())} is left over in {shown(self.text)}; write a "
                             "formula such as read_timeout + 1s")

    def expression(self, depth: int) -> Tree:
        if depth > _MAX_DEPTH:
            raise ValueError(f"the formula is nested deeper than {_MAX_DEPTH}; make it simpler")
        tree = self.term(depth)
        while sign := self.take("+", "-"):
            tree = Operation(sign, tree, self.term(depth))
        return tree

    def term(self, depth: int) -> Tree:
        tree = self.factor(depth)
        while sign := self.take("*", "/"):
            tree = Operation(sign, tree, self.factor(depth))
        return tree

    def factor(self, depth: int) -> Tree:
        if self.take("("):
            tree = self.expression(depth + 1)
            self.need(")")
            return tree
        if self.at >= len(self.tokens) or self.tokens[self.at][0] == "sign":
            found = shown(self.peek()) if self.peek() else "the end"
            raise ValueError(f"{found} stands in {shown(self.text)} where a value should be; write "
                             "a number, a duration or a setting")
        group, word = self.tokens[self.at]
        self.at += 1
        if group == "number":
            timed = word[-1].isalpha()
            return Number(parse_duration(word), "seconds") if timed else Number(float(word))
        if word in FUNCTIONS and self.take("("):
            arguments = [self.expression(depth + 1)]
            while self.take(","):
                arguments.append(self.expression(depth + 1))
            self.need(")")
            return Call(word, tuple(arguments))
        if word not in NAMES:
            raise ValueError(f"{shown(word)} is no setting that a formula can use; "
                             f"{did_you_mean(word, tuple(NAMES))}")
        return Setting(word)
