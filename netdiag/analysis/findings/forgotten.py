"""Rules about connections that one side, or something between, has forgotten: half-open,
middlebox-eviction, zombie-consumer.

The rule this file guards: closing is not forgetting. A side that sent its FIN, and an RST that a
program sent to close, are no findings; and silence alone never is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from netdiag.analysis.findings.model import Evidence
from netdiag.analysis.findings.survey import (
    NAMES,
    PATIENT,
    SECOND,
    judgeable,
    killed_by_keepalive,
    slack,
    unanswered_since,
)
from netdiag.analysis.findings.words import lasting, times
from netdiag.tcp.facts import Ending
from netdiag.tcp.labels import PROBES, RESENT_DATA, Label

if TYPE_CHECKING:
    from netdiag.analysis.findings.survey import Survey
    from netdiag.tcp.facts import ConnectionFacts, Outstanding, Silence

GRACE: Final = 5 * SECOND  # a reply to a blocking command may be late by that


class IdleLimit(NamedTuple):
    """After how many seconds of silence something is known to forget connections."""

    seconds: int
    who: str


# From their makers' documentation; most can be configured.
IDLE_LIMITS: Final = (
    IdleLimit(240, "Azure load balancer"),
    IdleLimit(300, "classic load balancers and firewalls"),
    IdleLimit(350, "AWS NAT gateway, network load balancer, VPC endpoint"),
    IdleLimit(600, "Azure Cache for Redis, firewalls"),
    IdleLimit(900, "IPVS: Kubernetes, Docker swarm"),
    IdleLimit(1200, "Google Cloud NAT"),
    IdleLimit(3600, "stateful firewalls"),
)
_EXACT: Final = 0.02  # an RST that comes unasked comes at the limit, not after it

_QUIET: Final = 5 * SECOND  # data after so much silence is no longer the middle of talk
_NEW: Final = frozenset({Label.DATA, Label.ACK})
_ASKING: Final = PROBES | RESENT_DATA | _NEW


def known_limit(ns: int) -> IdleLimit | None:
    """The longest well-known limit that this silence reaches."""
    seconds = ns / SECOND
    return max((one for one in IDLE_LIMITS if one.seconds <= seconds), default=None)


def half_open(connection: ConnectionFacts, survey: Survey) -> Evidence | None:
    """One side holds a connection that the other knows nothing of."""
    if not judgeable(connection) or connection.ending is not Ending.RST:
        return None
    judges = (_answered_by_reset, _never_told, _forged)
    return next((found for judge in judges if (found := judge(connection)) is not None), None)


_RESTART: Final = (
    "find out what made it forget (restart, failover, keepalive or an idle limit of its own) or "
    "whether a NAT gave the {side} another port; keepalive or an application ping on the {side} "
    "notices within their own time"
)


def _answered_by_reset(connection: ConnectionFacts) -> Evidence | None:
    """A probe, or data after silence, is answered by the RST of a host without such a socket."""
    side = connection.ended_by
    own, peer = connection.sides[side], connection.sides[1 - side]
    if own.fin_at or connection.reset_answers not in _ASKING:
        return None
    if not 0 <= connection.reset_delay_ns <= slack(connection):
        return None
    silence = connection.silence
    silent = silence.ns if silence is not None else 0
    first = silence is not None and silence.answer_frame == connection.ended_frame
    quiet = first and silent >= _QUIET
    if connection.reset_answers in _NEW and not (quiet or own.rst_bare):
        return None  # in the middle of talk a program that closes with data unread does the same
    return Evidence(
        f"{NAMES[side]} {own.endpoint} answered {_named(connection.reset_answers)} of "
        f"{peer.endpoint} with an RST: its host has no such connection (any more), while the "
        f"{NAMES[1 - side]} believed in it",
        _RESTART.format(side=NAMES[1 - side]),
        (own.rst_frame, own.last_data_frame, peer.last_frame),
        connection.ended_at,
        {"forgot": NAMES[side], "silence_s": silent / SECOND},
    )


def _never_told(connection: ConnectionFacts) -> Evidence | None:
    """An RST passed, and the side it was for goes on: it did not arrive."""
    side = connection.ended_by
    own, peer = connection.sides[side], connection.sides[1 - side]
    if peer.rsts or peer.last_at <= connection.ended_at + slack(connection):
        return None
    told = " until an RST answered that, too" if own.last_at > peer.last_at else ""
    return Evidence(
        f"{NAMES[side]} {own.endpoint} reset the connection (frame {own.rst_frame}), and "
        f"{lasting(peer.last_at - connection.ended_at)} later the {NAMES[1 - side]} still believed "
        f"in it{told}: the RST did not arrive",
        _RESTART.format(side=NAMES[1 - side]),
        (own.rst_frame, peer.last_frame, own.last_frame),
        connection.ended_at,
        {
            "forgot": NAMES[side],
            "believed_s": (peer.last_at - connection.ended_at) / SECOND,
        },
    )


def _forged(connection: ConnectionFacts) -> Evidence | None:
    """A side goes on behind its own RST: something else sent that in its name."""
    side = connection.ended_by
    own, peer = connection.sides[side], connection.sides[1 - side]
    probed = own.keepalive.last_at if own.keepalive is not None else 0
    spoke = max(own.last_data_at, own.fin_at, probed)
    if spoke <= connection.ended_at + slack(connection):
        return None
    return Evidence(
        f"an RST in the name of {NAMES[side]} {own.endpoint} (frame {own.rst_frame}) ended the "
        f"connection for {peer.endpoint}, but the {NAMES[side]} did not send it: it went on "
        f"{lasting(spoke - connection.ended_at)} later",
        "look for a firewall, proxy or intrusion detection between them that resets connections",
        (own.rst_frame, own.last_frame, peer.last_frame),
        connection.ended_at,
        {"forgot": NAMES[1 - side]},
    )


_NAMED: Final = {
    Label.KEEPALIVE_PROBE: "a keepalive probe",
    Label.ZERO_WINDOW_PROBE: "a zero-window probe",
    Label.DATA: "data",
    Label.ACK: "an ACK",
}


def _named(label: Label | None) -> str:
    return _NAMED.get(label, "a retransmission") if label is not None else "a segment"


def middlebox_eviction(connection: ConnectionFacts, survey: Survey) -> Evidence | None:
    """Silence of a well-known length, and then an RST or no answer at all."""
    silence = connection.silence
    if silence is None or not judgeable(connection):
        return None
    limit = known_limit(silence.ns)
    if limit is None or survey.beside(connection).survived >= silence.ns:
        return None
    judges = (_unasked, _reset_after, _lost_after)
    how = next((text for judge in judges if (text := judge(connection, silence, survey))), None)
    if how is None:
        return None
    allowed = lasting(limit.seconds * SECOND)
    return Evidence(
        f"after {lasting(silence.ns)} of silence {how}: something on the path forgets idle "
        f"connections ({limit.who}: {allowed})",
        f"set TCP keepalive to an idle time well below {allowed} on either side, or let the "
        "application ping more often than that; or raise the limit",
        (silence.from_frame, silence.to_frame, silence.answer_frame),
        silence.began_at,
        {
            "silence_s": silence.ns / SECOND,
            "limit_s": float(limit.seconds),
            "limit_of": limit.who,
            "survived_s": survey.beside(connection).survived / SECOND,
        },
    )


def _unasked(connection: ConnectionFacts, silence: Silence, survey: Survey) -> str | None:
    """An RST that broke the silence at the limit itself, in the server's name."""
    limit = known_limit(silence.ns)
    if silence.label is not Label.RST or limit is None or connection.ended_by != 1:
        return None
    late = silence.ns / SECOND - limit.seconds
    if connection.ended_frame != silence.to_frame or late > limit.seconds * _EXACT + 1:
        return None
    return "an RST ended it that nothing had asked for"


