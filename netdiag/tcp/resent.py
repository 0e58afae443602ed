"""Why bytes are sent again: tail loss probe, retransmission timer, fast retransmission, or unknown.

The rule: decided by what is known when the segment passes. Sources: RFC 8985 (RACK-TLP), RFC
6298, Linux net/ipv4/tcp_output.c tcp_schedule_loss_probe, tcp_timer.c. Plain ints over the
tracker's state.

- A timer is behind it when nothing has come from the peer for about as long as the sender was
  silent, or when the sender was silent for longer than the shortest RTO could be (Linux: SRTT +
  200 ms).
- A tail loss probe resends the last segment, once per tail, and needs SACK. With one segment in
  flight it cannot be told from a first RTO at that moment; the next gap tells: equal, it was a
  probe; doubled, it was an RTO, then this one counts as step 2, and the sender is known not to
  probe.
- An RTO resends the first unacknowledged byte; the step counts as long as that byte is sent again
  and again.
- SACK blocks above, or three duplicate ACKs, with the last word from the peer fresh: fast
  retransmission.
- Unknown: doubled by the network (its timestamp is the original's), or clocked by ACKs after a
  timeout.
"""

# ruff: noqa: PLR0911 -- plain ints, one flat argument list: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.fields import (
    CHAIN,
    CHAIN_SEQ,
    CHAIN_STEP,
    DUPLICATES,
    HALF,
    HALF_RTT,
    LAST_DATA_NS,
    LAST_NS,
    LEAST_HALF_RTT,
    MASK,
    NO_TLP,
    NXT,
    RECOVER,
    SACK_OK,
    SACK_TOP,
    SACKED,
    SIDE,
    STEP,
    TAIL_SEQ,
    TLP,
    TLP_GAP,
    TLP_NXT,
    TLP_SEQ,
    UNA,
    WINDOW,
)
from netdiag.tcp.holes import recall
from netdiag.tcp.labels import Label

if TYPE_CHECKING:
    from collections.abc import MutableSequence

TAIL_LOSS_PROBE: Final = int(Label.TAIL_LOSS_PROBE)
RTO: Final = int(Label.RTO_RETRANSMISSION)
FAST: Final = int(Label.FAST_RETRANSMISSION)
UNKNOWN: Final = int(Label.RETRANSMISSION)

MS: Final = 1_000_000
TIMER_FLOOR: Final = 100 * MS  # half of Linux's shortest RTO: silence for longer is a timer's
NO_RTT: Final = 1000 * MS  # TCP_TIMEOUT_INIT
ACK_SLACK: Final = 20 * MS  # a fast retransmission follows its ACK by a reordering window at most
TICK: Final = MS  # no timer fires sooner
DOUBLED: Final = 5 * MS  # a frame doubled by the network follows its twin at once


def round_trip(state: MutableSequence[int], field: int) -> int:
    """ns for both halves of the path, as far as they are known; `field` says smoothed or least."""
    there = state[field]
    back = state[SIDE + field]
    return (there if there > 0 else 0) + (back if back > 0 else 0)


def cause_of(
    state: MutableSequence[int],
    own: int,
    t_ns: int,
    seq: int,
    end: int,
    tsval: int,
    unseen: bool,
) -> int:
    """The label of the cause; the step of a timer goes to state[STEP]. Call before NXT moves on.

    `unseen`: the original was lost before it could pass here, so its timers cannot be read.
    """
    peer = SIDE - own
    gap = t_ns - state[own + LAST_DATA_NS]
    quiet = t_ns - state[peer + LAST_NS] if state[peer + LAST_NS] else gap
    smooth = round_trip(state, HALF_RTT)
    if not unseen and tsval >= 0 and gap < DOUBLED and _is_double(state, own, t_ns, seq, tsval):
        return UNKNOWN
    if _asked_for(state, own, seq) and quiet <= smooth + (smooth >> 2) + ACK_SLACK:
        return UNKNOWN if _in_timeout(state, own, seq) else FAST
    if unseen:
        return UNKNOWN
    least = round_trip(state, LEAST_HALF_RTT)
    slow = gap >= TIMER_FLOOR + least
    if not slow and (gap < TICK or gap * 4 < 7 * least - TICK or quiet * 2 < gap):
        return UNKNOWN
    soon = min(gap, quiet) <= _latest_probe(state, own, peer)
    if soon and _may_probe(state, own, peer, seq, end):
        state[own + TLP] = 1
        state[own + TLP_NXT] = state[own + NXT]
        state[own + TLP_SEQ] = seq
        state[own + TLP_GAP] = gap
        return TAIL_LOSS_PROBE
    if _in_timeout(state, own, seq) and not slow:
        return UNKNOWN
    return _timeout(state, own, seq, gap)


