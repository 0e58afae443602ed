"""How to talk to a server in a container that somebody else configured: its port, its password.

Both are asked of the container itself, never guessed: the port from its kernel's listening sockets,
the password from the server's command line, its configuration file or its environment. The rule it
guards: a server that does not let us in is a sentence, and no password is written down anywhere.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from netdiag.lab.docker.described import Container

_LISTENING: Final = "0A"
_DNS: Final = ipaddress.ip_address("127.0.0.11")  # the engine's own resolver, in each container
_LONGEST_CONFIG: Final = 1 << 20
_IN_CONFIG: Final = re.compile(r'^\s*requirepass\s+"?([^"\s]+)', re.MULTILINE)
_IN_COMMAND: Final = re.compile(r"--requirepass[=\s]+[\"']?([^\"'\s]+)")
_IN_ENVIRONMENT: Final = ("REDIS_PASSWORD", "VALKEY_PASSWORD")
_ANSWER: Final = 4096


def listens(pid: int, port: int) -> int:
    """The TCP port at which the container of that process listens: `port` if that is one of them,
    else the lowest; `port` as well while nothing listens yet. Source: proc(5), /proc/net/tcp.
    """
    found = sorted(_listening(pid))
    return port if port in found or not found else found[0]


def _listening(pid: int) -> Iterator[int]:
    for table in ("tcp", "tcp6"):
        try:
            rows = Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()
        except OSError:  # it has ended, or has no IPv6
            continue
        for row in rows[1:]:
            local, state = row.split()[1], row.split()[3]
            address, _, number = local.partition(":")
            if state == _LISTENING and not _is_dns(address):
                yield int(number, 16)


def _is_dns(address: str) -> bool:
    """Whether a table's address (the bytes of each 32-bit word backwards) is the resolver's."""
    return len(address) == 8 and ipaddress.ip_address(bytes.fromhex(address)[::-1]) == _DNS


def let_in(made: socket.socket, container: Container) -> None:
    """Authenticate on a fresh connection if the server wants that. Raises LabError when it takes
    none of the passwords that its container tells, and OSError.
    """
    refusal = _ask(made, b"PING")
    if not refusal.startswith(("+", "-")):
        raise LabError(
            f"the server {container.service!a} speaks no Redis (it answers PING with {refusal!a}); "
            "name the service that does in lab.server"
        )
    if not refusal.startswith("-NOAUTH"):
        return
    told = tuple(dict.fromkeys(passwords(container)))
    for password in told:
        if _ask(made, b"AUTH", password.encode()).startswith("+OK"):
            return
    where = f"neither {container.service}'s command, its configuration file nor its environment"
    raise LabError(
        f"the server {container.service!a} wants a password ({refusal[1:]}), and "
        + (f"does not take the one that {container.service} is started with" if told else
           f"{where} (REDIS_PASSWORD) tells it")
        + "; give it with `--requirepass` in the compose file's command"
    )


def passwords(container: Container) -> Iterator[str]:
    """The passwords that a container may want, likeliest first."""
    command = " ".join(container.command)
    yield from _IN_COMMAND.findall(command)
    for word in re.findall(r"[^\s\"']+\.conf\b", command):
        yield from _IN_CONFIG.findall(_read(container.pid, word))
    for pair in container.environment:
        name, _, value = pair.partition("=")
        if name in _IN_ENVIRONMENT and value:
            yield value


def _read(pid: int, path: str) -> str:
    """A file of the container's; empty when it cannot be read."""
    try:
        with Path(f"/proc/{pid}/root", path.lstrip("/")).open("rb") as file:
            return file.read(_LONGEST_CONFIG).decode("utf-8", "replace")
    except OSError:
        return ""


def _ask(made: socket.socket, *words: bytes) -> str:
    """A command's answer, its first line, safe for a terminal."""
    parts = (b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    made.sendall(b"*%d\r\n" % len(words) + b"".join(parts))
    said = b""
    while b"\n" not in said and len(said) < _ANSWER:
        block = made.recv(_ANSWER)
        if not block:
            raise ConnectionResetError("the server closed the connection")
        said += block
    line = said.split(b"\r\n", 1)[0].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in line)[:200]
