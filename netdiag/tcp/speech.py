"""Payload in order -> TLS or RESP recognised, messages counted, and which command has no reply.

The rule: it says what a client waits for, and never matches across bytes that were not captured:
there it forgets what was pending and begins anew where a segment begins a message. It reads bytes
one by one into plain ints, so that the same source can be compiled; conversation.py is its elder
brother for one connection at a time. See book.py for the places, resp.py for the format.
"""

# ruff: noqa: PLR0913, PLR0917 -- plain ints: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.book import (
    BEGAN_FRAME,
    BEGAN_NS,
    BREAKS,
    DEPTH,
    DIGITS,
    ITEM,
    KIND,
    LEFT,
    LEVELS,
    MARKER,
    NEGATIVE,
    NEXT_SEQ,
    NUMBER,
    OWN,
    PENDING,
    PUSH,
    SIDE_BOOK,
    STACK,
    TRIES,
    WHERE,
    WORD,
    WORD_SIZE,
)
from netdiag.tcp.exchange import command, reply, string
from netdiag.tcp.fields import HALF, MASK
from netdiag.tcp.words import KEPT, WIDTH

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

UNKNOWN: Final = 0  # of KIND
RESP: Final = 1
TLS: Final = 2
NEITHER: Final = 3
GUESSES: Final = 32  # segments at which a connection older than the capture may begin a message

BEFORE_VALUE: Final = 0  # of WHERE
IN_HEADER: Final = 1
IN_BULK: Final = 2
LOST: Final = 3

STAR: Final = ord("*")
DOLLAR: Final = ord("$")
PUSHES: Final = ord(">")
ATTRIBUTE: Final = ord("|")
PAIRS: Final = (ord("%"), ATTRIBUTE)
AGGREGATES: Final = (STAR, ord("~"), ord("%"), PUSHES, ATTRIBUTE)
BULKS: Final = (DOLLAR, ord("!"), ord("="))
LINES: Final = (ord("+"), ord("-"), ord(":"), ord("_"), ord("#"), ord(","), ord("("))
CR: Final = 13
LF: Final = 10
MINUS: Final = ord("-")
ZERO: Final = ord("0")
NINE: Final = ord("9")
LONGEST_LINE: Final = 65536
MOST_DIGITS: Final = 13
ATTRIBUTE_LEVEL: Final = 1 << 48  # added to a level's count: it belongs to the value behind it


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
    ahead = ((seq - book[own + NEXT_SEQ] + HALF) & MASK) - HALF
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
    _read(book, own, side, number, t_ns, data, begin, end)
    if size < length and book[own + KIND] == RESP:
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
        book[own + TRIES] += 1
        if book[own + TRIES] >= GUESSES:
            book[own + KIND] = NEITHER


def _begins(side: int, data: Sequence[int], at: int, size: int) -> bool:
    """Whether these bytes look like the beginning of a message of this side."""
    if size < 1:
        return False
    first = data[at]
    second = data[at + 1] if size > 1 else ZERO
    counted = ZERO <= second <= NINE or (side == 1 and second == MINUS)
    if not side:
        return first == STAR and counted
    return ((first in AGGREGATES or first in BULKS) and counted) or first in LINES


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


def _read(
    book: MutableSequence[int],
    own: int,
    side: int,
    number: int,
    t_ns: int,
    data: Sequence[int],
    at: int,
    end: int,
) -> None:
    while at < end:
        where = book[own + WHERE]
        if where == IN_HEADER:
            byte = data[at]
            at += 1
            if byte == LF:
                if not _header(book, own, side, number, t_ns):
                    book[own + KIND] = NEITHER
                    return
            elif byte != CR and not _letter(book, own, byte):
                book[own + KIND] = NEITHER
                return
        elif where == IN_BULK:
            left = book[own + LEFT]
            take = min(left, end - at)
            keep = min(left - 2, end - at, KEPT - book[own + WORD_SIZE])
            for index in range(at, at + keep):
                _keep(book, own, data[index])
            at += take
            book[own + LEFT] = left - take
            if take == left:
                string(book, own, side)
                _settle(book, own, side, number, t_ns)
        else:
            if not _value(book, own, side, number, t_ns, data[at]):
                book[own + KIND] = NEITHER
                return
            at += 1


