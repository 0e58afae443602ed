"""Labelled segments, one after another -> the account of their connection, and notable rows.

The rule: whatever the findings ask for is counted when the segment passes, so that memory does
not grow with the file; verdicts that need the future (needless retransmissions, answered probes)
are entered when it comes. Plain ints; see book.py, fields.py.
"""

# ruff: noqa: PLR0912, PLR0913, PLR0917 -- plain ints, one flat argument list: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.book import (
    ANSWER_TSVAL,
    CAUSE_BASE,
    CHAIN_LASTS,
    CHAIN_UNA,
    COMPLETED,
    DATA_FRAME,
    DATA_NS,
    FIRST_FRAME,
    FIRST_NS,
    FLIGHT_FRAME,
    FLIGHT_ROW,
    FLIGHT_SEQ,
    FULL,
    HANDSHAKE_NS,
    LABEL_BASE,
    LAST_NS,
    LATE_OPEN,
    OWN,
    PAYLOAD,
    PROBE_WAITS,
    SIDE_BOOK,
    SIDE_FIRST_FRAME,
    SIDE_FIRST_NS,
    SIDE_LAST_FRAME,
    SIDE_LAST_LABEL,
    SIDE_LAST_NS,
    SILENCE_AGAIN,
    SILENCE_ANSWER,
    SILENCE_ANSWER_LABEL,
    SILENCE_ANSWER_NS,
    SILENCE_BEGAN,
    SILENCE_END,
    SILENCE_FROM,
    SILENCE_LABEL,
    SILENCE_NS,
    SILENCE_SIDE,
    SILENCE_TO,
    SILENCE_WAITS,
    UNA_NS,
    UNA_SEEN,
    UNIQUE,
    ZERO_COUNT,
    ZERO_NS,
    ZERO_SINCE,
)
from netdiag.tcp.endings import end
from netdiag.tcp.episodes import UNDECIDED, acked, healed, resent, resent_needlessly
from netdiag.tcp.fields import (
    CAUSE,
    DSACK,
    HALF,
    ISN_KNOWN,
    LAST_DATA_NS,
    MASK,
    NEW_BYTES,
    RST_VERDICT,
    SIDE,
    SINCE_PREVIOUS,
    STEP,
    UNA,
    WINDOW,
)
from netdiag.tcp.labels import RETRANSMISSIONS, Label
from netdiag.tcp.outages import ANSWERED, RESET
from netdiag.tcp.probing import probe, probe_answered
from netdiag.tcp.rows import BREAKS_SILENCE_ROW, DSACK_ROW, add_row

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

ACK: Final = int(Label.ACK)
DATA: Final = int(Label.DATA)
RST: Final = int(Label.RST)
SYN: Final = int(Label.SYN)
SYN_ACK_AGAIN: Final = int(Label.SYN_ACK_RETRANSMISSION)
CHALLENGE_ACK: Final = int(Label.CHALLENGE_ACK)
KEEPALIVE_PROBE: Final = int(Label.KEEPALIVE_PROBE)
ZERO_WINDOW_PROBE: Final = int(Label.ZERO_WINDOW_PROBE)
SYN_ACK: Final = int(Label.SYN_ACK)
KEEPALIVE_ANSWER: Final = int(Label.KEEPALIVE_ANSWER)
ZERO_WINDOW_ANSWER: Final = int(Label.ZERO_WINDOW_ANSWER)
OUT_OF_ORDER: Final = int(Label.OUT_OF_ORDER)
BORING: Final = (ACK, DATA)
PROBES: Final = (KEEPALIVE_PROBE, ZERO_WINDOW_PROBE)
ASKED_AGAIN: Final = (*PROBES, *sorted(int(label) for label in RETRANSMISSIONS))
FOR_A_WORD: Final = 1  # of SILENCE_WAITS
FOR_ITS_ACK: Final = 2
SYN_OR_FIN: Final = 3
FIN_FLAG: Final = 1
ACCEPTED: Final = 2  # of RST_VERDICT
NOTABLE_SILENCE: Final = 1_000_000_000  # ns; what breaks a longer one has a row


