"""Events of running cells -> what each cell is doing now.

The rule this file guards: it believes nothing. Events come from a file that a program under test
has a part in, so a field may be missing, or be anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from netdiag.recording import Event, parse_event
from netdiag.report.words import errno_name, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class State(Enum):
    """Where a cell is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    BLOCKED = "blocked"
    CUT = "cut"
    HEALED = "healed"
    DONE = "done"
    FAILED = "failed"


ENDED: Final = frozenset({State.DONE, State.FAILED})
_WORDS_KEPT: Final = 200


@dataclass(frozen=True)
class CellNow:
    """What one cell is doing. Times in ns of the cell's own clock; `real`: that clock is ours."""

    id: str
    state: State = State.WAITING
    began: int | None = None
    fault: int | None = None
    latest: int | None = None
    last: str = ""
    real: bool = True


def told(cell: CellNow, lines: Iterable[bytes]) -> tuple[CellNow, list[str]]:
    """The cell after these lines of its events, and what of them is news: a fault, an end."""
    news = []
    for line in lines:
        if any(name in line for name in _ROUTINE):
            continue
        event = _event(line)
        if event is None:
            continue
        before, cell = cell, _after(cell, event)
        if event.what in _NEWS and before.last != cell.last:
            news.append(cell.last)
    return cell, news


_ROUTINE: Final = (b'"what":"socket"', b'"what":"client_list"')
_NEWS: Final = frozenset({"fault", "cell", "crash"})


def _event(line: bytes) -> Event | None:
    try:
        return parse_event(line)
    except OverflowError:  # a time of Infinity
        return None


def _after(cell: CellNow, event: Event) -> CellNow:
    state = _state(cell.state, event)
    words = _WORDS.get((event.what, event.outcome)) or _WORDS.get((event.what, ""))
    last = plain(words(event))[:_WORDS_KEPT] if words is not None else cell.last
    if event.lane == "netdiag" and event.what == "cell" and event.outcome == "start":
        cell = replace(cell, began=event.t, real=event.data.get("clock", "real") == "real")
    fault = event.t if cell.fault is None and _starts_fault(event) else cell.fault
    return replace(cell, state=state, fault=fault, latest=event.t, last=last)


def _starts_fault(event: Event) -> bool:
    return (event.lane, event.what, event.outcome) == ("cable", "fault", "start")


def _state(now: State, event: Event) -> State:
    if now in ENDED:
        return now
    if event.what == "sleep":
        asleep = now is State.STARTING and bool(event.data.get("syscall"))
        return State.BLOCKED if asleep else now
    return _STATES.get((event.lane, event.what, event.outcome), now)


_STATES: Final = {
    ("netdiag", "cell", "start"): State.STARTING,
    ("cable", "fault", "start"): State.CUT,
    ("cable", "fault", "ok"): State.HEALED,
    ("netdiag", "cell", "ok"): State.DONE,
    ("netdiag", "cell", "fail"): State.FAILED,
    ("cable", "crash", "fail"): State.FAILED,
}


def _error(event: Event) -> str:
    number = event.data.get("errno")
    name = errno_name(number) if isinstance(number, int) else ""
    message = event.data.get("message") or ""
    return " ".join(filter(None, (f"{event.data.get('type', 'error')}:", str(message), name)))


_WORDS: Final[dict[tuple[str, str], Callable[[Event], str]]] = {
    ("cell", "start"): lambda _: "lab is being made",
    ("cell", "ok"): lambda _: "done",
    ("cell", "fail"): lambda event: f"failed: {event.data.get('reason', 'no reason given')}",
    ("crash", ""): lambda event: f"the cable ended, code {event.data.get('code')}",
    ("ready", ""): lambda _: "server is ready",
    ("connect", "start"): lambda _: "client connects",
    ("connect", "ok"): lambda _: "client connected",
    ("connect", "fail"): lambda event: f"client could not connect: {_error(event)}",
    ("call", "start"): lambda event: f"client calls {event.data.get('command', '')}",
    ("got", ""): lambda event: f"client received {event.data.get('id', 'a message')}",
    ("error", ""): lambda event: f"client got {_error(event)}",
    ("disconnect", ""): lambda _: "client closes its connection",
    ("exit", ""): lambda event: f"client ended, code {event.data.get('code')}",
    ("push", "ok"): lambda event: f"{event.data.get('id', 'a message')} pushed",
    ("fault", "start"): lambda event: (
        f"fault {event.data.get('fault')} begins: "
        f"{event.data.get('verb')} at {event.data.get('trigger')}"
    ),
    ("fault", "ok"): lambda event: f"fault {event.data.get('fault')} healed",
}
