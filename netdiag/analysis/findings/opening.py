"""Rules about connections that never came to be: refused and syn-black-hole.

The rule this file guards: one lost SYN is no finding, and a capture that shows one direction only
proves nothing about answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.analysis.findings.model import Evidence
from netdiag.analysis.findings.words import lasting, times
from netdiag.tcp.facts import Opening
from netdiag.tcp.labels import Label

if TYPE_CHECKING:
    from netdiag.analysis.findings.survey import Survey
    from netdiag.tcp.facts import ConnectionFacts

_SYNS: Final = 2  # SYNs sent again: more than an accident
_SYN_ACKS: Final = 3
SECOND: Final = 1_000_000_000


def refused(connection: ConnectionFacts, survey: Survey) -> Evidence | None:
    """The SYN was answered by an RST."""
    if connection.opening is not Opening.REFUSED:
        return None
    client, server = connection.sides
    return Evidence(
        f"{server.endpoint} refused the connection: its host answered the SYN with an RST, so "
        "nothing listens there, or a firewall rejects it",
        "check that the server runs and listens on that address and port; then clients may retry, "
        "with a pause",
        (client.first_frame, server.rst_frame),
        connection.first_at,
    )


def syn_black_hole(connection: ConnectionFacts, survey: Survey) -> Evidence | None:
    """SYNs, sent again and again, that nobody answers; or SYN-ACKs that never arrive."""
    if connection.one_sided >= 0 or connection.opening not in _NEVER:
        return None
    client, server = connection.sides
    syns = client.count(Label.SYN_RETRANSMISSION)
    answers = server.count(Label.SYN_ACK_RETRANSMISSION)
    if syns < _SYNS:
        return None
    asked = lasting(client.last_at - client.first_at)
    details: dict[str, float | str] = {"asked_s": (client.last_at - client.first_at) / SECOND}
    if connection.opening is Opening.UNANSWERED:
        direction = "unknown"
        cause = (
            f"{client.endpoint} sent {times(syns + 1, 'SYN')} to {server.endpoint} over {asked}, "
            "and nothing answered, not even a refusal"
        )
        cure = (
            "check the address (a pod, a failed-over node), routes and firewalls that drop; a "
            "connect timeout of 5 s to 10 s spares the client the kernel's two minutes"
        )
    elif answers >= _SYN_ACKS:
        direction = "to_client"
        cause = (
            f"{server.endpoint} answered the SYN with {times(answers + 1, 'SYN-ACK')}, but "
            f"{client.endpoint} went on asking for {asked}: they do not reach it"
        )
        cure = (
            "look for what drops the way from the server to the client behind this point "
            "(asymmetric routing, a stateful firewall that saw only one direction)"
        )
    else:
        return None
    details["direction"] = direction
    frames = (client.first_frame, client.last_frame, server.first_frame, server.last_frame)
    return Evidence(cause, cure, frames, connection.first_at, details)


_NEVER: Final = (Opening.UNANSWERED, Opening.HALF)
