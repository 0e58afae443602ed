"""FIN and RST -> who ended a connection first, and what an RST answered.

The rule: an RST that its receiver must not accept ends nothing, but is counted. Plain ints; see
book.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.book import (
    END_FRAME,
    END_KIND,
    END_NS,
    END_SIDE,
    FIN_FRAME,
    FIN_NS,
    OWN,
    PROBE_WAITS,
    RST_ANSWERS,
    RST_BARE,
    RST_CHALLENGED,
    RST_DELAY,
    RST_FRAME,
    RST_NS,
    RST_OUTSIDE,
    RST_SIDE,
    SIDE_BOOK,
    SIDE_FIRST_FRAME,
    SIDE_LAST_LABEL,
    SIDE_LAST_NS,
)
from netdiag.tcp.fields import RST_VERDICT

if TYPE_CHECKING:
    from collections.abc import MutableSequence

RST_FLAG: Final = 4
ACK_FLAG: Final = 16
BY_FIN: Final = 1  # as facts.Ending numbers them
BY_RST: Final = 2


def end(
    state: MutableSequence[int],
    book: MutableSequence[int],
    side: int,
    number: int,
    t_ns: int,
    flags: int,
) -> None:
    """Enter a segment with FIN, or an RST."""
    own = OWN + SIDE_BOOK if side else OWN
    kind = BY_FIN
    if flags & RST_FLAG:
        first = not book[own + RST_FRAME]
        if not _accepted(state, book, own, side, number, t_ns):
            return
        if first:
            book[own + RST_BARE] = 0 if flags & ACK_FLAG else 1
        kind = BY_RST
    elif not book[own + FIN_FRAME]:
        book[own + FIN_FRAME] = number
        book[own + FIN_NS] = t_ns
    if not book[END_KIND]:
        book[END_KIND] = kind
        book[END_SIDE] = side
        book[END_NS] = t_ns
        book[END_FRAME] = number


def _accepted(
    state: MutableSequence[int],
    book: MutableSequence[int],
    own: int,
    side: int,
    number: int,
    t_ns: int,
) -> bool:
    verdict = state[RST_VERDICT]
    if verdict == 0:
        book[own + RST_OUTSIDE] += 1
        return False
    if verdict == 1:
        book[own + RST_CHALLENGED] += 1
        return False
    book[own + PROBE_WAITS] = 0  # who has given up hears no answer any more
    if not book[own + RST_FRAME]:
        book[own + RST_FRAME] = number
        book[own + RST_NS] = t_ns
    if not book[RST_SIDE]:
        book[RST_SIDE] = side + 1
        peer = OWN if side else OWN + SIDE_BOOK
        if book[peer + SIDE_FIRST_FRAME]:
            book[RST_ANSWERS] = book[peer + SIDE_LAST_LABEL] + 1
            book[RST_DELAY] = t_ns - book[peer + SIDE_LAST_NS]
    return True
