"""What the consumer does and which messages it is sent; and the small model of the lab.

The rule this file guards: a workload is about messages that are numbered and accounted for. It
says what a person would say of a queue, and nothing about sockets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from netdiag.catalogue.patterns import PATTERNS
from netdiag.faults.trigger import TimeTrigger, Trigger
from netdiag.units import (
    CLOSED,
    Duration,
    Positive,
    Rate,
    Written,
    format_rate,
    one_of,
    parse_duration,
    shown,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Produce:
    """Some messages, pushed over the server's own unix socket so that no fault can touch them."""

    __pydantic_config__ = CLOSED

    at: Trigger = TimeTrigger(time=0.0)  # noqa: RUF009  (frozen)
    """When the first one is pushed."""
    count: Positive = 1
    """How many messages."""
    rate: Rate | None = None
    """How fast; without it all at once."""

    def __str__(self) -> str:
        rate = f" at {format_rate(self.rate)}" if self.rate else ""
        return f"{self.count} message{'s' if self.count > 1 else ''}{rate} from {self.at}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What the consumer does, and what it is sent."""

    __pydantic_config__ = CLOSED

    pattern: Annotated[str, one_of(*PATTERNS)] = "brpop"
    """What the consumer does all day."""
    key: Annotated[str, Written(_key, {"type": "string", "minLength": 1, "maxLength": 200})] = \
        "jobs"
    """The queue's key."""
    block: Duration = 0.0
    """The blocking command's own timeout; 0: it waits for ever."""
    after_error: Annotated[AfterError, Written(_after_error, {"anyOf": [
        {"const": "exit"},
        {"type": "object", "properties": {"pause": {"type": ["number", "string"]}},
         "required": ["pause"], "additionalProperties": False}]})] = Pause()
    """What the loop does after an error."""
    produce: tuple[Produce, ...] = ()
    """The messages that are pushed, numbered from 1 in the order of pushing."""

    @property
    def commands(self) -> frozenset[str]:
        """The workload's own commands, in upper case; phases speak of these."""
        return PATTERNS[self.pattern].commands


def _ip(raw: object) -> int:
    if raw in (4, 6) and not isinstance(raw, bool | float):
        return int(str(raw))
    raise ValueError(f"{shown(raw)} is no IP version; write 4 or 6")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabSettings:
    """What the lab is like, wherever it runs."""

    __pydantic_config__ = CLOSED

    ip: Annotated[Literal[4, 6], Written(_ip, {"enum": [4, 6]})] = 4
    """The IP version between client and server."""


