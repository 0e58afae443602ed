"""One segment after another -> what each does: the TCP state machine of a connection.

The rules it guards: answers come at once and never need the future; ranges are compared byte by
byte with 32-bit wrap; and it never raises, whatever is fed to it. It is written over plain ints
(fields.py) so that the same source can be compiled. State meanings are "if everything that passed
here arrived".

What STEP, SINCE_ORIGINAL and SINCE_PREVIOUS in the state mean after a call:
- retransmissions: the timer's step (0 for a tail loss probe or a fast one); since the bytes first
  passed; since this direction's last transmission;
- keepalive probes: how many in a row without any packet from the peer, this one included; since the
  first of them; how long the connection had been idle;
- zero-window probes: how many in this episode of a closed window, answered or not; since the
  first of them; since the one before it, or, for the first, how long the connection had been
  idle;
- answers to probes: SINCE_PREVIOUS is the time since the probe.
"""

# ruff: noqa: PLR0912, PLR0913, PLR0917 -- plain ints, one flat argument list: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.acks import acknowledge, pure_ack
from netdiag.tcp.fields import (
    ANSWERED,
    CAUSE,
    CHALLENGED,
    DSACK,
    FIN_PASSED,
    FIN_SENT,
    FIN_SEQ,
    HALF,
    HANDSHAKE,
    HOLE_COUNT,
    ISN,
    ISN_KNOWN,
    LAST_DATA_NS,
    LAST_NS,
    LEAST_HALF_RTT,
    MASK,
    NEW_BYTES,
    NXT,
    RST_VERDICT,
    SACK_OK,
    SACK_TOP,
    SACKED,
    SEEN,
    SIDE,
    SINCE_ORIGINAL,
    SINCE_PREVIOUS,
    STEP,
    SYN_NS,
    SYN_STEP,
    TAIL_SEQ,
    TCP_STATE,
    TIMED_END,
    TIMED_NS,
    TSVAL,
    UNA,
    UNA_KNOWN,
    UNANSWERED,
    WINDOW,
    WSCALE,
)
from netdiag.tcp.holes import add_hole, fill, missing_since, recall, remember
from netdiag.tcp.labels import Label
from netdiag.tcp.resent import MS, RTO, UNKNOWN, cause_of, round_trip
from netdiag.tcp.states import (
    CLOSING,
    EVENTS,
    GOT_FIN,
    GOT_SYN_ACK,
    JOINED,
    LAST_ACK,
    NEXT,
    RESET,
    SENT_FIN,
    SENT_SYN,
    SENT_SYN_ACK,
    SYN_SENT,
)

if TYPE_CHECKING:
    from collections.abc import MutableSequence

FIN_FLAG: Final = 1
SYN_FLAG: Final = 2
RST_FLAG: Final = 4
ACK_FLAG: Final = 16

SYN: Final = int(Label.SYN)
SYN_AGAIN: Final = int(Label.SYN_RETRANSMISSION)
SYN_ACK: Final = int(Label.SYN_ACK)
SYN_ACK_AGAIN: Final = int(Label.SYN_ACK_RETRANSMISSION)
DATA: Final = int(Label.DATA)
FIN: Final = int(Label.FIN)
FIN_AGAIN: Final = int(Label.FIN_RETRANSMISSION)
OUT_OF_ORDER: Final = int(Label.OUT_OF_ORDER)
RST: Final = int(Label.RST)
KEEPALIVE_PROBE: Final = int(Label.KEEPALIVE_PROBE)
ZERO_WINDOW_PROBE: Final = int(Label.ZERO_WINDOW_PROBE)

REACH: Final = 1 << 30  # the widest window (RFC 7323): farther ahead is not this connection's
REORDERED: Final = 3 * MS  # without a round trip to compare with, later than this is sent again