def _value(
    book: MutableSequence[int], own: int, side: int, number: int, t_ns: int, marker: int
) -> bool:
    """The byte that begins a value."""
    depth = book[own + DEPTH]
    if side:
        known = marker in LINES or marker in BULKS or marker in AGGREGATES
    else:
        known = marker == (DOLLAR if depth else STAR)
    if not known:
        return False
    if not depth:
        book[own + ITEM] = 0
        book[own + PUSH] = 1 if marker == PUSHES else 0
        book[own + BEGAN_NS] = t_ns
        book[own + BEGAN_FRAME] = number
    book[own + MARKER] = marker
    book[own + NUMBER] = book[own + DIGITS] = book[own + NEGATIVE] = 0
    book[own + WORD_SIZE] = book[own + WORD] = book[own + WORD + 1] = book[own + WORD + 2] = 0
    book[own + WHERE] = IN_HEADER
    return True


def _letter(book: MutableSequence[int], own: int, byte: int) -> bool:
    """A byte of a header; False when it cannot stand there."""
    digits = book[own + DIGITS]
    book[own + DIGITS] = digits + 1
    if book[own + MARKER] in LINES:
        if book[own + WORD_SIZE] < KEPT:
            _keep(book, own, byte)
        return digits < LONGEST_LINE
    if byte == MINUS and not digits:
        book[own + NEGATIVE] = 1
        return True
    book[own + NUMBER] = book[own + NUMBER] * 10 + byte - 48
    return 48 <= byte <= 57 and digits < MOST_DIGITS


def _keep(book: MutableSequence[int], own: int, byte: int) -> None:
    size = book[own + WORD_SIZE]
    place = own + WORD + size // WIDTH
    book[place] = book[place] << 8 | (byte - 32 if 97 <= byte <= 122 else byte)
    book[own + WORD_SIZE] = size + 1


def _header(book: MutableSequence[int], own: int, side: int, number: int, t_ns: int) -> bool:
    """A whole header line; False when it is none."""
    marker = book[own + MARKER]
    count = -1 if book[own + NEGATIVE] else book[own + NUMBER]
    if marker not in LINES and not book[own + DIGITS]:
        return False
    if marker in BULKS and count >= 0:
        book[own + LEFT] = count + 2
        book[own + WHERE] = IN_BULK
        return True
    if marker in AGGREGATES and count > 0:
        depth = book[own + DEPTH]
        if depth >= LEVELS:
            return False
        if marker in PAIRS:
            count *= 2
        book[own + STACK + depth] = count + (ATTRIBUTE_LEVEL if marker == ATTRIBUTE else 0)
        book[own + DEPTH] = depth + 1
        book[own + WHERE] = BEFORE_VALUE
        return True
    if marker in AGGREGATES and (marker == ATTRIBUTE or not side):
        book[own + WHERE] = BEFORE_VALUE  # an empty command, which servers pass over
        return True
    if marker in LINES:
        string(book, own, side)
    _settle(book, own, side, number, t_ns)
    return True


def _settle(book: MutableSequence[int], own: int, side: int, number: int, t_ns: int) -> None:
    """A value is whole, and perhaps what it belongs to."""
    book[own + WHERE] = BEFORE_VALUE
    while book[own + DEPTH]:
        level = own + STACK + book[own + DEPTH] - 1
        book[level] -= 1
        if book[level] & (ATTRIBUTE_LEVEL - 1):
            return
        book[own + DEPTH] -= 1
        if book[level] & ATTRIBUTE_LEVEL:
            return
    if side:
        reply(book, own)
    else:
        command(book, own)
