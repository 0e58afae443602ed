"""The rule zombie-consumer: a client waits in a command whose reply cannot come any more.

The rule this file guards: a client may rightly block for ever. The server must have tried to reach
it in vain, given it up, or owe it a reply for long; and nothing of the client's own may be finding
out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.analysis.findings.model import Evidence
from netdiag.analysis.findings.survey import (
    PATIENT,
    SECOND,
    judgeable,
    killed_by_keepalive,
    slack,
)
from netdiag.analysis.findings.words import lasting, times
from netdiag.tcp.facts import Ending
from netdiag.tcp.labels import Label

if TYPE_CHECKING:
    from netdiag.analysis.findings.survey import Survey
    from netdiag.tcp.facts import ConnectionFacts, Outstanding

GRACE: Final = 5 * SECOND  # a reply to a blocking command may be late by that


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