def account(
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
    tsecr: int,
    sack_left: int,
) -> None:
    """Enter a segment that the tracker has just labelled; `number` is its frame's."""
    own = OWN + SIDE_BOOK if side else OWN
    peer = OWN if side else OWN + SIDE_BOOK
    marks = 0
    book[own + LABEL_BASE + label] += 1
    if length:
        _payload(state, book, own, side, number, t_ns, seq, length)
    last = book[LAST_NS]
    if last and t_ns - last > book[SILENCE_NS]:
        _silence(book, side, number, t_ns, label, seq, flags, length)
        if t_ns - last >= NOTABLE_SILENCE:
            marks = BREAKS_SILENCE_ROW
    elif book[SILENCE_WAITS]:
        _after_silence(state, book, side, number, t_ns, label)
    if label != RST:
        if book[peer + PROBE_WAITS]:
            probe_answered(state, book, rows, peer, number, t_ns)
        tracked = SIDE if side else 0
        una = state[SIDE - tracked + UNA]
        if una != book[peer + UNA_SEEN]:
            if book[peer + LATE_OPEN] == UNDECIDED:
                acked(book, rows, peer, una, tsecr)
            if book[peer + CHAIN_LASTS] and una != book[peer + CHAIN_UNA]:
                healed(book, peer, number, t_ns, ANSWERED)
            book[peer + UNA_SEEN] = una
            book[peer + UNA_NS] = t_ns
        closed = state[tracked + WINDOW] == 0
        if closed == (not book[own + ZERO_SINCE]) and label != SYN:
            _window(book, own, t_ns)
    if state[DSACK]:
        marks |= DSACK_ROW
        resent_needlessly(book, rows, peer, sack_left)
    if not book[COMPLETED] and label > SYN_ACK_AGAIN and label not in (RST, CHALLENGE_ACK):
        book[COMPLETED] = state[ISN_KNOWN] or state[SIDE + ISN_KNOWN]
    if label not in BORING or marks:
        row = add_row(
            book, rows, rows_used, conn, number, t_ns, marks << 16 | label << 8 | side,
            state[STEP], length, state[SINCE_PREVIOUS],
        )  # fmt: skip
        if label == DATA:
            book[own + FLIGHT_ROW] = row
        _special(
            state, book, rows, rows_used, conn, side, number, t_ns, label, seq, flags, length,
            tsval, tsecr, row,
        )  # fmt: skip
    book[LAST_NS] = t_ns
    book[own + SIDE_LAST_NS] = t_ns
    book[own + SIDE_LAST_FRAME] = number
    book[own + SIDE_LAST_LABEL] = label
    if not book[own + SIDE_FIRST_FRAME]:
        book[own + SIDE_FIRST_FRAME] = number
        book[own + SIDE_FIRST_NS] = t_ns
        if not book[FIRST_FRAME]:
            book[FIRST_FRAME] = number
            book[FIRST_NS] = t_ns


def _payload(
    state: MutableSequence[int],
    book: MutableSequence[int],
    own: int,
    side: int,
    number: int,
    t_ns: int,
    seq: int,
    length: int,
) -> None:
    book[own + PAYLOAD] += length
    book[own + UNIQUE] += state[NEW_BYTES]
    book[own + DATA_NS] = t_ns
    book[own + DATA_FRAME] = number
    tracked = SIDE if side else 0
    peer = SIDE - tracked
    una = state[tracked + UNA]
    if una == seq and state[NEW_BYTES]:
        book[own + FLIGHT_FRAME] = number
        book[own + FLIGHT_SEQ] = seq
    window = state[peer + WINDOW]
    if (
        window > 0
        and (una + window - seq - length) & MASK == 0
        and state[peer + ISN_KNOWN]
        and state[tracked + ISN_KNOWN]
    ):
        book[own + FULL] += 1


