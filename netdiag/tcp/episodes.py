"""Retransmissions -> the chains they belong to, and what became of them.

The rule: a chain is what timers sent again without any new byte being acknowledged in between. A
retransmission was needless if a D-SACK says so (RFC 2883), if its ACK echoes an older timestamp
than its own (RFC 3522), or if its bytes had been acknowledged before it passed; it counts once.
Plain ints; see book.py.
"""

# ruff: noqa: PLR0913, PLR0917 -- plain ints, one flat argument list: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.book import (
    CHAIN_COUNT,
    CHAIN_FIRST_FRAME,
    CHAIN_FIRST_NS,
    CHAIN_GAP,
    CHAIN_LABEL,
    CHAIN_LAST_FRAME,
    CHAIN_LAST_NS,
    CHAIN_LASTS,
    CHAIN_LENGTH,
    CHAIN_RTO,
    CHAIN_SENT,
    CHAIN_SENT_FRAME,
    CHAIN_STEPS,
    CHAIN_UNA,
    FIN_FRAME,
    FLIGHT_FRAME,
    FLIGHT_ROW,
    FLIGHT_SEQ,
    LATE_FRAME,
    LATE_OPEN,
    LATE_ROW,
    LATE_SEQ,
    LATE_TSVAL,
    MAX_STEP,
    NEEDLESS,
    OWN,
    R_NUMBER,
    RESENT,
    ROW,
    SIDE_BOOK,
    SIDE_FIRST_NS,
    UNKNOWABLE,
)
from netdiag.tcp.fields import (
    CAUSE,
    HALF,
    ISN_KNOWN,
    LEAST_HALF_RTT,
    MASK,
    SIDE,
    SINCE_ORIGINAL,
    SINCE_PREVIOUS,
    STEP,
    UNA,
    UNA_KNOWN,
)
from netdiag.tcp.labels import Label
from netdiag.tcp.outages import PATIENT, outage, unheard
from netdiag.tcp.resent import TIMER_FLOOR, round_trip
from netdiag.tcp.rows import (
    AT_LEAST_ROW,
    ORIGINAL_ROW,
    SPURIOUS_ROW,
    add_row,
    mark_row,
)

if TYPE_CHECKING:
    from collections.abc import MutableSequence

TAIL_LOSS_PROBE: Final = int(Label.TAIL_LOSS_PROBE)
RTO: Final = int(Label.RTO_RETRANSMISSION)
DATA: Final = int(Label.DATA)
FIN_AGAIN: Final = int(Label.FIN_RETRANSMISSION)



UNDECIDED: Final = 1  # of LATE_OPEN
NEEDLESS_BY_TIME: Final = 2  # a D-SACK for it is still to come, and says nothing new
NEEDED_BY_TIME: Final = 3  # a D-SACK can still say otherwise
DECIDED: Final = 4


def resent(
    state: MutableSequence[int],
    book: MutableSequence[int],
    rows: MutableSequence[int],
    rows_used: MutableSequence[int],
    conn: int,
    side: int,
    number: int,
    t_ns: int,
    label: int,
    seq: int,
    flags: int,
    length: int,
    tsval: int,
    row: int,
) -> None:
    """Enter a retransmission, SYN, FIN or data, whatever its cause."""
    own = OWN + SIDE_BOOK if side else OWN
    tracked = SIDE if side else 0
    size = length + (1 if flags & 3 else 0)
    book[own + RESENT] += 1
    book[own + LATE_ROW] = row
    book[own + LATE_FRAME] = number
    book[own + LATE_SEQ] = seq
    book[own + LATE_TSVAL] = tsval
    book[own + LATE_OPEN] = UNDECIDED
    if state[tracked + UNA_KNOWN] and (state[tracked + UNA] - seq - size) & MASK < HALF:
        book[own + NEEDLESS] += 1
        book[own + LATE_OPEN] = NEEDLESS_BY_TIME
        mark_row(rows, row, number, SPURIOUS_ROW)
        if state[CAUSE] in (TAIL_LOSS_PROBE, RTO):
            unheard(state, book, own, number, t_ns, _alone(label, size), seq)
    elif state[CAUSE] in (TAIL_LOSS_PROBE, RTO):
        if _chain(state, book, own, tracked, number, t_ns, label, seq, size):
            _original(book, rows, rows_used, conn, side, seq, length)
        if book[own + CHAIN_RTO] == UNKNOWABLE:
            mark_row(rows, row, number, AT_LEAST_ROW)


