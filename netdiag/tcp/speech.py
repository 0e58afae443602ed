"""Payload in order -> TLS or RESP recognised, messages counted, and which command has no reply.

The rule: it says what a client waits for, and never matches across bytes that were not captured:
there it forgets what was pending and begins anew where a segment begins a message. It reads into
plain ints, so that the same source can be compiled; conversation.py is its elder brother for one
connection at a time. See book.py for the places, values.py for what a message is.
"""

# ruff: noqa: PLR0913, PLR0917 -- plain ints: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.book import (
    BREAKS,
    DEPTH,
    KIND,
    LEFT,
    NAME,
    NEXT_SEQ,
    OWN,
    PAYLOAD,
    PENDING,
    SIDE_BOOK,
    TRIES,
    WHERE,
)
from netdiag.tcp.exchange import refusal
from netdiag.tcp.fields import HALF, MASK
from netdiag.tcp.values import (
    A_LINE,
    BEFORE_VALUE,
    IN_BULK,
    KINDS,
    LF,
    LOST,
    MINUS,
    NINE,
    STAR,
    ZERO,
    read,
)
from netdiag.tcp.words import WIDTH, word

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

UNKNOWN: Final = 0  # of KIND
RESP: Final = 1
TLS: Final = 2
NEITHER: Final = 3
A: Final = ord("A")
Z: Final = ord("Z")
GUESSES: Final = 32  # segments at which a connection older than the capture may begin a message


def listen(
    book: MutableSequence[int],
    side: int,
    number: int,
    t_ns: int,
    seq: int,
    data: Sequence[int],
    at: int,
    size: int,
    length: int,
) -> None:
    """Take in a payload: of its `length` bytes, `size` stand in `data` from `at` on."""
    own = OWN + SIDE_BOOK if side else OWN
    if book[own + KIND] == UNKNOWN:
        _recognise(book, own, side, data, at, size)
        book[own + NEXT_SEQ] = seq
    if book[own + KIND] != RESP:
        return
    due = book[own + NEXT_SEQ]
    ahead = 0 if seq == due else ((seq - due + HALF) & MASK) - HALF
    if ahead + length <= 0:
        return
    if ahead > 0:
        _skip(book, own, ahead)
    begin = at if ahead >= 0 else at - ahead
    end = at + size
    book[own + NEXT_SEQ] = (seq + length) & MASK
    if book[own + WHERE] == LOST:
        if ahead < 0 or not _begins(side, data, at, size):
            return
        _start(book, own)
    if not read(book, own, side, number, t_ns, data, begin, end):
        book[own + KIND] = NEITHER
    elif size < length:
        _skip(book, own, at + length - max(begin, end))


def _recognise(
    book: MutableSequence[int], own: int, side: int, data: Sequence[int], at: int, size: int
) -> None:
    if size >= 3 and 0x14 <= data[at] <= 0x17 and data[at + 1] == 3 and data[at + 2] <= 4:
        book[own + KIND] = TLS
    elif _begins(side, data, at, size) and (not side or book[OWN + KIND] == RESP):
        book[own + KIND] = RESP
        _start(book, own)
    else:
        if side and _turns_away(book, own, data, at, size):
            for part in range(3):
                begin = at + 1 + part * WIDTH
                book[own + NAME + part] = word(data, begin, min(begin + WIDTH, at + size - 2))
            refusal(book, own)
        book[own + TRIES] += 1
        if book[own + TRIES] >= GUESSES:
            book[own + KIND] = NEITHER


def _turns_away(
    book: Sequence[int], own: int, data: Sequence[int], at: int, size: int
) -> bool:
    """Whether a server's first words, before any of its client's, are an error: so Redis receives
    one client too many. That a server which speaks first speaks RESP is not said by that.
    """
    return (
        not book[OWN + PAYLOAD]
        and book[own + PAYLOAD] == size
        and size >= 4
        and data[at] == MINUS
        and A <= data[at + 1] <= Z
        and data[at + size - 1] == LF
    )


def _begins(side: int, data: Sequence[int], at: int, size: int) -> bool:
    """Whether these bytes look like the beginning of a message of this side."""
    if size < 1:
        return False
    first = data[at]
    second = data[at + 1] if size > 1 else ZERO
    counted = ZERO <= second <= NINE or (side == 1 and second == MINUS)
    if not side:
        return first == STAR and counted
    kind = KINDS[first]
    return kind == A_LINE or (kind > 0 and counted)


def _start(book: MutableSequence[int], own: int) -> None:
    book[own + WHERE] = BEFORE_VALUE
    book[own + DEPTH] = 0


def _skip(book: MutableSequence[int], own: int, count: int) -> None:
    """Bytes that were not captured: no harm inside a bulk, which is only counted."""
    if book[own + WHERE] == IN_BULK and count < book[own + LEFT]:
        book[own + LEFT] -= count
    elif book[own + WHERE] != LOST:
        book[own + WHERE] = LOST
        book[own + BREAKS] += 1
        book[PENDING] = 0
