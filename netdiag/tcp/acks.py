"""What a segment without new bytes says, and what every ACK, window and SACK block means.

The rule: a probe for a dead peer and a probe for a closed window are the same bytes on Linux
(both from tcp_write_wakeup: sequence number SND.UNA - 1, no payload), so the peer's last window
is what tells them apart. Plain ints over the tracker's state; see fields.py.
"""

# ruff: noqa: PLR0911, PLR0913, PLR0917 -- plain ints, one flat argument list: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.fields import (
    ANSWERED,
    CHALLENGED,
    DSACK,
    DUPLICATES,
    FIN_SENT,
    FIN_SEQ,
    HALF,
    HALF_RTT,
    HANDSHAKE,
    HOLE_BASE,
    HOLE_COUNT,
    LAST_NS,
    LEAST_HALF_RTT,
    MASK,
    MISSED,
    NXT,
    PROBE,
    PROBE_FIRST_NS,
    PROBE_NS,
    PROBE_OPEN,
    PROBE_STEP,
    SACK_TOP,
    SACKED,
    SEEN,
    SINCE_ORIGINAL,
    SINCE_PREVIOUS,
    SPURIOUS,
    STEP,
    TAIL_SEQ,
    TCP_STATE,
    TIMED_END,
    TIMED_NS,
    TOLD,
    UNA,
    UNA_KNOWN,
    UNSEEN_LEFT,
    UNSEEN_NS,
    UNSEEN_RIGHT,
    WINDOW,
)
from netdiag.tcp.holes import fill
from netdiag.tcp.labels import Label
from netdiag.tcp.states import EVENTS, GOT_ACK_OF_FIN, GOT_ACK_OF_SYN, NEXT, SYN_RECEIVED

if TYPE_CHECKING:
    from collections.abc import MutableSequence

ACK: Final = int(Label.ACK)
HANDSHAKE_ACK: Final = int(Label.HANDSHAKE_ACK)
DUPLICATE_ACK: Final = int(Label.DUPLICATE_ACK)
WINDOW_UPDATE: Final = int(Label.WINDOW_UPDATE)
CLOSED_WINDOW: Final = int(Label.ZERO_WINDOW)
CHALLENGE_ACK: Final = int(Label.CHALLENGE_ACK)
PROBE_LABELS: Final = (-1, int(Label.KEEPALIVE_PROBE), int(Label.ZERO_WINDOW_PROBE))
ANSWER_LABELS: Final = (-1, int(Label.KEEPALIVE_ANSWER), int(Label.ZERO_WINDOW_ANSWER))

KEEPALIVE: Final = 1
ZERO_WINDOW: Final = 2
STALE: Final = 500_000_000  # ns; a reordered ACK from before the FIN is younger, a keepalive older
REACH: Final = 1 << 30


def pure_ack(
    state: MutableSequence[int],
    own: int,
    peer: int,
    t_ns: int,
    seq: int,
    ack: int,
    length: int,
    window: int,
    offset: int,
    sack_top: int,
) -> int:
    """The label of a segment with at most one byte of payload; -1 when that byte is real data."""
    if offset == -1 or (length and not offset):
        kind = _probe_kind(state, own, peer, t_ns, seq, length, offset)
        if kind:
            return _probe(state, own, peer, t_ns, kind)
    if length:
        return -1
    if state[own + HANDSHAKE]:
        return HANDSHAKE_ACK
    if not state[peer + UNA_KNOWN] or ack != state[peer + UNA]:
        if window == 0 and (
            not state[peer + UNA_KNOWN] or 0 < (ack - state[peer + UNA]) & MASK < HALF
        ):
            return CLOSED_WINDOW
        return ACK
    if state[own + CHALLENGED]:
        state[own + CHALLENGED] = 0
        return CHALLENGE_ACK
    if state[peer + PROBE_OPEN]:
        state[peer + PROBE_OPEN] = 0
        state[SINCE_PREVIOUS] = t_ns - state[peer + PROBE_NS]
        if window and state[peer + PROBE] == ZERO_WINDOW:
            return WINDOW_UPDATE
        return ANSWER_LABELS[state[peer + PROBE]]
    if window == 0:
        return CLOSED_WINDOW
    if sack_top < 0 and window != state[own + WINDOW]:
        return WINDOW_UPDATE
    state[peer + DUPLICATES] += 1
    return DUPLICATE_ACK


def _probe_kind(
    state: MutableSequence[int], own: int, peer: int, t_ns: int, seq: int, length: int, offset: int
) -> int:
    """0 no probe, 1 keepalive, 2 zero window."""
    acked = not state[own + UNA_KNOWN] or state[own + UNA] == state[own + NXT]
    if state[own + FIN_SENT] and (not acked or t_ns - state[own + LAST_NS] < STALE):
        return 0  # the number before a FIN's end is the FIN's own: an ACK sent before it, overtaken
    if state[peer + WINDOW] == 0:
        return ZERO_WINDOW
    if offset != -1 or not acked or (length and state[own + TAIL_SEQ] == seq):
        return 0
    return KEEPALIVE


