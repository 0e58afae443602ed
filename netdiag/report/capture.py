"""Capture facts and findings -> CaptureView: a capture's report as finished words.

The rules this file guards: findings of the same kind at the same server are told once, with all
their connections; what is left out is counted; every word that came off the wire is plain.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.report.words import count, listed, moment, plain, span
from netdiag.tcp.facts import Ending, Opening
from netdiag.tcp.labels import RETRANSMISSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdiag.analysis.findings import Finding
    from netdiag.tcp.facts import CaptureFacts, ConnectionFacts

SECOND: Final = 1_000_000_000
SIDES: Final = ("client", "server")
TOP: Final = 20  # connections in the table, unless asked for more

_NAMED: Final = 8  # connections of a group that are named
_RESENT: Final = tuple(sorted(RETRANSMISSIONS))
_OPENED: Final = {
    Opening.MID_STREAM: "older than the capture",
    Opening.UNANSWERED: "SYN unanswered",
    Opening.REFUSED: "refused",
    Opening.HALF: "half a handshake",
    Opening.COMPLETE: "",
}


@dataclass(frozen=True)
class FindingView:
    """One finding, with those like it."""

    harm: str  # high, medium, low
    rule: str
    where: str
    frames: str
    when: str
    cause: str
    cure: str
    more: str  # others of the same kind at the same server; empty


@dataclass(frozen=True)
class ConnectionRow:
    """One connection in the table."""

    number: str
    client: str
    server: str
    began: str  # since the capture's first frame
    lasted: str
    how: str  # opened and ended
    frames: str
    resent: str
    silence: str
    findings: str


@dataclass(frozen=True)
class CaptureView:
    """A capture, in words."""

    title: str
    summary: str
    notes: tuple[str, ...]
    harms: str  # how many findings of each harm
    findings: tuple[FindingView, ...]
    rows: tuple[ConnectionRow, ...]
    left_out: str  # of the table; empty


def view_of_capture(
    capture: CaptureFacts, findings: Sequence[Finding], *, top: int = TOP
) -> CaptureView:
    """The report of a capture; the table holds the `top` connections, those with findings first."""
    harm: dict[int, int] = defaultdict(int)
    rules: dict[int, list[str]] = defaultdict(list)
    for finding in findings:
        for number in finding.connections:
            harm[number] = max(harm[number], finding.harm)
            rules[number].append(finding.rule)
    ordered = sorted(
        capture.connections, key=lambda one: (-harm.get(one.number, 0), -resent(one), one.number)
    )
    shown = ordered[:top]
    hidden = len(ordered) - len(shown)
    return CaptureView(
        plain(capture.source),
        _summary(capture),
        (*(plain(note) for note in capture.notes), *_outside(capture), *_one_sided(capture)),
        _harms(findings),
        tuple(_findings(capture, findings)),
        tuple(_row(one, capture, rules.get(one.number, [])) for one in shown),
        f"{count(hidden, 'more connection')}; --top N shows more" if hidden else "",
    )


def resent(connection: ConnectionFacts) -> int:
    """Retransmissions of both sides."""
    return sum(side.count(*_RESENT) for side in connection.sides)


def _summary(capture: CaptureFacts) -> str:
    totals = capture.totals
    parts = [
        plain(capture.kind),
        f"{count(totals.frames, 'frame')} in {lasted(totals.first_at, totals.last_at)}"
        f" from {wall(totals.first_at)}"
        if totals.frames
        else "no frame",
        count(len(capture.connections), "connection"),
    ]
    asides = {
        "left out by filters": totals.filtered,
        "not TCP": totals.other,
        "captured twice": totals.copies,
        "of another view of the tape": totals.other_view,
        "of a link type that is not read": totals.foreign,
        "in a tunnel or behind a header that is not read": totals.hidden,
        "later fragments of IP packets, which are not put together": totals.fragments,
        "cut within their headers": totals.cut,
        "earlier than the frame before": totals.backwards,
    }
    parts += [f"{number} {what}" for what, number in asides.items() if number]
    parts += [
        f"the recorder dropped {one.dropped} on {plain(one.interface) or 'its interface'}"
        for one in capture.drops
        if one.dropped > 0
    ]
    return ", ".join(parts)


def lasted(first_at: int, last_at: int) -> str:
    """How long something took; the clock can have gone back meanwhile."""
    return span((last_at - first_at) / SECOND) if last_at >= first_at else "an unknown time"


def wall(ns: int) -> str:
    """A moment in UTC, to the millisecond: `2026-11-22 03:10:00.123Z`."""
    try:
        text = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ns // SECOND))
    except (OverflowError, ValueError, OSError):
        return f"{ns} ns"
    return f"{text}.{ns % SECOND // 1_000_000:03}Z"


def _outside(capture: CaptureFacts) -> tuple[str, ...]:
    """What a span of time leaves out, for nothing is to be taken for a beginning or an end."""
    sides = (
        (capture.totals.before, "before --since", "what had begun earlier seems to begin there"),
        (capture.totals.after, "after --until", "how what goes on there ended is not told"),
    )
    return tuple(
        f"{count(number, 'segment')} {where} {'was' if number == 1 else 'were'} left out: {so}"
        for number, where, so in sides
        if number
    )


def _one_sided(capture: CaptureFacts) -> tuple[str, ...]:
    """What a capture of one direction means, once for all its connections."""
    ones = [one.number for one in capture.connections if one.one_sided >= 0]
    unclear = [one.number for one in capture.connections if _unclear(one)]
    told: tuple[str, ...] = ()
    if ones:
        noun = "connection was" if len(ones) == 1 else "connections were"
        told = (
            f"{len(ones)} {noun} captured in one direction only ({_numbers(ones)}): answers cannot "
            "be seen, so no finding rests on their absence; capture at a point that both "
            "directions pass",
        )
    if unclear:
        told += (
            f"of {count(len(unclear), 'connection')} ({_numbers(unclear)}) only one side was "
            "captured: whether the other is silent, or the capture shows one direction only, "
            "cannot be told from it",
        )
    return told


def _unclear(one: ConnectionFacts) -> bool:
    """Whether nothing of a side was captured, though both had talked before."""
    unseen = not (one.client.frames and one.server.frames)
    return unseen and one.one_sided < 0 and one.opening is Opening.MID_STREAM


def _harms(findings: Sequence[Finding]) -> str:
    numbers: dict[str, int] = {}
    for finding in findings:
        numbers[finding.harm.text] = numbers.get(finding.harm.text, 0) + 1
    return listed([f"{number} {harm}" for harm, number in numbers.items()])


def _findings(capture: CaptureFacts, findings: Sequence[Finding]) -> list[FindingView]:
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        server = (
            capture.connections[finding.connections[0]].server.endpoint
            if finding.connections
            else ""
        )
        groups.setdefault((finding.rule, server), []).append(finding)
    return [_group(capture, group) for group in groups.values()]


def _group(capture: CaptureFacts, group: Sequence[Finding]) -> FindingView:
    first, others = group[0], group[1:]
    more = ""
    if others:
        numbers = [number for one in others for number in one.connections]
        frames = [one.frames[0] for one in others if one.frames]
        more = (
            f"{count(len(others), 'more finding')} like it, at the same server: "
            f"{_noun('connection', numbers)} {_numbers(numbers)} "
            f"({_noun('frame', frames)} {_numbers(frames)})"
        )
    return FindingView(
        first.harm.text,
        first.rule,
        _where(capture, first),
        ", ".join(map(str, first.frames)),
        _when(capture, first),
        plain(first.cause),
        plain(first.cure),
        more,
    )


def _where(capture: CaptureFacts, finding: Finding) -> str:
    numbers = finding.connections
    if not numbers:
        return "the capture itself"
    if len(numbers) > 1:
        return f"connections {_numbers(numbers)}"
    one = capture.connections[numbers[0]]
    return f"connection {one.number}: {plain(one.client.endpoint)} -> {plain(one.server.endpoint)}"


def _when(capture: CaptureFacts, finding: Finding) -> str:
    """When it began: the hour, and where in the capture that is."""
    after = (finding.at_ns - capture.totals.first_at) / SECOND
    where = f", {span(after)} after the first frame" if after > 0 else ""
    return f"{wall(finding.at_ns)}{where}"


def _noun(noun: str, numbers: Sequence[int]) -> str:
    return noun if len(numbers) == 1 else noun + "s"


def _numbers(numbers: Sequence[int]) -> str:
    text = ", ".join(map(str, numbers[:_NAMED]))
    rest = len(numbers) - _NAMED
    return f"{text} and {rest} more" if rest > 0 else text


def how(connection: ConnectionFacts, capture: CaptureFacts) -> str:
    """How it opened, where that is worth saying, and how it ended."""
    opened = _OPENED[connection.opening]
    if connection.opening is Opening.MID_STREAM and capture.totals.before:
        opened = "older than what was looked at"
    if connection.ending is Ending.NEVER_OPENED:
        return opened
    by = f" by {SIDES[connection.ended_by]}" if connection.ended_by >= 0 else ""
    ended = "open" if connection.ending is Ending.OPEN else f"{connection.ending.name}{by}"
    return f"{opened}; {ended}" if opened else ended


def _row(connection: ConnectionFacts, capture: CaptureFacts, rules: Sequence[str]) -> ConnectionRow:
    silence = connection.silence
    return ConnectionRow(
        str(connection.number),
        plain(connection.client.endpoint),
        plain(connection.server.endpoint),
        moment((connection.first_at - capture.totals.first_at) / SECOND),
        lasted(connection.first_at, connection.last_at),
        how(connection, capture),
        str(connection.frames),
        str(resent(connection) or "-"),
        span(silence.ns / SECOND) if silence is not None else "-",
        ", ".join(rules),
    )
