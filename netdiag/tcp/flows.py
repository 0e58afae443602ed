"""Segments of many connections -> one Observation each: which flow, which side, what it does.

A flow is one life of a four-tuple. A SYN with another initial sequence number begins a new life;
while its SYN-ACK is not there, what fits the old life still belongs to that (a challenge ACK from
a host that never heard of the client's restart). A bare SYN without any option is nobody's
connect() and begins nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from netdiag.tcp import fields as f
from netdiag.tcp.holes import first_missing
from netdiag.tcp.labels import LABELS, Label
from netdiag.tcp.lives import (
    NEWER_ALONE,
    OLDER,
    from_server,
    is_open,
    is_reborn,
    may_answer,
    which_life,
)
from netdiag.tcp.states import STATE_TEXTS
from netdiag.tcp.tracker import track
from netdiag.tcp.wire import SYN, Segment, has_options

Endpoint = tuple[bytes, int]
Key = tuple[bytes, bytes, int, int]  # source, destination, their ports


class Flow:
    """One connection: its endpoints and the tracker's state."""

    __slots__ = ("before", "client", "number", "server", "state")

    def __init__(
        self, number: int, client: Endpoint, server: Endpoint, before: Flow | None = None
    ) -> None:
        self.number = number
        self.client = client
        self.server = server
        self.state = f.new_state()
        self.before = before  # the same four-tuple's life before, until this one is answered

    @property
    def client_state(self) -> str:
        """The client's TCP state (`established`), if everything that passed arrived."""
        return STATE_TEXTS[self.state[f.TCP_STATE]]

    @property
    def server_state(self) -> str:
        """The server's TCP state; see `client_state`."""
        return STATE_TEXTS[self.state[f.SIDE + f.TCP_STATE]]

    @property
    def open(self) -> bool:
        """Whether at least one side must believe that the connection still lives."""
        return is_open(self.state)

    def next_seq(self, side: int) -> int:
        """The next sequence number that `side` will use (SND.NXT)."""
        return self.state[side * f.SIDE + f.NXT]

    def acked(self, side: int) -> int:
        """What the peer has acknowledged of `side`'s bytes (SND.UNA)."""
        return self.state[side * f.SIDE + f.UNA]

    def received_next(self, side: int) -> int:
        """What `side` expects next (RCV.NXT), if everything that passed arrived."""
        base = (1 - side) * f.SIDE
        return first_missing(self.state, base, self.state[base + f.NXT])

    def window(self, side: int) -> int:
        """The receive window in bytes that `side` advertised last; -1 before it did."""
        return self.state[side * f.SIDE + f.WINDOW]

    def unanswered(self, side: int) -> int:
        """Segments of `side` that ask for an answer, since the last segment of its peer."""
        return self.state[side * f.SIDE + f.UNANSWERED]

    def spurious(self, side: int) -> int:
        """Retransmissions of `side` that the peer reported as needless (D-SACK, RFC 2883)."""
        return self.state[side * f.SIDE + f.SPURIOUS]

    def missed(self, side: int) -> int:
        """Bytes of `side` that its peer acknowledged and that never passed here."""
        return self.state[side * f.SIDE + f.MISSED]


class Observation(NamedTuple):
    """What one segment does."""

    flow: int  # 0, 1, 2.. in order of appearance
    side: int  # 0 from the client, 1 from the server
    label: Label
    step: int  # of a timer or of a row of probes; see tracker.py
    segment: Segment
    new_flow: bool
    cause: Label | None  # of a retransmission: what made it be sent (a FIN's by RTO, ..)
    since_original_ns: int  # 0 when the original is no longer noted, or never passed
    since_previous_ns: int
    new_bytes: int  # payload bytes that pass for the first time
    answered: bool  # of a probe: the one before it was answered
    rst_verdict: int  # of an RST: 0 outside the window, 1 inside but not exact, 2 it kills
    dsack: bool  # it says that a retransmission of the other side was spurious


Life = tuple[int, list[int], int]  # a flow, its state, the life before it or -1


class Before(NamedTuple):
    """All that one segment can change in Flows, as it was before."""

    key: Key  # the segment's
    place: tuple[int, int] | None  # the flow that had this key, and the sender's side in it
    flows: int  # how many there were
    lives: tuple[Life, ...]


