"""Tasks that nobody numbered: their ways through a queue that others fill, and how full it was.

Turns the replies on the wire, what lay in the queue at the end and its length meanwhile into the
same ways as of netdiag's own messages. The rule it guards: when a task came is known by the queue's
length alone, and only where nobody else took from it; whether a service has read it, see `read`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from netdiag.analysis.handed import SOON
from netdiag.analysis.model import Backlog
from netdiag.analysis.ways import PLACES, Way, Ways, listed, ways_of
from netdiag.tcp.tasks import name_of, token_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netdiag.analysis.moments import Moments
    from netdiag.analysis.replies import Reply
    from netdiag.analysis.wire import Frame, WireLog

HELD: Final = "unacked"
"""Where Celery's transport keeps what a worker has received and not acknowledged yet."""
_PRIORITY: Final = b"\x06\x16"
_RECENT: Final = 1000  # frames
_AT_THE_EDGES: Final = 2  # elements that are taken while the server answers


def elements(replies: Sequence[Reply], key: str) -> Iterator[tuple[Reply, bytes]]:
    """The replies that carry an element of this queue, in the order of their leaving."""
    for reply in sorted(replies, key=lambda one: one.left):
        value = reply.value
        if isinstance(value, tuple) and len(value) > 1 and _of(key, value[0]):
            last = value[1]
            if isinstance(last, bytes):
                yield reply, last


def _of(key: str, name: object) -> bool:
    """Whether a list is this queue, or one of its priorities as Celery's transport names them."""
    own = key.encode()
    return isinstance(name, bytes) and (name == own or name.startswith(own + _PRIORITY))


def read(wire: WireLog, key: str) -> None:
    """Mark the replies that the service has read, though it has sent nothing new on their
    connection: it closed it in good order, or spoke of the task on another one.

    A kernel whose program closes a socket without having read everything sends a RST instead of a
    FIN (tcp_close in net/ipv4/tcp.c; RFC 2525, 2.17). A service that has enough to do asks for no
    more, but it notes what it has.
    """
    sent = [frame for frame in wire.frames if frame.side == 0 and frame.injected is None]
    times = [frame.t for frame in sent]
    for reply, element in elements(wire.replies, key):
        if reply.arrived is None or reply.followed is not None:
            continue
        later = sent[bisect_right(times, reply.arrived) :][:_RECENT]
        token = token_of(element)
        reply.followed = next((one.t for one in later if _shows(one, reply, token)), None)


def _shows(frame: Frame, reply: Reply, token: bytes) -> bool:
    closed = frame.client == reply.client and frame.label == "fin"
    return closed or token in frame.segment.payload


def watched(moments: Moments, replies: Sequence[Reply], key: str) -> Ways:
    """The ways of all that was taken from the queue, or lay in it at the end."""
    own = ways_of(moments, replies, requests=False)
    ways = {way.id: way for way in own.ways}
    popped = [one for one in elements(replies, key) if not _under_way(one[0], moments.end)]
    came = _coming(moments, [reply.left for reply, _ in popped])
    for (reply, element), since in zip(popped, came, strict=True):
        name = name_of(element)
        way = ways.setdefault(name, Way(name, since, since, foreign=True))
        if reply not in way.replies:
            way.replies.append(reply)
    left, end = moments.last("server.app", "left"), moments.end
    for place in PLACES:
        for name in listed(left, place):
            way = ways.setdefault(name, Way(name, end, end, foreign=True))
            if place not in way.places:
                way.places += (place,)
    for name in listed(left, HELD):
        if name in ways:  # else another worker's, which took it over no cable
            ways[name].held = True
    return replace(own, ways=tuple(ways.values()))


def _under_way(reply: Reply, end: int) -> bool:
    """Whether the cell ended before anybody could have shown that it read this: of a traffic that
    goes on and on, the last one always is.
    """
    return reply.followed is None and end - reply.left < SOON


def _coming(moments: Moments, popped: list[int]) -> list[int]:
    """When each element was first known to be there: at its popping, or at the first look at the
    queue whose length reaches to it. First come, first served, as lists are used.
    """
    came, looks = list(popped), _looks(moments)
    if _others_took(looks, popped):
        return came
    for t, length in looks:
        first = bisect_right(popped, t)
        for index in range(first, min(first + length, len(came))):
            came[index] = min(came[index], t)
    return came


def _looks(moments: Moments) -> list[tuple[int, int]]:
    """When somebody looked at the queue (ns), and how long it was."""
    told = ((one.t, one.data.get("length")) for one in moments.of("server.app", "backlog"))
    return [(t, length) for t, length in told if isinstance(length, int)]


def _others_took(looks: list[tuple[int, int]], popped: list[int]) -> bool:
    """Whether the queue once shrank by more than was seen to be taken from it."""
    for (before, was), (after, is_now) in pairwise(looks):
        seen = bisect_right(popped, after) - bisect_right(popped, before)
        if was - is_now > seen + _AT_THE_EDGES:
            return True
    return False


def backlog(
    moments: Moments, key: str, began: int | None, healed: int | None
) -> Backlog | None:
    """How full the queue was: when the fault began, at most, and at last; None: nobody looked."""
    looks = _looks(moments)
    if not looks:
        return None
    before = [length for t, length in looks if began is None or t <= began]
    since = [one for one in looks if began is None or one[0] >= began] or looks[-1:]
    at, most = max(since, key=lambda one: one[1])
    empty = [t for t, length in looks if healed is not None and t >= healed and length == 0]
    return Backlog(
        key=key,
        before=before[-1] if before else looks[0][1],
        most=most,
        most_at=moments.since(at),
        last=looks[-1][1],
        empty_after=None if healed is None or not empty else (empty[0] - healed) / 1e9,
    )