def track(
    state: MutableSequence[int],
    side: int,
    t_ns: int,
    seq: int,
    ack: int,
    flags: int,
    length: int,
    window: int,
    wscale: int = -1,
    sack_permitted: bool = False,
    tsval: int = -1,
    sack_left: int = -1,
    sack_right: int = -1,
    sack_top: int = -1,
) -> int:
    """The Label (as int) of a segment that `side` (0 client, 1 server) sent; see also `state`.

    Numbers are as on the wire (window unscaled), options -1 when absent; `sack_left`,
    `sack_right` are the first SACK block (the one that can be a D-SACK), `sack_top` the highest
    edge of all blocks.
    """
    own = SIDE if side else 0
    peer = SIDE - own
    state[STEP] = state[CAUSE] = state[SINCE_ORIGINAL] = state[SINCE_PREVIOUS] = 0
    state[ANSWERED] = state[RST_VERDICT] = state[DSACK] = state[NEW_BYTES] = 0
    if flags & RST_FLAG:
        label = _reset(state, own, peer, t_ns, seq, ack, flags)
        if not state[RST_VERDICT]:
            return label  # nobody's word: it tells nothing about the side it names
    elif flags & SYN_FLAG:
        label = _synchronise(
            state, own, peer, t_ns, seq, ack, flags, length, window, wscale, sack_permitted, tsval
        )
    else:
        if not state[own + SEEN]:
            _join(state, own, peer, seq)
        scaled = window
        if state[own + WSCALE] > 0 and state[peer + WSCALE] >= 0:
            scaled = window << state[own + WSCALE]
        size = length + (flags & FIN_FLAG)
        offset = ((seq - state[own + NXT] + HALF) & MASK) - HALF
        label = -1
        if size <= 1 and not flags & FIN_FLAG:
            label = pure_ack(state, own, peer, t_ns, seq, ack, length, scaled, offset, sack_top)
        if label < 0:
            if offset >= 0:
                label = _fresh(state, own, t_ns, seq, size, flags, offset, tsval)
            else:
                label = _again(state, own, t_ns, seq, size, flags, tsval)
        if flags & ACK_FLAG:
            acknowledge(state, own, peer, t_ns, ack, scaled, sack_left, sack_right, sack_top)
            state[own + HANDSHAKE] = 0
        if state[own + FIN_SENT] and not state[own + FIN_PASSED]:
            _finish(state, own, peer)
        if size or label in (KEEPALIVE_PROBE, ZERO_WINDOW_PROBE):
            state[own + UNANSWERED] += 1
    state[own + LAST_NS] = t_ns
    state[peer + UNANSWERED] = 0
    return label


def _join(state: MutableSequence[int], own: int, peer: int, seq: int) -> None:
    """A side first seen in mid-life; it cannot be behind what the peer acknowledged."""
    if state[own + UNA_KNOWN] and 0 < (state[own + UNA] - seq) & MASK < HALF:
        seq = state[own + UNA]
    state[own + SEEN] = 1
    state[own + NXT] = seq
    state[own + TAIL_SEQ] = (seq - 1) & MASK
    if not state[own + UNA_KNOWN]:
        state[own + UNA] = seq
    for base in (own, peer):
        state[base + TCP_STATE] = NEXT[state[base + TCP_STATE] * EVENTS + JOINED]


def _synchronise(
    state: MutableSequence[int],
    own: int,
    peer: int,
    t_ns: int,
    seq: int,
    ack: int,
    flags: int,
    length: int,
    window: int,
    wscale: int,
    sack_permitted: bool,
    tsval: int,
) -> int:
    answer = flags & ACK_FLAG
    if state[own + SEEN]:
        if not state[own + ISN_KNOWN] or seq != state[own + ISN]:
            state[peer + CHALLENGED] = 1
            return SYN_ACK if answer else SYN
        gap = t_ns - state[own + LAST_DATA_NS]
        asked = answer and (t_ns - state[peer + LAST_NS]) * 2 < gap  # by the client's repeated SYN
        state[CAUSE] = UNKNOWN if asked else RTO
        state[own + SYN_STEP] += 1
        state[STEP] = state[own + SYN_STEP]
        state[SINCE_PREVIOUS] = gap
        state[SINCE_ORIGINAL] = t_ns - state[own + SYN_NS]
        state[own + TIMED_NS] = -1
    else:
        _open(state, own, t_ns, seq, length, window, wscale, sack_permitted, tsval)
        event = SENT_SYN_ACK if answer else SENT_SYN
        state[own + TCP_STATE] = NEXT[state[own + TCP_STATE] * EVENTS + event]
    state[own + LAST_DATA_NS] = t_ns
    state[own + UNANSWERED] += 1
    again = state[STEP] > 0
    if not answer:
        return SYN_AGAIN if again else SYN
    if not state[peer + SEEN]:
        _join(state, peer, own, ack)
        state[peer + ISN] = (ack - 1) & MASK
    if ack == state[peer + NXT]:
        state[peer + TCP_STATE] = NEXT[state[peer + TCP_STATE] * EVENTS + GOT_SYN_ACK]
    acknowledge(state, own, peer, t_ns, ack, window, -1, -1, -1)
    state[peer + HANDSHAKE] = 1
    return SYN_ACK_AGAIN if again else SYN_ACK


def _open(
    state: MutableSequence[int],
    own: int,
    t_ns: int,
    seq: int,
    length: int,
    window: int,
    wscale: int,
    sack_permitted: bool,
    tsval: int,
) -> None:
    end = (seq + 1 + length) & MASK
    state[own + SEEN] = state[own + ISN_KNOWN] = state[own + UNA_KNOWN] = 1
    state[own + ISN] = state[own + UNA] = state[own + TAIL_SEQ] = seq
    state[own + NXT] = state[own + TIMED_END] = end
    state[own + SYN_NS] = state[own + TIMED_NS] = t_ns
    state[own + WINDOW] = window
    state[own + WSCALE] = wscale
    state[own + SACK_OK] = 1 if sack_permitted else 0
    state[NEW_BYTES] = length
    remember(state, own, end, t_ns, tsval)


