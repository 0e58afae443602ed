"""Connections in order of appearance: how one begins, and which of two lives a segment belongs to.

The rule: a connection is a number, an index into `states` and `books`; what finds the number of a
four-tuple is a dict (interpreted.py) or a hash table (scan.py), and everything behind that is the
same source. See lives.py.
"""

# ruff: noqa: PLR0913, PLR0917 -- plain ints, one flat argument list: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.tcp.book import (
    CLIENT_HIGH,
    CLIENT_LOW,
    OLDER_FLIP,
    OLDER_LIFE,
    OLDER_WAITS,
    PORTS,
    SERVER_HIGH,
    SERVER_LOW,
)
from netdiag.tcp.lives import NEWER_ALONE, OLDER, may_answer, which_life

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence


def name_ends(
    book: MutableSequence[int],
    family: int,
    client_high: int,
    client_low: int,
    client_port: int,
    server_high: int,
    server_low: int,
    server_port: int,
) -> None:
    """Write down whose connection it is."""
    book[CLIENT_HIGH] = client_high
    book[CLIENT_LOW] = client_low
    book[SERVER_HIGH] = server_high
    book[SERVER_LOW] = server_low
    book[PORTS] = family << 32 | client_port << 16 | server_port


def follow(
    states: Sequence[Sequence[int]],
    books: Sequence[MutableSequence[int]],
    conn: int,
    older: int,
) -> None:
    """`conn` is the four-tuple's next life after `older`."""
    book = books[conn]
    before = books[older]
    same = (
        book[PORTS] == before[PORTS]
        and book[CLIENT_LOW] == before[CLIENT_LOW]
        and book[CLIENT_HIGH] == before[CLIENT_HIGH]
    )
    book[OLDER_LIFE] = older + 1
    book[OLDER_FLIP] = 0 if same else 1
    book[OLDER_WAITS] = 1 if may_answer(states[older]) else 0


def whose(
    states: Sequence[Sequence[int]],
    books: Sequence[MutableSequence[int]],
    conn: int,
    side: int,
    flags: int,
    seq: int,
    ack: int,
) -> int:
    """connection * 2 + side of a segment, while the life before may still be meant."""
    book = books[conn]
    older = book[OLDER_LIFE] - 1
    old_side = side ^ book[OLDER_FLIP]
    life = which_life(states[conn], states[older], side, old_side, flags, seq, ack)
    if life == NEWER_ALONE:
        book[OLDER_WAITS] = 0
    return older * 2 + old_side if life == OLDER else conn * 2 + side