def _silence(
    book: MutableSequence[int],
    side: int,
    number: int,
    t_ns: int,
    label: int,
    seq: int,
    flags: int,
    length: int,
) -> None:
    """The longest so far has ended."""
    takes = length + (flags & SYN_OR_FIN != 0) if label not in PROBES else 0
    book[SILENCE_NS] = t_ns - book[LAST_NS]
    book[SILENCE_FROM] = last_frame(book)
    book[SILENCE_TO] = number
    book[SILENCE_BEGAN] = book[LAST_NS]
    book[SILENCE_LABEL] = label
    book[SILENCE_SIDE] = side
    book[SILENCE_WAITS] = FOR_ITS_ACK if takes else FOR_A_WORD
    book[SILENCE_END] = (seq + takes) & MASK
    book[SILENCE_AGAIN] = 0
    book[SILENCE_ANSWER] = 0
    book[SILENCE_ANSWER_NS] = t_ns


def _after_silence(
    state: MutableSequence[int],
    book: MutableSequence[int],
    side: int,
    number: int,
    t_ns: int,
    label: int,
) -> None:
    """An answer is what acknowledges the bytes that broke the silence; to others, the next word."""
    if book[SILENCE_SIDE] == side:
        if label in ASKED_AGAIN:
            book[SILENCE_AGAIN] += 1
        return
    if t_ns < book[SILENCE_ANSWER_NS]:
        return
    una = state[(0 if side else SIDE) + UNA]
    covers = (una - book[SILENCE_END]) & MASK < HALF
    if book[SILENCE_WAITS] == FOR_ITS_ACK and label != RST and not covers:
        return
    book[SILENCE_WAITS] = 0
    book[SILENCE_ANSWER] = number
    book[SILENCE_ANSWER_LABEL] = label
    book[SILENCE_ANSWER_NS] = t_ns - book[SILENCE_ANSWER_NS]


def last_frame(book: Sequence[int]) -> int:
    """The connection's last frame."""
    return max(book[OWN + SIDE_LAST_FRAME], book[OWN + SIDE_BOOK + SIDE_LAST_FRAME])


def _window(book: MutableSequence[int], own: int, t_ns: int) -> None:
    """The window closed, or opened again."""
    if book[own + ZERO_SINCE]:
        book[own + ZERO_NS] += t_ns - book[own + ZERO_SINCE]
        book[own + ZERO_SINCE] = 0
    else:
        book[own + ZERO_SINCE] = t_ns
        book[own + ZERO_COUNT] += 1


def _special(
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
    tsecr: int,
    row: int,
) -> None:
    """What is neither a plain ACK nor new data."""
    own = OWN + SIDE_BOOK if side else OWN
    cause = state[CAUSE]
    if label == SYN_ACK and book[HANDSHAKE_NS] < 0 and state[ISN_KNOWN]:
        book[HANDSHAKE_NS] = t_ns - state[LAST_DATA_NS]
    if cause and cause != OUT_OF_ORDER:
        book[own + CAUSE_BASE + cause] += 1
        resent(
            state, book, rows, rows_used, conn, side, number, t_ns, label, seq, flags, length,
            tsval, row,
        )  # fmt: skip
    if label in (KEEPALIVE_PROBE, ZERO_WINDOW_PROBE):
        probe(state, book, side, number, t_ns, label, tsecr, row)
    elif label in (KEEPALIVE_ANSWER, ZERO_WINDOW_ANSWER):
        book[own + ANSWER_TSVAL] = tsval
    elif label == RST or flags & FIN_FLAG:
        end(state, book, side, number, t_ns, flags)
        peer = OWN if side else OWN + SIDE_BOOK
        if state[RST_VERDICT] == ACCEPTED and book[peer + CHAIN_LASTS]:
            healed(book, peer, number, t_ns, RESET)
