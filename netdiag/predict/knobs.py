"""A target and a client -> each setting that can meet it, at its most patient.

The rule this file guards: a client is told only what it can be told. phpredis' OPT_TCP_KEEPALIVE is
a switch and it has no TCP_USER_TIMEOUT, so there the host's sysctls are the settings, for every
program on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

from netdiag.catalogue.patterns import PATTERNS
from netdiag.catalogue.phpredis import PhpRedisSettings
from netdiag.catalogue.settings import Keepalive
from netdiag.predict import retransmission, timers
from netdiag.predict.client import POLL_SLACK
from netdiag.predict.dialling import given_up
from netdiag.predict.settings import limits_of
from netdiag.predict.wheel import Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdiag.catalogue.clients import Client
    from netdiag.predict.kernel import Kernel

_PROBES: Final = 3
"""One lost probe, or two, must not end a healthy connection."""
_ROOM: Final = 2.0
"""Seconds between the command's own timeout and the read timeout: the round trip and the server's
clock (it looks for timed-out clients ten times a second)."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked: notice within so many seconds, with this client, pattern and kernel."""

    within: float
    client: Client
    pattern: str
    kernel: Kernel
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """A setting with its value. settings: fields of the client's settings; sysctls: of its host;
    block: the blocking command's own timeout that goes with it, seconds; words, code: as a scenario
    and as a program would write it."""

    name: str
    words: tuple[str, ...]
    code: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    sysctls: dict[str, int] = field(default_factory=dict)
    block: float = 0.0
    costs: tuple[str, ...] = ()


def slowest(kernel: Kernel) -> Kernel:
    """The kernel of a connection of which nobody knows how its peer acknowledges: its
    retransmission timeout may be that of ACKs at once, of delayed ones, or any between."""
    return replace(kernel, rtt=Span(kernel.rtt.low, kernel.pace.delayed.high))


def told(client: Client, settings: dict[str, Any]) -> Client:
    """The client, with some of its settings changed."""
    fields: Any = client.settings
    changed: Any = client
    return cast("Client", replace(changed, settings=replace(fields, **settings)))


def knobs(wish: Wish) -> tuple[Knob | None, ...]:
    """The settings that this client can be told; None for one that cannot meet the target."""
    php = isinstance(wish.client.settings, PhpRedisSettings)
    within, kernel = wish.within, wish.kernel
    return (_read(wish, php=php), _keepalive(within, kernel, php=php),
            (_retries(within, kernel) if php else _user_timeout(within, kernel)),
            _connect(wish, php=php))


def _polled(wish: Wish) -> float:
    """The longest timeout of a library that still ends in time, in tenths of a second."""
    return math.floor((wish.within - wish.kernel.pace.waking.high) / (1 + POLL_SLACK) * 10) / 10


def _read(wish: Wish, *, php: bool) -> Knob | None:
    """None, too, where the library does not heed it: a subscriber's reads may have no limit."""
    limit, pattern = _polled(wish), PATTERNS[wish.pattern]
    heeded = limits_of(told(wish.client, {"read_timeout": limit}), wish.kernel, wish.version,
                       wish.pattern).read
    if limit <= 0 or heeded is None:
        return None
    roomy = pattern.waits and limit - _ROOM >= 1
    block = float(math.floor(limit - _ROOM)) if roomy else 0.0
    words = [f"read_timeout: {limit:g}s", *([f"workload.block: {block:g}s"] if block else [])]
    code = f"setOption(Redis::OPT_READ_TIMEOUT, {limit:g})" if php else f"socket_timeout={limit:g}"
    blocking = f"the blocking command's own timeout {block:g}"
    return Knob(name="read_timeout", words=tuple(words),
                code=(code, *([blocking] if block else [])), settings={"read_timeout": limit},
                block=block)


def _keepalive(within: float, kernel: Kernel, *, php: bool) -> Knob | None:
    found = _patient(within, kernel)
    if found is None:
        return None
    idle, interval, count = found
    if php:
        names = ("tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes")
        sysctls = {f"net.ipv4.{name}": value for name, value in zip(names, found, strict=True)}
        written = tuple(f"hosts.client.{name}: {value}" for name, value in sysctls.items())
        return Knob(name="keepalive",
                    words=("keepalive: on", *written),
                    code=("setOption(Redis::OPT_TCP_KEEPALIVE, 1), which is only a switch",
                          *(f"sysctl {name}={value}" for name, value in sysctls.items())),
                    settings={"keepalive": 1}, sysctls=sysctls,
                    costs=("the sysctls are every program's on that host (a network namespace's)",))
    timings = f"{{idle: {idle}s, interval: {interval}s, count: {count}}}"
    return Knob(name="keepalive", words=(f"keepalive: {timings}",),
                code=(f"socket_keepalive=True, socket_keepalive_options={{TCP_KEEPIDLE: {idle}, "
                      f"TCP_KEEPINTVL: {interval}, TCP_KEEPCNT: {count}}}",),
                settings={"keepalive": Keepalive(idle=idle, interval=interval, count=count)})


