"""A client's kind and version -> how its library speaks: its greetings, its repeating, its words.

The rule this file guards: what the kernels do is the same for every program; everything that
differs between libraries and that a prediction needs is a row of a table or a version here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

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


class Words(NamedTuple):
    """What the application sees: of a read that lasted too long, of a connection that the kernel
    gave up, of a dial without an answer, of a RST, of a FIN, of a dial that is refused."""

    read: str
    died: str
    connect: str
    reset: str
    closed: str
    refused: str


_READING: Final = "Error while reading from the server"
WORDS: Final[dict[str, Words]] = {
    "redis-py": Words(
        "TimeoutError: Timeout reading from socket",
        "TimeoutError ETIMEDOUT: Timeout reading from socket",
        "TimeoutError: Timeout connecting to server",
        f"ConnectionError ECONNRESET: {_READING}",
        "ConnectionError: Connection closed by server",
        "ConnectionError: Error 111 connecting to the server"),
    "redis-py asyncio": Words(
        "TimeoutError: Timeout reading from the server",
        "TimeoutError ETIMEDOUT: Timeout reading from the server",
        "TimeoutError: Timeout connecting to server",
        f"ConnectionError ECONNRESET: {_READING}",
        "ConnectionError: Connection closed by server",
        "ConnectionError: Error 111 connecting to the server"),
    "phpredis": Words(
        "RedisException: read error on connection",
        "RedisException: read error on connection",
        "RedisException: Connection timed out",
        "RedisException: read error on connection",
        "RedisException: read error on connection",
        "RedisException: Connection refused"),
    "phpredis subscribe": Words(
        "RedisException: read error on connection",
        "RedisException: read error on connection",
        "RedisException: Connection timed out",
        "",  # nothing is said, see `resets`
        "RedisException: Connection lost",
        "RedisException: Connection refused"),
    "phpredis blmove": Words(
        "RedisException: socket error on read socket",
        "RedisException: socket error on read socket",
        "RedisException: Connection timed out",
        "RedisException: socket error on read socket",
        "RedisException: socket error on read socket",
        "RedisException: Connection refused"),
}
"""By kind and mode or pattern, as measured (tests/run/test_words.py). BLMOVE is phpredis'
rawCommand(), because it has no method for that."""
_RAW: Final = ("blmove",)
"""Patterns that phpredis has no method for (netdiag.clients)."""
_UNKNOWN: Final = Words("its library's timeout", "ETIMEDOUT", "its library's timeout of connecting",
                        "ECONNRESET", "end of file", "ECONNREFUSED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How a program behaves, and speaks.

    greets: commands precede the first call, whose replies wait for an ACK like any other; listens:
    a subscriber's reads have no limit, whatever the read timeout is; deaf: nor is it told that its
    kernel gave up; anyhow: whatever Python it has; breath: how long it pauses when nothing came in
    its turn, s; known: somebody has looked at what it does by itself.
    """

    words: Words
    greets: bool = True
    listens: bool = False
    deaf: bool = False
    anyhow: bool = True
    breath: float = 0.0
    known: bool = True
    redialling: Redialling = Redialling()


_FIRST_GREETING: Final = 5
"""redis-py says CLIENT SETINFO by itself since 5.0."""
_FIRST_LISTENING: Final = 8
"""PubSub.parse_response reads without a limit since 8.0, and ever since it was given one of its own
to wait for. That of asyncio then takes ETIMEDOUT, which is asyncio's TimeoutError since Python 3.11
like the end of its own wait, for nothing heard: it reads again, for ever."""
_BREATH: Final = 0.1
"""How long a subscriber pauses that heard nothing in its turn (netdiag.clients), s."""
_FIRST_WHOLE: Final = (7, 2)
"""connect() repeats dial and greeting since 7.2."""
_FIRST_REPEATING: Final = 4
"""Retry came with 4.1; before, nothing is repeated that a scenario could say how often."""
_FIRST_RECONNECTING: Final = 6
"""PubSub reconnects before it raises since 6.0 (_reconnect)."""


def program(client: Client, version: str, pattern: str, *, block: float = 0.0) -> Program:
    """How the program of a client behaves that follows a pattern; block: how long it listens at a
    time, s, 0: for ever."""
    if client.kind == "phpredis":
        words = WORDS.get(f"phpredis {pattern}", WORDS["phpredis"])
        return Program(words=words, greets=False)
    if client.kind != "redis-py":
        return Program(words=_UNKNOWN, known=False)
    major, asyncio = known_major(version), client.mode == "asyncio"
    listens = major >= _FIRST_LISTENING or block > 0
    return Program(words=WORDS["redis-py asyncio" if asyncio else "redis-py"],
                   greets=major >= _FIRST_GREETING, listens=listens, deaf=listens and asyncio,
                   anyhow=client.python is None or version_of(client, "") != "",
                   breath=_BREATH if block > 0 else 0.0,
                   redialling=_redialling(version, major, asyncio=asyncio))


def _redialling(version: str, major: int, *, asyncio: bool) -> Redialling:
    """asyncio's own TimeoutError is none that its Retry knows, so there no dial is repeated by
    itself (retry.py, supported_errors)."""
    numbers = [int(one) for one in re.findall(r"\d{1,6}", version)[:2]]
    whole = not numbers or tuple(numbers) >= _FIRST_WHOLE
    socket = not asyncio and major >= _FIRST_REPEATING
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

    phpredis closes it at once, but not after a raw command: then with the object, which the loop
    lets go of when it dials again, and a bare call that is repeated when it dials again by itself.
    """
    if client.kind != "phpredis" or workload.pattern not in _RAW:
        return 0.0
    if isinstance(workload.after_error, Exit):
        return 0.0 if client.mode == "bare" else _LOOP_PAUSE
    return workload.after_error.pause


def version_of(client: Client, version: str) -> str:
    """The library's version: what the name of its environment says (`redis-py==5.0`), else that."""
    named = re.search(r"==([0-9][0-9a-z.]*)$", getattr(client, "python", None) or "")
    return named[1] if named else version
