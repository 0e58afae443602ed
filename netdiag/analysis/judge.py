"""Expectations against what was measured -> verdicts.

A row of MEASURE turns the cell's facts into a number or a time (None: it never happened), a row of
BLIND says why it could not be measured, and the bound decides. What cannot be measured, or a bound
that cannot be evaluated, is UNKNOWN, never a guess; only `any` asks for nothing.
"""

from __future__ import annotations

import errno
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.analysis.model import LOST, Outcome, Verdict
from netdiag.scenario.expectation import (
    Anything,
    Between,
    Compare,
    ErrorIs,
    Findings,
    Flag,
    Never,
    WhereTold,
)
from netdiag.scenario.formula import evaluate
from netdiag.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netdiag.analysis.kernel import SocketState
    from netdiag.analysis.model import Message, Notice, Predicted, Zombie
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
    """What a cell's expectations can speak of.

    faulted: a fault took effect; healed: when the last one ended (seconds since the origin);
    unpredicted: why something could not be foretold; findings: what the rules for captures find
    at each end of the tape, None when it cannot be read;
    backlog: what waited at last in a queue that others fill; mute: the client is a service, which
    says nothing of itself.
    """

    values: Mapping[str, float | None]
    minutes: float
    faulted: bool
    healed: float | None
    noticed: Notice | None
    recovered: float | None
    messages: tuple[Message, ...]
    zombies: tuple[Zombie, ...]
    sockets: Mapping[tuple[str, str], SocketState]
    packets: Mapping[str, int]
    connections: int
    false_timeouts: int
    errors: tuple[tuple[str, int | None], ...]
    predicted: tuple[Predicted, ...] = ()
    unpredicted: tuple[str, ...] = ()
    findings: Mapping[str, tuple[str, ...]] | None = None
    backlog: int | None = None
    mute: bool = False


Measured = float | None


def _fated(*fates: str) -> Callable[[Facts, str | None], Measured]:
    return lambda facts, _: float(sum(message.fate in fates for message in facts.messages))


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
    "lost": _fated(*LOST),
    "taken_by_zombies": _fated("zombie"),
    "duplicated": _fated("duplicated"),
    "late": _fated("late"),
    "stuck": _fated("stuck"),
    "unexpected": _fated("unexpected"),
    "zombies": _zombies,
    "fin_wait1": lambda facts, _: _client_sockets(facts, ("FIN-WAIT-1",)),
    "open_sockets": lambda facts, _: _client_sockets(facts, None),
    "reconnects_per_minute": lambda facts, _: (
        max(0, facts.connections - 1) / max(facts.minutes, 1e-9)
    ),
    "no_false_timeout": lambda facts, _: float(facts.false_timeouts),
    "as_predicted": lambda facts, _: float(
        sum(1 for one in facts.predicted if one.within is False)
    ),
    "packets": lambda facts, label: float(facts.packets.get(label or "", 0)),
}
_TIMES: Final = frozenset({"detected_within", "recovered_within"})


def _no_fate(facts: Facts) -> str:
    if facts.mute and not facts.messages:
        return "a service's own messages are not known here, and none was produced"
    unknown = [message for message in facts.messages if message.fate == "unknown"]
    return f"nobody knows what became of {unknown[0].id}: {unknown[0].text}" if unknown else ""


def _no_receipt(facts: Facts) -> str:
    """Whoever speaks says what it received, so that what is unknown was not received."""
    return _no_fate(facts) if facts.mute else ""


def _no_words(facts: Facts) -> str:
    return "a service says nothing of itself" if facts.mute else ""


def _no_canary(facts: Facts) -> str:
    """Whether there was a message after the healing that somebody could have consumed."""
    healed = facts.healed
    if healed is None:
        return "no fault healed in this cell"
    waiting = any(
        message.fate == "stuck" or (message.pushed is not None and message.pushed >= healed)
        for message in facts.messages
    )
    if facts.recovered is None and not (waiting or facts.backlog):
        return "no message was there after the healing; push one {at: {event: healed}}"
    return ""


def _no_sockets(facts: Facts) -> str:
    return "" if facts.sockets else "no kernel's socket was seen"


