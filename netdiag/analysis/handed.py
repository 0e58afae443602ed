"""Replies that carried a message, and the connections they were for: who was behind them?

The rule this file guards: the tape says what left and what arrived, the kernels say whose socket
it was for, and a connection is called a zombie only when its client could not be reached any more
before the server wrote to it.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from netdiag.analysis.moments import halted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from netdiag.analysis.kernel import SocketState
    from netdiag.analysis.model import FaultEffect
    from netdiag.analysis.moments import Moments
    from netdiag.analysis.replies import Reply
    from netdiag.analysis.ways import Way
    from netdiag.recording import Event


SOON: Final = 200_000_000
"""ns within which what nothing stands in the way of is there."""


class Consumers:
    """The clients of a cell and how the server calls their connections. `names` is [""] for one."""

    def __init__(self, moments: Moments) -> None:
        spoke = dict.fromkeys(event.who for event in moments.of("client.app"))
        self.names = tuple(spoke or {"": None})
        self._hosts: dict[str, str] = {}
        for event in moments.of("client.kernel", "socket"):
            self._hosts[_host(str(event.data.get("client")))] = event.who
        self._ids: dict[str, str] = {}
        for event in moments.of("server.app", "client_list"):
            rows = event.data.get("clients")
            for row in rows if isinstance(rows, list) else ():
                if isinstance(row, dict):
                    self._ids[str(row.get("addr"))] = str(row.get("id"))

    def who(self, client: str) -> str:
        """Whose connection an endpoint is: the client's name in the cell."""
        return self._hosts.get(_host(client), "")

    def called(self, client: str) -> str:
        """`client 8`, as CLIENT LIST has it, or its endpoint; with its name where it has one."""
        number = self._ids.get(client)
        short = f"client {client if number is None else number}"
        who = self.who(client)
        return f"{who} ({short})" if who else short


def _host(endpoint: str) -> str:
    return endpoint.rpartition(":")[0]


class Handed:
    """What can be said of a reply and its connection; all times are ns."""

    def __init__(
        self,
        moments: Moments,
        faults: Sequence[FaultEffect],
        sockets: Mapping[tuple[str, str], SocketState],
    ) -> None:
        self._moments = moments
        self._faults = faults
        self._sockets = sockets
        self.consumers = Consumers(moments)
        self._deaths: dict[str, list[int]] = {}
        for event in moments.of("client.kernel", "socket", "socket_gone"):
            if event.what == "socket_gone" or event.data.get("orphan"):
                self._deaths.setdefault(str(event.data.get("client")), []).append(event.t)
        self._failures: dict[object, list[Event]] = {}
        for event in moments.of("client.app", "error", "exit"):
            named = event.data.get("id")
            self._failures.setdefault(named if isinstance(named, str) else None, []).append(event)
        self._works = any(True for _ in moments.of("client.app", "processed"))

    def at(self, t: int) -> str:
        return f"at {self._moments.since(t):+.3f} s"

    def waits_unsent(self, clients: Collection[str]) -> bool:
        """Whether the server's kernel still holds something for one of these at the end."""
        return any(
            side == "server" and own.gone is None and own.send_queue > 0
            and self.consumers.who(client) in clients
            for (side, client), own in self._sockets.items()
        )

    def popped(self, reply: Reply, verb: str = "popped") -> str:
        """`popped at +3.210 s for client 8`."""
        return f"{verb} {self.at(reply.left)} for {self.consumers.called(reply.client)}"

    def where(self, reply: Reply) -> str:
        """Where a reply vanished, as far as tape and kernels tell."""
        if reply.arrived is not None:
            return f"reached the client's host {self.at(reply.arrived)}, {self._behind(reply)}"
        again = "" if reply.sent < 2 else f", reply retransmitted {_times(reply.sent - 1)}"
        taken = f"taken by the cable {_times(reply.taken)}{again}"
        if not reply.taken:  # a reply of several segments, of which another was taken
            taken = f"not all of it reached the client's host{again}"
        socket = self._socket("server", reply)
        if socket is None or socket.gone is not None:
            return f"{taken}, the server's socket is gone"
        if socket.orphan:
            return f"{taken}, socket orphaned in {socket.state}"
        return f"{taken}, the server's kernel still retransmits it to nobody"

    def _socket(self, side: str, reply: Reply) -> SocketState | None:
        """The last that is known of the socket a reply was for: the first one with its ports that
        was not gone when its connection began.
        """
        own = self._sockets.get((side, reply.client))
        while own is not None and own.before is not None and _outlived(own.before, reply.began):
            own = own.before
        return own

    def _behind(self, reply: Reply) -> str:
        alone = self._left_alone(reply)
        if alone is not None and alone <= (reply.arrived or reply.left):
            return "where its socket was closed by then"
        stopped = halted(self._moments, "client", self.consumers.who(reply.client))
        if stopped is not None and stopped.what == "signal":
            return "where its program was frozen"
        if alone is not None:
            return f"where its socket was closed {self.at(alone)}, before a consumer read it"
        return "but no consumer read it"

    def to_a_zombie(self, reply: Reply) -> bool:
        """Whether nobody could be reached behind the connection before the reply was written."""
        if reply.taken:
            t = reply.left
            return any(fault.active(t, t) for fault in self._faults if fault.taken)
        left = self._left_alone(reply)
        return left is not None and left < reply.left

    def _left_alone(self, reply: Reply) -> int | None:
        """When a reply's connection lost its program at the client: closed, though its kernel may
        keep the socket for long, or gone.
        """
        return next((t for t in self._deaths.get(reply.client, ()) if t >= reply.began), None)

    def late(self, pushed: int, arrived: int) -> bool:
        """Whether what was pushed then was there late, and a fault was active meanwhile."""
        waited = arrived - pushed > SOON
        return waited and any(fault.active(pushed, arrived) for fault in self._faults)

    def ended_after(self, got: Event) -> bool:
        """Whether the program that received it has ended since, where programs say when they have
        done their work.
        """
        if not self._works:
            return False
        return any(
            event.t >= got.t and event.who == got.who
            for event in self._moments.of("client.app", "exit")
        )

    def failed(self, way: Way) -> str | None:
        """What became of the caller of a request instead of an answer; an error that does not say
        whose it is may be its. None: it still waits.
        """
        found = None
        for failures in (self._failures.get(way.id, []), self._failures.get(None, [])):
            first = bisect_left(failures, way.pushed, key=attrgetter("t"))
            after = (one for one in islice(failures, first, None) if one.who in way.makers)
            found = min(filter(None, (found, next(after, None))), key=attrgetter("t"), default=None)
        if found is None:
            return None
        return "got an error" if found.what == "error" else "ended"

    def server_ended_after(self, t: int) -> int | None:
        """When the server's program ended after `t`, with all it held in memory."""
        ends = (one.t for one in self._moments.of("server.app", "exit") if one.t >= t)
        return next(ends, None)


def _outlived(socket: SocketState, t: int) -> bool:
    return socket.gone is None or socket.gone >= t


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
