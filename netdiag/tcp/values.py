"""Bytes of RESP values, in any pieces -> strings and whole messages, into plain ints.

The rule: it reads byte by byte where a piece ends inside a value, and a value at once where it does
not; both say the same. See book.py for the places, resp.py for the format.
"""

# ruff: noqa: PLR0913, PLR0917 -- plain ints: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.book import (
    BEGAN_FRAME,
    BEGAN_NS,
    DEPTH,
    DIGITS,
    ITEM,
    LEFT,
    LEVELS,
    MARKER,
    NEGATIVE,
    NUMBER,
    SORT,
    STACK,
    SUBSCRIBED,
    WHERE,
    WORD,
    WORD_SIZE,
)
from netdiag.tcp.exchange import AN_ERROR, PLAIN, PUSHED, command, reply, string
from netdiag.tcp.words import KEPT, UPPER, WIDTH, word

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

BEFORE_VALUE: Final = 0  # of WHERE
IN_HEADER: Final = 1
IN_BULK: Final = 2
LOST: Final = 3

STAR: Final = ord("*")
DOLLAR: Final = ord("$")
ATTRIBUTE: Final = ord("|")
PAIRS: Final = (ord("%"), ATTRIBUTE)
A_LINE: Final = 1  # of KINDS: a value that is its line
A_BULK: Final = 2  # bytes that the line counts
AN_AGGREGATE: Final = 3  # values that the line counts
KINDS: Final = tuple(  # by marker; 0 begins no value
    A_LINE * (chr(byte) in "+-:_#,(")
    + A_BULK * (chr(byte) in "$!=")
    + AN_AGGREGATE * (chr(byte) in "*~%>|")
    for byte in range(256)
)
SORTS: Final = tuple(  # by marker
    PUSHED if byte == ord(">") else AN_ERROR if byte in b"-!" else PLAIN for byte in range(256)
)
CR: Final = 13
LF: Final = 10
MINUS: Final = ord("-")
ZERO: Final = ord("0")
NINE: Final = ord("9")
DIGIT: Final = tuple(byte - ZERO if ZERO <= byte <= NINE else -1 for byte in range(256))
LONGEST_LINE: Final = 65536
MOST_DIGITS: Final = 13
ATTRIBUTE_LEVEL: Final = 1 << 48  # added to a level's count: it belongs to the value behind it
LEFT_MASK: Final = ATTRIBUTE_LEVEL - 1


def read(
    book: MutableSequence[int],
    own: int,
    side: int,
    number: int,
    t_ns: int,
    data: Sequence[int],
    at: int,
    end: int,
) -> bool:
    """Take in bytes; False when they cannot be RESP."""
    while at < end:
        where = book[own + WHERE]
        if where == BEFORE_VALUE:
            at = _value(book, own, side, number, t_ns, data, at, end)
        elif where == IN_BULK:
            at = _bulk(book, own, side, data, at, end)
        else:
            at = _line(book, own, side, data, at, end)
        if at < 0:
            return False
    return True


def _value(
    book: MutableSequence[int],
    own: int,
    side: int,
    number: int,
    t_ns: int,
    data: Sequence[int],
    at: int,
    end: int,
) -> int:
    """Behind as much of a value as can be read at once; -1: no value.

    Nearly every value stands in one segment, so that nothing of its parts is kept.
    """
    marker = data[at]
    kind = KINDS[marker]
    depth = book[own + DEPTH]
    if not (kind if side else marker == (DOLLAR if depth else STAR)):
        return -1
    if not depth:
        book[own + ITEM] = 0
        book[own + SORT] = SORTS[marker]
        book[own + BEGAN_NS] = t_ns
        book[own + BEGAN_FRAME] = number
    at += 1
    stop = at + MOST_DIGITS + 1
    if stop >= end:
        stop = end - 1
    if kind != A_LINE and at < stop:
        count = DIGIT[data[at]]
        place = at + 1
        while place < stop:
            digit = DIGIT[data[place]]
            if digit < 0:
                break
            count = count * 10 + digit
            place += 1
        if place < stop and count >= 0 and data[place] == CR and data[place + 1] == LF:
            at = place + 2
            if kind != A_BULK or at + count + 2 > end:
                return at if _header(book, own, side, marker, count) else -1
            first = second = third = 0
            if not side or _matters(book, own):
                first = word(data, at, at + (count if count < WIDTH else WIDTH))
                if count > WIDTH:
                    second = word(data, at + WIDTH, at + min(count, 2 * WIDTH))
                    third = word(data, at + 2 * WIDTH, at + min(count, KEPT))
            string(book, own, side, first, second, third)
            _settle(book, own, side)
            return at + count + 2
    book[own + MARKER] = marker
    book[own + NUMBER] = book[own + DIGITS] = book[own + NEGATIVE] = 0
    _begin_word(book, own)
    book[own + WHERE] = IN_HEADER
    return at


