"""The table of rules: their names, their harm, what they say and when they must keep silent.

A new rule is one function and one row here.
"""

from __future__ import annotations

from typing import Final

from netdiag.analysis.findings.across import (
    capture_loss,
    keepalive_too_slow,
    read_timeout_below_block,
    reconnect_storm,
)
from netdiag.analysis.findings.eviction import middlebox_eviction
from netdiag.analysis.findings.forgotten import half_open
from netdiag.analysis.findings.lost_answers import outage
from netdiag.analysis.findings.model import Harm, Rule
from netdiag.analysis.findings.opening import refused, syn_black_hole
from netdiag.analysis.findings.silence import (
    black_hole,
    fin_wait_1_leftover,
    frozen_peer,
    slow_reader,
)
from netdiag.analysis.findings.zombie import zombie_consumer

RULES: Final = (
    Rule(
        "zombie-consumer",
        Harm.HIGH,
        "A client is blocked in a command whose reply cannot come any more.",
        "the command may rightly block for ever and the server never tried to reach the client; "
        "the client's own kernel is probing or resending, so that it will be told; the client "
        "closed; one direction was not captured",
        one=zombie_consumer,
    ),
    Rule(
        "half-open",
        Harm.HIGH,
        "One side holds a connection that the other knows nothing of.",
        "the side that sent the RST had sent its FIN before; a program closed with an RST "
        "in the middle of talk, or in answer to nothing; what followed the RST was on its way "
        "already; a black-hole explains it",
        one=half_open,
        over=frozenset({"outage"}),
    ),
    Rule(
        "black-hole",
        Harm.HIGH,
        "A side asks again and again, and nothing answers, to the end.",
        "it was answered at last; fewer than three retransmissions or two keepalive probes; the "
        "handshake never completed; one direction was not captured, and the asking stopped; "
        "silence of a well-known length came first (middlebox-eviction)",
        one=black_hole,
        over=frozenset({"half-open"}),
    ),
    Rule(
        "middlebox-eviction",
        Harm.HIGH,
        "After silence of a well-known length, an RST or no answer at all.",
        "the silence is shorter than any known limit; a connection to the same server survived a "
        "longer one; others that were not silent lost their answers, too; the side that sent the "
        "RST had closed; a keepalive probe broke the silence in vain, and nothing else was heard "
        "of the other host",
        one=middlebox_eviction,
        over=frozenset({"half-open", "black-hole"}),
    ),
    Rule(
        "frozen-peer",
        Harm.HIGH,
        "The server's kernel acknowledges, its application says nothing.",
        "the command may block and its time is not over; the kernel gave no sign of life for long "
        "enough; the server answered other connections meanwhile; the protocol is not known",
        one=frozen_peer,
        over=frozenset({"zombie-consumer"}),
    ),
    Rule(
        "syn-black-hole",
        Harm.HIGH,
        "SYNs, sent again and again, that nobody answers.",
        "a SYN got through at last; fewer than three SYNs; one direction was not captured",
        one=syn_black_hole,
    ),
    Rule(
        "reconnect-storm",
        Harm.HIGH,
        "One host tries again and again, and each attempt fails at once.",
        "the connections did their work, however many and short; fewer than ten in a row failed; "
        "there were pauses of seconds between them",
        all=reconnect_storm,
    ),
    Rule(
        "slow-reader",
        Harm.MEDIUM,
        "An application does not read what its kernel has received.",
        "the window was closed for less than a second; the closed side's kernel answered nothing "
        "(black-hole)",
        one=slow_reader,
    ),
    Rule(
        "refused",
        Harm.MEDIUM,
        "The server's host answers SYNs with an RST.",
        "the RST does not acknowledge the SYN",
        one=refused,
    ),
    Rule(
        "read-timeout-below-block",
        Harm.MEDIUM,
        "A client's read timeout ends its own blocking calls.",
        "it happened once; the ages differ; all ended at the same time (a shutdown); the path did "
        "not work; the block timeout was over",
        all=read_timeout_below_block,
    ),
    Rule(
        "keepalive-too-slow",
        Harm.MEDIUM,
        "Keepalive begins only after the path has forgotten the connection.",
        "no eviction was seen on the path; the probes came in time and were answered",
        all=keepalive_too_slow,
    ),
    Rule(
        "outage",
        Harm.LOW,
        "A side was not answered for a while, and then it was.",
        "it lasted for less than a second; fewer than three retransmissions, or two keepalive "
        "probes, in a row were lost; the handshake never completed",
        one=outage,
    ),
    Rule(
        "fin-wait-1-leftover",
        Harm.LOW,
        "A closed socket whose FIN nobody acknowledges.",
        "the FIN was acknowledged at last, or answered by an RST; it was sent again less than "
        "three times; one direction was not captured",
        one=fin_wait_1_leftover,
    ),
    Rule(
        "capture-loss",
        Harm.LOW,
        "Frames that were on the wire are not in the capture.",
        "the connection was captured in one direction only, which is another matter; nothing that "
        "was acknowledged is missing and the recorder counted no drops",
        all=capture_loss,
    ),
)
NAMES: Final = tuple(rule.name for rule in RULES)
