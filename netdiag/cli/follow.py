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
        event = parse_event(line)
        if event is None:
            continue
        words = _in_words(event)
        cell = _after(cell, event, words)
        if (event.what, event.outcome) in _NEWS:
            news.append(words)
    return cell, news


_ROUTINE: Final = (b'"what":"socket"', b'"what":"client_list"')
_NEWS: Final = frozenset(
    {("fault", "start"), ("fault", "ok"), ("cell", "ok"), ("cell", "fail"), ("crash", "fail")}
)


def _field(event: Event, key: str, otherwise: str = "") -> str:
    """A field as text; a list or an object is no text."""
    value = event.data.get(key)
    return str(value) if isinstance(value, str | int | float) else otherwise


def _in_words(event: Event) -> str:
    """What happened, for a person; empty when it is not worth a word."""
    words = _WORDS.get((event.what, event.outcome))
    return plain(words(event))[:_WORDS_KEPT] if words is not None else ""


def _after(cell: CellNow, event: Event, words: str) -> CellNow:
    """The cell after an event; events are written a little out of the order of their times."""
    if (event.lane, event.what, event.outcome) == ("netdiag", "cell", "start"):
        cell = replace(cell, began=event.t, real=event.data.get("clock", "real") == "real")
    latest = event.t if cell.latest is None else max(cell.latest, event.t)
    return replace(
        cell,
        state=_state(cell.state, event),
        fault=event.t if cell.fault is None and _starts_fault(event) else cell.fault,
        latest=latest,
        last=words if words and event.t == latest else cell.last,
    )


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
    words = (f"{_field(event, 'type', 'error')}:", _field(event, "message"), name)
    return " ".join(filter(None, words))


def _program(event: Event) -> str:
    """`client` or `server`: whose program an event is about."""
    return event.lane.partition(".")[0]


def _fault(event: Event) -> str:
    what = f"{_field(event, 'verb', 'it')} at {_field(event, 'trigger', 'its trigger')}"
    return f"fault {_field(event, 'fault')} begins: {what}"


_WORDS: Final[dict[tuple[str, str], Callable[[Event], str]]] = {
    ("cell", "start"): lambda _: "lab is being made",
    ("cell", "ok"): lambda _: "done",
    ("cell", "fail"): lambda event: f"failed: {_field(event, 'reason', 'no reason given')}",
    ("crash", "fail"): lambda event: f"the cable ended, code {_field(event, 'code')}",
    ("ready", "ok"): lambda _: "server is ready",
    ("connect", "start"): lambda _: "client connects",
    ("connect", "ok"): lambda _: "client connected",
    ("connect", "fail"): lambda event: f"client could not connect: {_error(event)}",
    ("call", "start"): lambda event: f"client calls {_field(event, 'command')}",
    ("got", "ok"): lambda event: f"client received {_field(event, 'id', 'a message')}",
    ("error", "fail"): lambda event: f"client got {_error(event)}",
    ("disconnect", "info"): lambda _: "client closes its connection",
    ("exit", "ok"): lambda event: f"{_program(event)} ended, code {_field(event, 'code')}",
    ("exit", "fail"): lambda event: f"{_program(event)} ended, code {_field(event, 'code')}",
    ("signal", "ok"): lambda event: f"{_program(event)} gets {_field(event, 'signal')}",
    ("docker", "ok"): lambda event: f"{_program(event)}: docker {_field(event, 'verb')} done",
    ("started", "ok"): lambda event: f"{_program(event)} is started again",
    ("push", "ok"): lambda event: f"{_field(event, 'id', 'a message')} pushed",
    ("fault", "start"): _fault,
    ("late", "fail"): lambda event: f"fault {_field(event, 'fault')} came too late",
    ("fault", "ok"): lambda event: f"fault {_field(event, 'fault')} healed",
}
