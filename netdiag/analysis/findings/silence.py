"""Rules about answers that do not come: black-hole, frozen-peer, slow-reader, fin-wait-1-leftover.

The rule this file guards: a missing answer counts only where both directions were captured and the
question was asked again; one lost segment, and everything that healed, is no finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.analysis.findings.lost_answers import unheard
from netdiag.analysis.findings.model import Evidence
from netdiag.analysis.findings.survey import (
    NAMES,
    PATIENT,
    SECOND,
    established,
    judgeable,
    killed_by_keepalive,
    slack,
    unanswered_since,
)
from netdiag.analysis.findings.timers import forecast, rest_of, rto_of
from netdiag.analysis.findings.words import lasting, times
from netdiag.tcp.labels import PROBES, RETRANSMISSIONS, Label

if TYPE_CHECKING:
    from netdiag.analysis.findings.survey import Survey
    from netdiag.tcp.facts import ConnectionFacts, SideFacts

FROZEN: Final = 5 * SECOND  # an application that owes a reply for longer is not merely slow
CLOSED: Final = SECOND  # a window closed for less is flow control at work

_DIRECTIONS: Final = {
    "both": "nothing arrives in either direction",
    "to_client": "what the server sends does not arrive, what the client sends does",
    "to_server": "what the client sends does not arrive, what the server sends does",
    "unknown": "no answer comes back, so one direction is dead or both are",
}


def black_hole(connection: ConnectionFacts, survey: Survey) -> Evidence | None:
    """A side asks again and again and is not answered, to the end."""
    since = _vain(connection) if judgeable(connection) else {}
    asking = min((one for one in since.items()), key=lambda one: one[1], default=None)
    if asking is None:
        return unheard(connection, survey)
    side, at = asking
    own, peer = connection.sides[side], connection.sides[1 - side]
    direction = _direction(connection, since)
    until = max(connection.sides[one].last_at for one in since)
    what = _question(connection, side)
    waits = own.chain is not None and not own.chain.acknowledged
    least = "at least " if waits and own.chain is not None and not own.chain.begun else ""
    cause = (
        f"{NAMES[side]} {own.endpoint} asked {peer.endpoint} for {least}{lasting(until - at)} in "
        f"vain ({what}): {_DIRECTIONS[direction]}"
    )
    details: dict[str, float | str] = {
        "direction": direction,
        "asking": NAMES[side],
        "unanswered_s": (until - at) / SECOND,
    }
    cause += _end(connection, side, at, survey, details)
    return Evidence(cause, _cure(own, side), _frames(connection, since), at, details)


def _vain(connection: ConnectionFacts) -> dict[int, int]:
    """Side -> since when it asks in vain."""
    found = {}
    for side in (0, 1):
        since = unanswered_since(connection, side)
        if since is not None and not _reset_by(connection, 1 - side):
            found[side] = since
    return found


def _reset_by(connection: ConnectionFacts, side: int) -> bool:
    """Whether this side's RST is an answer to what the other had sent just before."""
    return (
        connection.sides[side].rst_at > 0
        and connection.ended_by == side
        and connection.reset_answers in _QUESTIONS
        and 0 <= connection.reset_delay_ns <= slack(connection)
    )


_QUESTIONS: Final = RETRANSMISSIONS | PROBES | {Label.DATA, Label.FIN}


def _direction(connection: ConnectionFacts, since: dict[int, int]) -> str:
    if len(since) == 2:
        return "both"
    side, at = next(iter(since.items()))
    own, peer = connection.sides[side], connection.sides[1 - side]
    if peer.unacked and peer.last_at > at:
        if own.rsts and own.last_at > peer.unacked_since:
            return "unknown"  # it heard the other at last: the path has come back
        if own.last_at > peer.unacked_since > at or peer.last_at > max(at, peer.unacked_since):
            return "both"
    if peer.last_data_at > at + slack(connection) and not peer.unacked:
        return f"to_{NAMES[1 - side]}"
    return "unknown"


