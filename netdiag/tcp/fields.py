"""Where the tracker keeps what it knows: one flat list of ints, and names for its places.

The rule: plain ints only, so that the same source runs over a list (live) and over an int64 array
(compiled). A side's fields are read as `state[side * SIDE + FIELD]`; the answers about the last
segment stand at the end. Times are nanoseconds, sequence numbers are 32 bits wide, windows are
bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableSequence

MASK: Final = 0xFFFFFFFF
HALF: Final = 0x80000000

RING: Final = 24  # how many new transmissions a side's history holds, four ints each
HOLES: Final = 8  # how many missing ranges a side's record holds, three ints each

# one side of the connection
TCP_STATE: Final = 0  # one of states.py
SEEN: Final = 1  # 1 once a segment of this side passed
ISN: Final = 2
NXT: Final = 3  # one past the highest sequence number seen (a SYN and a FIN count one each)
UNA: Final = 4  # the highest ACK of the peer for this side's bytes
UNA_KNOWN: Final = 5  # 0 until the peer's first ACK passed
WINDOW: Final = 6  # this side's last advertised window; -1 until it advertised one
WSCALE: Final = 7  # -1: no such option, or the SYN was not seen
SACK_OK: Final = 8  # 1: offered, or its SYN was not seen
FIN_SENT: Final = 9
FIN_SEQ: Final = 10
FIN_PASSED: Final = 11  # 1 once the FIN and every byte before it passed
LAST_NS: Final = 12  # the last segment of this side
LAST_DATA_NS: Final = 13  # the last one that took sequence numbers, new or again
TAIL_SEQ: Final = 14  # where this side's last new segment began
TIMED_END: Final = 15  # the byte whose ACK is being timed
TIMED_NS: Final = 16  # when it passed; -1: none is being timed
HALF_RTT: Final = 17  # smoothed, from a segment passing here to its ACK; -1 unknown
LEAST_HALF_RTT: Final = 18
DUPLICATES: Final = 19  # duplicate ACKs of the peer in a row for this side's bytes
SACK_TOP: Final = 20  # highest edge that the peer has SACKed; equal to UNA or below: nothing beyond
SACKED: Final = 21  # 1 while SACK_TOP means something
CHAIN: Final = 22  # 1 once a retransmission timer fired in this direction
CHAIN_SEQ: Final = 23  # what it sent again
CHAIN_STEP: Final = 24  # 1 for the first firing
RECOVER: Final = 25  # NXT when it fired first
TLP: Final = 26  # 1 once a tail loss probe was sent
TLP_NXT: Final = 27  # NXT at that time: one probe per tail
TLP_SEQ: Final = 28
TLP_GAP: Final = 29  # how long after the transmission before it
NO_TLP: Final = 30  # 1: this sender was seen to double from the start
SYN_STEP: Final = 31  # retransmissions of its SYN or SYN-ACK
PROBE: Final = 32  # 0 none, 1 keepalive, 2 zero window: what the last probe was
PROBE_STEP: Final = 33
PROBE_NS: Final = 34
PROBE_OPEN: Final = 35  # 1: its answer has not come yet
CHALLENGED: Final = 36  # 1: what the peer sent last asks for a challenge ACK
HANDSHAKE: Final = 37  # 1: a SYN-ACK of the peer waits for this side's ACK
UNANSWERED: Final = 38  # segments sent that ask for an answer since anything came from the peer
SPURIOUS: Final = 39  # D-SACKs of the peer: retransmissions it did not need
MISSED: Final = 40  # bytes that the peer acknowledged and that never passed here
SYN_NS: Final = 41
ISN_KNOWN: Final = 42
PROBE_FIRST_NS: Final = 43  # the first of the probes that stand unanswered
TSVAL: Final = 44  # of this side's last transmission; -1: none had one
UNSEEN_LEFT: Final = 45  # bytes that the peer acknowledged before they passed here: a capture
UNSEEN_RIGHT: Final = 46  # can show a segment after its ACK
UNSEEN_NS: Final = 47
RING_AT: Final = 48
HOLE_COUNT: Final = 49
RING_BASE: Final = 50  # RING times (start, end, first sent at, TSval)
HOLE_BASE: Final = RING_BASE + 4 * RING  # HOLES times (left, right, seen missing at)
SIDE: Final = HOLE_BASE + 3 * HOLES

# answers about the segment that track() was last called with
STEP: Final = 2 * SIDE  # retransmission timer: 1, 2, ..; probes: see tracker.py; else 0
CAUSE: Final = STEP + 1  # the label of the timer or event behind it: a FIN sent again by RTO, say
SINCE_ORIGINAL: Final = STEP + 2  # ns since these bytes first passed; a probe's: since its first
SINCE_PREVIOUS: Final = STEP + 3  # ns since this side's transmission before; an answer's: its probe
ANSWERED: Final = STEP + 4  # of a probe: 1 when the probe before it was answered
RST_VERDICT: Final = STEP + 5  # of an RST: 0 outside the window, 1 inside, not exact; 2 exact
DSACK: Final = STEP + 6  # 1: this ACK says that a retransmission was spurious
NEW_BYTES: Final = STEP + 7  # payload bytes that passed for the first time
TOLD: Final = STEP + 8  # 1: of these answers, more than SINCE_PREVIOUS and NEW_BYTES is set
SIZE: Final = STEP + 9


def new_state() -> list[int]:
    """The state of a connection of which nothing has been seen yet."""
    return list(_NEW)


def begin_state(state: MutableSequence[int]) -> None:
    """Set what is not zero at the beginning."""
    for base in (0, SIDE):
        for field in (WINDOW, WSCALE, TIMED_NS, HALF_RTT, LEAST_HALF_RTT, TSVAL):
            state[base + field] = -1
        state[base + SACK_OK] = 1


_new = [0] * SIZE
begin_state(_new)
_NEW: Final = tuple(_new)
