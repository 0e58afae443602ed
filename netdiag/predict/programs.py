"""A client's kind and version -> how its library speaks: its greetings, its repeating, its words.

The rule this file guards: what the kernels do is the same for every program; everything that
differs between libraries and that a prediction needs is a row of PROGRAMS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from netdiag.catalogue.redis_py import REDIS_PY_BACKOFF, Backoff, known_major
from netdiag.catalogue.settings import UNSET
from netdiag.scenario.workload import Exit

if TYPE_CHECKING:
    from netdiag.catalogue.clients import Client
    from netdiag.scenario.workload import Workload

_LOOP_PAUSE: Final = 0.5
"""How long phpredis' loop waits before it dials again, where nobody says (netdiag.clients), s."""
_OWN_BACKOFF: Final = Backoff(0.01, 1.0)
"""What `netdiag.clients` gives redis-py where a scenario sets how often it repeats."""
_NO_BACKOFF: Final = Backoff(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Redialling:
    """What a library that was told to repeat (`retry`) repeats when no dial is answered.

    socket: each dial for a command that is repeated; connect: dial and greeting of a connection
    that is wanted; listen: a subscriber that fails dials before it says so, however often it was
    told to repeat; shows: each dial can be seen, else only all of them together.
    """

    socket: bool = False
    connect: bool = False
    listen: bool = False
    shows: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A row of PROGRAMS: what the application sees of a read that lasted too long, of a connection
    that the kernel gave up, of a dial without an answer, of a RST, of a FIN.

    greets: commands precede the first call, whose replies wait for an ACK like any other; listens:
    a subscriber's reads have no limit, whatever the read timeout is; known: somebody has looked at
    what it does by itself.
    """

    read: str
    died: str
    connect: str
    reset: str
    closed: str
    greets: bool
    listens: bool = False
    known: bool = True
    redialling: Redialling = Redialling()


_REDIS_PY: Final = Program(
    read="TimeoutError: Timeout reading from socket",
    died="TimeoutError ETIMEDOUT: Timeout reading from socket",
    connect="TimeoutError: Timeout connecting to server",
    reset="ConnectionError ECONNRESET: Connection reset by peer",
    closed="ConnectionError: Connection closed by server",
    greets=True,
)
PROGRAMS: Final[dict[str, Program]] = {
    "redis-py": _REDIS_PY,
    "redis-py asyncio": Program(
        read="TimeoutError: Timeout reading from the server",
        died="ConnectionError ETIMEDOUT: Error while reading from the server",
        connect="TimeoutError: Timeout connecting to server",
        reset="ConnectionError ECONNRESET: Error while reading from the server",
        closed="ConnectionError: Connection closed by server",
        greets=True,
    ),
    "phpredis": Program(
        read="RedisException: read error on connection",
        died="RedisException: read error on connection",
        connect="RedisException: connection timed out",
        reset="RedisException: read error on connection",
        closed="RedisException: read error on connection",
        greets=False,
    ),
}
_UNKNOWN: Final = Program(
    read="its library's timeout",
    died="ETIMEDOUT",
    connect="its library's timeout of connecting",
    reset="ECONNRESET",
    closed="end of file",
    greets=True,
    known=False,
)
_FIRST_GREETING: Final = 5
"""redis-py says CLIENT SETINFO by itself since 5.0."""
_FIRST_LISTENING: Final = 8
"""PubSub.parse_response reads without a limit since 8.0."""
_FIRST_WHOLE: Final = (7, 2)
"""connect() repeats dial and greeting since 7.2."""
_FIRST_REPEATING: Final = 4
"""Retry came with 4.1; before, nothing is repeated that a scenario could say how often."""
_FIRST_RECONNECTING: Final = 6
"""PubSub reconnects before it raises since 6.0 (_reconnect)."""


def program(client: Client, version: str) -> Program:
    """How the library of a client speaks."""
    mode = getattr(client, "mode", "")
    found = PROGRAMS.get(f"{client.kind} {mode}") or PROGRAMS.get(client.kind, _UNKNOWN)
    if client.kind != "redis-py":
        return found
    major = known_major(version)
    return replace(found, greets=major >= _FIRST_GREETING, listens=major >= _FIRST_LISTENING,
                   redialling=_redialling(mode, version, major))


def _redialling(mode: str, version: str, major: int) -> Redialling:
    """asyncio's own TimeoutError is none that its Retry knows, so there no dial is repeated by
    itself (retry.py, supported_errors)."""
    numbers = [int(one) for one in re.findall(r"\d{1,6}", version)[:2]]
    whole = not numbers or tuple(numbers) >= _FIRST_WHOLE or (numbers[0] > _FIRST_WHOLE[0])
    socket = mode != "asyncio" and major >= _FIRST_REPEATING
    return Redialling(socket=socket, connect=whole, listen=major >= _FIRST_RECONNECTING,
                      shows=whole or not socket)


def backoff(client: Client, version: str) -> tuple[Backoff, bool]:
    """The library's pauses between its own repetitions, and whether each is drawn from 0 up to
    that (jitter)."""
    if client.kind != "redis-py":
        return _NO_BACKOFF, False
    if getattr(client.settings, "retry", UNSET) is UNSET:
        return REDIS_PY_BACKOFF[known_major(version)], True
    return _OWN_BACKOFF, False


def closing_lag(client: Client, workload: Workload) -> float:
    """How many seconds after its error a program closes the socket that failed.

    phpredis closes it with the object: the loop lets go of that when it dials again, and a bare
    call that is repeated dials again by itself.
    """
    if client.kind != "phpredis" or workload.pattern == "request":
        return 0.0
    if isinstance(workload.after_error, Exit):
        return 0.0 if client.mode == "bare" else _LOOP_PAUSE
    return workload.after_error.pause


def version_of(client: Client, version: str) -> str:
    """The library's version: what the name of its environment says (`redis-py==5.0`), else that."""
    named = re.search(r"==([0-9][0-9a-z.]*)$", getattr(client, "python", None) or "")
    return named[1] if named else version