def _question(connection: ConnectionFacts, side: int) -> str:
    """What was asked, counted."""
    own = connection.sides[side]
    parts = []
    chain = own.chain
    if chain is not None and not chain.acknowledged:
        again = chain.retransmissions
        fin = chain.label is Label.FIN_RETRANSMISSION
        data = f" with {times(chain.length - 1, 'byte')} of data" if chain.length > 1 else ""
        count = f"sent again {times(again, 'time')}"
        parts.append(f"FIN{data} {count}" if fin else times(again, "retransmission"))
    probes = own.keepalive
    if probes is not None and probes.unanswered_row:
        parts.append(times(probes.unanswered_row, "keepalive probe"))
    if own.zero_probes is not None and own.zero_probes.unanswered_row:
        parts.append(times(own.zero_probes.unanswered_row, "zero-window probe"))
    return ", ".join(parts)


def _end(
    connection: ConnectionFacts,
    side: int,
    at: int,
    survey: Survey,
    details: dict[str, float | str],
) -> str:
    """How the asking ended, or when it will; fills the details."""
    own = connection.sides[side]
    if killed_by_keepalive(connection, side):
        details["killed_by"] = "keepalive"
        return f"; keepalive then killed the connection with an RST (frame {own.rst_frame})"
    row = forecast(own.chain) if own.chain is not None and not own.chain.acknowledged else None
    if row is None:
        return ""
    rto = rto_of(row, details)
    if own.rst_frame:
        return f"; {rto}, and it ended that with an RST (frame {own.rst_frame})"
    if row.stopped(survey.end):
        details["gave_up_at_ns"] = row.next_at
        return (
            f"; {rto}, and it gave up without a word by the time the next retransmission was due, "
            f"{lasting(row.next_at - at)} after it had begun to ask"
        )
    death = row.orphan_death_at if own.fin_at else row.owned_death_at
    details["predicted_death_at_ns"] = death
    return f"; {rto}, and {rest_of(row, death, survey.end)}"


def _cure(own: SideFacts, side: int) -> str:
    if own.keepalive is not None and own.keepalive.unanswered_row:
        return (
            "look for what happened on the path or to the peer's host at that moment; keepalive "
            "did notice, and shorter idle and interval notice sooner"
        )
    return (
        "look for what happened on the path or to the peer's host at that moment; "
        f"TCP_USER_TIMEOUT on the {NAMES[side]} (10 s to 30 s) ends such a wait early, keepalive "
        "does not run while data is unacknowledged"
    )


def _frames(connection: ConnectionFacts, since: dict[int, int]) -> tuple[int, ...]:
    frames: list[int] = []
    for side in since:
        own = connection.sides[side]
        if own.chain is not None and not own.chain.acknowledged:
            frames += [
                own.chain.first_sent_frame, own.chain.first_frame, own.chain.last_frame
            ]  # fmt: skip
        for probes in (own.keepalive, own.zero_probes):
            if probes is not None and probes.unanswered_row:
                frames.append(probes.last_frame)
        frames.append(own.rst_frame)
        frames.append(connection.sides[1 - side].last_frame)
    return tuple(frames)


