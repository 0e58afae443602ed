"""Whether a frame is one that passed already: mirrored twice, or doubled by the network.

The rule: a host that sends again gives the packet a new IP-ID (Linux ip_select_ident) or, where
IP-IDs are zero or absent, a new timestamp; a copy has the very same header. Without both nothing
is called a copy. Plain ints over the account; see book.py.
"""

# ruff: noqa: PLR0913, PLR0917 -- plain ints, one flat argument list: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.book import COPY_COUNT, COPY_RING

if TYPE_CHECKING:
    from collections.abc import MutableSequence

SPAN: Final = 100_000_000  # ns: a copy follows its original within
SHORT_SPAN: Final = 5_000_000  # with a timestamp alone to tell by: hosts can send twice in a tick
OPENS_OR_CLOSES: Final = 7  # SYN, FIN, RST


def is_copy(
    book: MutableSequence[int],
    own: int,
    t_ns: int,
    seq: int,
    ack: int,
    flags: int,
    length: int,
    window: int,
    tsval: int,
    ip_id: int,
) -> bool:
    """Compare with this side's last frames, and remember this one."""
    rest = ack ^ window << 11 ^ length << 5 ^ flags
    if ip_id > 0:
        span = SPAN
        mark = seq << 31 | (ip_id & 0xFFFF) << 15 | (rest ^ rest >> 15 ^ tsval) & 0x7FFF
        at = own + COPY_RING + 2 * (ip_id % COPY_COUNT)
    elif tsval >= 0 and (length or flags & OPENS_OR_CLOSES):
        span = SHORT_SPAN
        mark = seq << 31 | (rest ^ tsval) & 0x7FFFFFFF
        at = own + COPY_RING + 2 * ((seq ^ seq >> 5 ^ seq >> 10) % COPY_COUNT)
    else:
        return False
    if book[at] == mark and 0 <= t_ns - book[at + 1] < span:
        return True
    book[at] = mark
    book[at + 1] = t_ns
    return False
