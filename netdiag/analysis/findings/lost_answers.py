"""Answers that did not arrive although nobody fell silent: outage, and two kinds of black-hole.

The rule this file guards: what a side does tells what has reached it. It sends again what was not
acknowledged to it, whoever else saw the ACK; its timestamps echo the last segment that arrived
(RFC 7323, 4.3); so one direction, or the good end of a path, can be enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.analysis.findings.model import Evidence
from netdiag.analysis.findings.survey import NAMES, SECOND, established, patient
from netdiag.analysis.findings.timers import LATE, RETRIES2, RTO_MAX, forecast, patience
from netdiag.analysis.findings.words import lasting, times
from netdiag.tcp.facts import Healing
from netdiag.tcp.labels import PROBES, Label

if TYPE_CHECKING:
    from netdiag.analysis.findings.survey import Survey
    from netdiag.tcp.facts import Chain, ConnectionFacts, Outage, SideFacts

NOTABLE: Final = SECOND  # what heals sooner is a lossy path, not an outage

_CURE: Final = (
    "look for what happened on the path or to the peer's host at that moment; TCP_USER_TIMEOUT "
    "(10 s to 30 s) or an application ping on the {side} ends such a wait early"
)
_HEALED: Final = (
    "TCP has repaired it, but every timeout shorter than that has fired; look for what happened on "
    "the path or to the peer's host at that moment"
)


def unheard(connection: ConnectionFacts, survey: Survey) -> Evidence | None:
    """A side asks to the end, and the answers that pass here do not reach it; or it asks alone."""
    if not established(connection):
        return None
    for side, own in enumerate(connection.sides):
        peer = connection.sides[1 - side]
        if not peer.frames and own.chain is not None:
            return _asking_alone(connection, side, own.chain, survey)
        if _deaf_to_probes(connection, side) and own.keepalive is not None:
            told = f"{times(own.keepalive.deaf + 1, 'keepalive probe')} of the {NAMES[side]}"
            proof = f"the timestamps that the {NAMES[side]} echoes show that none of the answers"
            first, last = own.keepalive.first_frame, own.keepalive.last_frame
            at = own.keepalive.last_at - own.keepalive.deaf * max(own.keepalive.idle_ns, 0)
        elif own.outage is not None and still_unheard(own, survey):
            told = f"{_asked(own.outage)} of the {NAMES[side]}"
            proof = f"that the {NAMES[side]} goes on shows that none of the ACKs"
            first, last = own.outage.first_frame, own.outage.last_frame
            at = own.outage.began_at
        else:
            continue
        killed = (
            f"; the {NAMES[side]} then ended the connection with an RST (frame {own.rst_frame})"
            if own.rst_frame
            else ""
        )
        return Evidence(
            f"{told} (frames {first} to {last}) were answered by {peer.endpoint}, but {proof} that "
            f"passed here arrived: what the {NAMES[1 - side]} sends is lost between this point and "
            f"{own.endpoint}{killed}",
            _CURE.format(side=NAMES[side]),
            (first, last, peer.last_frame, own.rst_frame),
            at,
            {"direction": f"to_{NAMES[side]}", "asking": NAMES[side]},
        )
    return None


def _deaf_to_probes(connection: ConnectionFacts, side: int) -> bool:
    """Whether the answers to its last keepalive probes provably did not arrive: two of them, or
    one, when it then reset the connection.
    """
    own = connection.sides[side]
    if own.keepalive is None or own.fin_at:
        return False
    reset = own.rst_frame > own.keepalive.last_frame and connection.ended_by == side
    last = own.last_frame == own.keepalive.last_frame
    return own.keepalive.deaf >= (1 if reset else 2) and (reset or last)


def still_unheard(own: SideFacts, survey: Survey) -> bool:
    """Whether a side still sent again, when the capture ended, what was acknowledged here."""
    row = own.outage
    if row is None or row.healing is not Healing.UNHEARD or row.last_frame != own.last_frame:
        return False
    return survey.end <= own.last_at + min(row.ns, round(RTO_MAX * SECOND)) * LATE


def _asking_alone(
    connection: ConnectionFacts, side: int, chain: Chain, survey: Survey
) -> Evidence | None:
    """Only one side was captured, and it sends the same again and again, its timer doubling."""
    row = forecast(chain)
    if row is None or not patient(chain):
        return None
    own, peer = connection.sides[side], connection.sides[1 - side]
    at = chain.first_sent_at or chain.first_at
    asked = chain.last_at - at
    gave_up = asked >= patience(RETRIES2) * SECOND - RTO_MAX * SECOND
    if row.stopped(survey.end) and not gave_up:
        return None  # it may have been answered: that would not be seen here
    least = "" if chain.begun else "at least "
    return Evidence(
        f"{NAMES[side]} {own.endpoint} sent the same {times(chain.length, 'byte')} to "
        f"{peer.endpoint} again {times(chain.retransmissions, 'time')} over {least}"
        f"{lasting(asked)}, as its timer does without an answer; nothing that the "
        f"{NAMES[1 - side]} sent was captured, but no answer reached the {NAMES[side]}",
        _CURE.format(side=NAMES[side]),
        (chain.first_sent_frame, chain.first_frame, chain.last_frame),
        at,
        {"direction": "unknown", "asking": NAMES[side], "unanswered_s": asked / SECOND},
    )


def outage(connection: ConnectionFacts, survey: Survey) -> Evidence | None:
    """A side asked in vain for a while, and it went on."""
    if not established(connection):
        return None
    sides = [
        (own.outage, side)
        for side, own in enumerate(connection.sides)
        if own.outage is not None
        and own.outage.ns >= NOTABLE
        and not still_unheard(own, survey)
    ]
    if not sides:
        return None
    row, side = max(sides, key=lambda one: (one[0].healing is not Healing.UNHEARD, one[0].ns))
    own, peer = connection.sides[side], connection.sides[1 - side]
    both = len(sides) == 2 and _overlap(sides[0][0], sides[1][0])
    frames = f"frames {row.first_frame} to {row.last_frame}"
    if row.healing is Healing.UNHEARD:
        cause = (
            f"{_asked(row)} by the {NAMES[side]} {own.endpoint} ({frames}) over {lasting(row.ns)} "
            f"had been acknowledged here: the ACKs of {peer.endpoint} did not arrive"
        )
        if row.label is Label.SYN_ACK_RETRANSMISSION:
            cause += ", so the client believed in a connection that the server did not have yet"
    else:
        reset = " with an RST" if row.healing is Healing.RESET else ""
        too = f", as did the {NAMES[1 - side]}" if both else ""
        cause = (
            f"{NAMES[side]} {own.endpoint} asked {peer.endpoint} for {lasting(row.ns)} in vain"
            f"{too} ({_asked(row)}, {frames}), and was then answered{reset} (frame "
            f"{row.ended_frame}): the path was interrupted and came back"
        )
        if row.healing is Healing.RESET:
            cause += ", but the other had given it up"
    return Evidence(
        cause,
        _HEALED,
        tuple(
            frame
            for one, _ in (sides if both else [(row, side)])
            for frame in (one.first_frame, one.last_frame, one.ended_frame)
        ),
        row.began_at,
        {"asking": NAMES[side], "unanswered_s": row.ns / SECOND},
    )


def _overlap(one: Outage, other: Outage) -> bool:
    return (
        one.began_at <= other.began_at + other.ns and other.began_at <= one.began_at + one.ns
    )


def _asked(row: Outage) -> str:
    """What was asked, counted."""
    if row.label in PROBES:
        return times(row.count, "probe")
    what = _FLAGS.get(row.label)
    return times(row.count, "retransmission") + (f" of a {what}" if what else "")


_FLAGS: Final = {
    Label.SYN_RETRANSMISSION: "SYN",
    Label.SYN_ACK_RETRANSMISSION: "SYN-ACK",
    Label.FIN_RETRANSMISSION: "FIN",
}