def fin_wait_1_leftover(connection: ConnectionFacts, survey: Survey) -> Evidence | None:
    """A FIN sent again and again: the kernel keeps a socket that nobody owns."""
    if connection.one_sided >= 0 or not established(connection):
        return None
    for side, own in enumerate(connection.sides):
        peer = connection.sides[1 - side]
        again = own.count(Label.FIN_RETRANSMISSION)
        if not own.fin_at or own.fin_acked or again < PATIENT or peer.rst_at > own.fin_at:
            continue
        state = "LAST-ACK" if 0 < peer.fin_at < own.fin_at and peer.fin_acked else "FIN-WAIT-1"
        details: dict[str, float | str] = {
            "state": state,
            "side": NAMES[side],
            "lasted_s": (own.last_at - own.fin_at) / SECOND,
        }
        cause = (
            f"{NAMES[side]} {own.endpoint} closed, and its FIN was sent again "
            f"{times(again, 'time')} over {lasting(own.last_at - own.fin_at)} without an answer: "
            f"a socket in {state}"
        )
        row = forecast(own.chain) if own.chain is not None else None
        if row is not None:
            rto_of(row, details)
            if row.stopped(survey.end):
                details["gave_up_at_ns"] = row.next_at
                cause += ", until the kernel gave it up"
            else:
                details["predicted_death_at_ns"] = row.orphan_death_at
                cause += f"; {rest_of(row, row.orphan_death_at, survey.end)}"
        return Evidence(
            cause,
            "lower net.ipv4.tcp_orphan_retries (3 gives up after about 6 s) where such sockets "
            "pile up; the cause is the dead path, not the close",
            (own.fin_frame, own.last_frame),
            own.fin_at,
            details,
        )
    return None


def frozen_peer(connection: ConnectionFacts, survey: Survey) -> Evidence | None:
    """The server's kernel acknowledges, its application says nothing."""
    asked = connection.outstanding
    if asked is None or not judgeable(connection) or asked.name in _NO_REPLY:
        return None
    server = connection.server
    if asked.blocking and asked.timeout_s <= 0:
        return None  # it may rightly wait for ever
    due = asked.at + (int(asked.timeout_s * SECOND) if asked.blocking else 0)
    alive = server.last_at
    if alive - due < FROZEN or server.last_data_at >= asked.at or server.rst_at or server.fin_at:
        return None
    if unanswered_since(connection, 0) or unanswered_since(connection, 1):
        return None
    if survey.served_others(connection, due + SECOND):
        return None  # it served others meanwhile: this command alone takes long
    return Evidence(
        f"the server's kernel at {server.endpoint} acknowledged {asked.name} (frame {asked.frame}) "
        f"and went on answering for {lasting(alive - asked.at)}, but its application never replied",
        "look at the server process (stopped, swapping, in a long command or a fork); only a read "
        "timeout or an application ping notices this, keepalive cannot",
        (asked.frame, server.last_frame),
        asked.at,
        {"command": asked.name, "unreplied_s": (alive - asked.at) / SECOND},
    )


_NO_REPLY: Final = frozenset(
    {"REPLCONF", "PSYNC", "SYNC", "MONITOR", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "QUIT"}
)


def slow_reader(connection: ConnectionFacts, survey: Survey) -> Evidence | None:
    """A side whose application does not read: its window stayed closed while it answered probes."""
    if connection.one_sided >= 0 or not established(connection):
        return None
    for side, own in enumerate(connection.sides):
        peer = connection.sides[1 - side]
        closed = own.zero_window_ns
        if own.zero_window_since:  # what came after its last word is not known
            closed -= max(0, connection.last_at - own.last_at)
        asked = peer.zero_probes
        if closed < CLOSED or not ((asked is not None and asked.answered) or peer.window_full):
            continue
        if asked is not None and asked.unanswered_row >= PATIENT:
            continue  # whether it would read is not known: it is not there
        still = " and still does" if own.zero_window_since and connection.open_at_end else ""
        probes = f", {times(asked.answered, 'probe')} answered" if asked is not None else ""
        frames = (own.last_frame, *((asked.first_frame, asked.last_frame) if asked else ()))
        return Evidence(
            f"{NAMES[side]} {own.endpoint} kept its receive window closed for {lasting(closed)}"
            f"{still}{probes}: its application does not read what has arrived",
            f"find out why the {NAMES[side]}'s application stops reading (busy, blocked, stopped); "
            "as long as its kernel answers, the sender waits for ever unless TCP_USER_TIMEOUT or "
            "a write timeout ends it",
            frames,
            own.zero_window_since or connection.first_at,
            {"side": NAMES[side], "closed_s": closed / SECOND},
        )
    return None
