"""Two trackers for one cable: what each host has sent and really received.

A frame that the cable took has left its sender and never reached its receiver, so one state machine
cannot speak for both. Each end has its own Flows, fed with what that host sent and with what was
handed to it; the label of a frame is the one that its sender's end gives. Flow numbers are the
client end's, where every connection begins.

As long as it is certain that every frame is handed on, both ends see the same, so they share one
Flows, and tracking costs half; with the first frame that may be taken they part for good.
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
        shared, latest = Flows(), dict[Pair, int]()
        self._ends = (shared, shared)
        self._latest = (latest, latest)  # of each pair, the flow that was fed last
        self._together = True
        self._handed_on: Segment | None = None  # both ends have seen it already
        self._numbers: dict[Pair, int] = {}

    def sent(
        self, t_ns: int, end: int, segment: Segment, *, certain: bool = False
    ) -> Observation:
        """The host at `end` sent this segment; what it does, as that host sees it.

        `certain`: it will be handed on, whatever it is; `received` is called for it all the same.
        """
        if self._together:
            if certain:
                self._handed_on = segment
            else:
                self._part()
        seen, pair = self._feed(t_ns, end, segment)
        number = self._numbers.get(pair)
        if (end == 0 and seen.new_flow) or number is None:
            number = len(self._numbers) if number is None else max(self._numbers.values()) + 1
            self._numbers[pair] = number
        return seen if seen.flow == number else seen._replace(flow=number)

    def received(self, t_ns: int, end: int, segment: Segment) -> None:
        """This segment was handed to the host at `end`."""
        if self._together:
            if segment is self._handed_on:
                return
            self._part()
        self._feed(t_ns, end, segment)

    def _feed(self, t_ns: int, end: int, segment: Segment) -> tuple[Observation, Pair]:
        seen = self._ends[end].feed(t_ns, segment)
        own = (segment.src, segment.sport)
        peer = (segment.dst, segment.dport)
        pair: Pair = (*own, *peer) if seen.side == 0 else (*peer, *own)
        self._latest[end][pair] = seen.flow
        return seen, pair

    def _part(self) -> None:
        """From now on each end has its own Flows."""
        self._ends = self._ends[0], self._ends[0].copy()
        self._latest = self._latest[0], dict(self._latest[0])
        self._together = False

    def open_at(self, end: int) -> Iterator[tuple[Pair, Flow]]:
        """The connections that the host at `end` must believe in: (client and server, its flow)."""
        for pair, number in self._latest[end].items():
            flow = self._ends[end].flows[number]
            state = flow.client_state if end == 0 else flow.server_state
            if state not in _DEAD:
                yield pair, flow