def _reset(
    state: MutableSequence[int], own: int, peer: int, t_ns: int, seq: int, ack: int, flags: int
) -> int:
    """RFC 9293, 3.5.2 and RFC 5961, 3.2, as Linux does it in tcp_validate_incoming."""
    verdict = 0
    if state[peer + TCP_STATE] == SYN_SENT:
        verdict = 2 if flags & ACK_FLAG and ack == state[peer + NXT] else 0
    elif not state[own + SEEN] and not state[own + UNA_KNOWN]:
        verdict = 2
    else:
        last = state[own + NXT] if state[own + SEEN] else state[own + UNA]
        base = state[own + UNA] if state[own + UNA_KNOWN] else last
        closing = state[peer + TCP_STATE] in (CLOSING, LAST_ACK) and seq == (last - 1) & MASK
        sacked = state[own + SACKED] and seq == state[own + SACK_TOP]
        if seq in (last, base) or sacked or closing:
            verdict = 2
        elif (seq - base) & MASK < max(state[peer + WINDOW], 1):
            verdict = 1
            state[peer + CHALLENGED] = 1
    if verdict == 2:
        state[own + TCP_STATE] = NEXT[state[own + TCP_STATE] * EVENTS + RESET]
        state[peer + TCP_STATE] = NEXT[state[peer + TCP_STATE] * EVENTS + RESET]
    state[RST_VERDICT] = verdict
    if state[own + LAST_NS]:
        state[SINCE_PREVIOUS] = t_ns - state[own + LAST_NS]
    return RST


def _fresh(
    state: MutableSequence[int],
    own: int,
    t_ns: int,
    seq: int,
    size: int,
    flags: int,
    offset: int,
    tsval: int,
) -> int:
    """Bytes beyond all that passed. A jump farther than any window moves nothing."""
    label = FIN if flags & FIN_FLAG else DATA
    if offset >= REACH or size > REACH:
        return label
    if offset:
        add_hole(state, own, state[own + NXT], seq, t_ns)
    end = (seq + size) & MASK
    if state[own + TIMED_NS] < 0:
        state[own + TIMED_END] = end
        state[own + TIMED_NS] = t_ns
    remember(state, own, end, t_ns, tsval)
    state[own + NXT] = end
    state[own + TAIL_SEQ] = seq
    state[own + TSVAL] = tsval
    if state[own + LAST_DATA_NS]:
        state[SINCE_PREVIOUS] = t_ns - state[own + LAST_DATA_NS]
    state[own + LAST_DATA_NS] = t_ns
    state[NEW_BYTES] = size - (flags & FIN_FLAG)
    if label == FIN and not state[own + FIN_SENT]:
        state[own + FIN_SENT] = 1
        state[own + FIN_SEQ] = (end - 1) & MASK
    return label


def _again(
    state: MutableSequence[int],
    own: int,
    t_ns: int,
    seq: int,
    size: int,
    flags: int,
    tsval: int,
) -> int:
    """A range that begins before the highest byte seen: sent again, late, or partly new."""
    end = (seq + size) & MASK
    nxt = state[own + NXT]
    beyond = ((end - nxt + HALF) & MASK) - HALF
    since = missing_since(state, own, seq, end) if state[own + HOLE_COUNT] else -1
    least = round_trip(state, LEAST_HALF_RTT)
    newest = state[own + TSVAL]
    overtaken = tsval >= 0 and newest >= 0 and (tsval - newest) & MASK >= HALF
    if overtaken or (since >= 0 and t_ns - since < max(REORDERED, least - (least >> 2))):
        cause = OUT_OF_ORDER
    else:
        cause = cause_of(state, own, t_ns, seq, end, tsval)
        place = recall(state, own, seq)
        state[SINCE_ORIGINAL] = t_ns - (state[place + 1] if place >= 0 else max(since, 0) or t_ns)
        state[SINCE_PREVIOUS] = t_ns - state[own + LAST_DATA_NS]
        state[own + LAST_DATA_NS] = t_ns
        state[own + TSVAL] = tsval
        state[own + TIMED_NS] = -1  # Karn: an ACK from now on may be for either
    state[CAUSE] = cause
    if since >= 0:
        state[NEW_BYTES] = fill(state, own, seq, end)
    fin = flags & FIN_FLAG
    again = fin and state[own + FIN_SENT]
    if 0 < beyond < REACH:
        remember(state, own, end, t_ns, tsval)
        state[own + NXT] = end
        state[NEW_BYTES] += beyond - fin
        if fin and not state[own + FIN_SENT]:
            state[own + FIN_SENT] = 1
            state[own + FIN_SEQ] = (end - 1) & MASK
    if fin:
        return FIN_AGAIN if again else FIN
    return cause


def _finish(state: MutableSequence[int], own: int, peer: int) -> None:
    """The FIN has been sent; the peer gets it once no byte before it is missing."""
    state[own + TCP_STATE] = NEXT[state[own + TCP_STATE] * EVENTS + SENT_FIN]
    if not state[own + HOLE_COUNT]:
        state[own + FIN_PASSED] = 1
        state[peer + TCP_STATE] = NEXT[state[peer + TCP_STATE] * EVENTS + GOT_FIN]
