"""How long the parts of a lab take that no setting limits: one row for each kind of clock.

The rule this file guards: a slack is as wide as its reason. In real time programs must be scheduled
before they do anything; on a virtual clock computing takes no time but that of reading the clock,
some thousandths of a second when dozens of cells do the same at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netdiag.predict.wheel import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """A row: seconds, each from an event until what follows it by itself.

    rtt: a segment's round trip, acknowledged at once; delayed: the same where the ACK is delayed
    (TCP_DELACK_MIN, and a bucket of the wheel); acked: either of the two; dialling: from the
    client's first SYN until it waits in its first call, greetings and all; pushing: from a push
    until its reply leaves the server; calling: from a reply until the client's next request;
    acting: from a moment until the cable does what is due then; cron: from the end of a command's
    own timeout until the server says so (it looks ten times a second, on a virtual clock once,
    see netdiag.servers); waking: from a timer's end until the program has run and said so.
    """

    rtt: Span
    delayed: Span
    acked: Span
    dialling: Span
    pushing: Span
    calling: Span
    acting: Span
    cron: Span
    waking: Span


REAL: Final = Pace(
    rtt=Span(1e-6, 0.0039),
    delayed=Span(0.04, 0.052),
    acked=Span(0.0, 0.052),
    dialling=Span(0.0, 0.25),
    pushing=Span(0.0, 0.02),
    calling=Span(0.0, 0.02),
    acting=Span(0.0, 0.005),
    cron=Span(0.0, 0.15),
    waking=Span(0.0, 0.1),
)
VIRTUAL: Final = Pace(
    rtt=Span(1e-6, 1e-5),
    delayed=Span(0.04, 0.0505),
    acked=Span(0.0, 0.0505),
    dialling=Span(0.0, 0.01),
    pushing=Span(0.0, 0.01),
    calling=Span(0.0, 0.01),
    acting=Span(0.0, 0.01),
    cron=Span(0.0, 1.05),
    waking=Span(0.0, 0.01),
)
