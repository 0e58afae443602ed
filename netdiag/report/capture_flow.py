"""One connection of a capture -> FlowView: both sides beside each other, and its timeline.

The rule this file guards: the timeline shows packets that mean something; of a long series the
first and the last stay, with the number between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.report.capture import SECOND, SIDES, how, lasted, wall
from netdiag.report.timeline import Gap, thinned
from netdiag.report.words import count, moment, plain, span
from netdiag.tcp.facts import (
    ANSWERED_ROW,
    AT_LEAST_ROW,
    DSACK_ROW,
    ORIGINAL_ROW,
    SPURIOUS_ROW,
)
from netdiag.tcp.labels import LABELS, RETRANSMISSIONS, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdiag.analysis.findings import Finding
    from netdiag.tcp.facts import CaptureFacts, Chain, ConnectionFacts, Probes, Row, SideFacts

_SCHEDULE: Final = 4  # of a series on a timer, the first that are shown: its gaps tell the timer
_SHORTEST: Final = SECOND  # a silence worth a word


@dataclass(frozen=True)
class SideLine:
    """One fact of both sides."""

    name: str
    client: str
    server: str


@dataclass(frozen=True)
class FlowRow:
    """One packet of the timeline, or the number of those left out there."""

    time: str
    frame: str
    side: str  # who sent it; empty for a gap
    text: str
    reason: str


@dataclass(frozen=True)
class FlowView:
    """One connection, in words."""

    title: str
    facts: tuple[tuple[str, str], ...]
    sides: tuple[SideLine, ...]
    findings: tuple[str, ...]
    rows: tuple[FlowRow, ...]
    left_out: str


def view_of_flow(
    capture: CaptureFacts, connection: ConnectionFacts, findings: Sequence[Finding]
) -> FlowView:
    """One connection's facts and timeline; times since its first frame."""
    rows = list(capture.rows.of(connection.number))
    left_out = max(0, capture.rows.left_out)
    return FlowView(
        f"connection {connection.number}: {plain(connection.client.endpoint)} -> "
        f"{plain(connection.server.endpoint)}",
        tuple(_facts(capture, connection)),
        tuple(
            SideLine(name, *(words(side) for side in connection.sides))
            for name, words in _SIDE_LINES.items()
            if any(words(side) != "-" for side in connection.sides)
        ),
        tuple(
            f"{one.harm.text} {one.rule}: {plain(one.cause)}"
            for one in findings
            if connection.number in one.connections
        ),
        tuple(_timeline(connection, rows)),
        f"{count(left_out, 'packet')} of the capture had no room in its timelines"
        if left_out
        else "",
    )


def _facts(capture: CaptureFacts, one: ConnectionFacts) -> list[tuple[str, str]]:
    facts = [
        ("began", f"{wall(one.first_at)}, frame {one.first_frame}"),
        ("lasted", f"{lasted(one.first_at, one.last_at)}, {count(one.frames, 'frame')}"),
        ("how", how(one, capture) + (f" (frame {one.ended_frame})" if one.ended_frame else "")),
    ]
    if one.rtt_ns >= 0:
        facts.append(
            (
                "round trip",
                f"{span(one.rtt_ns / SECOND)}, at least {span(one.least_rtt_ns / SECOND)}",
            )
        )
    if one.one_sided >= 0:
        facts.append(("seen", f"only what the {SIDES[one.one_sided]} sent"))
    if one.silence is not None and one.silence.ns >= _SHORTEST:
        facts.append(("longest silence", _silence(one)))
    if one.outstanding is not None:
        facts.append(("unanswered command", _outstanding(one)))
    return facts


def _silence(one: ConnectionFacts) -> str:
    silence = one.silence
    assert silence is not None
    again = f"asked again {count(silence.asked_again, 'time')}, " if silence.asked_again else ""
    answer = again + (
        f"answered after {span(silence.answer_ns / SECOND)} by {_label(silence.answer_label)}"
        if silence.answer_frame and silence.answer_label is not None
        else "never answered"
    )
    return (
        f"{span(silence.ns / SECOND)} (frames {silence.from_frame} to {silence.to_frame}), broken "
        f"by the {SIDES[silence.side]}'s {_label(silence.label)}, {answer}"
    )


def _outstanding(one: ConnectionFacts) -> str:
    asked = one.outstanding
    assert asked is not None
    blocks = ""
    if asked.blocking:
        blocks = {0.0: ", blocks for ever", -1.0: ", blocks"}.get(
            asked.timeout_s, f", blocks for {span(asked.timeout_s)}"
        )
    more = f", and {count(asked.count - 1, 'more')}" if asked.count > 1 else ""
    at = moment((asked.at - one.first_at) / SECOND)
    return f"{plain(asked.name)} at {at} (frame {asked.frame}){blocks}{more}"


def _label(label: Label | None) -> str:
    return "packet" if label is None else label.text.replace("_", " ")


def _state(side: SideFacts) -> str:
    return side.state.replace("_", "-").upper()


