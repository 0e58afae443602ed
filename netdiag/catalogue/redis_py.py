"""redis-py as a client: which interpreter, which mode, which settings; its defaults by version.

The defaults were read out of the real libraries, 3.5.3 to 8.1.0, and a test does it again with
every version that is installed (tests/clients/test_versions.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003  (pydantic reads annotations)
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from netdiag.catalogue.settings import (
    LIBRARY_NAMES,
    UNSET,
    Keepalive,
    KeepaliveSetting,
    OrNone,
    Timeouts,
    Unset,
    over,
)
from netdiag.units import shown
from netdiag.written import CLOSED, Scalar, Written, either, one_of, whole

_ITS_OWN = {"retry_on_timeout", "retry_on_error"}
"""Arguments that a setting resembles and does not replace."""
_SET_BY_LAB = {"host", "port", "connection_pool", "unix_socket_path"}


def _option(raw: object) -> str:
    if not isinstance(raw, str) or not re.fullmatch(r"[a-z_][a-z0-9_]{0,63}", raw):
        raise ValueError(f"{shown(raw)} is not a keyword argument; write one such as protocol")
    if raw in LIBRARY_NAMES.keys() - _ITS_OWN:
        raise ValueError(f"option '{raw}' is the setting '{LIBRARY_NAMES[raw]}'; write it there")
    if raw in _SET_BY_LAB:
        raise ValueError(f"option '{raw}' is chosen by the lab; leave it out")
    return raw


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisPySettings(Timeouts):
    """What a redis-py client can be told; what is not written is the library's default."""

    read_timeout: OrNone = UNSET
    """How long one read may wait (socket_timeout); it cuts a blocking pop short, too."""
    connect_timeout: OrNone = UNSET
    """How long connect may wait (socket_connect_timeout)."""
    keepalive: KeepaliveSetting = UNSET
    """TCP keepalive (socket_keepalive, socket_keepalive_options)."""
    user_timeout: OrNone = UNSET
    """TCP_USER_TIMEOUT: how long sent data may stay unacknowledged (RFC 5482)."""
    retry: Annotated[int | Unset, either(whole(0, 1000), {None: 0})] = UNSET
    """How often the library repeats a failed command by itself (retry)."""
    health_check_interval: OrNone = UNSET
    """PING before a command when the connection was silent for longer than this."""
    options: Mapping[Annotated[str, Written(_option, {})], Scalar | None] = field(
        default_factory=dict)
    """Further keyword arguments, passed through to redis.Redis."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between the library's own retries, in seconds: exponential from base up to cap."""

    base: float
    cap: float


_BEFORE_8 = RedisPySettings(read_timeout=None, connect_timeout=None, keepalive=None,
                            user_timeout=None, retry=3, health_check_interval=None)
REDIS_PY_DEFAULTS: dict[int, RedisPySettings] = {
    3: replace(_BEFORE_8, retry=0),
    4: replace(_BEFORE_8, retry=0),
    5: replace(_BEFORE_8, retry=0),
    6: _BEFORE_8,
    7: _BEFORE_8,
    8: replace(_BEFORE_8, read_timeout=5.0, connect_timeout=5.0, retry=10,
               keepalive=Keepalive(idle=30, interval=5, count=3)),
}
"""What redis.Redis() does by itself, by major version."""
REDIS_PY_BACKOFF: dict[int, Backoff] = {
    3: Backoff(0.0, 0.0), 4: Backoff(0.0, 0.0), 5: Backoff(0.0, 0.0),
    6: Backoff(1.0, 10.0), 7: Backoff(1.0, 10.0), 8: Backoff(0.01, 1.0),
}


_LAST_MINOR: dict[int, int] = {3: 5, 4: 6, 5: 3, 6: 4, 7: 4, 8: 1}
_FIRST = (3, 5)
NEWEST = (8, 1)
"""The newest release that these tables describe."""


def described(version: str) -> bool:
    """Whether a version such as `8.1.0` belongs to a release that these tables describe."""
    major, *minor = map(int, re.findall(r"\d+", version)[:2])
    if major not in _LAST_MINOR:
        return False
    return not minor or ((major, minor[0]) >= _FIRST and minor[0] <= _LAST_MINOR[major])


def known_major(version: str) -> int:
    """`8.1.0` -> the row of the tables that describes it: its major version, or the nearest."""
    digits = re.match(r"\d{1,6}", version)
    major = int(digits[0]) if digits else max(REDIS_PY_DEFAULTS)
    return min(max(major, min(REDIS_PY_DEFAULTS)), max(REDIS_PY_DEFAULTS))


def redis_py_defaults(version: str) -> RedisPySettings:
    """The settings that hold when nobody writes any, for a version such as `8.1.0`."""
    return REDIS_PY_DEFAULTS[known_major(version)]


def _python(raw: object) -> str | None:
    if raw is None or (isinstance(raw, str) and raw.strip() and "\0" not in raw):
        return raw
    raise ValueError(f"{shown(raw)} is no Python; write an interpreter's path, or the name of an "
                     "environment that `netdiag clients add` made, such as redis-py==5.0")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisPyClient:
    """A consumer that uses redis-py, of any version."""

    __pydantic_config__ = CLOSED

    kind: Annotated[Literal["redis-py"], one_of("redis-py")] = "redis-py"
    """Which client this is."""
    python: Annotated[str | None, Written(_python, {"type": ["string", "null"]})] = None
    """Whose redis-py: an interpreter's path, or an environment of `netdiag clients add`, such as
    redis-py==5.0; null: the one beside netdiag."""
    mode: Annotated[Literal["sync", "asyncio"], one_of("sync", "asyncio")] = "sync"
    """redis.Redis, or redis.asyncio.Redis."""
    settings: RedisPySettings = field(default_factory=RedisPySettings)
    """What the library is told."""

    def timeouts(self, version: str | None = None) -> Timeouts:
        """What ends its waiting; with the library's version known, its defaults, too."""
        if version is None:
            return self.settings
        return over(self.settings, redis_py_defaults(version))
