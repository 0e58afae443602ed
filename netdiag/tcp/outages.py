"""Asking in vain -> the longest outage of each side: when, how long, which frames, how it ended.

Plain ints; see book.py.
"""

# ruff: noqa: PLR0913, PLR0917 -- plain ints, one flat argument list: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.book import (
    O_AT,
    O_COUNT,
    O_END,
    O_END_KIND,
    O_FIRST,
    O_LABEL,
    O_LAST,
    O_NS,
    OUTAGE,
    VAIN_COUNT,
    VAIN_FRAME,
    VAIN_NS,
    VAIN_SEQ,
)
from netdiag.tcp.fields import SINCE_ORIGINAL

if TYPE_CHECKING:
    from collections.abc import MutableSequence

PATIENT: Final = 3  # so many retransmissions in a row are no accident

ANSWERED: Final = 0  # as facts.Healing numbers them
UNHEARD: Final = 1
RESET: Final = 2


def outage(
    book: MutableSequence[int],
    own: int,
    at_ns: int,
    length_ns: int,
    first: int,
    last: int,
    ended: int,
    count: int,
    label: int,
    how: int,
) -> None:
    """Keep the longest."""
    place = own + OUTAGE
    if length_ns < book[place + O_NS]:
        return
    book[place + O_NS] = length_ns
    book[place + O_AT] = at_ns
    book[place + O_FIRST] = first
    book[place + O_LAST] = last
    book[place + O_END] = ended
    book[place + O_COUNT] = count
    book[place + O_LABEL] = label
    book[place + O_END_KIND] = how


def unheard(
    state: MutableSequence[int],
    book: MutableSequence[int],
    own: int,
    number: int,
    t_ns: int,
    label: int,
    seq: int,
) -> None:
    """A timer sends again what the peer has acknowledged here: the ACK has not arrived."""
    if not book[own + VAIN_COUNT] or book[own + VAIN_SEQ] != seq:
        book[own + VAIN_COUNT] = 0
        book[own + VAIN_SEQ] = seq
        book[own + VAIN_NS] = t_ns - state[SINCE_ORIGINAL]
        book[own + VAIN_FRAME] = number
    book[own + VAIN_COUNT] += 1
    if book[own + VAIN_COUNT] >= PATIENT:
        outage(
            book, own, book[own + VAIN_NS], t_ns - book[own + VAIN_NS], book[own + VAIN_FRAME],
            number, 0, book[own + VAIN_COUNT], label, UNHEARD,
        )  # fmt: skip
