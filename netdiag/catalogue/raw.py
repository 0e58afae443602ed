"""Plain TCP without any protocol: what the kernel does for a connection, and nothing else.

For learning what keepalive and TCP_USER_TIMEOUT do by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Literal

from netdiag.catalogue.settings import UNSET, Keepalive, KeepaliveSetting, OrNone, Timeouts, over
from netdiag.written import CLOSED, one_of

if TYPE_CHECKING:
    from collections.abc import Callable

@dataclass(frozen=True, slots=True, kw_only=True)
class RawSettings:
    """What a plain socket can be told; what is not written is never and off."""

    __pydantic_config__ = CLOSED

    read_timeout: OrNone = UNSET
    """How long nothing may come before the client gives up."""
    connect_timeout: OrNone = UNSET
    """How long connect may wait; the kernel's SYN retries end it, too."""
    keepalive: KeepaliveSetting = UNSET
    """TCP keepalive."""
    user_timeout: OrNone = UNSET
    """TCP_USER_TIMEOUT: how long sent data may stay unacknowledged (RFC 5482)."""


_PLAIN = Timeouts(read_timeout=None, connect_timeout=None, keepalive=None, user_timeout=None,
                  retry=0, health_check_interval=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawClient:
    """A client that connects and reads, and with the workload's `every` says something."""

    __pydantic_config__ = CLOSED

    kind: Annotated[Literal["raw"], one_of("raw")] = "raw"
    """Which client this is."""
    settings: RawSettings = field(default_factory=RawSettings)
    """What its socket is told."""

    def timeouts(self, version: str | None = None) -> Timeouts:
        """What ends its waiting: what somebody wrote, else nothing."""
        del version
        own = self.settings
        return over(replace(Timeouts(), read_timeout=own.read_timeout, keepalive=own.keepalive,
                            connect_timeout=own.connect_timeout, user_timeout=own.user_timeout),
                    _PLAIN)


RAW_PATTERNS = frozenset({"raw"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpServer:
    """A server that accepts connections and says nothing, or gives back what it is told."""

    __pydantic_config__ = CLOSED

    kind: Annotated[Literal["tcp"], one_of("tcp")] = "tcp"
    """Which server this is."""
    answers: Annotated[Literal["nothing", "echo"], one_of("nothing", "echo")] = "nothing"
    """What it answers."""
    keepalive: KeepaliveSetting = UNSET
    """TCP keepalive of the connections that it accepts; unset: off."""

    @property
    def greeting(self) -> tuple[str, ...]:
        """It wants to hear nothing."""
        return ()

    def tcp_keepalive(self, setting: Callable[[str], int | None]) -> int | None:
        """Seconds of silence before the server probes a client; None: never. setting: its host's
        sysctls of net.ipv4, by name."""
        told = self.keepalive
        return told.on(setting).timings[0] if isinstance(told, Keepalive) else None

    @property
    def config(self) -> dict[str, str | int | float]:
        """It has no configuration file."""
        return {}
