"""How each pattern's messages live on a Redis server: made ready, pushed, and found again at the
end.

Commands are templates: words with the workload's names in braces. The rule it guards: what is left
is told by place (the queue, the processing list, the pending list), because a message that nobody
finished is not the same as one that nobody took.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from netdiag.tcp.resp import ErrorReply
from netdiag.tcp.tasks import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netdiag.servers.admin import Answer

Ids = list[str]
Left = dict[str, Ids]


class Refused(Exception):
    """The server did not tell what was asked; its text is the server's own."""


def _plain(answers: Mapping[str, Answer], _: Mapping[str, str]) -> Left:
    """Each place's answer is the list of its messages."""
    return {place: texts(told(answer)) for place, answer in answers.items()}


def _stream(answers: Mapping[str, Answer], names: Mapping[str, str]) -> Left:
    """XRANGE, XINFO GROUPS and XPENDING -> what was never handed out, and what is not
    acknowledged. Where the group is gone nothing can be handed out.
    """
    entries = {text(row[0]): _message(row[1]) for row in _rows(told(answers["entries"]))}
    last = None
    if code(answers["pending"]) != _NO_GROUP:
        last = _last_delivered(told(answers["groups"]), names["group"])
    if last is None:
        return {"ids": [], "ungrouped": list(entries.values())}
    pending = [text(row[0]) for row in _rows(told(answers["pending"]))]
    return {
        "ids": [message for entry, message in entries.items() if _after(entry, last)],
        "pending": [entries[entry] for entry in pending if entry in entries],
    }


def _last_delivered(groups: Answer, name: str) -> str | None:
    """The entry that a group got last; None: there is no such group (any more)."""
    for row in _rows(groups):
        told = texts(row)
        facts = dict(zip(told[::2], told[1::2], strict=False))
        if facts.get("name") == name:
            return facts.get("last-delivered-id", "0-0")
    return None


@dataclass(frozen=True)
class Queue:
    """One pattern's way. push: None when the client makes the messages itself; places: name ->
    the command that lists it; read: the answers and the workload's names -> messages by place, or
    Refused; length: the command that says how many wait, where what is taken is gone.
    """

    push: str | None
    places: Mapping[str, str] = field(default_factory=dict)
    prepare: str | None = None
    read: Callable[[Mapping[str, Answer], Mapping[str, str]], Left] = _plain
    length: str | None = None


_NO_GROUP: Final = "NOGROUP"
_LIST: Final = {"ids": "LRANGE {key} 0 -1"}
_MANY: Final = "LLEN {key}"
QUEUES: Final[Mapping[str, Queue]] = {
    "brpop": Queue("LPUSH {key} {id}", _LIST, length=_MANY),
    "blpop": Queue("RPUSH {key} {id}", _LIST, length=_MANY),
    "bzpopmin": Queue("ZADD {key} {number} {id}", {"ids": "ZRANGE {key} 0 -1"},
                      length="ZCARD {key}"),
    "blmove": Queue("LPUSH {key} {id}", {**_LIST, "processing": "LRANGE {processing} 0 -1"},
                    length=_MANY),
    "xreadgroup": Queue(
        "XADD {key} * message {id}",
        {
            "entries": "XRANGE {key} - +",
            "groups": "XINFO GROUPS {key}",
            "pending": "XPENDING {key} {group} - + 1000000",
        },
        prepare="XGROUP CREATE {key} {group} 0 MKSTREAM",
        read=_stream,
    ),
    "subscribe": Queue("PUBLISH {key} {id}"),
    "request": Queue(None, {"executed": "LRANGE {key} 0 -1"}),
    "raw": Queue(None),
}
"""For every pattern of the catalogue."""


HELD: Final = "unacked"
"""Where Celery's transport keeps what a worker has received and not acknowledged yet."""
_ALL: Final = (" 0 -1", " 0 9999")


def watched(queue: Queue) -> Queue:
    """The queue where others' programs fill and empty it: its elements are called as they call
    them, and what Celery's transport keeps for a worker that has not acknowledged it is a place,
    too. Of a long queue only its beginning is listed, and nothing is made ready: it is theirs.
    """
    if queue.read is not _plain or not queue.places:
        return replace(queue, prepare=None)
    places = {name: template.replace(*_ALL) for name, template in queue.places.items()}
    return replace(queue, places={**places, HELD: f"HVALS {HELD}"}, read=_named, prepare=None)


def _named(answers: Mapping[str, Answer], _: Mapping[str, str]) -> Left:
    """The same by the names that task queues give; who has no Celery may have something else
    where its transport keeps what is held.
    """
    lists = {
        place: () if place == HELD and isinstance(answer, ErrorReply) else told(answer)
        for place, answer in answers.items()
    }
    return {
        place: [name_of(one) for one in found if isinstance(one, bytes)]
        if isinstance(found, tuple) else []
        for place, found in lists.items()
    }


def words(template: str, **names: str) -> tuple[str, ...]:
    """A template's words, with the names put in; a name may hold spaces and braces."""
    return tuple(word.format_map(names) for word in template.split(" "))


def told(answer: Answer) -> Answer:
    """The answer itself. Raises Refused when it is an error."""
    if isinstance(answer, ErrorReply):
        raise Refused(text(answer))
    return answer


def code(answer: Answer) -> str:
    """The first word of an error, by which Redis' errors are told apart; of all else nothing."""
    return text(answer).partition(" ")[0] if isinstance(answer, ErrorReply) else ""


def text(value: Answer) -> str:
    """A bulk of an answer as text, whatever its bytes are."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def texts(answer: Answer) -> Ids:
    """An answer that is a list -> its parts as texts; anything else is nothing."""
    return [text(one) for one in answer] if isinstance(answer, tuple) else []


def _rows(answer: Answer) -> list[tuple[Answer, ...]]:
    rows = answer if isinstance(answer, tuple) else ()
    return [row for row in rows if isinstance(row, tuple) and len(row) > 1]


def _message(fields: Answer) -> str:
    """An entry's message: the value of its first field."""
    return text(fields[1]) if isinstance(fields, tuple) and len(fields) > 1 else ""


def _after(entry: str, last: str) -> bool:
    """Whether a stream's entry comes after another: two numbers, compared as numbers."""
    return _number(entry) > _number(last)


def _number(entry: str) -> tuple[int, int]:
    time, _, count = entry.partition("-")
    return (int(time), int(count or 0)) if time.isdigit() else (0, 0)
