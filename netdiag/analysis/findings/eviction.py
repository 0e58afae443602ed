"""The rule middlebox-eviction: something on the path forgets connections that were silent.

The rule this file guards: silence alone is no finding. Its length must reach a well-known limit,
no connection to the same server may have survived a longer one, and what broke it went wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from netdiag.analysis.findings.model import Evidence
from netdiag.analysis.findings.survey import SECOND, judgeable, unanswered_since
from netdiag.analysis.findings.words import lasting
from netdiag.tcp.labels import Label

if TYPE_CHECKING:
    from netdiag.analysis.findings.survey import Survey
    from netdiag.tcp.facts import ConnectionFacts, Silence


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


def known_limit(ns: int) -> IdleLimit | None:
    """The longest well-known limit that this silence reaches."""
    seconds = ns / SECOND
    return max((one for one in IDLE_LIMITS if one.seconds <= seconds), default=None)


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
