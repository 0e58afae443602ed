"""What every lab has in common whose hosts are its own, and no container of somebody's stack.

The rule this file guards: what only the Docker engine can do is refused with the way to it, and
nobody but the lab starts a program on its hosts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.errors import LabError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from netdiag.lab import Side
    from netdiag.process import Child


class OwnHosts:
    """The part of the Lab protocol that is about containers."""

    apart = False

    def start_in(self, service: str, main: Callable[[], int], name: str) -> Child:
        raise LabError(f"the service {service!a} is a container's; run with --lab docker")

    def resident(self, side: Side) -> Child | None:
        return None

    def expects_back(self, side: Side, code: int) -> bool:
        return False

    def returned(self, side: Side) -> bool | None:
        return None

    def listens(self, port: int) -> int:
        return port

    def dial(self, port: int) -> socket.socket | None:
        return None

    def act(self, side: Side, verb: str) -> None:
        raise LabError(f"{verb} is a verb of the Docker engine; run with --lab docker")

    def settle(self, side: Side, verb: str) -> str:
        raise LabError(f"{verb} is a verb of the Docker engine; run with --lab docker")
