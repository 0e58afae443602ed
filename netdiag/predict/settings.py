"""A cell -> what its two ends wait for: the client's limits, the server's, and both kernels.

The rule this file guards: a setting that nobody wrote is the library's default of that version, and
a timing of keepalive that nobody wrote is the host's sysctl.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netdiag.catalogue.clients import (
    REDIS_PY_BACKOFF,
    UNSET,
    Backoff,
    ExecClient,
    Unset,
    known_major,
    redis_py_defaults,
)
from netdiag.catalogue.servers import KEEPALIVE_PROBES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdiag.catalogue.clients import Keepalive
    from netdiag.predict.kernel import Kernel
    from netdiag.scenario.plan import Cell

_PREFIX = "net.ipv4."
_OWN_BACKOFF = Backoff(0.01, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What limits a client's waiting: seconds, None where nothing does.

    keepalive: idle, interval and count; retry: the library's own repetitions; backoff: the pauses
    between them, `jitter` when each is drawn from 0 up to that.
    """

    read: float | None
    connect: float | None
    keepalive: tuple[int, int, int] | None
    user_timeout: float | None
    retry: int
    backoff: Backoff
    jitter: bool
    known: bool = True


def limits_of(cell: Cell, name: str, kernel: Kernel, version: str) -> Limits:
    """The limits of a cell's client; version: the library's, such as `8.1.0`."""
    client = cell.clients[name]
    foreign = isinstance(client, ExecClient)
    written = client.settings
    settings = written if foreign else written.over(redis_py_defaults(version))
    drawn = written.retry is UNSET and not foreign
    return Limits(
        read=_seconds(settings.read_timeout),
        connect=_seconds(settings.connect_timeout),
        keepalive=_keepalive(settings.keepalive, kernel),
        user_timeout=_seconds(settings.user_timeout) or None,
        retry=0 if isinstance(settings.retry, Unset) else settings.retry,
        backoff=REDIS_PY_BACKOFF[known_major(version)] if drawn else _OWN_BACKOFF,
        jitter=drawn,
        known=not foreign,
    )


def _seconds(value: float | Unset | None) -> float | None:
    return None if isinstance(value, Unset) else value


def _keepalive(value: Keepalive | Unset | None, kernel: Kernel) -> tuple[int, int, int] | None:
    if value is None or isinstance(value, Unset):
        return None
    idle, interval, count = value.idle, value.interval, value.count
    return (
        kernel.setting("tcp_keepalive_time") if idle is None else idle,
        kernel.setting("tcp_keepalive_intvl") if interval is None else interval,
        kernel.setting("tcp_keepalive_probes") if count is None else count,
    )


def server_keepalive(cell: Cell) -> tuple[int, int, int] | None:
    """The server's probing of its clients: idle N, interval N/3, three probes (anet.c)."""
    idle = cell.server.tcp_keepalive
    return None if idle is None else (idle, max(1, idle // 3), KEEPALIVE_PROBES)


def of_host(kernel: Kernel, sysctls: Mapping[str, str | int] | None) -> Kernel:
    """The kernel, with what a scenario changes on that host."""
    changed = {
        name.removeprefix(_PREFIX): int(value)
        for name, value in (sysctls or {}).items()
        if name.startswith(_PREFIX) and str(value).strip().isdecimal()
    }
    return replace(kernel, sysctls={**kernel.sysctls, **changed})
