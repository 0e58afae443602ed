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
    DSACK,
    FIN_PASSED,
    FIN_SENT,
    FIN_SEQ,
    HALF,
    HANDSHAKE,
    HOLE_COUNT,
    LAST_DATA_NS,
    LAST_NS,
    LEAST_HALF_RTT,
    MASK,
    NEW_BYTES,
    NXT,
    RST_VERDICT,
    SEEN,
    SIDE,
    SINCE_ORIGINAL,
    SINCE_PREVIOUS,
    STEP,
    TAIL_SEQ,
    TCP_STATE,
    TIMED_END,
    TIMED_NS,
    TOLD,
    TSVAL,
    UNA,
    UNANSWERED,
    WINDOW,
    WSCALE,
)
from netdiag.tcp.holes import (
    add_hole,
    fill,
    missing_since,
    overtaken_by_ack,
    recall,
    remember,
)
from netdiag.tcp.labels import Label
from netdiag.tcp.lifecycle import join, reset, synchronise
from netdiag.tcp.resent import MS, cause_of, round_trip
from netdiag.tcp.states import (
    CROSSED_FIN,
    EVENTS,
    GOT_FIN,
    NEXT,
    SENT_FIN,
)

if TYPE_CHECKING:
    from collections.abc import MutableSequence

FIN_FLAG: Final = 1
SYN_FLAG: Final = 2
RST_FLAG: Final = 4
ACK_FLAG: Final = 16

DATA: Final = int(Label.DATA)
FIN: Final = int(Label.FIN)
FIN_AGAIN: Final = int(Label.FIN_RETRANSMISSION)
OUT_OF_ORDER: Final = int(Label.OUT_OF_ORDER)
PROBES: Final = (int(Label.KEEPALIVE_PROBE), int(Label.ZERO_WINDOW_PROBE))

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
    state[SINCE_PREVIOUS] = state[NEW_BYTES] = 0
    if state[TOLD]:
        state[TOLD] = state[STEP] = state[CAUSE] = state[SINCE_ORIGINAL] = 0
        state[ANSWERED] = state[RST_VERDICT] = state[DSACK] = 0
    if flags & RST_FLAG:
        label = reset(state, own, peer, t_ns, seq, ack, flags)
        if not state[RST_VERDICT]:
            return label  # nobody's word: it tells nothing about the side it names
    elif flags & SYN_FLAG:
        label = synchronise(
            state, own, peer, t_ns, seq, ack, flags, length, window, wscale, sack_permitted, tsval
        )
    else:
        if not state[own + SEEN]:
            join(state, own, peer, seq)
        scaled = window
        if state[own + WSCALE] > 0 and state[peer + WSCALE] >= 0:
            scaled = window << state[own + WSCALE]
        size = length + (flags & FIN_FLAG)
        nxt = state[own + NXT]
        offset = 0 if seq == nxt else ((seq - nxt + HALF) & MASK) - HALF
        label = -1
        if size <= 1 and not flags & FIN_FLAG:
            label = pure_ack(state, own, peer, t_ns, seq, ack, length, scaled, offset, sack_top)
            if label >= 0 and 0 < offset <= max(state[peer + WINDOW], 65535):
                add_hole(state, own, nxt, seq, t_ns)  # it was sent, and did not pass
                state[own + NXT] = seq
                state[own + TSVAL] = tsval
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
        if size or label in PROBES:
            state[own + UNANSWERED] += 1
    state[own + LAST_NS] = t_ns
    state[peer + UNANSWERED] = 0
    return label


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
    remember(state, own, seq, end, t_ns, tsval)
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
    since = missing_since(state, own, seq, end) if state[own + HOLE_COUNT] else -1
    cause = _cause(state, own, t_ns, seq, end, tsval, since)
    state[TOLD] = 1
    state[CAUSE] = cause
    new = fill(state, own, seq, end) if since >= 0 else 0
    if 0 < (end - nxt) & MASK < REACH:
        remember(state, own, nxt, end, t_ns, tsval)
        state[own + NXT] = end
        new += (end - nxt) & MASK
    fin = flags & FIN_FLAG
    again = state[own + FIN_SENT] or (since >= 0 and cause != OUT_OF_ORDER)
    if fin and not state[own + FIN_SENT]:
        state[own + FIN_SENT] = 1
        state[own + FIN_SEQ] = (end - 1) & MASK
        new -= 1 if new else 0
    state[NEW_BYTES] += new
    if fin:
        return FIN_AGAIN if again else FIN
    return cause


def _cause(
    state: MutableSequence[int],
    own: int,
    t_ns: int,
    seq: int,
    end: int,
    tsval: int,
    since: int,
) -> int:
    """Out of order, or sent again and why; `since` is when these bytes were first missed, or -1.

    Timestamps decide where both segments have one: what was sent before the last one seen is late,
    what was sent after it is sent again. Otherwise the time since the gap was seen decides.
    """
    least = round_trip(state, LEAST_HALF_RTT)
    late = max(REORDERED, least - (least >> 2))
    overtaken = overtaken_by_ack(state, own, seq, end, t_ns - late)
    state[NEW_BYTES] = overtaken
    newest = state[own + TSVAL]
    order = 0
    if tsval >= 0 and newest >= 0 and tsval != newest:
        order = -1 if (tsval - newest) & MASK >= HALF else 1
    if overtaken or order < 0 or (not order and since >= 0 and t_ns - since < late):
        return OUT_OF_ORDER
    cause = cause_of(state, own, t_ns, seq, end, tsval, since >= 0)
    place = recall(state, own, seq)
    if place >= 0:
        state[SINCE_ORIGINAL] = t_ns - state[place + 2]
    elif since >= 0:
        state[SINCE_ORIGINAL] = t_ns - since
    if state[own + LAST_DATA_NS]:
        state[SINCE_PREVIOUS] = t_ns - state[own + LAST_DATA_NS]
    state[own + LAST_DATA_NS] = t_ns
    state[own + TSVAL] = tsval
    state[own + TIMED_NS] = -1  # Karn: an ACK from now on may be for either
    return cause


def _finish(state: MutableSequence[int], own: int, peer: int) -> None:
    """The FIN has been sent; the peer gets it once no byte before it is missing."""
    behind = (state[peer + UNA] - state[peer + FIN_SEQ] - 1) & MASK >= HALF
    event = CROSSED_FIN if state[peer + FIN_SENT] and behind else SENT_FIN
    state[own + TCP_STATE] = NEXT[state[own + TCP_STATE] * EVENTS + event]
    if not state[own + HOLE_COUNT]:
        state[own + FIN_PASSED] = 1
        state[peer + TCP_STATE] = NEXT[state[peer + TCP_STATE] * EVENTS + GOT_FIN]
