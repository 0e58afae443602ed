"""One segment of a connection -> its label, and everything kept about it brought up to date.

The rule: this is the one place where tracker, account and application meet, and both ways of
reading a capture (over lists, compiled) go through it, so that they cannot differ.
"""

# ruff: noqa: PLR0913, PLR0917 -- plain ints, one flat argument list: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.account import account
from netdiag.tcp.book import COPIES, KIND, OWN, SIDE_BOOK
from netdiag.tcp.copies import is_copy
from netdiag.tcp.fields import MASK
from netdiag.tcp.labels import COPY
from netdiag.tcp.rows import add_row
from netdiag.tcp.speech import listen
from netdiag.tcp.tracker import track

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

SYN: Final = 2
RST: Final = 4
SETTLED: Final = 2  # of KIND: TLS, or neither


def advance(
    state: MutableSequence[int],
    book: MutableSequence[int],
    rows: MutableSequence[int],
    rows_used: MutableSequence[int],
    copies: MutableSequence[int],
    conn: int,
    side: int,
    number: int,
    t_ns: int,
    seq: int,
    ack: int,
    flags: int,
    length: int,
    window: int,
    wscale: int,
    sack_permitted: bool,
    tsval: int,
    tsecr: int,
    sack_left: int,
    sack_right: int,
    sack_top: int,
    ip_id: int,
    data: Sequence[int],
    at: int,
    size: int,
) -> int:
    """The Label of a segment that `side` sent, as int, or COPY.

    `data` holds the payload that was captured: `size` bytes from `at` on. The rest: see track().
    """
    own = OWN + SIDE_BOOK if side else OWN
    if is_copy(copies, conn, side, t_ns, seq, ack, flags, length, window, tsval, ip_id):
        book[own + COPIES] += 1
        add_row(book, rows, rows_used, conn, number, t_ns, COPY << 8 | side, 0, length, 0)
        return COPY
    label = track(
        state, side, t_ns, seq, ack, flags, length, window, wscale, sack_permitted, tsval,
        sack_left, sack_right, sack_top,
    )  # fmt: skip
    account(
        state, book, rows, rows_used, conn, side, number, t_ns, label, seq, flags, length, tsval,
        tsecr, sack_left,
    )  # fmt: skip
    if length and book[own + KIND] < SETTLED and not flags & RST:
        first = (seq + 1) & MASK if flags & SYN else seq  # a SYN may carry data (RFC 7413)
        listen(book, side, number, t_ns, first, data, at, size, length)
    return label
