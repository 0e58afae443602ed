"""What clients can be told, in the terms that kernels and formulas know; unset is not none.

The rule this file guards: a setting that is not written is UNSET, which means whatever the library
does by itself, and that differs by version; `null` is written by a person and means none or never.
The two are never mixed up, because the whole point is to compare them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Annotated, Any, Final, TypeVar

from netdiag.units import parse_duration, shown
from netdiag.written import CLOSED, DURATION, Written, either, whole


class Unset(Enum):
    """The type of UNSET: nobody wrote this setting, the library's default holds."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset.UNSET

LIBRARY_NAMES: Final = {
    "socket_timeout": "read_timeout", "socket_connect_timeout": "connect_timeout",
    "socket_keepalive": "keepalive", "socket_keepalive_options": "keepalive",
    "health_check_interval": "health_check_interval", "retry": "retry",
    "retry_on_timeout": "retry", "retry_on_error": "retry",
    "opt_read_timeout": "read_timeout", "opt_tcp_keepalive": "keepalive",
    "so_keepalive": "keepalive", "tcp_keepalive": "keepalive", "tcp_user_timeout": "user_timeout",
    "so_rcvtimeo": "read_timeout",
}
"""What redis-py, phpredis and tcp(7) call a setting, in small letters -> what it is called here."""


def _whole_seconds(raw: object) -> int:
    seconds = parse_duration(raw)
    if not seconds.is_integer() or not 1 <= seconds <= 32767:
        raise ValueError(f"{shown(raw)} is not possible here; the kernel takes whole seconds "
                         "from 1s to 32767s")
    return int(seconds)


_SECONDS = Annotated[int | None, either(Written(_whole_seconds, DURATION.schema), {None: None})]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepalive:
    """TCP keepalive of the client's socket (tcp(7)); null: the kernel's sysctl."""

    __pydantic_config__ = CLOSED

    idle: _SECONDS = None
    """Seconds of silence before the first probe (TCP_KEEPIDLE; kernel default 2h)."""
    interval: _SECONDS = None
    """Seconds between probes (TCP_KEEPINTVL; kernel default 75s)."""
    count: Annotated[int | None, either(whole(1, 127), {None: None})] = None
    """Unanswered probes until the connection is dead (TCP_KEEPCNT; kernel default 9)."""

    def on(self, setting: Callable[[str], int | None]) -> Keepalive:
        """The same on a host whose sysctls hold for what is null; setting: a sysctl of net.ipv4 by
        name -> its value, None: the kernel's default."""
        return Keepalive(
            idle=setting("tcp_keepalive_time") if self.idle is None else self.idle,
            interval=setting("tcp_keepalive_intvl") if self.interval is None else self.interval,
            count=setting("tcp_keepalive_probes") if self.count is None else self.count)

    @property
    def timings(self) -> tuple[int, int, int]:
        """idle, interval (seconds) and count, with the kernel's defaults for what is null."""
        return (7200 if self.idle is None else self.idle,
                75 if self.interval is None else self.interval,
                9 if self.count is None else self.count)

    @property
    def total(self) -> int:
        """Seconds of silence after which an idle connection is declared dead."""
        idle, interval, count = self.timings
        return idle + interval * count


class _KeepaliveShape:
    """`off` or null: no keepalive; `on`: with the kernel's timings; a mapping: with these."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:  # noqa: ANN401
        from pydantic_core import core_schema  # noqa: PLC0415  (only where a schema is built)

        def shape(raw: object) -> object:
            words: dict[object, object] = {"off": None, None: None, "on": {}}
            if raw is None or (isinstance(raw, str) and raw in words):
                return words[raw]
            if isinstance(raw, Mapping):
                return raw
            raise ValueError(f"{shown(raw)} is not a keepalive; write off, on (the kernel's "
                             "timings) or {idle: 30s, interval: 5s, count: 3}")

        model = core_schema.nullable_schema(handler.generate_schema(Keepalive))
        return core_schema.no_info_before_validator_function(shape, model)

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> Any:  # noqa: ANN401
        return {"anyOf": [{"enum": ["off", "on"]}, handler(core["schema"])]}


OrNone = Annotated[float | Unset | None, either(DURATION, {None: None})]
"""A duration, or null: never."""
KeepaliveSetting = Annotated[Keepalive | Unset | None, _KeepaliveShape()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Everything that can end a client's waiting: seconds or counts, None: never or none, UNSET:
    nobody wrote it and nobody knows.
    """

    __pydantic_config__ = CLOSED

    read_timeout: OrNone = UNSET
    """How long one read may wait; it cuts a blocking pop short, too."""
    connect_timeout: OrNone = UNSET
    """How long connect may wait."""
    keepalive: KeepaliveSetting = UNSET
    """TCP keepalive."""
    user_timeout: OrNone = UNSET
    """TCP_USER_TIMEOUT: how long sent data may stay unacknowledged (RFC 5482)."""
    retry: Annotated[int | Unset, either(whole(0, 1000), {None: 0})] = UNSET
    """How often the library repeats a failed command by itself."""
    health_check_interval: OrNone = UNSET
    """PING before a command when the connection was silent for longer than this."""


_Settings = TypeVar("_Settings", bound=Timeouts)


def written(settings: Any) -> dict[str, Any]:  # noqa: ANN401 - any client's settings
    """The settings that somebody wrote, by name in the order of the alphabet."""
    held = {one.name: getattr(settings, one.name) for one in fields(settings)}
    return {name: held[name] for name in sorted(held)
            if held[name] is not UNSET and held[name] != {}}


def over(settings: _Settings, defaults: _Settings) -> _Settings:
    """The settings, with the unset ones taken from the defaults."""
    return replace(defaults, **written(settings))
