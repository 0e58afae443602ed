"""Findings that show over many connections only: storms, timeouts, loss of the capture."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest import param

from netdiag.analysis.findings import find
from netdiag.tcp.facts import ConnectionFacts, Ending, Opening
from tests.analysis.captured import (
    at,
    capture,
    client,
    connection,
    server,
    waiting,
)


def found(connections: list[ConnectionFacts], rule: str, end: float = 1000.0) -> list[int]:
    """How many connections each finding of the rule names."""
    return [
        len(one.connections) for one in find(capture(*connections, end=end)) if one.rule == rule
    ]


def attempt(number: int, every: float, **changes: object) -> ConnectionFacts:
    """The client's attempt `number`, refused at once."""
    first = 5 + number * every
    made = connection(
        client(first_at=at(first)), server(unique=0), opening=Opening.REFUSED,
        ending=Ending.NEVER_OPENED, open_at_end=False, first_at=at(first), last_at=at(first + 0.02),
    )  # fmt: skip
    ends = replace(made.client, endpoint=f"10.0.0.1:{40000 + number}")
    return replace(made, client=ends, **changes)


def worked(number: int, every: float) -> ConnectionFacts:
    """The same, but it did its work and closed."""
    return attempt(
        number, every, opening=Opening.COMPLETE, ending=Ending.FIN, ended_by=0, server=server()
    )


def turned_away(number: int, every: float) -> ConnectionFacts:
    """The server spoke first, and closed before the client said anything."""
    return replace(dropped(number, every), client=client(unique=0), server=server(unique=36))


def dropped(number: int, every: float) -> ConnectionFacts:
    """The same, but the server closed it without a word."""
    return attempt(
        number, every, opening=Opening.COMPLETE, ending=Ending.FIN, ended_by=1,
        server=server(unique=0),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("connections", "expected"),
    [
        param([attempt(n, 0.1) for n in range(40)], [40], id="refused forty times in four seconds"),
        param([dropped(n, 0.5) for n in range(12)], [12], id="accepted and closed at once"),
        param([turned_away(n, 0.1) for n in range(12)], [12], id="told that there are too many"),
        param(
            [replace(turned_away(n, 0.1), ended_by=0) for n in range(40)],
            [], id="a load balancer that only looks whether the port is open",
        ),
        param([attempt(n, 0.1) for n in range(9)], [], id="nine times"),
        param([attempt(n, 5.0) for n in range(40)], [], id="with pauses of five seconds"),
        param([worked(n, 0.01) for n in range(500)], [], id="a connection a request, all work"),
        param(
            [connection(client(endpoint=f"10.0.0.1:{n}")) for n in range(100)],
            [], id="a pool that is opened",
        ),
        param(
            [worked(n, 0.1) if n % 8 == 0 else attempt(n, 0.1) for n in range(80)],
            [], id="failures between successes",
        ),
        param(
            [replace(attempt(n, 0.1), client=client(endpoint=f"10.0.{n}.1:40000"))
             for n in range(40)],
            [], id="forty hosts, once each",
        ),
    ],
)  # fmt: skip
def test_reconnect_storm(connections: list[ConnectionFacts], expected: list[int]) -> None:
    assert found(connections, "reconnect-storm") == expected


def cut(number: int, age: float, *, block: float = 30.0, **changes: object) -> ConnectionFacts:
    """A client that closes `age` seconds into its blocking command; one follows the other."""
    begun = 10.0 + number * (age + 0.5)
    end = begun + age
    made = connection(
        client(endpoint=f"10.0.0.1:{41000 + number}", fin_at=at(end), fin_frame=20, fin_acked=True),
        server(), ending=Ending.FIN, ended_by=0, ended_at=at(end), ended_frame=20,
        open_at_end=False, outstanding=waiting(since=begun, timeout=block),
    )  # fmt: skip
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("connections", "expected"),
    [
        param([cut(n, 5.0) for n in range(4)], [4], id="BRPOP 30, cut after 5 s each time"),
        param([cut(n, 5.0, block=0.0) for n in range(2)], [2], id="BRPOP 0"),
        param([cut(0, 5.0)], [], id="once"),
        param([cut(n, 30.0) for n in range(4)], [], id="when its time is over"),
        param([cut(n, age) for n, age in enumerate((1, 9, 3, 20))], [], id="at any age"),
        param(
            [replace(cut(0, 5.0), client=replace(cut(0, 5.0).client, endpoint=f"10.0.0.1:{n}"))
             for n in range(8)],
            [], id="all at once: the workers were stopped",
        ),
        param(
            [replace(one, client=replace(one.client, fin_acked=False))
             for one in (cut(n, 5.0) for n in range(4))],
            [], id="on a dead path a read timeout does its duty",
        ),
        param([cut(n, 5.0, ended_by=1) for n in range(4)], [], id="the server closed"),
        param([cut(n, 5.0, outstanding=None) for n in range(4)], [], id="nothing was waited for"),
    ],
)  # fmt: skip
def test_read_timeout_below_block(connections: list[ConnectionFacts], expected: list[int]) -> None:
    assert found(connections, "read-timeout-below-block") == expected


def test_the_read_timeout_is_measured() -> None:
    (finding,) = find(capture(*(cut(n, 5.0) for n in range(4)), end=40.0))
    assert finding.details["read_timeout_s"] == pytest.approx(5.0)
    assert finding.details["block_timeout_s"] == 30.0
    assert "after 5 s" in finding.cause
    assert "block 30 s" in finding.cause


def test_capture_loss_is_one_finding_for_the_whole_capture() -> None:
    holes = [connection(server_facts=server(missed=100)) for _ in range(5)]
    (finding,) = find(capture(*holes, connection()))
    assert finding.connections == (0, 1, 2, 3, 4)
    assert finding.details["missed_bytes"] == 500.0


def test_one_direction_alone_is_no_loss() -> None:
    assert find(capture(connection(server_facts=server(missed=9000), one_sided=0))) == ()


def test_a_storm_counts_its_pause() -> None:
    (finding,) = (
        one
        for one in find(capture(*(attempt(n, 0.1) for n in range(40))))
        if one.rule == "reconnect-storm"
    )
    assert finding.details["pause_s"] == pytest.approx(0.1)
    assert finding.at_ns == at(5)
    assert "40 refused" in finding.cause
