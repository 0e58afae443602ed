"""A formula's tree -> a number: `read_timeout + 1s` once the cell's settings are known.

The rule this file guards: names come from the closed table NAMES, and seconds are not added to
counts; both are known when the scenario is loaded, before any value is.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

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
