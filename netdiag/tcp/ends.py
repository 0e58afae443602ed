"""Two trackers for one cable: what each host has sent and really received.

A frame that the cable took has left its sender and never reached its receiver, so one state machine
cannot speak for both. Each end has its own Flows, fed with what that host sent and with what was
handed to it; the label of a frame is the one that its sender's end gives. Flow numbers are the
client end's, where every connection begins.

As long as every frame is handed on, both ends see the same, so they share one Flows, and tracking
costs half. When the first frame is taken they part for good: its receiver's end is what it was
before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from netdiag.tcp.flows import Before, Flow, Flows, Observation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netdiag.tcp.wire import Segment

Pair = tuple[bytes, int, bytes, int]
_DEAD: Final = frozenset({"closed", "time_wait"})


class _Undo(NamedTuple):
    """How an end that shared a frame's effects gets rid of them."""

    end: int
    flows: Before
    pair: Pair
    latest: int | None


class BothEnds:
    """The client's end (0) and the server's end (1) of a cable."""

    def __init__(self) -> None:
        shared, latest = Flows(), dict[Pair, int]()
        self._ends = (shared, shared)
        self._latest = (latest, latest)  # of each pair, the flow that was fed last
        self._together = True
        self._sent: Segment | None = None  # both ends have seen it, and it is not handed on yet
        self._undo: _Undo | None = None  # for its receiver's end, in case it never is
        self._numbers: dict[Pair, int] = {}

    def sent(self, t_ns: int, end: int, segment: Segment, *, certain: bool = False) -> Observation:
        """The host at `end` sent this segment; what it does, as that host sees it.

        A segment for which `received` is not called before the next one was taken. `certain`: that
        will not happen, which saves remembering what was before.
        """
        if self._undo is not None:
            self._part()
        before = None
        if self._together and not certain:
            before = self._ends[end].before(segment)
        seen, pair, latest = self._feed(t_ns, end, segment)
        if self._together:
            self._sent = segment
            self._undo = None if before is None else _Undo(1 - end, before, pair, latest)
        number = self._numbers.get(pair)
        if (end == 0 and seen.new_flow) or number is None:
            number = len(self._numbers) if number is None else max(self._numbers.values()) + 1
            self._numbers[pair] = number
        return seen if seen.flow == number else seen._replace(flow=number)

    def received(self, t_ns: int, end: int, segment: Segment) -> None:
        """This segment was handed to the host at `end`."""
        if self._together:
            if segment == self._sent:
                self._sent = self._undo = None
                return
            self._part()
        self._feed(t_ns, end, segment)

    def _feed(self, t_ns: int, end: int, segment: Segment) -> tuple[Observation, Pair, int | None]:
        """What it does, on which pair, and the pair's latest flow until now."""
        seen = self._ends[end].feed(t_ns, segment)
        own = (segment.src, segment.sport)
        peer = (segment.dst, segment.dport)
        pair: Pair = (*own, *peer) if seen.side == 0 else (*peer, *own)
        latest = self._latest[end]
        before = latest.get(pair)
        latest[pair] = seen.flow
        return seen, pair, before

    def _part(self) -> None:
        """From now on each end has its own Flows."""
        shared, undo = self._ends[0], self._undo
        end = 1 if undo is None else undo.end
        ends, latest = [shared, shared], [self._latest[0], dict(self._latest[0])]
        ends[end] = shared.copy() if undo is None else shared.without(undo.flows)
        if end == 0:
            latest.reverse()
        if undo is not None and undo.latest is None:
            del latest[end][undo.pair]
        elif undo is not None and undo.latest is not None:
            latest[end][undo.pair] = undo.latest
        self._ends, self._latest = (ends[0], ends[1]), (latest[0], latest[1])
        self._sent = self._undo = None
        self._together = False

    def open_at(self, end: int) -> Iterator[tuple[Pair, Flow]]:
        """The connections that the host at `end` must believe in: (client and server, its flow)."""
        if self._undo is not None:
            self._part()
        for pair, number in self._latest[end].items():
            flow = self._ends[end].flows[number]
            state = flow.client_state if end == 0 else flow.server_state
            if state not in _DEAD:
                yield pair, flow
