"""phpredis as a client: what its options are, and what they really mean.

Measured with phpredis 5.3.7 on PHP 8.2 (tests/run/test_phpredis.py): OPT_TCP_KEEPALIVE is only a
switch; OPT_READ_TIMEOUT -1 is for ever, and 0 ends every read at once, although connect()'s own
0 means php.ini's default_socket_timeout.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from netdiag.catalogue.settings import UNSET, Keepalive, OrNone, Timeouts, Unset
from netdiag.units import parse_duration, shown
from netdiag.written import CLOSED, DURATION, Written, either, one_of

DEFAULT_SOCKET_TIMEOUT = 60.0
"""php.ini's default_socket_timeout when nobody sets it, s."""


def _switch(raw: object) -> int:
    words: dict[object, int] = {"off": 0, "on": 1, None: 0}
    if raw is None or (isinstance(raw, str) and raw in words):
        return words[raw]
    if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= 2**31 - 1:
        return raw
    raise ValueError(f"{shown(raw)} is nothing for OPT_TCP_KEEPALIVE; write off, on, or a whole "
                     "number (phpredis takes every number but 0 for on, and none for seconds)")


def _whole_seconds(raw: object) -> float:
    seconds = parse_duration(raw)
    if seconds < 1 or not seconds.is_integer():
        raise ValueError(f"{shown(raw)} is not possible here; php.ini takes whole seconds")
    return seconds


def _flag(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    raise ValueError(f"{shown(raw)} is neither true nor false; write true")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhpRedisSettings:
    """What phpredis and its PHP can be told."""

    __pydantic_config__ = CLOSED

    connect_timeout: OrNone = UNSET
    """connect()'s timeout; null: 0, which means default_socket_timeout."""
    read_timeout: OrNone = UNSET
    """OPT_READ_TIMEOUT; null: -1, for ever; 0: every read ends at once; left out:
    default_socket_timeout."""
    default_socket_timeout: Annotated[float | Unset | None, either(
        Written(_whole_seconds, DURATION.schema), {None: None})] = UNSET
    """php.ini's default_socket_timeout (60s); null: -1, for ever."""
    keepalive: Annotated[int | Unset, Written(_switch, {"anyOf": [
        {"enum": ["off", "on"]}, {"type": ["integer", "null"], "minimum": 0}]})] = UNSET
    """OPT_TCP_KEEPALIVE: a switch, whatever number is given; the timings are the system's."""
    pconnect: Annotated[bool | Unset, Written(_flag, {"type": "boolean"})] = UNSET
    """pconnect() instead of connect(): the process keeps the connection for the next one."""

    @property
    def timeouts(self) -> Timeouts:
        """In the terms of kernels and formulas."""
        ini = _or(self.default_socket_timeout, DEFAULT_SOCKET_TIMEOUT)
        return Timeouts(
            read_timeout=_or(self.read_timeout, ini),
            connect_timeout=_or(self.connect_timeout, 0.0) or ini,
            keepalive=Keepalive() if _or(self.keepalive, 0) else None,
            user_timeout=None, retry=0, health_check_interval=None,
        )


def _or(setting: float | Unset | None, default: float | None) -> float | None:
    return default if isinstance(setting, Unset) else setting


@dataclass(frozen=True, slots=True, kw_only=True)
class PhpRedisClient:
    """A consumer that uses phpredis, with the machine's own PHP."""

    __pydantic_config__ = CLOSED

    kind: Annotated[Literal["phpredis"], one_of("phpredis")] = "phpredis"
    """Which client this is."""
    mode: Annotated[Literal["bare", "loop"], one_of("bare", "loop")] = "bare"
    """bare: after an error it ends, or calls again on the same object; loop: it dials again, until
    that succeeds."""
    settings: PhpRedisSettings = field(default_factory=PhpRedisSettings)
    """What the extension is told."""

    def timeouts(self, version: str | None = None) -> Timeouts:
        """What ends its waiting, the same in every version that was looked at."""
        del version
        return self.settings.timeouts


PHPREDIS_PATTERNS = frozenset(
    {"brpop", "blpop", "bzpopmin", "blmove", "xreadgroup", "subscribe", "request"})
