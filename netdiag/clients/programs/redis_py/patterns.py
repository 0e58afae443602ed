"""What a consumer does, as steps that somebody else takes: commands in, replies or errors out.

Sans-IO: a pattern is a generator that yields steps (a command, a pause, a subscription) and is sent
what came of them, so that the blocking and the asyncio way are the same consumer. The rule it
guards: every word of the contract is said here, in the order in which it is true.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .voice import Voice, describe, text

_BREATH = 0.1
"""redis-py's asyncio takes ETIMEDOUT for the end of its own wait, and then hears nothing, at once
and for ever: a program that listens spins. Here it breathes (s), so that nobody is flooded."""
_ENTRY = re.compile(r"\d+-\d+")


class Call(NamedTuple):
    """One command; its reply, as the library gives it, comes back."""

    words: tuple[Any, ...]


class Subscribe(NamedTuple):
    """A new subscription, in place of the one before."""

    channel: str


class Listen(NamedTuple):
    """The next thing that the subscription hears, waited for so many seconds (0: for ever)."""

    block: float


class Sleep(NamedTuple):
    """A pause, s."""

    seconds: float


if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    Step = Call | Subscribe | Listen | Sleep
    Steps = Generator[Step, Any, Any]
    Taken = list[tuple[Any, str]]  # (what acknowledges it, the message)


class Consumer:
    """A workload of the contract -> steps, for ever, or until an error that ends it.

    `errors` are the exceptions that the library raises.
    """

    def __init__(
        self, workload: dict[str, Any], voice: Voice, errors: tuple[type[BaseException], ...]
    ) -> None:
        self.workload = workload
        self.voice = voice
        self.errors = errors
        self.subscribed = False
        self.asked: str | None = None

    def steps(self) -> Steps:
        """Take, work, acknowledge; after an error pause and go on, or return 1."""
        once = _ONCE[self.workload["pattern"]]
        while True:
            try:
                yield from once(self)
            except self.errors as error:
                self.subscribed = False
                whose = {} if self.asked is None else {"id": self.asked}
                self.voice.say("error", "fail", **describe(error), **whose)
                self.asked = None
                if self.workload["after_error"] == "exit":
                    return 1
                yield Sleep(self.workload["after_error"]["pause"])
                self.voice.say("reconnect")

    def calls(self, *words: Any) -> Steps:  # noqa: ANN401 - a command's words
        """The blocking call itself; returns its reply."""
        self.voice.say("call", "start", command=words[0])
        return (yield Call(words))

    def done(self, taken: Taken, acknowledge: Callable[[Any], Call] | None = None) -> Steps:
        """What is done with messages that came, or with none."""
        if not taken:
            self.voice.say("return", "ok")
        for handle, message in taken:
            self.voice.say("got", "ok", id=message)
            if self.workload.get("work"):
                yield Sleep(self.workload["work"])
            self.voice.say("processed", "ok", id=message)
            if acknowledge is not None:
                yield acknowledge(handle)
                self.voice.say("acknowledged", "ok", id=message)


def _pop(command: str) -> Callable[[Consumer], Steps]:
    """BRPOP and its kin: a reply is the key and the message (and a score)."""

    def once(me: Consumer) -> Steps:
        reply = yield from me.calls(command, me.workload["key"], me.workload["block"])
        yield from me.done([] if reply is None else [(None, text(reply[1]))])

    return once


def _blmove(me: Consumer) -> Steps:
    key, processing = me.workload["key"], me.workload["processing"]
    reply = yield from me.calls("BLMOVE", key, processing, "RIGHT", "LEFT", me.workload["block"])
    taken = [] if reply is None else [(reply, text(reply))]
    yield from me.done(taken, lambda handle: Call(("LREM", processing, 1, handle)))


def _xreadgroup(me: Consumer) -> Steps:
    key, group, name = (me.workload[word] for word in ("key", "group", "consumer"))

    def acknowledge(entry: Any) -> Call:  # noqa: ANN401 - bytes or text
        return Call(("XACK", key, group, entry))

    if me.workload["reaper"] is not None:
        idle = round(me.workload["reaper"]["idle"] * 1000)
        reply = yield Call(("XAUTOCLAIM", key, group, name, idle, "0-0", "COUNT", 10))
        claimed = list(entries(reply))
        if claimed:
            yield from me.done(claimed, acknowledge)
    block = round(me.workload["block"] * 1000)
    words = ("GROUP", group, name, "COUNT", 1, "BLOCK", block, "STREAMS", key, ">")
    reply = yield from me.calls("XREADGROUP", *words)
    yield from me.done(list(entries(reply)), acknowledge)


def _subscribe(me: Consumer) -> Steps:
    if not me.subscribed:
        me.voice.say("call", "start", command="SUBSCRIBE")
        yield Subscribe(me.workload["key"])
        me.subscribed = True
    heard = yield Listen(me.workload["block"])
    if heard is None:
        yield from me.done([])
        yield Sleep(_BREATH)
    elif text(heard[0]) == "message":
        yield from me.done([(None, text(heard[2]))])


def _request(me: Consumer) -> Steps:
    name = me.asked = f"{me.workload['names']}{next(me.workload['numbers'])}"
    me.voice.say("call", "start", command="RPUSH", id=name)
    yield Call(("RPUSH", me.workload["key"], name))
    me.asked = None
    me.voice.say("got", "ok", id=name)
    yield Sleep(me.workload["every"])


_ONCE: dict[str, Callable[[Consumer], Steps]] = {
    "brpop": _pop("BRPOP"),
    "blpop": _pop("BLPOP"),
    "bzpopmin": _pop("BZPOPMIN"),
    "blmove": _blmove,
    "xreadgroup": _xreadgroup,
    "subscribe": _subscribe,
    "request": _request,
}


def consumers(
    workload: dict[str, Any], voice: Voice, errors: tuple[type[BaseException], ...]
) -> list[Consumer]:
    """One consumer, or as many as the pool has users."""
    shared = {**workload, "numbers": itertools.count(1)}
    return [Consumer(shared, voice, errors) for _ in range(workload.get("pool", 1))]


def entries(reply: Any) -> Iterator[tuple[Any, str]]:  # noqa: ANN401 - see below
    """A stream's entries in a reply, which every protocol and version nests in its own way:
    (entry's id, its first field's value).
    """
    if isinstance(reply, dict):
        reply = list(reply.values())
    if not isinstance(reply, (list, tuple)):
        return
    if len(reply) == 2 and _is_entry(reply[0]) and _has_fields(reply[1]):
        fields = reply[1]
        values = list(fields.values()) if isinstance(fields, dict) else fields[1::2]
        yield reply[0], text(values[0])
        return
    for part in reply:
        yield from entries(part)


def _is_entry(word: object) -> bool:
    return isinstance(word, (bytes, str)) and _ENTRY.fullmatch(text(word)) is not None


def _has_fields(held: Any) -> bool:  # noqa: ANN401 - a part of a reply
    """Fields are a mapping or a flat list; what XAUTOCLAIM gives after its cursor is neither."""
    if isinstance(held, (list, tuple)):
        return len(held) > 1 and isinstance(held[0], (bytes, str))
    return isinstance(held, dict) and bool(held)
