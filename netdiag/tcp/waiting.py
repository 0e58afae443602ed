"""The account of a RESP connection -> the command it still waits for, and how long at most.

The rule: a timeout is quoted only where the command's own bytes show it; commands and the place
of their timeout are those of the Redis 8 and Valkey 9 command reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp import book as b
from netdiag.tcp.exchange import SUBSCRIBE_NAMES
from netdiag.tcp.facts import Outstanding
from netdiag.tcp.moments import off_clock
from netdiag.tcp.speech import RESP
from netdiag.tcp.words import unpacked

if TYPE_CHECKING:
    from collections.abc import Sequence

LAST: Final = b.LAST_LAST  # which argument is the timeout
FIRST: Final = b.LAST_FIRST
BLOCK: Final = b.LAST_BLOCK

# name -> where its timeout stands, and how many of its units make a second
BLOCKING: Final = {
    "BLPOP": (LAST, 1),
    "BRPOP": (LAST, 1),
    "BRPOPLPUSH": (LAST, 1),
    "BLMOVE": (LAST, 1),
    "BZPOPMIN": (LAST, 1),
    "BZPOPMAX": (LAST, 1),
    "BLMPOP": (FIRST, 1),
    "BZMPOP": (FIRST, 1),
    "XREAD": (BLOCK, 1000),
    "XREADGROUP": (BLOCK, 1000),
    "WAIT": (LAST, 1000),
    "WAITAOF": (LAST, 1000),
}
ALWAYS_WAITS: Final = frozenset({"MONITOR", *SUBSCRIBE_NAMES})


def outstanding(book: Sequence[int], first_ns: int) -> Outstanding | None:
    """The oldest command without a reply; None when there is none, or when it is no RESP."""
    count = book[b.PENDING]
    client = b.OWN
    if not count or book[client + b.KIND] != RESP:
        return None
    place, words = client + b.LAST_NAME, 3
    at, frame = client + b.LAST_AT, client + b.LAST_AT_FRAME
    if count > book[b.PENDING_LOST]:
        place, words = b.QUEUE_BASE + 4 * (book[b.PENDING_HEAD] % b.QUEUE) + 2, 2
        at, frame = place - 2, place - 1
    name = unpacked(book[place : place + words])
    timeout = _timeout(book, name) if count == 1 and name in BLOCKING else -1.0
    return Outstanding(
        name=name,
        at=off_clock(book[at], first_ns),
        frame=book[frame],
        count=count,
        blocking=name in ALWAYS_WAITS or (name in BLOCKING and _waits(book, name, count)),
        timeout_s=timeout,
    )


def _waits(book: Sequence[int], name: str, count: int) -> bool:
    """XREAD waits only with BLOCK; of several commands the oldest one's arguments are not kept."""
    place, _ = BLOCKING[name]
    return place != BLOCK or count > 1 or book[b.OWN + BLOCK] != 0


def _timeout(book: Sequence[int], name: str) -> float:
    """Seconds; 0 is for ever, -1 not to be seen."""
    place, units = BLOCKING[name]
    text = unpacked(book[b.OWN + place : b.OWN + place + 2])
    try:
        seconds = float(text) / units
    except ValueError:
        return -1.0
    return seconds if 0 <= seconds < float("inf") else -1.0
