"""Expectations against what was measured -> verdicts.

A row of MEASURE turns the cell's facts into a number, a time (None: it never happened) or a text;
the bound decides. A bound that cannot be evaluated is UNKNOWN, never a guess.
"""

from __future__ import annotations

import errno
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.analysis.model import Outcome, Verdict
from netdiag.scenario.expectation import Anything, Between, Compare, ErrorIs, Findings, Flag, Never
from netdiag.scenario.formula import evaluate
from netdiag.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netdiag.analysis.kernel import SocketState
    from netdiag.analysis.model import Message, Notice, Zombie
    from netdiag.scenario.expectation import Bound, Expectation

_SIGNS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Facts:
    """What a cell's expectations can speak of."""

    values: Mapping[str, float | None]
    minutes: float
    noticed: Notice | None
    recovered: float | None
    messages: tuple[Message, ...]
    zombies: tuple[Zombie, ...]
    sockets: Mapping[tuple[str, str], SocketState]
    packets: Mapping[str, int]
    connections: int
    false_timeouts: int
    errors: tuple[tuple[str, int | None], ...]
    findings: tuple[str, ...] = ()


Measured = float | None


def _fated(fate: str) -> Callable[[Facts, str | None], Measured]:
    return lambda facts, _: float(sum(1 for message in facts.messages if message.fate == fate))


def _zombies(facts: Facts, side: str | None) -> Measured:
    return float(sum(1 for zombie in facts.zombies if side in (None, zombie.side)))


def _client_sockets(facts: Facts, states: tuple[str, ...] | None) -> Measured:
    return float(
        sum(
            1
            for one in facts.sockets.values()
            if one.side == "client"
            and one.gone is None
            and one.state != "TIME-WAIT"
            and (states is None or one.state in states)
        )
    )


MEASURE: Final[dict[str, Callable[[Facts, str | None], Measured]]] = {
    "detected_within": lambda facts, _: facts.noticed.t if facts.noticed is not None else None,
    "recovered_within": lambda facts, _: facts.recovered,
    "lost": _fated("lost"),
    "duplicated": _fated("duplicated"),
    "stuck": _fated("stuck"),
    "zombies": _zombies,
    "fin_wait1": lambda facts, _: _client_sockets(facts, ("FIN-WAIT-1",)),
    "open_sockets": lambda facts, _: _client_sockets(facts, None),
    "reconnects_per_minute": lambda facts, _: (
        max(0, facts.connections - 1) / max(facts.minutes, 1e-9)
    ),
    "no_false_timeout": lambda facts, _: float(facts.false_timeouts),
    "packets": lambda facts, label: float(facts.packets.get(label or "", 0)),
}
_TIMES: Final = frozenset({"detected_within", "recovered_within"})


def judge(expectations: Sequence[Expectation], facts: Facts) -> tuple[Verdict, ...]:
    """One verdict for each expectation, in their order."""
    return tuple(_one(expectation, facts) for expectation in expectations)


def _one(expectation: Expectation, facts: Facts) -> Verdict:
    bound, text = expectation.bound, str(expectation)
    if isinstance(bound, ErrorIs):
        return _error(bound, text, facts)
    if isinstance(bound, Findings):
        return _findings(bound, text, facts)
    measure = MEASURE.get(expectation.kind)
    if measure is None:
        return Verdict(text, Outcome.UNKNOWN, "not measured", "this expectation is not judged yet")
    measured = measure(facts, expectation.of)
    shown = _shown(expectation.kind, measured)
    try:
        holds = _holds(bound, measured, facts.values)
    except ValueError as err:
        return Verdict(text, Outcome.UNKNOWN, shown, str(err))
    return Verdict(text, Outcome.PASS if holds else Outcome.FAIL, shown)


def _holds(bound: Bound, measured: Measured, values: Mapping[str, float | None]) -> bool:
    if isinstance(bound, Anything):
        return True
    if isinstance(bound, Never):
        return measured is None
    if isinstance(bound, Flag):
        return (measured == 0) is bound.holds
    if isinstance(bound, Compare):
        limit = evaluate(bound.limit, values)
        return measured is not None and _SIGNS[bound.sign](measured, limit)
    if isinstance(bound, Between):
        low, high = evaluate(bound.low, values), evaluate(bound.high, values)
        return measured is not None and low <= measured <= high
    raise ValueError("this bound cannot be compared with a number")


def _shown(kind: str, measured: Measured) -> str:
    if measured is None:
        return "never"
    if kind in _TIMES:
        return format_duration(round(measured, 2))
    return f"{measured:g}" if measured == int(measured) else f"{measured:.2f}"


def _error(bound: ErrorIs, text: str, facts: Facts) -> Verdict:
    measured = (
        ", ".join(_error_text(name, number) for name, number in dict.fromkeys(facts.errors))
        or "none"
    )
    if bound.type is None and bound.errno is None:
        return Verdict(text, Outcome.FAIL if facts.errors else Outcome.PASS, measured)
    wanted = getattr(errno, bound.errno, None) if bound.errno is not None else None
    holds = any(
        bound.type in (None, name) and (bound.errno is None or number == wanted)
        for name, number in facts.errors
    )
    return Verdict(text, Outcome.PASS if holds else Outcome.FAIL, measured)


def _error_text(name: str, number: int | None) -> str:
    return name if number is None else f"{name} ({errno.errorcode.get(number, number)})"


def _findings(bound: Findings, text: str, facts: Facts) -> Verdict:
    missing = [name for name in bound.names if name not in facts.findings]
    return Verdict(
        text, Outcome.FAIL if missing else Outcome.PASS, ", ".join(facts.findings) or "none"
    )
