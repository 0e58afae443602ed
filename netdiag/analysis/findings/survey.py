"""A capture's facts -> what rules ask of the whole of it, computed once.

The rule: which connections share a path is told by the server's address and port, and nothing here
guesses at what was not captured.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from heapq import nlargest
from typing import TYPE_CHECKING, Final

from netdiag.tcp.facts import Ending, Opening
from netdiag.tcp.labels import Label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdiag.tcp.facts import CaptureFacts, Chain, ConnectionFacts

SECOND: Final = 1_000_000_000
PATIENT: Final = 3  # so many retransmissions without an answer are no accident
NAMES: Final = ("client", "server")


@dataclass(frozen=True)
class Server:
    """What all connections to one server's endpoint say together."""

    connections: tuple[ConnectionFacts, ...]
    survived: int  # the longest silence (ns) that an answer ended
    lost: tuple[tuple[int, int, int], ...]  # (number, since when, until when) it asked in vain
    latest: tuple[tuple[int, int], ...]  # (the server's last data, number), the two latest


@dataclass(frozen=True)
class Survey:
    """The facts, and connections by their server's endpoint."""

    capture: CaptureFacts
    servers: Mapping[str, Server]
    hosts: Mapping[str, tuple[tuple[int, int], ...]]  # (its last frame, number), the two latest

    @property
    def end(self) -> int:
        """Up to when was looked, ns: the last frame, or the end of what was asked for."""
        return self.capture.totals.end_at

    def beside(self, connection: ConnectionFacts) -> Server:
        """The connections to the same server, this one included."""
        return self.servers[connection.server.endpoint]

    def wider(self, connection: ConnectionFacts, at_ns: int) -> bool:
        """Whether others to the same server, which had not been silent, got no answer then, too."""
        return any(
            since <= at_ns + SECOND and until >= at_ns
            for number, since, until in self.beside(connection).lost
            if number != connection.number
        )

    def heard(self, endpoint: str, connection: ConnectionFacts, since_ns: int) -> bool:
        """Whether the host of this endpoint sent something on another connection after that."""
        return any(
            at > since_ns and number != connection.number
            for at, number in self.hosts[host(endpoint)]
        )

    def served_others(self, connection: ConnectionFacts, since_ns: int) -> bool:
        """Whether the same server sent data on another connection after this moment."""
        return any(
            at > since_ns
            for at, number in self.beside(connection).latest
            if number != connection.number
        )


_BUSY: Final = 60 * SECOND


def survey(capture: CaptureFacts) -> Survey:
    """Look over a capture once."""
    servers: dict[str, list[ConnectionFacts]] = defaultdict(list)
    hosts: dict[str, dict[int, int]] = defaultdict(dict)
    for connection in capture.connections:
        servers[connection.server.endpoint].append(connection)
        for own in connection.sides:
            hosts[host(own.endpoint)][connection.number] = own.last_at
    end = capture.totals.end_at
    return Survey(
        capture,
        {name: _server(ones, end) for name, ones in servers.items()},
        {name: _latest(ones) for name, ones in hosts.items()},
    )


def _latest(ones: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
    """(when, number) of the two latest connections: one of them is another than any that asks."""
    return tuple(nlargest(2, ((at, number) for number, at in ones.items())))


def _server(ones: list[ConnectionFacts], end: int) -> Server:
    silences = (one.silence.ns for one in ones if one.silence is not None and _went_on(one))
    busy = (one for one in ones if one.silence is None or one.silence.ns < _BUSY)
    lost = ((one, given_up_since(one)) for one in busy)
    return Server(
        tuple(ones),
        max(silences, default=0),
        tuple((one.number, since, one.ended_at or end) for one, since in lost if since is not None),
        _latest({one.number: one.server.last_data_at for one in ones}),
    )


def _went_on(connection: ConnectionFacts) -> bool:
    """Whether the longest silence ended in an exchange: what broke it was answered, not by RST."""
    silence = connection.silence
    return (
        silence is not None
        and silence.label is not Label.RST
        and silence.answer_frame > 0
        and silence.answer_label is not Label.RST
    )


def established(connection: ConnectionFacts) -> bool:
    """Whether both sides took it for established, as far as the capture shows."""
    return connection.opening in (Opening.COMPLETE, Opening.MID_STREAM)


def judgeable(connection: ConnectionFacts) -> bool:
    """Whether a missing answer means anything: established, and both directions were captured."""
    return (
        established(connection)
        and connection.one_sided < 0
        and connection.client.frames > 0
        and connection.server.frames > 0
    )


def patient(chain: Chain) -> bool:
    """Whether so many retransmissions are no accident; of a timer that had begun before, those that
    were not seen count: a gap of eight seconds is the RTO of a second (RFC 6298), doubled thrice.
    """
    return chain.retransmissions >= PATIENT or (
        not chain.begun and chain.last_gap_ns >= SECOND << PATIENT
    )


def unanswered_since(connection: ConnectionFacts, side: int) -> int | None:
    """Since when (ns) this side asks in vain; None when it does not.

    It asks by PATIENT retransmissions or zero-window probes, or by two keepalive probes in a row
    (one, when the kernel then killed the connection with an RST).
    """
    own, peer = connection.sides[side], connection.sides[1 - side]
    chain = own.chain
    if chain is not None and not chain.acknowledged and patient(chain):
        return chain.first_sent_at or chain.first_at
    probes = own.zero_probes
    if probes is not None and probes.unanswered_row >= PATIENT:
        return peer.last_at if probes.first_at < peer.last_at < probes.last_at else probes.first_at
    probes = own.keepalive
    if probes is None:
        return None
    if killed_by_keepalive(connection, side):
        return connection.ended_at - connection.reset_delay_ns
    if probes.unanswered_row >= _PROBES:
        return max(peer.last_at, probes.last_at - probes.interval_ns * probes.unanswered_row)
    return None


def killed_by_keepalive(connection: ConnectionFacts, side: int) -> bool:
    """Whether this side's RST is that of its keepalive timer: probes in vain, then RST|ACK.

    That is so when the peer had been silent since before the last probe, and the RST came when the
    next probe was due (Linux, tcp_keepalive_timer).
    """
    probes = connection.sides[side].keepalive
    if probes is None or connection.ending is not Ending.RST or connection.ended_by != side:
        return False
    behind = connection.ended_at - probes.last_at
    due = probes.interval_ns if probes.interval_ns > 0 else behind
    return connection.reset_delay_ns > behind > 0 and behind <= due * _LATE + SECOND // 2


_PROBES: Final = 2
_LATE: Final = 1.125  # the most that the kernel's timer wheel adds


def given_up_since(connection: ConnectionFacts) -> int | None:
    """Since when (ns) either side of an established connection asks in vain."""
    if not judgeable(connection):
        return None
    times = [unanswered_since(connection, side) for side in (0, 1)]
    return min((one for one in times if one is not None), default=None)


def slack(connection: ConnectionFacts) -> int:
    """How long (ns) what was on its way may still pass here: two round trips, and some more."""
    return 2 * connection.rtt_ns + SECOND // 20 if connection.rtt_ns >= 0 else SECOND


def host(endpoint: str) -> str:
    """The address of an endpoint, without its port."""
    return endpoint.rpartition(":")[0]
