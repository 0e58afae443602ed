"""Events and replies -> the way of each message: everything that was seen of it, and nothing more.

Produced, accepted, popped, on the wire, received, processed, acknowledged: each step is what
somebody recorded. The rule it guards: no judgement here; `messages` reads the ways and says what
became of each message.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netdiag.analysis.moments import Moments
    from netdiag.analysis.replies import Reply
    from netdiag.recording import Event
    from netdiag.tcp.resp import Value

PLACES: Final = ("ids", "processing", "pending", "ungrouped")
"""Where a message can lie at the end: the queue, the processing list, the pending list, a stream
whose group is gone.
"""


@dataclass
class Way:
    """One message; times are absolute ns. accepted: when the server said that it took it; refused:
    why it did not; listeners: how many the server says heard it (channels only); places: where it
    lay at the end; executed: how often a request was done; makers: the clients that made it, where
    clients make the messages; called: it came to its call, and did not fail before; foreign: it is
    somebody else's, and `pushed` is when it was first known to be there; held: noted as not
    acknowledged at the end.
    """

    id: str
    pushed: int
    accepted: int | None = None
    refused: str = ""
    listeners: int | None = None
    replies: list[Reply] = field(default_factory=list)
    got: list[Event] = field(default_factory=list)
    processed: list[Event] = field(default_factory=list)
    acknowledged: list[Event] = field(default_factory=list)
    requeued: list[Event] = field(default_factory=list)
    places: tuple[str, ...] = ()
    executed: int = 0
    makers: list[str] = field(default_factory=list)
    called: bool = True
    foreign: bool = False
    held: bool = False


@dataclass(frozen=True)
class Ways:
    """All of a cell: each message's way in the order of producing; what was received and never
    produced; whether somebody looked at what was left; readable: whether replies could be read on
    the wire, which under TLS they cannot.
    """

    ways: tuple[Way, ...]
    strangers: tuple[tuple[str, tuple[Event, ...]], ...]
    looked: bool
    readable: bool = True


def ways_of(moments: Moments, replies: Sequence[Reply], *, requests: bool) -> Ways:
    """Collect. `requests`: the clients make the messages themselves, and a reply is its number."""
    ways = _requested(moments) if requests else _pushed(moments)
    strangers: dict[str, list[Event]] = {}
    for event in moments.of("client.app", "got", "processed", "acknowledged"):
        name = _name(event)
        if name in ways:
            getattr(ways[name], event.what).append(event)
        elif event.what == "got":
            strangers.setdefault(name, []).append(event)
    for event in moments.of("netdiag", "requeue"):
        if _name(event) in ways:
            ways[_name(event)].requeued.append(event)
    left = moments.last("server.app", "left")
    _places(ways, left)
    found = _executed(moments, ways, left, replies) if requests else _carried(ways, replies)
    for name, reply in found:
        ways[name].replies.append(reply)
    told = tuple((name, tuple(events)) for name, events in strangers.items())
    return Ways(tuple(ways.values()), told, left is not None, bool(replies))


def _name(event: Event) -> str:
    return str(event.data.get("id"))


def _pushed(moments: Moments) -> dict[str, Way]:
    ways: dict[str, Way] = {}
    for event in moments.of("netdiag", "push"):
        name = _name(event)
        if event.outcome == "start":
            ways.setdefault(name, Way(name, event.t))
        elif name in ways:
            _answered(ways[name], event)
    return ways


def _answered(way: Way, event: Event) -> None:
    answer = event.data.get("answer")
    if event.outcome != "ok":
        way.refused = str(event.data.get("reason") or answer)
        return
    way.accepted = event.t
    way.listeners = answer if isinstance(answer, int) else None


def _requested(moments: Moments) -> dict[str, Way]:
    """A request is accepted when it is made: it has no producer but its client. One that failed
    before its call (nobody answered the dial) is told by its error alone.
    """
    ways: dict[str, Way] = {}
    for event in moments.of("client.app", "call", "error"):
        if "id" not in event.data:
            continue
        made = Way(_name(event), event.t, event.t, called=event.what == "call")
        way = ways.setdefault(made.id, made)
        if event.who not in way.makers:
            way.makers.append(event.who)
    return ways


def _places(ways: dict[str, Way], left: Event | None) -> None:
    for place in PLACES:
        for name in listed(left, place):
            if name in ways:
                ways[name].places += (place,)
    for name, times in Counter(listed(left, "executed")).items():
        if name in ways:
            ways[name].executed = times


def listed(left: Event | None, place: str) -> list[str]:
    """The names of what lay in a place at the end."""
    names = left.data.get(place) if left is not None else None
    return [str(name) for name in names] if isinstance(names, list) else []


def _carried(ways: dict[str, Way], replies: Sequence[Reply]) -> Iterator[tuple[str, Reply]]:
    """Which messages each reply carries, by their names in it."""
    for reply in replies:
        for word in dict.fromkeys(_words(reply.value)):
            name = word.decode("utf-8", "replace")
            if name in ways:
                yield name, reply


def _words(value: Value) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    return [word for part in value for word in _words(part)] if isinstance(value, tuple) else []


def _executed(
    moments: Moments, ways: dict[str, Way], left: Event | None, replies: Sequence[Reply]
) -> Iterator[tuple[str, Reply]]:
    """A request appends its name to a list, so its reply is its place there, from 1.

    A server that lost its memory counts anew: no reply answers what was not asked yet, and places
    that are given once more after a start were those of another list before it.
    """
    names = listed(left, "executed")
    again = _given_again(moments, replies)
    for reply in replies:
        place = reply.value
        if not isinstance(place, int) or not 1 <= place <= len(names):
            continue
        way = ways.get(names[place - 1])
        forgotten = any(reply.left < start and place >= least for start, least in again)
        if way is not None and reply.left >= way.pushed and not forgotten:
            yield way.id, reply


def _given_again(moments: Moments, replies: Sequence[Reply]) -> list[tuple[int, int]]:
    """For each start of the server in the cell (ns): the least place that it gave afterwards."""
    starts = [
        event.t
        for event in moments.of("server.app", "started", "docker")
        if event.what == "started" or event.data.get("verb") in ("start", "restart")
    ]
    given = [(one.left, one.value) for one in replies if isinstance(one.value, int)]
    least = [min((place for t, place in given if t >= start), default=None) for start in starts]
    return [(start, one) for start, one in zip(starts, least, strict=True) if one is not None]