def _matters(book: MutableSequence[int], own: int) -> bool:
    """Whether a string of a server can tell what its message is."""
    return not book[own + ITEM] and (book[own + SORT] or book[SUBSCRIBED]) != 0


def _bulk(
    book: MutableSequence[int], own: int, side: int, data: Sequence[int], at: int, end: int
) -> int:
    """Behind as much of a bulk as is there."""
    left = book[own + LEFT]
    take = min(left, end - at)
    if not side or _matters(book, own):
        _keep(book, own, data, at, min(left - 2, end - at))
    book[own + LEFT] = left - take
    if take == left:
        string(book, own, side, book[own + WORD], book[own + WORD + 1], book[own + WORD + 2])
        _settle(book, own, side)
    return at + take


def _begin_word(book: MutableSequence[int], own: int) -> None:
    book[own + WORD_SIZE] = book[own + WORD] = book[own + WORD + 1] = book[own + WORD + 2] = 0


def _line(
    book: MutableSequence[int], own: int, side: int, data: Sequence[int], at: int, end: int
) -> int:
    """Byte by byte to behind the line feed that ends a header, or to the end; -1: no header."""
    marker = book[own + MARKER]
    words = KINDS[marker] == A_LINE
    digits = book[own + DIGITS]
    count = book[own + NUMBER]
    while at < end:
        byte = data[at]
        at += 1
        if byte == LF:
            if not (digits or words):
                return -1
            if book[own + NEGATIVE]:
                count = -1
            return at if _header(book, own, side, marker, count) else -1
        if byte == CR:
            continue
        if words:
            _keep(book, own, data, at - 1, 1)
            if digits >= LONGEST_LINE:
                return -1
        elif ZERO <= byte <= NINE and digits < MOST_DIGITS:
            count = count * 10 + byte - ZERO
        elif byte == MINUS and not digits:
            book[own + NEGATIVE] = 1
        else:
            return -1
        digits += 1
    book[own + DIGITS] = digits
    book[own + NUMBER] = count
    return at


def _keep(book: MutableSequence[int], own: int, data: Sequence[int], at: int, count: int) -> None:
    """Add bytes to the string under way, as far as it is kept."""
    size = book[own + WORD_SIZE]
    for index in range(at, at + min(count, KEPT - size)):
        place = own + WORD + size // WIDTH
        book[place] = book[place] << 8 | UPPER[data[index]]
        size += 1
    book[own + WORD_SIZE] = size


def _header(book: MutableSequence[int], own: int, side: int, marker: int, count: int) -> bool:
    """A whole header line, its count -1 for a null; False when it can be none."""
    kind = KINDS[marker]
    if kind == A_BULK and count >= 0:
        _begin_word(book, own)
        book[own + LEFT] = count + 2
        book[own + WHERE] = IN_BULK
        return True
    if kind == AN_AGGREGATE and count > 0:
        depth = book[own + DEPTH]
        if depth >= LEVELS:
            return False
        if marker in PAIRS:
            count *= 2
        book[own + STACK + depth] = count + (ATTRIBUTE_LEVEL if marker == ATTRIBUTE else 0)
        book[own + DEPTH] = depth + 1
        book[own + WHERE] = BEFORE_VALUE
        return True
    if kind == AN_AGGREGATE and (marker == ATTRIBUTE or not side):
        book[own + WHERE] = BEFORE_VALUE  # an empty command, which servers pass over
        return True
    if kind == A_LINE:
        string(book, own, side, book[own + WORD], book[own + WORD + 1], book[own + WORD + 2])
    _settle(book, own, side)
    return True


def _settle(book: MutableSequence[int], own: int, side: int) -> None:
    """A value is whole, and perhaps what it belongs to."""
    book[own + WHERE] = BEFORE_VALUE
    depth = book[own + DEPTH]
    while depth:
        depth -= 1
        level = own + STACK + depth
        left = book[level] - 1
        book[level] = left
        if left & LEFT_MASK:
            return
        book[own + DEPTH] = depth
        if left:
            return
    if side:
        reply(book, own)
    else:
        command(book, own)