def _is_double(state: MutableSequence[int], own: int, t_ns: int, seq: int, tsval: int) -> bool:
    place = recall(state, own, seq)
    return place >= 0 and state[place + 3] == tsval and t_ns - state[place + 2] < DOUBLED


def _asked_for(state: MutableSequence[int], own: int, seq: int) -> bool:
    """Whether the peer's ACKs say that something from `seq` on is missing; of what they acknowledge
    nothing is, however often a retransmission of it is answered by a duplicate ACK.
    """
    if state[own + SACKED] and 0 < (state[own + SACK_TOP] - seq) & MASK < HALF:
        return True
    return state[own + DUPLICATES] >= 3 and (seq - state[own + UNA]) & MASK < HALF


def _in_timeout(state: MutableSequence[int], own: int, seq: int) -> bool:
    """Whether an RTO set out to repair this byte too, but sent another one again."""
    if not state[own + CHAIN]:
        return False
    behind = (seq - state[own + CHAIN_SEQ]) & MASK
    return 0 < behind < HALF and 0 < (state[own + RECOVER] - seq) & MASK < HALF


def _latest_probe(state: MutableSequence[int], own: int, peer: int) -> int:
    """How long (ns) after the last word of either side a tail loss probe can come: two round trips
    and 200 ms, one second while none was measured (tcp_schedule_loss_probe), and the lateness of
    timers; one round trip more, as this may not be the sender's end.
    """
    known = state[own + HALF_RTT] >= 0 and state[peer + HALF_RTT] >= 0
    due = 3 * round_trip(state, HALF_RTT) + (2 * TIMER_FLOOR if known else NO_RTT)
    return due + (due >> 3) + ACK_SLACK


def _may_probe(state: MutableSequence[int], own: int, peer: int, seq: int, end: int) -> bool:
    nxt = state[own + NXT]
    if (end - nxt) & MASK >= HALF or state[own + NO_TLP] or state[peer + WINDOW] == 0:
        return False
    if not (state[own + SACK_OK] and state[peer + SACK_OK]):
        return False
    before_tail = (seq - state[own + TAIL_SEQ]) & MASK >= HALF
    if before_tail and (state[own + UNA] - seq) & MASK < HALF:  # all of the flight, not its end
        return False
    if state[own + TLP] and state[own + TLP_NXT] == nxt:
        return False
    if state[own + CHAIN]:
        return (seq - state[own + RECOVER]) & MASK < HALF
    return True


def _timeout(state: MutableSequence[int], own: int, seq: int, gap: int) -> int:
    if state[own + CHAIN] and state[own + CHAIN_SEQ] == seq:
        step = state[own + CHAIN_STEP] + 1
    else:
        step = 1
        state[own + RECOVER] = state[own + NXT]
        lone = state[own + TLP] and state[own + TLP_SEQ] == seq
        first = state[own + TLP_GAP]
        same = state[own + TLP_NXT] == state[own + NXT]
        if lone and same and first >= TIMER_FLOOR and gap * 5 >= first * 8:
            step = 2  # doubled from the start: the probe was an RTO
            state[own + NO_TLP] = 1
    state[own + CHAIN] = 1
    state[own + CHAIN_SEQ] = seq
    state[own + CHAIN_STEP] = step
    state[STEP] = step
    return RTO
