"""A lab: two hosts and the two ends of the cable between them.

Everything above this package (the cell, the cable, the probes) knows only the Lab protocol. The
labs that keep it: `namespaces` (the default, with or without root), `docker` (the containers of a
compose file) and `fake` (no privileges, scripted wire), which ships so that what stands above can
be tested anywhere. The rule it guards: all that a lab makes is gone when its context ends, or when
its process does; what containers leave behind is known by its run's label.
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

    `apart`: the hosts have file systems and programs of their own.
    """

    apart: bool

    def address(self, side: Side) -> str:
        """The IP address of the host."""
        ...

    def port(self, side: Side) -> socket.socket:
        """The cable's end at that host: a datagram socket, one whole frame a datagram."""
        ...

    def start(self, side: Side, main: Callable[[], int], name: str) -> Child:
        """Fork a child on that host; `main` usually ends in an exec."""
        ...

    def start_in(self, service: str, main: Callable[[], int], name: str) -> Child:
        """Fork a child in the container of another service of the stack. Raises LabError where
        there is none.
        """
        ...

    def resident(self, side: Side) -> Child | None:
        """The program that runs on the host already, which the lab starts and ends; None: there is
        none, and ours is to be started.
        """
        ...

    def expects_back(self, side: Side, code: int) -> bool:
        """Whether somebody else starts the host's program again, after it ended with that code; if
        so, the lab is ready for it from now on.
        """
        ...

    def returned(self, side: Side) -> bool | None:
        """Take up a host whose program somebody else has started again, and say whether all its
        frames have crossed the cable; None while it has not been started. Raises LabError.
        """
        ...

    def listens(self, port: int) -> int:
        """The port at which the server really listens; `port` is where ours does."""
        ...

    def dial(self, port: int) -> socket.socket | None:
        """A connection to the resident server that crosses no link of the lab; None: it listens on
        a unix socket. Raises OSError when nobody listens (yet).
        """
        ...

    def act(self, side: Side, verb: str) -> None:
        """Have the engine do this to the host's container; blocks, in a child of the cell. Raises
        LabError.
        """
        ...

    def settle(self, side: Side, verb: str) -> str:
        """In the cell, when that has been done: take up what it changed, and say what was seen of
        it. Raises LabError when it cannot be seen.
        """
        ...

    def netlink(self, side: Side, groups: tuple[int, ...] = ()) -> socket.socket | None:
        """A NETLINK_SOCK_DIAG socket of that host's kernel, member of `groups`; None where the
        kernel's view cannot be had.
        """
        ...

    def dropped(self) -> tuple[int, int]:
        """Frames that the kernel dropped before the cable could see them, so far, at each end."""
        ...