def _reset_after(connection: ConnectionFacts, silence: Silence, survey: Survey) -> str | None:
    """The first word after the silence is answered by an RST."""
    asker, other = connection.sides[silence.side], connection.sides[1 - silence.side]
    if silence.answer_label is not Label.RST or other.fin_at or asker.fin_at > silence.began_at:
        return None
    if connection.ended_frame != silence.answer_frame:
        return None
    return f"what {asker.endpoint} then sent was answered by an RST"


def _lost_after(connection: ConnectionFacts, silence: Silence, survey: Survey) -> str | None:
    """The first word after the silence is never answered, while others get their answers."""
    asker, other = connection.sides[silence.side], connection.sides[1 - silence.side]
    if silence.label is Label.RST or silence.answer_frame or other.rst_at:
        return None
    if unanswered_since(connection, silence.side) is None:
        return None
    at = silence.began_at + silence.ns
    if survey.wider(connection, at):
        return None
    if silence.label is Label.KEEPALIVE_PROBE and not survey.heard(other.endpoint, connection, at):
        return None  # the prober's own setting made the silence so long, and the host may be gone
    return f"what {asker.endpoint} then sent was never answered"


def zombie_consumer(connection: ConnectionFacts, survey: Survey) -> Evidence | None:
    """A client blocked in a command whose reply cannot come any more, and with no timer to tell
    it.
    """
    asked = connection.outstanding
    client, server = connection.sides
    if asked is None or not asked.blocking or not judgeable(connection):
        return None
    if client.fin_at or client.rst_at or _client_asks(connection):
        return None  # it has closed, or one of its own timers will tell it
    judges = (_reply_lost, _given_up, _overdue)
    why = next((text for judge in judges if (text := judge(connection, asked, survey))), None)
    if why is None:
        return None
    frames = [asked.frame, server.rst_frame, server.fin_frame, client.last_frame]
    if server.chain is not None and not server.chain.acknowledged:
        frames += [server.chain.first_frame, server.chain.last_frame]
    if server.keepalive is not None:
        frames.append(server.keepalive.last_frame)
    waited = max(survey.end - asked.at, 0)
    return Evidence(
        f"{client.endpoint} has waited in {asked.name} (frame {asked.frame}) for "
        f"{lasting(waited)}, and {why}",
        "if it is still blocked, restart it, and check what was popped for it; a read timeout "
        "above the block timeout, or keepalive (30 s idle, every 5 s, 3 probes), makes it notice",
        tuple(frames),
        asked.at,
        {"command": asked.name, "waited_s": waited / SECOND, "timeout_s": asked.timeout_s},
    )


