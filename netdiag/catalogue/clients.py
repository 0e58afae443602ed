"""The clients a scenario can name.

The rule this file guards: CLIENTS is the only list of clients. A new one is one row here (with its
model, here or in a file of its own) and one file in `netdiag.clients` that starts it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from netdiag.catalogue.kinds import ByKind
from netdiag.catalogue.patterns import PATTERNS
from netdiag.catalogue.phpredis import PHPREDIS_PATTERNS, PhpRedisClient, PhpRedisSettings
from netdiag.catalogue.raw import RAW_PATTERNS, RawClient, RawSettings
from netdiag.catalogue.redis_py import RedisPyClient, RedisPySettings
from netdiag.catalogue.settings import Keepalive, Timeouts
from netdiag.units import shown
from netdiag.written import CLOSED, Written, one_of


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

    def timeouts(self, version: str | None = None) -> Timeouts:
        """What somebody wrote: nobody knows more of a program."""
        del version
        return self.settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceClient:
    """In containers: the service's own program, as its compose file starts it. It says nothing
    of itself; packets, kernels and the server tell what it does.
    """

    __pydantic_config__ = CLOSED

    kind: Annotated[Literal["service"], one_of("service")] = "service"
    """Which client this is."""
    settings: RedisPySettings = field(default_factory=RedisPySettings)
    """What is known of its settings, for formulas; nothing is handed to it."""

    def timeouts(self, version: str | None = None) -> Timeouts:
        """What somebody wrote: nobody knows more of it."""
        del version
        return self.settings


Client = RedisPyClient | PhpRedisClient | RawClient | ExecClient | ServiceClient


@dataclass(frozen=True, slots=True)
class ClientKind:
    """A row of CLIENTS. model: its fields, with `kind`, `settings` and `timeouts(version)`; parts:
    further classes of which its values are made; patterns: what it can do; resp: whether it speaks
    RESP.
    """

    model: type[Any]
    about: str
    parts: tuple[type[Any], ...] = ()
    patterns: frozenset[str] = frozenset(PATTERNS) - RAW_PATTERNS
    resp: bool = True


CLIENTS: dict[str, ClientKind] = {
    "redis-py": ClientKind(RedisPyClient, "a consumer with redis-py 3 to 8, blocking or asyncio",
                           (RedisPySettings, Keepalive)),
    "phpredis": ClientKind(PhpRedisClient, "a consumer with phpredis, in PHP's command line",
                           (PhpRedisSettings,), PHPREDIS_PATTERNS),
    "raw": ClientKind(RawClient, "a plain socket that connects and reads, without any protocol",
                      (RawSettings,), RAW_PATTERNS, resp=False),
    "exec": ClientKind(ExecClient, "any program that keeps the event contract"),
    "service": ClientKind(ServiceClient, "a compose file's own service, watched"),
}
ClientField = Annotated[
    Client, ByKind({name: row.model for name, row in CLIENTS.items()}, default="redis-py")]
"""A client as scenarios write it."""