class Flows:
    """All connections that pass one point."""

    def __init__(self) -> None:
        self.flows: list[Flow] = []
        self._sides: dict[Key, tuple[Flow, int]] = {}

    def feed(self, t_ns: int, segment: Segment) -> Observation:
        """Take the next segment in the order of time; `t_ns` in nanoseconds of any clock."""
        flags = segment.flags
        place = self._sides.get((segment.src, segment.dst, segment.sport, segment.dport))
        new = place is None or (flags & SYN and _reborn(*place, segment))
        if place is None or new:
            place = self._begin(segment, place[0] if place else None)
        flow, side = place
        if flow.before is not None:
            flow = _life(flow, side, segment)
            if flow is not place[0]:
                side = 0 if (segment.src, segment.sport) == flow.client else 1
        left = right = top = -1
        if segment.sack:
            left, right = segment.sack[0]
            top = highest_edge(segment.sack)
        state = flow.state
        label = track(
            state,
            side,
            t_ns,
            segment.seq,
            segment.ack,
            flags,
            segment.length,
            segment.window,
            segment.wscale,
            segment.sack_permitted,
            segment.tsval,
            left,
            right,
            top,
        )
        return Observation(
            flow.number,
            side,
            LABELS[label],
            state[f.STEP],
            segment,
            bool(new),
            LABELS[state[f.CAUSE]] if state[f.CAUSE] else None,
            state[f.SINCE_ORIGINAL],
            state[f.SINCE_PREVIOUS],
            state[f.NEW_BYTES],
            state[f.ANSWERED] == 1,
            state[f.RST_VERDICT],
            state[f.DSACK] == 1,
        )

    def copy(self) -> Flows:
        """The same connections once more; what is fed to one from now on leaves the other alone."""
        made = Flows()
        twins: dict[Flow, Flow] = {}
        for flow in self.flows:  # a life comes after the one before it
            before = twins[flow.before] if flow.before else None
            twin = twins[flow] = Flow(flow.number, flow.client, flow.server, before)
            twin.state[:] = flow.state
            made.flows.append(twin)
        made._sides = {key: (twins[flow], side) for key, (flow, side) in self._sides.items()}
        return made

    def before(self, segment: Segment) -> Before:
        """What `without` needs to know about a segment that is going to be fed."""
        key = (segment.src, segment.dst, segment.sport, segment.dport)
        place = self._sides.get(key)
        if place is None:
            return Before(key, None, len(self.flows), ())
        flow, side = place
        older = flow.before
        if older is None:
            lives: tuple[Life, ...] = ((flow.number, flow.state[:], -1),)
        else:
            past = -1 if older.before is None else older.before.number
            lives = (flow.number, flow.state[:], older.number), (older.number, older.state[:], past)
        return Before(key, (flow.number, side), len(self.flows), lives)

    def without(self, last: Before) -> Flows:
        """The same connections once more, as if the last segment had not been fed."""
        made = self.copy()
        del made.flows[last.flows :]
        for number, state, before in last.lives:
            made.flows[number].state[:] = state
            made.flows[number].before = None if before < 0 else made.flows[before]
        source, target, sport, dport = last.key
        back = (target, source, dport, sport)
        if last.place is None:
            made._sides.pop(last.key, None)
            made._sides.pop(back, None)
        else:
            number, side = last.place
            made._sides[back] = made.flows[number], 1 - side
            made._sides[last.key] = made.flows[number], side
        return made

    def _begin(self, segment: Segment, before: Flow | None) -> tuple[Flow, int]:
        """A new flow, entered for both directions; the sender's place in it."""
        sender = (segment.src, segment.sport)
        receiver = (segment.dst, segment.dport)
        side = 1 if from_server(segment.flags, segment.sport, segment.dport) else 0
        client, server = (receiver, sender) if side else (sender, receiver)
        waits = before is not None and may_answer(before.state)
        flow = Flow(len(self.flows), client, server, before if waits else None)
        self.flows.append(flow)
        self._sides[segment.src, segment.dst, segment.sport, segment.dport] = flow, side
        self._sides[segment.dst, segment.src, segment.dport, segment.sport] = flow, 1 - side
        return flow, side


def _reborn(flow: Flow, side: int, segment: Segment) -> bool:
    """Whether a SYN on a known four-tuple begins another life of it."""
    return is_reborn(flow.state, side, segment.flags, segment.seq, has_options(segment))


def _life(flow: Flow, side: int, segment: Segment) -> Flow:
    """Which of two lives a segment belongs to, while the newer one has not been answered."""
    before = flow.before
    assert before is not None
    old_side = 0 if (segment.src, segment.sport) == before.client else 1
    life = which_life(
        flow.state, before.state, side, old_side, segment.flags, segment.seq, segment.ack
    )
    if life == NEWER_ALONE:
        flow.before = None
    return before if life == OLDER else flow


def highest_edge(blocks: tuple[tuple[int, int], ...]) -> int:
    """The edge of SACK blocks that is farthest ahead."""
    top = blocks[0][1]
    for _, right in blocks:
        if 0 < (right - top) & f.MASK < f.HALF:
            top = right
    return top
