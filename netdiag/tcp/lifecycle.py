"""How a connection begins and ends: SYN, SYN-ACK, RST, and a side first seen in mid-life.

The rule: an RST ends a connection only if the receiver must accept it (RFC 9293, 3.5.2; RFC 5961,
3.2, as Linux does it in tcp_validate_incoming); a SYN within a living connection changes nothing
but asks for a challenge ACK. Plain ints over the tracker's state; see fields.py.
"""

# ruff: noqa: PLR0913, PLR0917 -- plain ints, one flat argument list: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.acks import acknowledge
from netdiag.tcp.fields import (
    CAUSE,
    CHALLENGED,
    HALF,
    HANDSHAKE,
    ISN,
    ISN_KNOWN,
    LAST_DATA_NS,
    LAST_NS,
    MASK,
    NEW_BYTES,
    NXT,
    RST_VERDICT,
    SACK_OK,
    SACK_TOP,
    SACKED,
    SEEN,
    SINCE_ORIGINAL,
    SINCE_PREVIOUS,
    STEP,
    SYN_NS,
    SYN_STEP,
    TAIL_SEQ,
    TCP_STATE,
    TIMED_END,
    TIMED_NS,
    TOLD,
    UNA,
    UNA_KNOWN,
    UNANSWERED,
    WINDOW,
    WSCALE,
)
from netdiag.tcp.holes import remember
from netdiag.tcp.labels import Label
from netdiag.tcp.resent import ACK_SLACK, RTO, UNKNOWN
from netdiag.tcp.states import (
    CLOSE_WAIT,
    CLOSING,
    EVENTS,
    GOT_SYN_ACK,
    JOINED,
    LAST_ACK,
    NEXT,
    RESET,
    SENT_SYN,
    SENT_SYN_ACK,
    SYN_SENT,
)

if TYPE_CHECKING:
    from collections.abc import MutableSequence

ACK_FLAG: Final = 16
SYN: Final = int(Label.SYN)
SYN_AGAIN: Final = int(Label.SYN_RETRANSMISSION)
SYN_ACK: Final = int(Label.SYN_ACK)
SYN_ACK_AGAIN: Final = int(Label.SYN_ACK_RETRANSMISSION)
RST: Final = int(Label.RST)


def join(state: MutableSequence[int], own: int, peer: int, seq: int) -> None:
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


def synchronise(
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
        if seq == state[own + ISN] and not state[own + ISN_KNOWN] and state[peer + ISN_KNOWN]:
            _options(state, own, t_ns, window, wscale, sack_permitted)  # its SYN-ACK overtook it
            return SYN
        if not state[own + ISN_KNOWN] or seq != state[own + ISN]:
            state[peer + CHALLENGED] = 1
            return SYN_ACK if answer else SYN
        if answer and state[peer + ISN_KNOWN] and state[peer + UNA] == state[peer + ISN]:
            return _cross(state, own, peer, t_ns, ack, window)
        gap = t_ns - state[own + LAST_DATA_NS]
        asked = answer and t_ns - state[peer + LAST_NS] <= ACK_SLACK  # by the client's repeated SYN
        state[TOLD] = 1
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
        join(state, peer, own, ack)
        state[peer + ISN] = (ack - 1) & MASK
    if 0 < (ack - state[peer + ISN]) & MASK <= (state[peer + NXT] - state[peer + ISN]) & MASK:
        state[peer + TCP_STATE] = NEXT[state[peer + TCP_STATE] * EVENTS + GOT_SYN_ACK]
    acknowledge(state, own, peer, t_ns, ack, window, -1, -1, -1)
    state[peer + HANDSHAKE] = 1
    return SYN_ACK_AGAIN if again else SYN_ACK


def _cross(
    state: MutableSequence[int], own: int, peer: int, t_ns: int, ack: int, window: int
) -> int:
    """Both have dialled: the SYN once more, now with the first ACK of the other's SYN."""
    state[own + TCP_STATE] = NEXT[state[own + TCP_STATE] * EVENTS + SENT_SYN_ACK]
    state[peer + TCP_STATE] = NEXT[state[peer + TCP_STATE] * EVENTS + GOT_SYN_ACK]
    acknowledge(state, own, peer, t_ns, ack, window, -1, -1, -1)
    return SYN_ACK


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
    state[own + SEEN] = state[own + UNA_KNOWN] = 1
    state[own + ISN] = state[own + UNA] = seq
    state[own + TAIL_SEQ] = (seq - 1) & MASK  # a SYN is no byte that could be resent as data
    state[own + NXT] = state[own + TIMED_END] = end
    state[own + TIMED_NS] = t_ns
    state[NEW_BYTES] = length
    _options(state, own, t_ns, window, wscale, sack_permitted)
    remember(state, own, seq, end, t_ns, tsval)


def _options(
    state: MutableSequence[int],
    own: int,
    t_ns: int,
    window: int,
    wscale: int,
    sack_permitted: bool,
) -> None:
    state[own + ISN_KNOWN] = 1
    state[own + SYN_NS] = t_ns
    state[own + WINDOW] = window
    state[own + WSCALE] = wscale
    state[own + SACK_OK] = 1 if sack_permitted else 0


def reset(
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
        ended = state[peer + TCP_STATE] in (CLOSE_WAIT, LAST_ACK, CLOSING)
        closing = ended and seq == (last - 1) & MASK  # tcp_reset_check: macOS says so after its FIN
        sacked = state[own + SACKED] and seq == state[own + SACK_TOP]
        if seq in (last, base) or sacked or closing:
            verdict = 2
        elif (seq - base) & MASK < max(state[peer + WINDOW], 1):
            verdict = 1
            state[peer + CHALLENGED] = 1
    if verdict == 2:
        state[own + TCP_STATE] = NEXT[state[own + TCP_STATE] * EVENTS + RESET]
        state[peer + TCP_STATE] = NEXT[state[peer + TCP_STATE] * EVENTS + RESET]
    state[TOLD] = 1
    state[RST_VERDICT] = verdict
    if state[own + LAST_NS]:
        state[SINCE_PREVIOUS] = t_ns - state[own + LAST_NS]
    return RST
