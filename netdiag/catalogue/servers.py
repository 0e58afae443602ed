"""The servers a scenario can name: how each is chosen and configured, and the defaults that count.

The rule this file guards: configuration goes to the server as it is written; only the few
parameters that decide when a server notices a dead client are known here, with their defaults.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping  # noqa: TC003  (pydantic reads annotations)
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from netdiag.catalogue.kinds import ByKind
from netdiag.catalogue.raw import TcpServer
from netdiag.units import parse_scalar, shown
from netdiag.written import CLOSED, SCALAR, Written, one_of

ConfigValue = str | int | float

REDIS_DEFAULTS: dict[str, ConfigValue] = {
    "tcp-keepalive": 300,
    "timeout": 0,
    "maxclients": 10000,
    "tcp-backlog": 511,
}
"""Since Redis 3.2.1 and in every Valkey (redis.conf). `timeout` never ends a blocked client."""
PORT = 6379
"""Where the lab's clients find the server."""
KEEPALIVE_PROBES = 3
"""anet.c: TCP_KEEPIDLE n, TCP_KEEPINTVL n/3 (at least 1), TCP_KEEPCNT 3."""

_SET_BY_LAB = {"bind", "unixsocket", "unixsocketperm", "protected-mode", "daemonize", "logfile",
               "dir"}
"""Without these as they are nobody would find the server, its log, or the socket by which it is
watched."""


def _parameter(raw: object) -> str:
    if raw in _SET_BY_LAB:
        raise ValueError(f"'{raw}' is chosen by the lab; leave it out")
    if isinstance(raw, str) and re.fullmatch(r"[a-z][a-z0-9-]{0,63}", raw):
        return raw
    raise ValueError(f"{shown(raw)} is not a server parameter; write one such as tcp-keepalive")


def _value(raw: object) -> ConfigValue:
    if isinstance(raw, bool):
        return "yes" if raw else "no"
    return parse_scalar(raw)


def _binary(raw: object) -> str | None:
    if raw is None or (isinstance(raw, str) and raw.strip()):
        return raw
    raise ValueError(f"{shown(raw)} is not a program; write redis-server, a path, or null for the "
                     "embedded Valkey")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer:
    """A Redis or Valkey server."""

    __pydantic_config__ = CLOSED

    kind: Annotated[Literal["redis"], one_of("redis")] = "redis"
    """Which server this is."""
    binary: Annotated[str | None, Written(_binary, {"type": ["string", "null"]})] = None
    """Which program; null: the embedded Valkey, else a name on PATH or a path."""
    config: Mapping[
        Annotated[str, Written(_parameter, {"pattern": "^[a-z][a-z0-9-]*$"})],
        Annotated[ConfigValue, Written(_value, SCALAR.schema)],
    ] = field(default_factory=dict)
    """Parameters of redis.conf, handed to the server as they are."""

    def __post_init__(self) -> None:
        """It listens where its clients look for it, with TLS or without."""
        listens = {str(self.config.get("port", PORT)), str(self.config.get("tls-port", 0))}
        if str(PORT) not in listens:
            raise ValueError(f"config: the clients of the lab dial port {PORT}; leave 'port' out, "
                             f"or write 'port: 0' beside 'tls-port: {PORT}'")

    @property
    def greeting(self) -> tuple[str, ...]:
        """What the server wants to hear before it answers anything; empty: nothing."""
        password = self.config.get("requirepass", "")
        return () if password == "" else ("AUTH", str(password))

    def tcp_keepalive(self, setting: Callable[[str], int | None]) -> int | None:
        """Seconds of silence before the server probes a client; None: never. It tells its kernel
        itself, so no sysctl (`setting`) has a say."""
        del setting
        value = str(self.config.get("tcp-keepalive", REDIS_DEFAULTS["tcp-keepalive"]))
        return int(value) or None if value.isascii() and value.isdigit() else None


Server = RedisServer | TcpServer


@dataclass(frozen=True, slots=True)
class ServerKind:
    """A row of SERVERS. model: its fields, with `kind`, `config`, `greeting` and `tcp_keepalive`;
    resp: whether it speaks RESP, so that phases of commands can be read.
    """

    model: type[Any]
    about: str
    resp: bool = True


SERVERS: dict[str, ServerKind] = {
    "redis": ServerKind(RedisServer, "Redis or Valkey; without `binary` the embedded Valkey"),
    "tcp": ServerKind(TcpServer, "no protocol at all: says nothing, or gives back what it hears",
                      resp=False),
}
ServerField = Annotated[
    Server, ByKind({name: row.model for name, row in SERVERS.items()}, default="redis")]
"""A server as scenarios write it."""
