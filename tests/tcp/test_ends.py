"""Both ends of a cable share one tracker until they part, and nobody can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from netdiag.tcp.ends import BothEnds
from netdiag.tcp.flows import Flows
from netdiag.tcp.wire import ACK, FIN, RST, SYN, Segment

from .segments import CLIENT, MS, SERVER, segment

if TYPE_CHECKING:
    from netdiag.tcp.flows import Observation


class Apart:
    """The plain meaning of BothEnds: each end has its own Flows from the beginning."""

    def __init__(self) -> None:
        self.ends = Flows(), Flows()
        self.latest: tuple[dict[object, int], dict[object, int]] = ({}, {})

    def feed(self, t: int, end: int, one: Segment) -> Observation:
        seen = self.ends[end].feed(t, one)
        own, peer = (one.src, one.sport), (one.dst, one.dport)
        pair = (*own, *peer) if seen.side == 0 else (*peer, *own)
        self.latest[end][pair] = seen.flow
        return seen

    def open_at(self, end: int) -> list[tuple[object, ...]]:
        found = []
        for pair, number in self.latest[end].items():
            flow = self.ends[end].flows[number]
            state = flow.server_state if end else flow.client_state
            if state not in ("closed", "time_wait"):
                found.append((pair, state, flow.next_seq(end), flow.received_next(end)))
        return found


def opened(ends: BothEnds, end: int) -> list[tuple[object, ...]]:
    return [
        (
            pair,
            flow.server_state if end else flow.client_state,
            flow.next_seq(end),
            flow.received_next(end),
        )
        for pair, flow in ends.open_at(end)
    ]


NUMBERS = st.sampled_from([0, 1, 2, 5, 10, 0xFFFFFFFF, 0x80000000])
SEGMENTS = st.builds(
    lambda way, flags, seq, ack, size, port, options: segment(
        way, "", 1000 + seq, 5000 + ack, size, **options
    )._replace(flags=flags, **({"sport": port} if way == ">" else {"dport": port})),
    st.sampled_from("><"),
    st.sampled_from([SYN, SYN | ACK, ACK, ACK | FIN, RST, RST | ACK, 0]),
    NUMBERS,
    NUMBERS,
    st.integers(0, 12),
    st.sampled_from([40000, 40001, 6379]),
    st.sampled_from([{}, {"mss": 1460}, {"tsval": 7, "tsecr": 7}]),
)
STEPS = st.lists(
    st.tuples(SEGMENTS, st.sampled_from(["handed on"] * 6 + ["taken", "made"])), max_size=40
)


def plain(seen: Observation) -> tuple[object, ...]:
    return tuple(seen)[1:]  # flow numbers are the client end's in one and its own in the other


@given(STEPS, st.integers(0, 40), st.booleans())
@settings(max_examples=600, deadline=None)
def test_sharing_a_tracker_changes_no_answer(steps, certain_until, look_often):
    shared, apart = BothEnds(), Apart()
    for number, (one, fate) in enumerate(steps):
        certain = number < certain_until and fate == "handed on"
        t, end = number * MS, int((one.src, one.sport) == SERVER)
        if fate == "made":
            shared.received(t, 1 - end, one)
            apart.feed(t, 1 - end, one)
        else:
            seen = shared.sent(t, end, one, certain=certain)
            assert plain(seen) == plain(apart.feed(t, end, one))
            if fate == "handed on":
                shared.received(t, 1 - end, one)
                apart.feed(t, 1 - end, one)
        if look_often:
            assert [opened(shared, side) for side in (0, 1)] == [
                apart.open_at(side) for side in (0, 1)
            ]
    assert [opened(shared, side) for side in (0, 1)] == [apart.open_at(side) for side in (0, 1)]


def test_what_was_taken_is_known_to_its_sender_alone():
    ends = BothEnds()
    story = [(">", "S", 0, 0, 0), ("<", "SA", 0, 1, 0), (">", "A", 1, 1, 0), (">", "A", 1, 1, 9)]
    for number, (way, flags, seq, ack, size) in enumerate(story):
        one = segment(way, flags, seq, ack, size)
        end = "><".index(way)
        ends.sent(number * MS, end, one, certain=number < 2)
        if not size:
            ends.received(number * MS, 1 - end, one)
    (_, client), (_, server) = next(ends.open_at(0)), next(ends.open_at(1))
    assert (client.next_seq(0), server.received_next(1)) == (10, 1)
    assert client.client == server.client == CLIENT
