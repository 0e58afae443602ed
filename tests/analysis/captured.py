"""Facts of captures made by hand: a healthy Redis connection, and what a test changes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netdiag.tcp.facts import (
    Application,
    CaptureFacts,
    Chain,
    ConnectionFacts,
    Drops,
    Ending,
    Opening,
    Outstanding,
    Probes,
    Row,
    Rows,
    SideFacts,
    Silence,
    Totals,
)
from netdiag.tcp.labels import LABELS, Label

SECOND = 1_000_000_000
MS = 1_000_000
START = 1_795_000_000 * SECOND


def at(seconds: float) -> int:
    """A moment, `seconds` after the capture's first frame."""
    return START + round(seconds * SECOND)


def counts(**numbers: int) -> tuple[int, ...]:
    """Frames by label: `counts(fin_retransmission=3)`."""
    return tuple(numbers.get(label.text, 0) for label in LABELS)


def application(**changes: Any) -> Application:
    plain = Application(
        tls=False, resp=True, messages=1, first_command="BRPOP", last_command="BRPOP",
        last_command_at=at(1), last_command_frame=4, breaks=0,
    )  # fmt: skip
    return replace(plain, **changes)


def side(endpoint: str, **changes: Any) -> SideFacts:
    healthy = SideFacts(
        endpoint=endpoint, state="established", frames=5, payload=100, unique=100, missed=0,
        copies=0, labels=counts(data=2, ack=3), causes=counts(), spurious=0, max_step=0,
        chain=None, keepalive=None, zero_probes=None, zero_windows=0, zero_window_ns=0,
        zero_window_since=0, window=65535, window_full=0, first_at=at(0), last_at=at(1),
        first_frame=1, last_frame=9, last_data_at=at(1), last_data_frame=8, unacked=0,
        unacked_since=0, unanswered=0, fin_frame=0, fin_at=0, fin_acked=False, rst_frame=0,
        rst_at=0, rst_bare=False, rsts=0, rsts_outside=0, rsts_challenged=0, outage=None,
        half_rtt_ns=10 * MS, least_half_rtt_ns=10 * MS, application=application(),
    )  # fmt: skip
    return replace(healthy, **changes)


def client(**changes: Any) -> SideFacts:
    return side(**{"endpoint": "10.0.0.1:40000", **changes})


def server(**changes: Any) -> SideFacts:
    return side(**{"endpoint": "10.0.0.2:6379", **changes})


def connection(
    client_facts: SideFacts | None = None, server_facts: SideFacts | None = None, **changes: Any
) -> ConnectionFacts:
    healthy = ConnectionFacts(
        number=0, client=client_facts or client(), server=server_facts or server(),
        first_at=at(0), last_at=at(1), first_frame=1, last_frame=9, opening=Opening.COMPLETE,
        ending=Ending.OPEN, ended_by=-1, ended_at=0, ended_frame=0, reset_answers=None,
        reset_delay_ns=-1, open_at_end=True, one_sided=-1, earlier=-1, rtt_ns=20 * MS,
        least_rtt_ns=20 * MS, handshake_ns=20 * MS, silence=None, outstanding=None,
    )  # fmt: skip
    return replace(healthy, **changes)


def capture(*connections: ConnectionFacts, end: float = 1000.0, **changes: Any) -> CaptureFacts:
    """A capture of these connections, numbered anew, that ends `end` seconds after its start."""
    numbered = tuple(replace(one, number=number) for number, one in enumerate(connections))
    whole = CaptureFacts(
        source="made.pcap", kind="pcap", connections=numbered,
        totals=Totals(
            frames=100, tcp=100, filtered=0, other=0, fragments=0, cut=0, other_view=0, copies=0,
            bytes=8000, first_at=at(0), last_at=at(end), backwards=0, end_at=at(end),
        ),
        drops=(), truncated=-1, notes=(), rows=Rows((), 0),
    )  # fmt: skip
    return replace(whole, **changes)


def chain(
    label: Label = Label.RTO_RETRANSMISSION, *, since: float = 1.0, times: int = 6, **changes: Any
) -> Chain:
    """A row of retransmissions whose bytes first passed at `since`, RTO 0.208 s, never answered."""
    gaps = [0.208 * 2**step for step in range(times)]
    made = Chain(
        first_sent_at=at(since), first_at=at(since + gaps[0]), last_at=at(since + sum(gaps)),
        first_frame=10, last_frame=10 + times - 1, retransmissions=times, steps=times,
        rto_ns=208 * MS, last_gap_ns=round(gaps[-1] * SECOND), length=17, label=label,
        acknowledged=False,
    )  # fmt: skip
    return replace(made, **changes)


def probes(sent: int, answered: int, *, first: float, every: float, idle: float) -> Probes:
    """Keepalive probes; those that were not answered are the last ones."""
    return Probes(
        sent=sent, answered=answered, first_at=at(first), last_at=at(first + every * (sent - 1)),
        first_frame=20, last_frame=20 + sent - 1, idle_ns=round(idle * SECOND),
        interval_ns=round(every * SECOND), unanswered_row=sent - answered,
    )  # fmt: skip


def silence(seconds: float, label: Label, by: int, **changes: Any) -> Silence:
    """A silence that begins at 1 s; nothing answers what broke it."""
    made = Silence(
        ns=round(seconds * SECOND), from_frame=9, to_frame=10, began_at=at(1), label=label,
        side=by, answer_frame=0, answer_label=None, answer_ns=-1,
    )  # fmt: skip
    return replace(made, **changes)


def waiting(command: str = "BRPOP", *, since: float = 1.0, timeout: float = 0.0) -> Outstanding:
    """A command without a reply; `timeout` below 0: it is not one that blocks."""
    return Outstanding(
        name=command, at=at(since), frame=8, count=1, blocking=timeout >= 0, timeout_s=timeout
    )


__all__ = ["Drops", "Row", "Rows"]