def _probe(state: MutableSequence[int], own: int, peer: int, t_ns: int, kind: int) -> int:
    before = state[own + PROBE_NS]
    heard = state[peer + LAST_NS]
    follows = state[own + PROBE] == kind
    answered = follows and heard > before
    if not follows or (kind == KEEPALIVE and answered):
        state[own + PROBE_STEP] = 0
        state[own + PROBE_FIRST_NS] = t_ns
    state[own + PROBE_STEP] += 1
    state[TOLD] = 1
    state[STEP] = state[own + PROBE_STEP]
    state[ANSWERED] = 1 if answered else 0
    state[SINCE_ORIGINAL] = t_ns - state[own + PROBE_FIRST_NS]
    idle_since = max(state[own + LAST_NS], heard)
    state[SINCE_PREVIOUS] = t_ns - (before if follows and kind == ZERO_WINDOW else idle_since)
    state[own + PROBE] = kind
    state[own + PROBE_NS] = t_ns
    state[own + PROBE_OPEN] = 1
    return PROBE_LABELS[kind]


def acknowledge(
    state: MutableSequence[int],
    own: int,
    peer: int,
    t_ns: int,
    ack: int,
    window: int,
    sack_left: int,
    sack_right: int,
    sack_top: int,
) -> None:
    """Take in the ACK, window and SACK blocks of a segment that `own` sent."""
    if not state[peer + UNA_KNOWN]:
        state[peer + UNA] = ack
        state[peer + UNA_KNOWN] = 1
        if state[peer + SEEN] and 0 < (ack - state[peer + NXT]) & MASK < HALF:
            state[peer + NXT] = ack
    una = state[peer + UNA]
    if ack != una:
        advance = ((ack - una + HALF) & MASK) - HALF
        if advance < 0:
            return
        if advance < REACH:
            _advance(state, peer, t_ns, ack)
    state[own + WINDOW] = window
    if window and state[peer + PROBE] == ZERO_WINDOW:
        state[peer + PROBE] = state[peer + PROBE_OPEN] = 0
    if sack_top < 0:
        state[peer + SACKED] = 0
        return
    if (ack - sack_right) & MASK < HALF and sack_left != sack_right:  # RFC 2883
        state[TOLD] = state[DSACK] = 1
        state[peer + SPURIOUS] += 1
    state[peer + SACKED] = 1 if 0 < (sack_top - ack) & MASK < HALF else 0
    state[peer + SACK_TOP] = sack_top


def _advance(state: MutableSequence[int], peer: int, t_ns: int, ack: int) -> None:
    """New bytes of `peer` are acknowledged, whether they passed here or not."""
    state[peer + UNA] = ack
    state[peer + DUPLICATES] = 0
    nxt = state[peer + NXT]
    beyond = 0 if ack == nxt else (ack - nxt) & MASK
    if 0 < beyond < HALF and state[peer + SEEN]:
        state[peer + MISSED] += beyond
        if state[peer + UNSEEN_RIGHT] != nxt:
            state[peer + UNSEEN_LEFT] = nxt
        state[peer + UNSEEN_RIGHT] = ack
        state[peer + UNSEEN_NS] = t_ns
        state[peer + NXT] = ack
        state[peer + TAIL_SEQ] = (ack - 1) & MASK
        state[peer + TIMED_NS] = -1
    while state[peer + HOLE_COUNT]:
        left = state[peer + HOLE_BASE]
        if 0 < (ack - left) & MASK < HALF:
            state[peer + MISSED] += fill(state, peer, left, ack)
        else:
            break
    if state[peer + TIMED_NS] >= 0 and (ack - state[peer + TIMED_END]) & MASK < HALF:
        sample = t_ns - state[peer + TIMED_NS]
        state[peer + TIMED_NS] = -1
        smooth = state[peer + HALF_RTT]
        state[peer + HALF_RTT] = sample if smooth < 0 else smooth + ((sample - smooth) >> 3)
        least = state[peer + LEAST_HALF_RTT]
        state[peer + LEAST_HALF_RTT] = sample if least < 0 else min(sample, least)
    now = state[peer + TCP_STATE]
    if now == SYN_RECEIVED:
        state[peer + TCP_STATE] = NEXT[now * EVENTS + GOT_ACK_OF_SYN]
    if state[peer + FIN_SENT] and 0 < (ack - state[peer + FIN_SEQ]) & MASK < HALF:
        state[peer + TCP_STATE] = NEXT[state[peer + TCP_STATE] * EVENTS + GOT_ACK_OF_FIN]
