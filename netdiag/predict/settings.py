"""A cell -> what its two ends wait for: the client's limits, the server's, and both kernels.

The rule this file guards: a setting that nobody wrote is the library's default of that version, and
a timing of keepalive that nobody wrote is the host's sysctl.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netdiag.catalogue.hosts import numbers
from netdiag.catalogue.patterns import PATTERNS
from netdiag.catalogue.servers import KEEPALIVE_PROBES
from netdiag.catalogue.settings import Keepalive, Unset
from netdiag.predict.programs import Program, backoff, program, version_of
from netdiag.predict.wheel import Span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdiag.catalogue.clients import Client
    from netdiag.catalogue.redis_py import Backoff
    from netdiag.predict.kernel import Kernel
    from netdiag.scenario.plan import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What limits a client's waiting: seconds, None where nothing does.

    keepalive: idle, interval and count; retry: the library's own repetitions; backoff: the pauses
    between them, `jitter` when each is drawn from 0 up to that; waking: from a timer's end until
    the program has run and said so; listens: it subscribes; deaf: it is not told when its kernel
    gives up.
    """

    read: float | None
    connect: float | None
    keepalive: tuple[int, int, int] | None
    user_timeout: float | None
    retry: int
    backoff: Backoff
    jitter: bool
    program: Program
    waking: Span
    listens: bool = False
    deaf: bool = False


def limits_of(client: Client, kernel: Kernel, version: str, pattern: str, *, block: float = 0.0,
              ) -> Limits:
    """The limits of a client that follows a pattern; version: the library's, such as `8.1.0`;
    block: how long a subscriber listens at a time, s, 0: for ever."""
    own = version_of(client, version)
    told = client.timeouts(own)
    pauses, jitter = backoff(client, own)
    speaks, listens = program(client, own, pattern, block=block), not PATTERNS[pattern].keeps
    read, connect = _seconds(told.read_timeout), _seconds(told.connect_timeout)
    if connect is None and client.kind == "redis-py":
        connect = read  # its socket_connect_timeout None means its socket_timeout
    return Limits(
        read=None if listens and speaks.listens else read,
        connect=connect,
        keepalive=_keepalive(told.keepalive, kernel),
        user_timeout=_seconds(told.user_timeout) or None,
        retry=0 if isinstance(told.retry, Unset) else told.retry,
        backoff=pauses,
        jitter=jitter,
        program=speaks,
        waking=kernel.pace.waking + Span(0.0, speaks.breath if listens else 0.0),
        listens=listens,
        deaf=listens and speaks.deaf,
    )


def unsaid_of(client: Client) -> bool:
    """Whether nobody has said anything of a client that has settings of its own: a service's
    program brings them along, and no library's defaults stand in for them.
    """
    return client.kind == "service" and client.settings == type(client.settings)()


def _seconds(value: float | Unset | None) -> float | None:
    return None if isinstance(value, Unset) else value


def _keepalive(value: Keepalive | Unset | None, kernel: Kernel) -> tuple[int, int, int] | None:
    if value is None or isinstance(value, Unset):
        return None
    return value.on(kernel.setting).timings


def own_timeout(cell: Cell) -> float:
    """After how many seconds the blocking command ends by itself; 0: never, and where the
    pattern's command does not block."""
    return cell.workload.block if PATTERNS[cell.workload.pattern].waits else 0.0


def server_keepalive(cell: Cell, kernel: Kernel) -> tuple[int, int, int] | None:
    """The server's probing of its clients: idle N, interval N/3, three probes (anet.c)."""
    idle = cell.server.tcp_keepalive(kernel.setting)
    return None if idle is None else (idle, max(1, idle // 3), KEEPALIVE_PROBES)


def of_host(kernel: Kernel, sysctls: Mapping[str, str | int] | None) -> Kernel:
    """The kernel, with what a scenario changes on that host."""
    return replace(kernel, sysctls={**kernel.sysctls, **numbers(sysctls or {})})