def _resent(side: SideFacts) -> str:
    parts = [
        count(side.count(label), _label(label))
        for label in sorted(RETRANSMISSIONS)
        if side.count(label)
    ]
    if side.spurious:
        parts.append(f"{side.spurious} of them although the peer had it")
    return ", ".join(parts) or "-"


def _chain(side: SideFacts) -> str:
    chain: Chain | None = side.chain
    if chain is None or not chain.retransmissions:
        return "-"
    rto = f", RTO {span(chain.rto_ns / SECOND)}" if chain.rto_ns > 0 else ""
    least = "" if chain.begun else "at least "
    end = "acknowledged at last" if chain.acknowledged else "never acknowledged"
    return (
        f"{chain.retransmissions} in frames {chain.first_frame} to {chain.last_frame}, "
        f"step {least}{chain.steps}{rto}, {end}"
    )


def _probes(pick: Callable[[SideFacts], Probes | None]) -> Callable[[SideFacts], str]:
    def words(side: SideFacts) -> str:
        probes = pick(side)
        if probes is None or not probes.sent:
            return "-"
        every = f", every {span(probes.interval_ns / SECOND)}" if probes.interval_ns > 0 else ""
        return (
            f"{probes.answered} of {probes.sent} answered, after {span(probes.idle_ns / SECOND)} "
            f"of silence{every}"
        )

    return words


def _zero(side: SideFacts) -> str:
    if not side.zero_windows:
        return "-"
    still = ", closed at the end" if side.zero_window_since else ""
    return f"{count(side.zero_windows, 'time')}, {span(side.zero_window_ns / SECOND)} in all{still}"


def _speaks(side: SideFacts) -> str:
    spoken = side.application
    if spoken.tls:
        return "TLS"
    if not spoken.resp:
        return "-"
    return f"RESP, {count(spoken.messages, 'message')}" + (
        f", last {plain(spoken.last_command)}" if spoken.last_command else ""
    )


_SIDE_LINES: Final[dict[str, Callable[[SideFacts], str]]] = {
    "state at the end": _state,
    "frames": lambda side: str(side.frames),
    "payload": lambda side: f"{side.unique} bytes",
    "speaks": _speaks,
    "sent again": _resent,
    "last row": _chain,
    "keepalive": _probes(lambda side: side.keepalive),
    "zero-window probes": _probes(lambda side: side.zero_probes),
    "closed its window": _zero,
    "not acknowledged": lambda side: f"{side.unacked} at the end" if side.unacked else "-",
    "missing here": lambda side: f"{side.missed} bytes" if side.missed else "-",
}


def _timeline(connection: ConnectionFacts, rows: Sequence[Row]) -> list[FlowRow]:
    longest = connection.silence.to_frame if connection.silence is not None else 0
    found = []
    for item in thinned(rows, lambda row: _series(row, longest), lambda row: _SCHEDULE):
        if isinstance(item, Gap):
            found.append(_gap(connection, item.hidden))
        else:
            found.append(_flow_row(connection, item))
    return found


def _series(row: Row, longest: int) -> tuple[int, int] | None:
    """What it may be drawn together with; `longest` is the frame that broke the longest silence."""
    rare = row.label in (Label.SYN, Label.SYN_ACK, Label.FIN, Label.RST)
    return None if rare or row.number == longest else (row.side, row.label)


def _gap(connection: ConnectionFacts, hidden: Sequence[Row]) -> FlowRow:
    kinds: dict[str, int] = {}
    for row in hidden:
        name = row.text.replace("_", " ")
        kinds[name] = kinds.get(name, 0) + 1
    words = ", ".join(count(number, name, _PLURALS.get(name, "")) for name, number in kinds.items())
    at = moment((hidden[0].t_ns - connection.first_at) / SECOND)
    return FlowRow(at, "...", "", f"{words} left out", "")


def _flow_row(connection: ConnectionFacts, row: Row) -> FlowRow:
    text = row.text.replace("_", " ")
    if row.step and row.label < len(LABELS) and Label(row.label) in RETRANSMISSIONS:
        least = "at least " if row.marks & AT_LEAST_ROW else ""
        text += f" (step {least}{row.step})"
    if row.length:
        text += f", {row.length} bytes"
    reasons = [words for bit, words in _MARKS.items() if row.marks & bit]
    if connection.silence is not None and row.number == connection.silence.to_frame:
        reasons.append("ends the longest silence")
    if row.since_previous_ns >= _SHORTEST:
        reasons.insert(0, f"{span(row.since_previous_ns / SECOND)} after the one before")
    return FlowRow(
        moment((row.t_ns - connection.first_at) / SECOND),
        str(row.number),
        SIDES[row.side],
        text,
        "; ".join(reasons),
    )


_PLURALS: Final = {"copy": "copies", "fin": "FINs"}
_MARKS: Final = {
    ORIGINAL_ROW: "sent again below",
    SPURIOUS_ROW: "the peer had it already",
    ANSWERED_ROW: "answered",
    DSACK_ROW: "says that it had a retransmission already",
}
