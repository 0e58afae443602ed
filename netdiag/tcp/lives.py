"""Which life of a four-tuple a segment belongs to, and who serves when no SYN was seen.

The rule: a SYN with another initial sequence number begins a new life; while its SYN-ACK is not
there, what fits the old life still belongs to that. A bare SYN without any option is nobody's
connect() and begins nothing. Plain ints over the tracker's state; see fields.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.fields import HALF, ISN, ISN_KNOWN, MASK, NXT, SEEN, SIDE, TCP_STATE
from netdiag.tcp.states import CLOSED, SYN_SENT, TIME_WAIT

if TYPE_CHECKING:
    from collections.abc import Sequence

SYN_FLAG: Final = 2
RST_FLAG: Final = 4
ACK_FLAG: Final = 16

# Ports that servers listen on although clients may own a lower number; the rest: the lower one
# serves.
KNOWN_PORTS: Final = (
    1883, 3306, 4222, 5432, 5671, 5672, 6379, 6380, 8883, 9092, 16379, 26379,
)  # fmt: skip

NEWER: Final = 0  # the segment belongs to the newer of two lives
OLDER: Final = 1
NEWER_ALONE: Final = 2  # and the older one is over


def is_open(state: Sequence[int]) -> bool:
    """Whether at least one side must believe that the connection still lives."""
    client, server = state[TCP_STATE], state[SIDE + TCP_STATE]
    return client not in (CLOSED, TIME_WAIT) or server not in (CLOSED, TIME_WAIT)


def may_answer(state: Sequence[int]) -> bool:
    """Whether a host may still answer a new SYN in the name of this life: it is open, or one side
    waits in TIME-WAIT, which answers a SYN that is not newer by an ACK (RFC 6191).
    """
    return is_open(state) or TIME_WAIT in (state[TCP_STATE], state[SIDE + TCP_STATE])


def from_server(flags: int, sport: int, dport: int) -> bool:
    """Whether a first segment comes from the server; in mid-life the ports must tell."""
    if flags & SYN_FLAG:
        return flags & ACK_FLAG != 0
    known = sport in KNOWN_PORTS
    if known == (dport in KNOWN_PORTS):
        return sport < dport
    return known


def is_reborn(state: Sequence[int], side: int, flags: int, seq: int, options: bool) -> bool:
    """Whether a SYN on a known four-tuple begins another life; `options`: it carries some."""
    if flags & (ACK_FLAG | RST_FLAG):
        return False
    base = side * SIDE
    named = state[base + ISN_KNOWN] or state[SIDE - base + ISN_KNOWN]
    if named and seq == state[base + ISN]:  # its own SYN, or what the SYN-ACK answered
        return False
    if state[SIDE - base + TCP_STATE] == SYN_SENT and not state[base + SEEN]:
        return False  # both dial at once (RFC 9293, 3.5: simultaneous open)
    if not is_open(state) or state[base + TCP_STATE] == SYN_SENT:
        return True
    return options


def which_life(
    newer: Sequence[int], older: Sequence[int], side: int, old_side: int, flags: int, seq: int,
    ack: int,
) -> int:  # fmt: skip
    """NEWER, OLDER or NEWER_ALONE, while the newer life has not been answered.

    `side` is the sender's in the newer life, `old_side` in the older one.
    """
    to_newer = ack == newer[NXT]
    if flags & SYN_FLAG:
        return NEWER_ALONE if flags & ACK_FLAG and to_newer else NEWER
    if newer[SIDE + SEEN]:
        return NEWER_ALONE
    if side == 0:
        ahead = ((seq - older[old_side * SIDE + NXT] + HALF) & MASK) - HALF
        return OLDER if abs(ahead) <= HALF >> 8 else NEWER
    return NEWER if flags & RST_FLAG and to_newer else OLDER
