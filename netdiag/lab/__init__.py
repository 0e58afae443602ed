"""A lab: two hosts and the two ends of the cable between them.

Everything above this package (the cell, the cable, the probes) knows only the Lab protocol. The
labs that keep it: `namespaces` (the default, with or without root) and `fake` (no privileges,
scripted wire), which ships so that what stands above can be tested anywhere. The rule it guards:
all that a lab makes is gone when its context ends, or when its process does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from netdiag.process import Child

Side = Literal[0, 1]
CLIENT: Final[Side] = 0
SERVER: Final[Side] = 1
SIDE_NAMES: Final = ("client", "server")


class Lab(Protocol):
    """What a cell needs of its surroundings. `side` is 0 for the client's host and 1 for the
    server's.
    """

    def address(self, side: Side) -> str:
        """The IP address of the host."""
        ...

    def port(self, side: Side) -> socket.socket:
        """The cable's end at that host: a datagram socket, one whole frame a datagram."""
        ...

    def start(self, side: Side, main: Callable[[], int], name: str) -> Child:
        """Fork a child on that host; `main` usually ends in an exec."""
        ...

    def netlink(self, side: Side, groups: tuple[int, ...] = ()) -> socket.socket | None:
        """A NETLINK_SOCK_DIAG socket of that host's kernel, member of `groups`; None where the
        kernel's view cannot be had.
        """
        ...

    def dropped(self) -> tuple[int, int]:
        """Frames that the kernel dropped before the cable could see them, so far, at each end."""
        ...
