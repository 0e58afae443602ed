"""The clients a scenario can name: their settings, what each means, and its default by version.

The rule this file guards: a setting that is not written is UNSET, which means whatever the library
does by itself, and that differs by version; `null` is written by a person and means none or never.
The two are never mixed up, because the whole point is to compare them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Annotated, Any, Literal

from netdiag.catalogue.kinds import ByKind
from netdiag.units import (
    CLOSED,
    DURATION,
    Scalar,
    Written,
    either,
    one_of,
    parse_duration,
    shown,
    whole,
)


class Unset(Enum):
    """The type of UNSET: nobody wrote this setting, the library's default holds."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset.UNSET


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


_SPELT = {
    "socket_timeout": "read_timeout", "socket_connect_timeout": "connect_timeout",
    "socket_keepalive": "keepalive", "socket_keepalive_options": "keepalive",
    "health_check_interval": "health_check_interval", "retry": "retry",
}
_SET_BY_LAB = {"host", "port", "connection_pool", "unix_socket_path"}


def _option(raw: object) -> str:
    if not isinstance(raw, str) or not re.fullmatch(r"[a-z_][a-z0-9_]{0,63}", raw):
        raise ValueError(f"{shown(raw)} is not a keyword argument; write one such as protocol")
    if raw in _SPELT:
        raise ValueError(f"option '{raw}' is the setting '{_SPELT[raw]}'; write it there")
    if raw in _SET_BY_LAB:
        raise ValueError(f"option '{raw}' is chosen by the lab; leave it out")
    return raw


_OR_NONE = either(DURATION, {None: None})
_DurationSetting = Annotated[float | Unset | None, _OR_NONE]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisPySettings:
    """What a redis-py client can be told; what is not written is the library's default."""

    __pydantic_config__ = CLOSED

    read_timeout: _DurationSetting = UNSET
    """How long one read may wait (socket_timeout); it cuts a blocking pop short, too."""
    connect_timeout: _DurationSetting = UNSET
    """How long connect may wait (socket_connect_timeout)."""
    keepalive: Annotated[Keepalive | Unset | None, _KeepaliveShape()] = UNSET
    """TCP keepalive (socket_keepalive, socket_keepalive_options)."""
    user_timeout: _DurationSetting = UNSET
    """TCP_USER_TIMEOUT: how long sent data may stay unacknowledged (RFC 5482)."""
    retry: Annotated[int | Unset, either(whole(0, 1000), {None: 0})] = UNSET
    """How often the library repeats a failed command by itself (retry)."""
    health_check_interval: _DurationSetting = UNSET
    """PING before a command when the connection was silent for longer than this."""
    options: Mapping[Annotated[str, Written(_option, {})], Scalar | None] = field(
        default_factory=dict)
    """Further keyword arguments, passed through to redis.Redis."""

    @property
    def model_fields_set(self) -> frozenset[str]:
        """The names of the settings that somebody wrote."""
        return frozenset(f.name for f in fields(self) if getattr(self, f.name) is not UNSET
                         and not (f.name == "options" and not self.options))

    def over(self, defaults: RedisPySettings) -> RedisPySettings:
        """These settings, with the unset ones taken from the defaults."""
        return replace(defaults, **{name: getattr(self, name) for name in self.model_fields_set})


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between the library's own retries, in seconds: exponential from base up to cap."""

    base: float
    cap: float


_BEFORE_8 = RedisPySettings(read_timeout=None, connect_timeout=None, keepalive=None,
                            user_timeout=None, retry=3, health_check_interval=None)
REDIS_PY_DEFAULTS: dict[int, RedisPySettings] = {
    5: replace(_BEFORE_8, retry=0),
    6: _BEFORE_8,
    7: _BEFORE_8,
    8: replace(_BEFORE_8, read_timeout=5.0, connect_timeout=5.0, retry=10,
               keepalive=Keepalive(idle=30, interval=5, count=3)),
}
"""What redis.Redis() does by itself, by major version (read in the library's sources)."""
REDIS_PY_BACKOFF: dict[int, Backoff] = {
    5: Backoff(0.0, 0.0), 6: Backoff(1.0, 10.0), 7: Backoff(1.0, 10.0), 8: Backoff(0.01, 1.0),
}


def known_major(version: str) -> int:
    """`8.1.0` -> the row of the tables that describes it: its major version, or the nearest."""
    digits = re.match(r"\d{1,6}", version)
    major = int(digits[0]) if digits else max(REDIS_PY_DEFAULTS)
    return min(max(major, min(REDIS_PY_DEFAULTS)), max(REDIS_PY_DEFAULTS))


def redis_py_defaults(version: str) -> RedisPySettings:
    """The settings that hold when nobody writes any, for a version such as `8.1.0`."""
    return REDIS_PY_DEFAULTS[known_major(version)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisPyClient:
    """A consumer that uses redis-py, as it is installed beside netdiag."""

    __pydantic_config__ = CLOSED

    kind: Annotated[Literal["redis-py"], one_of("redis-py")] = "redis-py"
    """Which client this is."""
    settings: RedisPySettings = field(default_factory=RedisPySettings)
    """What the library is told."""


def _command(raw: object) -> tuple[str, ...]:
    if (isinstance(raw, list | tuple) and raw and raw[0]
            and all(isinstance(word, str) and "\0" not in word for word in raw)):
        return tuple(raw)
    raise ValueError(f"{shown(raw)} is not a command; write a list of words: [python3, app.py]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecClient:
    """Any program that keeps the event contract of `netdiag.clients`."""

    __pydantic_config__ = CLOSED

    kind: Annotated[Literal["exec"], one_of("exec")] = "exec"
    """Which client this is."""
    command: Annotated[tuple[str, ...], Written(_command, {
        "type": "array", "items": {"type": "string"}, "minItems": 1})]
    """The program and its arguments; no shell."""
    settings: RedisPySettings = field(default_factory=RedisPySettings)
    """Handed to the program, which does what its library can do with them."""


Client = RedisPyClient | ExecClient


@dataclass(frozen=True, slots=True)
class ClientKind:
    """A row of CLIENTS."""

    model: type[Any]
    about: str


CLIENTS: dict[str, ClientKind] = {
    "redis-py": ClientKind(RedisPyClient, "a consumer with redis-py, from the netdiag process's "
                                          "own environment"),
    "exec": ClientKind(ExecClient, "any program that keeps the event contract"),
}
ClientField = Annotated[
    Client, ByKind({name: row.model for name, row in CLIENTS.items()}, default="redis-py")]
"""A client as scenarios write it."""
