"""A lab without privileges: programs run as they are, and whoever holds it plays the frames.

It keeps the Lab protocol with datagram socket pairs as the cable's ends. What a host "sends" is put
in by `play`, what the cable hands to a host is taken out by `delivered`; no program's own traffic
crosses it. It ships so that the cell, the cable and all above can be tested where no namespace can
be made.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netdiag.lab.own import OwnHosts
from netdiag.process import Child, fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netdiag.lab import Side

_FRAME = 262144


class FakeLab(OwnHosts):
    """A lab whose wire is in the hands of its holder; make it with `fake_lab`."""

    def __init__(
        self,
        ports: tuple[socket.socket, socket.socket],
        hosts: tuple[socket.socket, socket.socket],
        address: str,
    ) -> None:
        self._ports = ports
        self._hosts = hosts
        self._address = address
        self.drops = (0, 0)

    def address(self, side: Side) -> str:
        return self._address

    def port(self, side: Side) -> socket.socket:
        return self._ports[side]

    def start(self, side: Side, main: Callable[[], int], name: str) -> Child:
        return fork(main, name)

    def netlink(self, side: Side, groups: tuple[int, ...] = ()) -> socket.socket | None:
        return None

    def dropped(self) -> tuple[int, int]:
        return self.drops

    def play(self, side: Side, frame: bytes) -> None:
        """The host on `side` sends a frame into the cable."""
        self._hosts[side].send(frame)

    def delivered(self, side: Side, *, timeout: float = 5.0) -> bytes | None:
        """The next frame that the cable hands to the host on `side`; None when none comes in time
        (s).
        """
        self._hosts[side].settimeout(timeout)
        try:
            return self._hosts[side].recv(_FRAME)
        except (TimeoutError, BlockingIOError):
            return None


@contextmanager
def fake_lab(*, address: str = "127.0.0.1") -> Iterator[FakeLab]:
    """A fake lab for the length of the context; servers listen on `address` of this machine."""
    kind = (socket.AF_UNIX, socket.SOCK_DGRAM)
    with _pair(kind) as (client_port, client_host), _pair(kind) as (server_port, server_host):
        client_port.setblocking(False)
        server_port.setblocking(False)
        yield FakeLab((client_port, server_port), (client_host, server_host), address)


@contextmanager
def _pair(kind: tuple[int, int]) -> Iterator[tuple[socket.socket, socket.socket]]:
    port, host = socket.socketpair(*kind)
    with port, host:
        yield port, host
