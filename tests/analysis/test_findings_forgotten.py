"""Connections that one side has forgotten: half-open, evicted, and consumers that wait for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest import param

from netdiag.analysis.findings import find
from netdiag.analysis.findings.eviction import known_limit
from netdiag.tcp.facts import ConnectionFacts, Ending
from netdiag.tcp.labels import Label
from tests.analysis.captured import (
    MS,
    SECOND,
    at,
    capture,
    chain,
    client,
    connection,
    counts,
    probes,
    server,
    silence,
    waiting,
)
from tests.analysis.test_findings import only, reset_by, rules


def answered_by_reset(label: Label, *, quiet: float = 9.0, **changes: object) -> ConnectionFacts:
    """After some silence the client sends something; the server answers with an RST at once."""
    made = connection(
        client(last_at=at(10)),
        server(rst_at=at(10.02), rst_frame=30, rsts=1, last_at=at(10.02)),
        **reset_by(1, 10.02), reset_answers=label, reset_delay_ns=20 * MS,
        silence=silence(quiet, label, 0, answer_frame=30, answer_label=Label.RST,
                        answer_ns=20 * MS),
    )  # fmt: skip
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        param(answered_by_reset(Label.KEEPALIVE_PROBE), ["half-open"], id="a probe"),
        param(answered_by_reset(Label.DATA), ["half-open"], id="data"),
        param(answered_by_reset(Label.RTO_RETRANSMISSION), ["half-open"], id="a retransmission"),
        param(answered_by_reset(Label.DATA, quiet=1.0), [], id="data in the middle of talk"),
        param(
            answered_by_reset(Label.DATA, reset_delay_ns=5 * SECOND), [], id="an RST long after"
        ),
        param(answered_by_reset(Label.FIN), [], id="an RST for a FIN"),
        param(
            answered_by_reset(Label.DATA, server=server(fin_at=at(3), rst_at=at(10.02), rsts=1)),
            [],
            id="data for a server that had closed",
        ),
        param(answered_by_reset(Label.KEEPALIVE_PROBE, one_sided=0), [], id="one direction"),
        param(
            connection(client(last_data_at=at(1)), server(rst_at=at(1), rst_frame=9, rsts=1,
                                                          rst_bare=True),
                       reset_answers=Label.DATA, reset_delay_ns=MS, **reset_by(1, 1)),
            ["half-open"],
            id="data answered by a host that knows no such socket",
        ),
        param(
            connection(client(last_at=at(12)), server(rst_at=at(10), rst_frame=29, rsts=1),
                       **reset_by(1, 10)),
            ["half-open"],
            id="an RST that did not arrive",
        ),
        param(
            connection(client(last_at=at(10.04)), server(rst_at=at(10), rst_frame=29, rsts=1),
                       **reset_by(1, 10)),
            [],
            id="what was on its way when the RST passed",
        ),
        param(
            connection(
                client(rst_at=at(10), rst_frame=29, rsts=1, fin_at=at(11), fin_frame=31),
                server(rsts=1, last_at=at(11.02)), **reset_by(0, 10),
            ),
            ["half-open"],
            id="an RST that somebody else sent in the client's name",
        ),
    ],
)  # fmt: skip
def test_half_open(facts: ConnectionFacts, expected: list[str]) -> None:
    assert rules(capture(facts, end=20.0)) == expected


QUIET_THEN_LOST = connection(
    client(chain=chain(since=401), unacked=17, unacked_since=at(401), last_at=at(414)),
    silence=silence(400, Label.DATA, 0), last_at=at(414),
)  # fmt: skip
QUIET_THEN_RESET = replace(
    answered_by_reset(Label.KEEPALIVE_PROBE),
    silence=silence(400, Label.KEEPALIVE_PROBE, 0, answer_frame=30, answer_label=Label.RST,
                    answer_ns=20 * MS),
)  # fmt: skip


PROBED_IN_VAIN = connection(
    client(last_at=at(1)),
    server(keepalive=probes(9, 0, first=301, every=3, idle=300), last_at=at(325)),
    silence=silence(300, Label.KEEPALIVE_PROBE, 1), last_at=at(325),
)  # fmt: skip


def reset_out_of_the_blue(seconds: float, side: int) -> ConnectionFacts:
    sides = {"client_facts": client(), "server_facts": server()}
    made = connection(**sides, **reset_by(side, 1 + seconds))
    return replace(made, ended_frame=10, silence=silence(seconds, Label.RST, side))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        param([QUIET_THEN_LOST], ["middlebox-eviction"], id="silence, then no answer"),
        param([QUIET_THEN_RESET], ["middlebox-eviction"], id="silence, then an RST"),
        param([reset_out_of_the_blue(350.2, 1)], ["middlebox-eviction"], id="at the limit"),
        param([reset_out_of_the_blue(390, 1)], [], id="an RST at no known limit"),
        param([reset_out_of_the_blue(300.1, 0)], [], id="a client's pool that closes by RST"),
        param(
            [replace(QUIET_THEN_LOST, silence=silence(100, Label.DATA, 0))],
            ["black-hole"],
            id="silence shorter than any limit",
        ),
        param(
            [PROBED_IN_VAIN], ["black-hole"], id="a probe in vain: the other host may be gone",
        ),
        param(
            [PROBED_IN_VAIN, connection(client(last_at=at(380)), server(last_at=at(380)))],
            ["middlebox-eviction", "keepalive-too-slow"],
            id="a probe in vain, of a host that speaks elsewhere",
        ),
        param(
            [QUIET_THEN_LOST,
             connection(silence=silence(500, Label.DATA, 0, answer_frame=11,
                                        answer_label=Label.ACK))],
            ["black-hole"],
            id="another connection survived longer",
        ),
        param(
            [QUIET_THEN_LOST,
             connection(client(chain=chain(since=400), unacked=17, unacked_since=at(400),
                               last_at=at(413)))],
            ["black-hole", "black-hole"],
            id="a busy connection lost its answers at the same time",
        ),
    ],
)  # fmt: skip
def test_middlebox_eviction(facts: list[ConnectionFacts], expected: list[str]) -> None:
    assert rules(capture(*facts)) == expected


@pytest.mark.parametrize(
    ("seconds", "limit"),
    [(239, None), (240, 240), (349, 300), (351, 350), (902, 900), (7200, 3600)],
)
def test_a_silence_reaches_the_longest_known_limit(seconds: int, limit: int | None) -> None:
    found = known_limit(seconds * SECOND)
    assert (found.seconds if found else None) == limit


def test_an_eviction_names_the_limit_and_how_to_live_with_it() -> None:
    finding = only(QUIET_THEN_LOST)
    assert finding.details["limit_s"] == 350.0
    assert "AWS" in finding.cause
    assert "5 m 50 s" in finding.cure


def test_keepalive_slower_than_the_limit_is_named_on_every_connection_there() -> None:
    probed = replace(
        QUIET_THEN_RESET,
        client=client(keepalive=probes(1, 0, first=401, every=75, idle=400), last_at=at(401)),
    )
    slow = connection(client(keepalive=probes(2, 2, first=450, every=450, idle=450)))
    quick = connection(client(keepalive=probes(9, 9, first=60, every=60, idle=60)))
    found = find(capture(probed, slow, quick))
    assert [(one.rule, one.connections) for one in found] == [
        ("middlebox-eviction", (0,)),
        ("keepalive-too-slow", (0,)),
        ("keepalive-too-slow", (1,)),
    ]


GIVEN_UP = server(
    keepalive=probes(3, 0, first=7, every=2, idle=6), rst_at=at(13), rst_frame=25, rsts=1,
    last_at=at(13), last_data_at=at(0.5),
)  # fmt: skip
REPLY_LOST = server(chain=chain(since=5), unacked=30, unacked_since=at(5), last_at=at(18),
                    last_data_at=at(18))  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        param(
            connection(server_facts=GIVEN_UP, outstanding=waiting(), reset_delay_ns=12 * SECOND,
                       **reset_by(1, 13)),
            ["zombie-consumer", "black-hole"],
            id="the server's keepalive gave it up",
        ),
        param(
            connection(server_facts=REPLY_LOST, outstanding=waiting()),
            ["zombie-consumer", "black-hole"],
            id="the reply never arrives",
        ),
        param(
            connection(outstanding=waiting(timeout=30.0)),
            ["zombie-consumer"],
            id="its own timeout passed long ago",
        ),
        param(
            connection(
                server_facts=server(
                    fin_at=at(5), fin_frame=15, labels=counts(fin=1, fin_retransmission=5),
                    chain=chain(Label.FIN_RETRANSMISSION, since=5, times=5), unacked=1,
                    unacked_since=at(5), last_at=at(18)),
                outstanding=waiting(), ending=Ending.FIN, ended_by=1, ended_at=at(5)),
            ["zombie-consumer", "black-hole", "fin-wait-1-leftover"],
            id="the server closed, and its FIN never arrives",
        ),
        param(
            connection(
                client(keepalive=probes(3, 0, first=7, every=2, idle=6), last_at=at(11)),
                GIVEN_UP, outstanding=waiting(), reset_delay_ns=2 * SECOND, **reset_by(1, 13)),
            ["black-hole"],
            id="the client's own keepalive will tell it",
        ),
        param(
            connection(client(fin_at=at(9), fin_frame=20, last_at=at(9)), REPLY_LOST,
                       outstanding=waiting(), ending=Ending.FIN, ended_by=0, ended_at=at(9)),
            ["black-hole"],
            id="the client closed: its read timeout told it",
        ),
        param(
            connection(server_facts=REPLY_LOST, outstanding=waiting(), one_sided=1),
            [],
            id="only the server was captured",
        ),
        param(
            connection(server_facts=GIVEN_UP, **reset_by(1, 13)),
            ["black-hole"],
            id="no command is waited for",
        ),
    ],
)  # fmt: skip
def test_zombie_consumer(facts: ConnectionFacts, expected: list[str]) -> None:
    assert rules(facts) == expected


ALIVE = {
    "client_facts": client(keepalive=probes(9, 9, first=11, every=10, idle=10), last_at=at(91)),
    "server_facts": server(last_at=at(91), last_data_at=at(0.5)),
}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        param([connection(**ALIVE, outstanding=waiting("GET", timeout=-1))], ["frozen-peer"],
              id="a command that does not block"),
        param([connection(**ALIVE, outstanding=waiting(timeout=5.0))], ["frozen-peer"],
              id="a blocking call whose time is over"),
        param([connection(**ALIVE, outstanding=waiting())], [], id="BRPOP 0"),
        param([connection(**ALIVE, outstanding=waiting(timeout=88.0))], [],
              id="a blocking call, just over"),
        param([connection(**ALIVE)], [], id="nothing is owed"),
        param([connection(**ALIVE, outstanding=waiting("REPLCONF", timeout=-1))], [],
              id="a command that has no reply"),
        param(
            [connection(**ALIVE, outstanding=waiting("GET", timeout=-1)),
             connection(server_facts=server(last_at=at(60), last_data_at=at(60)))],
            [], id="the server answered others meanwhile"),
        param(
            [connection(outstanding=waiting("GET", timeout=-1))],
            [], id="no sign of life, only silence"),
    ],
)  # fmt: skip
def test_frozen_peer(facts: list[ConnectionFacts], expected: list[str]) -> None:
    assert rules(capture(*facts, end=100.0)) == expected
