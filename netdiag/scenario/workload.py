"""What the consumer does and which messages it is sent; and the small model of the lab.

The rule this file guards: a workload is about messages that are numbered and accounted for. It
says what a person would say of a queue, and nothing about sockets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from netdiag.catalogue.patterns import PATTERNS
from netdiag.faults.trigger import TimeTrigger, Trigger
from netdiag.units import format_rate, parse_duration, shown
from netdiag.written import (
    CLOSED,
    DURATION,
    Duration,
    Positive,
    Rate,
    Written,
    either,
    one_of,
    whole,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """After an error the loop goes on, this many seconds later."""

    pause: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """After an error the consumer ends."""


AfterError = Pause | Exit


def _after_error(raw: object) -> AfterError:
    if raw == "exit":
        return Exit()
    if isinstance(raw, Mapping) and set(raw) == {"pause"}:
        return Pause(pause=parse_duration(raw["pause"]))
    raise ValueError(f"{shown(raw)} is nothing to do after an error; "
                     "write exit or {pause: 500ms}")


def _key(raw: object) -> str:
    if isinstance(raw, str) and 1 <= len(raw) <= 200:
        return raw
    raise ValueError(f"{shown(raw)} is not a key; write 1 to 200 characters")


_KEY = Written(_key, {"type": "string", "minLength": 1, "maxLength": 200})
_KEY_OR_NONE = either(_KEY, {None: None})


def _service(raw: object) -> str:
    if isinstance(raw, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", raw):
        return raw
    raise ValueError(f"{shown(raw)} is not a service's name; write one of the compose file's")


def _words(raw: object) -> tuple[str, ...]:
    """A command line: a list of words, or one for a shell."""
    words = ("sh", "-c", raw) if isinstance(raw, str) else raw
    if (isinstance(words, list | tuple) and words and words[0]
            and all(isinstance(word, str) and "\0" not in word for word in words)):
        return tuple(words)
    raise ValueError(f"{shown(raw)} is no command; write a list of words, or a line for a shell")


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Who makes a message in netdiag's place: a program in the container of a service."""

    __pydantic_config__ = CLOSED

    service: Annotated[str, Written(_service, {"type": "string"})]
    """The service of the compose file, such as the web application."""
    run: Annotated[tuple[str, ...], Written(_words, {"anyOf": [
        {"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]})]
    """What is run there for each message: words, or a line for the container's shell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Produce:
    """Some messages, pushed over the server's own unix socket so that no fault can touch them; or
    made by somebody else.
    """

    __pydantic_config__ = CLOSED

    at: Trigger = TimeTrigger(time=0.0)  # noqa: RUF009  (frozen)
    """When the first one is pushed."""
    count: Positive = 1
    """How many messages."""
    rate: Rate | None = None
    """How fast; without it all at once."""
    by: Maker | None = None
    """--lab docker: who makes each message, where a stack has its own; null: netdiag pushes it."""

    def __str__(self) -> str:
        rate = f" at {format_rate(self.rate)}" if self.rate else ""
        by = f" by {self.by.service}" if self.by else ""
        return f"{self.count} message{'s' if self.count > 1 else ''}{rate} from {self.at}{by}"


def _some_time(raw: object) -> float:
    seconds = parse_duration(raw)
    if seconds <= 0:
        raise ValueError(f"{shown(raw)} is no time to wait; write one such as 5s")
    return seconds


SomeTime = Annotated[float, Written(_some_time, DURATION.schema)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaper:
    """Gives messages that nobody finishes to another consumer: from the processing list back to
    the queue (it runs beside the server, so no fault touches it), or by XAUTOCLAIM (each consumer
    does it before it reads).
    """

    __pydantic_config__ = CLOSED

    idle: SomeTime
    """A message that was taken longer ago than this and is not done is given to another."""
    every: SomeTime | None = None
    """How often the processing list is looked at; null: every half of `idle`."""

    @property
    def pace(self) -> float:
        """Seconds between two looks at the processing list."""
        return self.idle / 2 if self.every is None else self.every


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What the consumer does, and what it is sent."""

    __pydantic_config__ = CLOSED

    pattern: Annotated[str, one_of(*PATTERNS)] = "brpop"
    """What the consumer does all day."""
    key: Annotated[str, _KEY] = "jobs"
    """The key of the queue (list, sorted set, stream), or the channel."""
    block: Duration = 0.0
    """The blocking command's own timeout; 0: it waits for ever."""
    after_error: Annotated[AfterError, Written(_after_error, {"anyOf": [
        {"const": "exit"},
        {"type": "object", "properties": {"pause": {"type": ["number", "string"]}},
         "required": ["pause"], "additionalProperties": False}]})] = Pause()
    """What the loop does after an error."""
    work: Duration = 0.0
    """How long a consumer works on each message."""
    processing: Annotated[str | None, _KEY_OR_NONE] = None
    """blmove: the processing list's key; null: the queue's with `:processing` behind it."""
    group: Annotated[str | None, _KEY_OR_NONE] = None
    """xreadgroup: the consumer group; null: `workers`."""
    reaper: Reaper | None = None
    """blmove, xreadgroup: who gives back what nobody finishes; null: nobody."""
    pool: Annotated[int | None, either(whole(1, 64), {None: None})] = None
    """request: how many connections the pool has, each with a thread that uses it; null: 1."""
    every: SomeTime | None = None
    """request: how long each thread waits between two requests; null: 1s. raw: how often the client
    says a line; null: never."""
    produce: tuple[Produce, ...] = ()
    """The messages that are pushed, numbered from 1 in the order of pushing."""

    @property
    def commands(self) -> frozenset[str]:
        """The workload's own commands, in upper case; phases speak of these."""
        return PATTERNS[self.pattern].commands

    @property
    def own_settings(self) -> frozenset[str]:
        """The settings that this pattern has and others have not."""
        return PATTERNS[self.pattern].settings

    @property
    def names(self) -> dict[str, str]:
        """What the server's keys and groups are called: key, processing, group."""
        return {
            "key": self.key,
            "processing": self.processing or f"{self.key}:processing",
            "group": self.group or "workers",
        }


def _ip(raw: object) -> int:
    if raw in (4, 6) and not isinstance(raw, bool | float):
        return int(str(raw))
    raise ValueError(f"{shown(raw)} is no IP version; write 4 or 6")


def _compose(raw: object) -> str | None:
    if raw is None or (isinstance(raw, str) and raw.strip() and "\0" not in raw):
        return raw
    raise ValueError(f"{shown(raw)} is no compose file; write a path such as docker-compose.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabSettings:
    """What the lab is like, wherever it runs."""

    __pydantic_config__ = CLOSED

    ip: Annotated[Literal[4, 6], Written(_ip, {"enum": [4, 6]})] = 4
    """The IP version between client and server."""
    clock: Annotated[Literal["real", "virtual"], one_of("real", "virtual")] = "real"
    """virtual: its times are so long that `netdiag run` takes --warp by itself."""
    compose: Annotated[str | None, Written(_compose, {"type": ["string", "null"]})] = None
    """The compose file of the containers it runs in, beside the scenario or one that ships; null:
    with --lab docker one that fits the client."""
    client: Annotated[str, Written(_service, {"type": "string"})] = "client"
    """--lab docker: the service at whose containers the cables are."""
    server: Annotated[str, Written(_service, {"type": "string"})] = "redis"
    """--lab docker: the service that is the server."""
    without: tuple[Annotated[str, Written(_service, {"type": "string"})], ...] = ()
    """--lab docker: services of the compose file that the experiment does not need."""