def _chain(
    state: MutableSequence[int],
    book: MutableSequence[int],
    own: int,
    tracked: int,
    number: int,
    t_ns: int,
    label: int,
    seq: int,
    size: int,
) -> bool:
    """Enter a timer's retransmission; whether it is the first of its chain."""
    una = state[tracked + UNA]
    step = state[STEP]
    alone = not state[tracked + UNA_KNOWN] and step <= 1
    first = not book[own + CHAIN_COUNT] or una != book[own + CHAIN_UNA] or alone
    if first:
        original = state[SINCE_ORIGINAL]
        book[own + CHAIN_SENT] = t_ns - original if original else 0
        book[own + CHAIN_FIRST_NS] = t_ns
        book[own + CHAIN_FIRST_FRAME] = number
        book[own + CHAIN_COUNT] = 0
        book[own + CHAIN_STEPS] = book[own + CHAIN_LASTS] = 0
        book[own + CHAIN_RTO] = -1 if _begun(state, book, own, tracked) else UNKNOWABLE
        book[own + CHAIN_SENT_FRAME] = book[own + FIN_FRAME] if label == FIN_AGAIN else 0
        if original and book[own + FLIGHT_SEQ] == seq:
            book[own + CHAIN_SENT_FRAME] = book[own + FLIGHT_FRAME]
        book[own + CHAIN_UNA] = una
    book[own + CHAIN_COUNT] += 1
    if book[own + CHAIN_COUNT] == PATIENT:
        book[own + CHAIN_LASTS] = 1
    book[own + CHAIN_LAST_NS] = t_ns
    book[own + CHAIN_LAST_FRAME] = number
    book[own + CHAIN_GAP] = state[SINCE_PREVIOUS]
    book[own + CHAIN_LENGTH] = size
    book[own + CHAIN_LABEL] = label
    if step:
        book[own + CHAIN_STEPS] = step
        if book[own + CHAIN_RTO] == -1:
            book[own + CHAIN_RTO] = state[SINCE_PREVIOUS] >> min(step - 1, 10)
        book[own + MAX_STEP] = max(book[own + MAX_STEP], step)
    return first


def _begun(
    state: MutableSequence[int], book: MutableSequence[int], own: int, tracked: int
) -> bool:
    """Whether a timer's first gap was seen: the first frame of a side that joined in mid-life may
    have been sent before, unless the gap is shorter than any doubled RTO (at least 200 ms and SRTT,
    Linux tcp_set_rto) can be.
    """
    if state[tracked + ISN_KNOWN]:
        return True
    if book[own + CHAIN_SENT] and book[own + CHAIN_SENT] != book[own + SIDE_FIRST_NS]:
        return True
    shortest = 2 * TIMER_FLOOR + round_trip(state, LEAST_HALF_RTT)
    return 0 < state[SINCE_PREVIOUS] < 2 * shortest


def _original(
    book: MutableSequence[int],
    rows: MutableSequence[int],
    rows_used: MutableSequence[int],
    conn: int,
    side: int,
    seq: int,
    length: int,
) -> None:
    """A row for the data that a chain sends again: new data has none, unless it broke a silence."""
    own = OWN + SIDE_BOOK if side else OWN
    frame = book[own + CHAIN_SENT_FRAME]
    if not (frame and book[own + FLIGHT_SEQ] == seq and length):
        return
    row = book[own + FLIGHT_ROW]
    if row and rows[(row - 1) * ROW + R_NUMBER] == frame:
        mark_row(rows, row, frame, ORIGINAL_ROW)
    else:
        add_row(
            book, rows, rows_used, conn, frame, book[own + CHAIN_SENT],
            ORIGINAL_ROW << 16 | DATA << 8 | side, 0, length, 0,
        )  # fmt: skip


def healed(book: MutableSequence[int], own: int, number: int, t_ns: int, how: int) -> None:
    """Frame `number` answers what a chain of PATIENT or more sent again."""
    began = book[own + CHAIN_SENT] or book[own + CHAIN_FIRST_NS]
    book[own + CHAIN_LASTS] = 0
    label = _alone(book[own + CHAIN_LABEL], book[own + CHAIN_LENGTH])
    outage(
        book, own, began, t_ns - began, book[own + CHAIN_FIRST_FRAME],
        book[own + CHAIN_LAST_FRAME], number, book[own + CHAIN_COUNT], label, how,
    )  # fmt: skip


def _alone(label: int, size: int) -> int:
    """The label of a retransmission; a FIN that only rides on data is that of the data."""
    return RTO if label == FIN_AGAIN and size > 1 else label


def acked(
    book: MutableSequence[int], rows: MutableSequence[int], own: int, una: int, tsecr: int
) -> None:
    """New bytes of the side at `own`, while a verdict is UNDECIDED, are acknowledged by a segment
    that echoes `tsecr`.
    """
    if not 0 < (una - book[own + LATE_SEQ]) & MASK < HALF:
        return
    sent = book[own + LATE_TSVAL]
    book[own + LATE_OPEN] = NEEDED_BY_TIME
    if sent >= 0 and tsecr >= 0 and (tsecr - sent) & MASK >= HALF:
        book[own + NEEDLESS] += 1
        book[own + LATE_OPEN] = NEEDLESS_BY_TIME
        mark_row(rows, book[own + LATE_ROW], book[own + LATE_FRAME], SPURIOUS_ROW)


def resent_needlessly(
    book: MutableSequence[int], rows: MutableSequence[int], own: int, left: int
) -> None:
    """A D-SACK for bytes from `left` on. Without a retransmission the network doubled them."""
    late = book[own + LATE_OPEN]
    same = late and book[own + LATE_SEQ] == left
    if same and late == NEEDLESS_BY_TIME:
        book[own + LATE_OPEN] = DECIDED
        return
    if book[own + RESENT] <= book[own + NEEDLESS]:
        return
    book[own + NEEDLESS] += 1
    if same:
        book[own + LATE_OPEN] = DECIDED
        mark_row(rows, book[own + LATE_ROW], book[own + LATE_FRAME], SPURIOUS_ROW)
