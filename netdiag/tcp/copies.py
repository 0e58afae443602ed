"""Whether a frame is one that passed already: mirrored twice, or doubled by the network.

The rule: a host that sends again gives the packet a new IP-ID (Linux ip_select_ident) or, where
IP-IDs are zero or absent, a new timestamp; a copy has the very same header. Without both nothing
is called a copy. All connections share one table of the last frames, in which a frame can be
overwritten: then its copy is a retransmission of unknown cause, as it always was for the tracker.
"""

# ruff: noqa: PLR0913, PLR0917 -- plain ints, one flat argument list: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableSequence

PLACES: Final = 1 << 14  # frames in the table
PLACE_MASK: Final = PLACES - 1
SIZE: Final = 3 * PLACES  # ints: of whom, what it is known by, when
SPAN: Final = 100_000_000  # ns between the two; another interface's copy may be the earlier one
SHORT_SPAN: Final = 5_000_000  # with a timestamp alone to tell by: hosts can send twice in a tick
OPENS_OR_CLOSES: Final = 7  # SYN, FIN, RST


def is_copy(
    copies: MutableSequence[int],
    conn: int,
    side: int,
    t_ns: int,
    seq: int,
    ack: int,
    flags: int,
    length: int,
    window: int,
    tsval: int,
    ip_id: int,
) -> bool:
    """Compare with the last frames, and remember this one."""
    rest = ack ^ window << 11 ^ length << 5 ^ flags ^ tsval
    if ip_id > 0:
        span = SPAN
        mark = seq << 31 ^ ip_id << 15 ^ rest
        hashed = ip_id + (seq >> 5)
    elif tsval >= 0 and (length or flags & OPENS_OR_CLOSES):
        span = SHORT_SPAN
        mark = seq << 31 ^ rest
        hashed = seq + (seq >> 7)
    else:
        return False
    who = conn * 2 + side + 1
    at = 3 * ((hashed + who * 40503) & PLACE_MASK)
    if copies[at] == who and copies[at + 1] == mark and abs(t_ns - copies[at + 2]) < span:
        return True
    copies[at] = who
    copies[at + 1] = mark
    copies[at + 2] = t_ns
    return False