def _patient(within: float, kernel: Kernel) -> tuple[int, int, int] | None:
    """Three probes a tenth of the time apart, or closer; then the longest idle time that fits."""
    for interval in range(max(1, int(within / 10)), 0, -1):
        for count in range(_PROBES, 0, -1):
            def late(idle: int, gap: int = interval, probes: int = count) -> bool:
                ends = timers.keepalive_dies(kernel, (idle, gap, probes))
                return (ends + kernel.pace.waking).high > within

            idle = _longest(late, int(within))
            if idle:
                return idle, interval, count
    return None


def _user_timeout(within: float, kernel: Kernel) -> Knob | None:
    def late(tenths: int) -> bool:
        limit = tenths / 10
        ends = (retransmission.data_dies(kernel, limit), timers.zero_window_dies(kernel, limit))
        return max((one + kernel.pace.waking).high for one in ends) > within

    limit = _longest(late, int(within * 10)) / 10
    return _user_timeout_of(limit) if limit else None


def _user_timeout_of(limit: float) -> Knob:
    """redis-py has no keyword for it: its socket_keepalive_options are set only with keepalive on,
    and whoever writes them loses version 8's own timings."""
    return Knob(name="user_timeout", words=(f"user_timeout: {limit:g}s",),
                code=("a Connection whose _connect() also does setsockopt(IPPROTO_TCP, "
                      f"TCP_USER_TIMEOUT, {limit * 1000:.0f})",),
                settings={"user_timeout": limit},
                costs=("keepalive's count is ignored: the first probe that finds this much silence "
                       "ends the connection",))


def unforestalled(wish: Wish, chosen: tuple[Knob, ...]) -> tuple[Knob, ...]:
    """The settings, and that there be no read timeout where the library has one by itself and the
    set has none: it would come first, with a false timeout for every quiet call. A request's read
    is never quiet, so there the library's own stays."""
    if PATTERNS[wish.pattern].own_messages:
        return chosen
    default = limits_of(wish.client, wish.kernel, wish.version,
                        wish.pattern).read
    if default is None or any(one.name == "read_timeout" for one in chosen):
        return chosen
    php = isinstance(wish.client.settings, PhpRedisSettings)
    code = "setOption(Redis::OPT_READ_TIMEOUT, -1)" if php else "socket_timeout=None"
    return (Knob(name="unread", words=("read_timeout: null",), code=(code,),
                 settings={"read_timeout": None}), *chosen)


def together(wish: Wish, chosen: tuple[Knob, ...]) -> tuple[Knob, ...]:
    """The settings in one program: TCP_USER_TIMEOUT also ends keepalive's waiting, at the first
    probe that comes after it, so it is no longer than keepalive itself."""
    client = wish.client
    for knob in chosen:
        client = told(client, knob.settings)
    timings = limits_of(client, wish.kernel, wish.version, wish.pattern).keepalive
    if timings is None:
        return chosen
    longest = float(timings[0] + timings[1] * timings[2])
    return tuple(_user_timeout_of(min(longest, knob.settings["user_timeout"]))
                 if knob.name == "user_timeout" else knob for knob in chosen)


def _retries(within: float, kernel: Kernel) -> Knob | None:
    def late(retries: int) -> bool:
        told = replace(kernel, sysctls={"tcp_retries2": retries})
        return (retransmission.data_dies(told) + kernel.pace.waking).high > within

    retries = _longest(late, 255)
    if not retries:
        return None
    return Knob(name="tcp_retries2", words=(f"hosts.client.net.ipv4.tcp_retries2: {retries}",),
                code=(f"sysctl net.ipv4.tcp_retries2={retries}",),
                sysctls={"net.ipv4.tcp_retries2": retries},
                costs=("the sysctl is every program's on that host: all of them give up as soon",))


def _connect(wish: Wish, *, php: bool) -> Knob | None:
    """The library dials again by itself, so all its dials must be over in time; where they cannot,
    it is told not to."""
    for more in ({}, {} if php else {"retry": 0}):
        def late(tenths: int, more: dict[str, Any] = more) -> bool:
            client = told(wish.client, {**more, "connect_timeout": tenths / 10})
            limits = limits_of(client, wish.kernel, wish.version, wish.pattern)
            return given_up(limits, wish.kernel).high > wish.within

        limit = _longest(late, int(wish.within * 10)) / 10
        if limit >= 1:
            return _dialling(wish, limit, more, php=php)
    return None


def _dialling(wish: Wish, limit: float, more: dict[str, Any], *, php: bool) -> Knob:
    again = limits_of(told(wish.client, more), wish.kernel, wish.version, wish.pattern).retry
    repeats = f"{again + 1} dials of that length, because the library repeats them"
    costs = (repeats,) if again else ()
    code = f"connect($host, $port, {limit:g})" if php else f"socket_connect_timeout={limit:g}"
    off = [f"retry=Retry(NoBackoff(), {value})" for value in more.values()]
    return Knob(name="connect_timeout", code=(", ".join([code, *off]),), costs=costs,
                words=(f"connect_timeout: {limit:g}s", *(f"{key}: {value}" for key, value in
                                                         more.items())),
                settings={"connect_timeout": limit, **more})


def _longest(late: Callable[[int], bool], most: int) -> int:
    """The greatest number from 1 to `most` that is not late, when greater ones are later; 0: none.
    """
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if late(middle):
            high = middle - 1
        else:
            low = middle
    return low
