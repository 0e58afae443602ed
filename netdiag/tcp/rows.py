"""A bounded record of the packets that are not boring, so that a timeline needs no second pass.

The rule: all connections share one pool of rows; each keeps its first rows for good and its last
ones in a ring of its own, and when the pool is used up a connection goes on in the ring it has.
Plain ints; see book.py for the places of a row.
"""

# ruff: noqa: PLR0913, PLR0917 -- plain ints, one flat argument list: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.book import (
    R_CONN,
    R_KIND,
    R_LENGTH,
    R_NEXT,
    R_NS,
    R_NUMBER,
    R_PREVIOUS,
    R_STEP,
    ROW,
    ROW_FIRST,
    ROW_LAST,
    ROWS,
)

if TYPE_CHECKING:
    from collections.abc import MutableSequence

SPURIOUS_ROW: Final = 1  # bits of a row's marks: it was not needed, as its receiver said later
ANSWERED_ROW: Final = 2  # a probe: the peer answered it
BREAKS_SILENCE_ROW: Final = 4  # it ended what was then the connection's longest silence
DSACK_ROW: Final = 8  # it says that a retransmission of the other side was spurious
ORIGINAL_ROW: Final = 16  # its bytes were sent again by a timer
AT_LEAST_ROW: Final = 32  # its step may be higher: the timer had begun before the capture

POOL: Final = 1 << 17  # rows
KEPT_FIRST: Final = 64  # of a connection
KEPT_LAST: Final = 192

USED: Final = 0  # places of `rows_used`: rows taken from the pool
LEFT_OUT: Final = 1  # rows that had to go


def add_row(
    book: MutableSequence[int],
    rows: MutableSequence[int],
    rows_used: MutableSequence[int],
    conn: int,
    number: int,
    t_ns: int,
    kind: int,
    step: int,
    length: int,
    since_previous: int,
) -> int:
    """Write a row; its slot + 1, or 0 when there was no room for it."""
    slot = _slot(book, rows, rows_used)
    if slot < 0:
        return 0
    at = slot * ROW
    rows[at + R_CONN] = conn
    rows[at + R_NUMBER] = number
    rows[at + R_NS] = t_ns
    rows[at + R_KIND] = kind
    rows[at + R_STEP] = step
    rows[at + R_LENGTH] = length
    rows[at + R_PREVIOUS] = since_previous
    return slot + 1


def mark_row(rows: MutableSequence[int], row: int, number: int, mark: int) -> None:
    """Set a mark on the row of frame `number`, given as slot + 1, if it still is that frame's."""
    if row and rows[(row - 1) * ROW + R_NUMBER] == number:
        rows[(row - 1) * ROW + R_KIND] |= mark << 16


def _slot(
    book: MutableSequence[int], rows: MutableSequence[int], rows_used: MutableSequence[int]
) -> int:
    written = book[ROWS]
    book[ROWS] = written + 1
    last = book[ROW_LAST]
    if rows_used[USED] < POOL and written < KEPT_FIRST + KEPT_LAST:
        slot = rows_used[USED]
        rows_used[USED] = slot + 1
        rows[slot * ROW + R_NEXT] = -1
        if written == KEPT_FIRST:
            book[ROW_FIRST] = slot + 1
        elif written > KEPT_FIRST and last:
            rows[(last - 1) * ROW + R_NEXT] = slot
        book[ROW_LAST] = slot + 1
        return slot
    rows_used[LEFT_OUT] += 1
    if not book[ROW_FIRST]:
        return -1
    slot = rows[(last - 1) * ROW + R_NEXT]
    if slot < 0:
        slot = book[ROW_FIRST] - 1
    book[ROW_LAST] = slot + 1
    return slot
