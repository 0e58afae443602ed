"""The client's events -> when and how it noticed, and when it really worked again.

It has noticed when its library or application does something about the fault: an error, a
connection dropped, a new dial, an exit. A socket that dies without anybody being told is not
noticing, nor is a dial that its own loop makes. `cause` says what told it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from netdiag.analysis.cause import NOTHING, TOGETHER, answered, cause
from netdiag.analysis.model import Notice
from netdiag.analysis.moments import by_fault, halted
from netdiag.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netdiag.analysis.cause import Wire
    from netdiag.analysis.moments import Moments
    from netdiag.analysis.replies import Reply
    from netdiag.recording import Event

_WORDS: Final = ("error", "exit", "disconnect", "connect")
_IN_VAIN: Final = ("return", "error")
_OF_USE: Final = ("got", "processed", "acknowledged")
_HOT: Final = 200
"""Calls a second that end in vain: no client that waits in a blocking command makes so many."""
_LATELY: Final = 3
"""s. What it did that long before the end, it is taken to do still."""


def notice(
    moments: Moments, began: int | None, wire: Wire = NOTHING, *, healed: int | None = None
) -> Notice | None:
    """When the client noticed a fault that began at `began` and healed at `healed` (ns); None: it
    never did.
    """
    if began is None:
        return None
    again = moments.first("client.app", "started")  # a new process cannot notice for the old one
    until = moments.end if again is None else again.t - 1
    if healed is not None and wire.open_at(began) == 1:  # on its only one: what comes later is new
        until = min([until, *(event.t for event in _consumed(moments, healed))])
    old = _answered_as_before(moments, began, wire)
    told = [
        event
        for event in _telling(moments)
        if began <= event.t <= until
        and not any(event.t <= t <= event.t + TOGETHER for t in old)
    ]
    if not told:
        return None
    first = told[0]
    best = _best([
        event
        for event in moments.of("client.app", *_WORDS)
        if first.t <= event.t <= min(until, first.t + TOGETHER)
        and not (_made(event) or by_fault(event))
    ])
    text, data = _how(best), dict(best.data)
    number = data.get("errno")
    return Notice(
        t=(first.t - began) / 1e9,
        how=text,
        by=cause(moments, wire, best, t=first.t, began=began),
        type=str(data["type"]) if data.get("type") else None,
        errno=number if isinstance(number, int) else None,
        message=str(data.get("message", ""))[:300],
    )


def _answered_as_before(moments: Moments, began: int, wire: Wire) -> list[int]:
    """When (ns) the server answered with an error that it had answered before the fault, too: that
    tells of a server that is well, and of a client that is set up wrongly.
    """
    known: set[tuple[object, object]] = set()
    found = []
    for event in moments.of("client.app", "error"):
        text = event.data.get("type"), event.data.get("message")
        if answered(wire, moments, event.t):
            if event.t < began:
                known.add(text)
            elif text in known:
                found.append(event.t)
    return found


def _telling(moments: Moments) -> Iterator[Event]:
    """The words that may tell of a fault."""
    held = _Held()
    for event in moments.of("client.app"):
        by_itself = (event.what, event.outcome) != ("connect", "start") or held.enough
        if event.what in _WORDS and by_itself and not (_made(event) or by_fault(event)):
            yield event
        held.hear(event)


def _made(event: Event) -> bool:
    """Whether a connection was made, which is good news."""
    return (event.what, event.outcome) == ("connect", "ok")


class _Held:
    """How many calls a client has under way, and how many connections, by its own words: a dial
    tells of a fault when there was a connection for the call. Who makes one for each request, or
    dials after an error, dials because it is time to.
    """

    def __init__(self) -> None:
        self._calls = self._connections = 0

    @property
    def enough(self) -> bool:
        """Whether there is a connection for every call."""
        return 0 < self._calls <= self._connections

    def hear(self, event: Event) -> None:
        """Count one word."""
        if event.what == "start":
            self._calls = self._connections = 0
        self._calls += event.what == "call"
        self._connections += (event.what, event.outcome) == ("connect", "ok")
        if event.what in ("got", "return", "error"):
            self._calls = max(0, self._calls - 1)
        if event.what in ("disconnect", "error"):
            self._connections = max(0, self._connections - 1)


def _best(together: list[Event]) -> Event:
    """What says most about a group of events: the application's error, unless the library dialled
    first.
    """
    for event in together:
        if event.what == "error" or (event.what == "connect" and event.outcome == "start"):
            return event
    return next((event for event in together if event.what == "connect"), together[0])


def _how(event: Event) -> str:
    if event.what == "error":
        return "the application got an error"
    if event.what == "exit":
        return f"the client ended with code {event.data.get('code')}"
    if event.what == "connect" and event.outcome == "fail":
        return "the library could not connect"
    return "the library dropped the connection and dialled again by itself"


def recovered(moments: Moments, healed: int | None) -> float | None:
    """Seconds from the healing until a message was really consumed; None: it never was."""
    if healed is None:
        return None
    first = next(_consumed(moments, healed), None)
    return None if first is None else (first.t - healed) / 1e9


def recovered_on(moments: Moments, healed: int | None, replies: Sequence[Reply]) -> str:
    """The connection on which that message came; empty where no reply was seen."""
    first = None if healed is None else next(_consumed(moments, healed), None)
    if first is None:
        return ""
    here = [one for one in replies if one.arrived is not None and one.arrived <= first.t]
    last = max(here, key=lambda one: one.arrived or 0, default=None)
    return "" if last is None else last.client


def _consumed(moments: Moments, healed: int) -> Iterator[Event]:
    return (event for event in moments.of("client.app", "got") if event.t >= healed)


def asleep(moments: Moments) -> tuple[str, int] | None:
    """The system call in which the client was seen last, and since when (ns); None: it does not
    sleep.
    """
    last = moments.last("client.app", "sleep")
    if last is None or halted(moments, "client") is not None or not last.data.get("syscall"):
        return None
    return call_text(last.data), last.t


def spinning(moments: Moments) -> tuple[float, int] | None:
    """How many calls a second ended without a message, and since when (ns), of a client that does
    nothing else at the end; None: it waits in its calls, as it should.
    """
    if halted(moments, "client") is not None:
        return None
    words = list(moments.of("client.app", *_IN_VAIN, *_OF_USE))
    useful = max((at for at, event in enumerate(words) if event.what in _OF_USE), default=-1)
    vain = [event for event in words[useful + 1:] if event.what in _IN_VAIN]
    if len(vain) < _HOT or vain[-1].t < moments.end - _LATELY * SECOND:
        return None
    dense = (at for at in range(len(vain) - _HOT) if vain[at + _HOT].t - vain[at].t < SECOND)
    begun = next(dense, None)
    if begun is None:
        return None
    since, calls = vain[begun].t, len(vain) - begun
    rate = calls * SECOND / max(1, vain[-1].t - since)
    return (rate, since) if rate >= _HOT else None


def call_text(sleep: Mapping[str, Any]) -> str:
    """The data of a `sleep` event in words: `recvfrom(fd 5)`, or where the kernel names no call
    (a guest's), `a system call`.
    """
    name, fd = str(sleep["syscall"]), sleep.get("fd")
    return name if " " in name else f"{name}({f'fd {fd}' if fd is not None else ''})"


def false_timeouts(moments: Moments, began: int | None) -> int:
    """Errors while the link was healthy: before the first fault, or in a cell without one."""
    limit = began if began is not None else moments.end
    return sum(1 for event in moments.of("client.app", "error") if event.t < limit)