def _nothing_foretold(facts: Facts) -> str:
    if any(one.within is not None for one in facts.predicted):
        return ""
    if facts.predicted:
        return "nothing that was foretold could be measured in this cell"
    return (f"nothing could be foretold{_because(facts)}; write as_predicted: where_told to pass "
            "such cells")


def _because(facts: Facts) -> str:
    return f" - {facts.unpredicted[0]}" if facts.unpredicted else ""


BLIND: Final[dict[str, Callable[[Facts], str]]] = {
    "detected_within": lambda facts: "" if facts.faulted else "no fault took effect",
    "recovered_within": _no_canary,
    "lost": _no_fate,
    "taken_by_zombies": _no_fate,
    "duplicated": _no_receipt,
    "late": _no_receipt,
    "stuck": _no_fate,
    "unexpected": _no_words,
    "no_false_timeout": _no_words,
    "error": _no_words,
    "zombies": _no_sockets,
    "fin_wait1": _no_sockets,
    "open_sockets": _no_sockets,
    "as_predicted": _nothing_foretold,
    "packets": lambda facts: "" if facts.packets else "no packet was recorded",
}


def judge(expectations: Sequence[Expectation], facts: Facts) -> tuple[Verdict, ...]:
    """One verdict for each expectation, in their order."""
    return tuple(_one(expectation, facts) for expectation in expectations)


def _one(expectation: Expectation, facts: Facts) -> Verdict:
    bound, text = expectation.bound, str(expectation)
    blind = BLIND[expectation.kind](facts) if expectation.kind in BLIND else ""
    if blind and not isinstance(bound, Anything):
        return _unseen(bound, text, facts, blind)
    if isinstance(bound, ErrorIs):
        return _error(bound, text, facts)
    if isinstance(bound, Findings):
        return _findings(bound, text, facts)
    measure = MEASURE.get(expectation.kind)
    if measure is None:
        return Verdict(text, Outcome.UNKNOWN, "not measured", "this expectation is not judged yet")
    measured = measure(facts, expectation.of)
    shown = "not measurable" if blind else _shown(expectation.kind, measured)
    try:
        holds = _holds(bound, measured, facts.values)
    except ValueError as err:
        return Verdict(text, Outcome.UNKNOWN, shown, str(err))
    return Verdict(text, Outcome.PASS if holds else Outcome.FAIL, shown)


def _unseen(bound: Bound, text: str, facts: Facts, why: str) -> Verdict:
    """Of what cannot be measured nothing is known, unless that was allowed for."""
    if isinstance(bound, WhereTold) and not facts.predicted:
        return Verdict(text, Outcome.PASS, f"nothing was foretold{_because(facts)}")
    return Verdict(text, Outcome.UNKNOWN, "not measurable", why)


def _holds(bound: Bound, measured: Measured, values: Mapping[str, float | None]) -> bool:
    if isinstance(bound, Anything):
        return True
    if isinstance(bound, Never):
        return measured is None
    if isinstance(bound, WhereTold):
        return measured == 0
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
    wanted = _NUMBERS.get(bound.errno) if bound.errno is not None else None
    if wanted is None and bound.errno is not None:
        why = f"this machine knows no errno {bound.errno}"
        return Verdict(text, Outcome.UNKNOWN, measured, why)
    holds = any(
        bound.type in (None, name) and (bound.errno is None or number == wanted)
        for name, number in facts.errors
    )
    return Verdict(text, Outcome.PASS if holds else Outcome.FAIL, measured)


def _error_text(name: str, number: int | None) -> str:
    return name if number is None else f"{name} ({errno.errorcode.get(number, number)})"


_NUMBERS: Final = {name: number for number, name in errno.errorcode.items()}


def _findings(bound: Findings, text: str, facts: Facts) -> Verdict:
    """Every one of them, at either end; none at all, when none is named."""
    if facts.findings is None:
        return Verdict(text, Outcome.UNKNOWN, "not measurable", "the tape cannot be read")
    ends: dict[str, list[str]] = {}
    for end, names in facts.findings.items():
        for name in names:
            ends.setdefault(name, []).append(end)
    shown = ", ".join(f"{name} ({' and '.join(held)})" for name, held in ends.items()) or "none"
    holds = set(bound.names) <= set(ends) if bound.names else not ends
    return Verdict(text, Outcome.PASS if holds else Outcome.FAIL, shown)
