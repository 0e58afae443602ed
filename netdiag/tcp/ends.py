"""Two trackers for one cable: what each host has sent and really received.

A frame that the cable took has left its sender and never reached its receiver, so one state machine cannot
speak for both. Each end has its own Flows, fed with what that host sent and with what was handed to it; the
label of a frame is the one that its sender's end gives. Flow numbers are the client end's, where every
connection begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.flows import Flow, Flows, Observation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netdiag.tcp.wire import Segment

Pair = tuple[bytes, int, bytes, int]
_DEAD: Final = frozenset({"closed", "time_wait"})


class BothEnds:
    """The client's end (0) and the server's end (1) of a cable."""

    def __init__(self) -> None:
        self._ends = (Flows(), Flows())
        self._numbers: dict[Pair, int] = {}
        self._count = 0
        self._flows: tuple[dict[Pair, Flow], dict[Pair, Flow]] = ({}, {})

    def sent(self, t_ns: int, end: int, segment: Segment) -> Observation:
        """The host at `end` sent this segment; what it does, as that host sees it."""
        seen, pair = self._feed(t_ns, end, segment)
        number = self._numbers.get(pair)
        if (end == 0 and seen.new_flow) or number is None:
            number = len(self._numbers) if number is None else max(self._numbers.values()) + 1
            self._numbers[pair] = number
        return seen if seen.flow == number else seen._replace(flow=number)

    def received(self, t_ns: int, end: int, segment: Segment) -> None:
        """This segment was handed to the host at `end`."""
        self._feed(t_ns, end, segment)

    def _feed(self, t_ns: int, end: int, segment: Segment) -> tuple[Observation, Pair]:
        flows = self._ends[end]
        seen = flows.feed(t_ns, segment)
        own = (segment.src, segment.sport)
        peer = (segment.dst, segment.dport)
        pair: Pair = (*own, *peer) if seen.side == 0 else (*peer, *own)
        self._flows[end][pair] = flows.flows[seen.flow]
        return seen, pair

    def open_at(self, end: int) -> Iterator[tuple[Pair, Flow]]:
        """The connections that the host at `end` must believe in: (client and server, that end's flow)."""
        for pair, flow in self._flows[end].items():
            state = flow.client_state if end == 0 else flow.server_state
            if state not in _DEAD:
                yield pair, flow