_ALONE: Final = "only a timer of its own can tell it"


def _client_asks(connection: ConnectionFacts) -> bool:
    """Whether the client's own kernel is finding out."""
    client = connection.client
    probing = client.keepalive is not None and client.keepalive.unanswered_row > 0
    chain = client.chain is not None and not client.chain.acknowledged
    return probing or (chain and client.unacked > 0)


def _reply_lost(connection: ConnectionFacts, asked: Outstanding, survey: Survey) -> str | None:
    chain = connection.server.chain
    server = connection.server
    if chain is None or chain.acknowledged or chain.retransmissions < PATIENT:
        return None
    if server.last_data_at < asked.at or connection.client.last_at > chain.first_at:
        return None
    return (
        f"the server's reply never arrives ({times(chain.retransmissions, 'retransmission')}, "
        f"none acknowledged): what was popped for it is lost, and {_ALONE}"
    )


def _given_up(connection: ConnectionFacts, asked: Outstanding, survey: Survey) -> str | None:
    """The server's keepalive gave the client up, or its FIN is never acknowledged."""
    server, client = connection.server, connection.client
    if client.last_at > max(server.rst_at, asked.at) + slack(connection):
        return None
    probes = server.keepalive
    if probes is not None and killed_by_keepalive(connection, 1):
        asks = times(probes.unanswered_row, "keepalive probe")
        return f"the server gave it up ({asks} in vain, then an RST that was not heard): {_ALONE}"
    again = server.count(Label.FIN_RETRANSMISSION)
    if server.fin_at and not server.fin_acked and again >= PATIENT:
        return (
            "the server has closed, but its FIN never arrives: only a timer of its own can tell it"
        )
    return None


def _overdue(connection: ConnectionFacts, asked: Outstanding, survey: Survey) -> str | None:
    """The command's own timeout passed long ago, and the server must have replied."""
    if asked.timeout_s <= 0 or connection.ending is not Ending.OPEN:
        return None
    due = asked.at + int(asked.timeout_s * SECOND)
    if survey.end - due < max(GRACE, due - asked.at) or connection.server.last_at > due:
        return None
    return (
        f"its timeout of {lasting(asked.timeout_s * SECOND)} passed "
        f"{lasting(survey.end - due)} ago without a reply, nor has the client asked for one"
    )
