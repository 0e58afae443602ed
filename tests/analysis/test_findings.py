"""The rules of findings over facts made by hand: when each speaks, and when it must keep silent."""

from __future__ import annotations

import pytest
from pytest import param

from netdiag.analysis.findings import NAMES, RULES, Finding, Harm, find
from netdiag.catalogue.findings import FINDINGS
from netdiag.tcp.facts import CaptureFacts, ConnectionFacts, Drops, Ending, Opening
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


def rules(facts: CaptureFacts | ConnectionFacts) -> list[str]:
    whole = facts if isinstance(facts, CaptureFacts) else capture(facts)
    return [finding.rule for finding in find(whole)]


def only(facts: CaptureFacts | ConnectionFacts) -> Finding:
    (finding,) = find(facts if isinstance(facts, CaptureFacts) else capture(facts))
    return finding


def reset_by(side: int, seconds: float) -> dict[str, object]:
    return {
        "ending": Ending.RST,
        "ended_by": side,
        "ended_at": at(seconds),
        "ended_frame": 30,
        "open_at_end": False,
    }


LOST = connection(client(chain=chain(), unacked=17, unacked_since=at(1), last_at=at(14)))
KILLED = connection(
    client(keepalive=probes(3, 0, first=6, every=3, idle=5), rst_at=at(15), rst_frame=30, rsts=1,
           last_at=at(15)),
    reset_delay_ns=14 * SECOND, **reset_by(0, 15),
)  # fmt: skip
CLOSED = connection(
    client(state="closed", fin_at=at(2), fin_frame=10, fin_acked=True),
    server(state="closed", fin_at=at(2), fin_frame=11, fin_acked=True),
    ending=Ending.FIN, ended_by=0, ended_at=at(2), ended_frame=10, open_at_end=False,
)  # fmt: skip
FIN_LOST = connection(
    client(chain=chain(Label.FIN_RETRANSMISSION), fin_at=at(1), fin_frame=9, unacked=1,
           unacked_since=at(1), last_at=at(14), labels=counts(fin=1, fin_retransmission=6)),
    ending=Ending.FIN, ended_by=0, ended_at=at(1), ended_frame=9,
)  # fmt: skip


@pytest.mark.parametrize(
    "facts",
    [
        param(connection(), id="a connection that works"),
        param(connection(outstanding=waiting()), id="BRPOP 0 on an idle path"),
        param(
            capture(connection(outstanding=waiting(timeout=30)), end=25.0),
            id="a blocking call, not yet over",
        ),
        param(CLOSED, id="a normal close"),
        param(
            connection(client(chain=chain(acknowledged=True))), id="loss that healed",
        ),
        param(
            connection(client(chain=chain(times=2), unacked=17, unacked_since=at(1))),
            id="two retransmissions, and the capture ends",
        ),
        param(
            connection(client(keepalive=probes(1, 0, first=6, every=5, idle=5))),
            id="one probe, and the capture ends",
        ),
        param(
            connection(client(keepalive=probes(50, 50, first=6, every=5, idle=5))),
            id="keepalive answered throughout",
        ),
        param(
            connection(client(rst_at=at(2), rsts=1), **reset_by(0, 2)),
            id="a program closes with an RST",
        ),
        param(
            connection(
                client(fin_at=at(2), fin_acked=True, rst_at=at(60), rsts=1),
                server(last_data_at=at(60)),
                ending=Ending.FIN, ended_by=0, ended_at=at(2), ended_frame=10,
            ),
            id="data for a socket that closed a minute ago",
        ),
        param(
            connection(one_sided=0, client_facts=LOST.client, server_facts=server(frames=0)),
            id="retransmissions, seen from one direction only",
        ),
        param(
            connection(client(keepalive=probes(9, 0, first=6, every=3, idle=5)), one_sided=0),
            id="probes, and answers cannot be seen",
        ),
        param(
            connection(silence=silence(4000, Label.DATA, 0, answer_frame=11,
                                       answer_label=Label.ACK, answer_ns=MS)),
            id="an hour of silence, and then it went on",
        ),
        param(
            connection(client(zero_windows=3, zero_window_ns=400 * MS), server(window_full=3)),
            id="a window closed for less than a second",
        ),
        param(
            connection(opening=Opening.COMPLETE,
                       client_facts=client(labels=counts(syn=1, syn_retransmission=2))),
            id="the third SYN got through",
        ),
        param(
            connection(opening=Opening.UNANSWERED, ending=Ending.NEVER_OPENED, one_sided=0,
                       client_facts=client(labels=counts(syn=1, syn_retransmission=6))),
            id="SYNs of a capture that shows one direction",
        ),
    ],
)  # fmt: skip
def test_keeps_silent(facts: CaptureFacts | ConnectionFacts) -> None:
    assert rules(facts) == []


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        param(LOST, ["black-hole"], id="data sent again and again"),
        param(KILLED, ["black-hole"], id="keepalive kills"),
        param(FIN_LOST, ["black-hole", "fin-wait-1-leftover"], id="a FIN that is never answered"),
        param(
            connection(client(zero_probes=probes(4, 0, first=2, every=2, idle=1))),
            ["black-hole"],
            id="zero-window probes that nobody answers",
        ),
        param(
            connection(
                server_facts=server(zero_windows=1, zero_window_ns=300 * SECOND,
                                    zero_window_since=at(1), last_at=at(301)),
                client_facts=client(zero_probes=probes(8, 8, first=2, every=30, idle=1)),
                last_at=at(301),
            ),
            ["slow-reader"],
            id="a reader that stopped reading",
        ),
        param(
            connection(
                server_facts=server(zero_windows=1, zero_window_ns=300 * SECOND,
                                    zero_window_since=at(0.6), last_at=at(1)),
                client_facts=client(zero_probes=probes(8, 2, first=0.7, every=30, idle=1)),
                last_at=at(301),
            ),
            ["black-hole"],
            id="a closed window whose owner vanished",
        ),
        param(
            connection(opening=Opening.REFUSED, ending=Ending.NEVER_OPENED),
            ["refused"],
            id="a closed port",
        ),
        param(
            connection(client(labels=counts(syn=1, syn_retransmission=10), last_at=at(68)),
                       server(frames=0, labels=counts()),
                       opening=Opening.UNANSWERED, ending=Ending.NEVER_OPENED),
            ["syn-black-hole"],
            id="SYNs that nobody answers",
        ),
        param(
            connection(client(labels=counts(syn=1, syn_retransmission=10), last_at=at(68)),
                       server(labels=counts(syn_ack=1, syn_ack_retransmission=5)),
                       opening=Opening.HALF, ending=Ending.OPEN),
            ["syn-black-hole"],
            id="SYN-ACKs that do not arrive",
        ),
        param(
            capture(connection(), drops=(Drops("eth0", 100, 7),)),
            ["capture-loss"],
            id="the recorder dropped frames",
        ),
        param(
            connection(server_facts=server(missed=1448)),
            ["capture-loss"],
            id="bytes that were acknowledged and never seen",
        ),
    ],
)  # fmt: skip
def test_speaks(facts: CaptureFacts | ConnectionFacts, expected: list[str]) -> None:
    assert rules(facts) == expected


def test_every_rule_has_a_name_and_says_when_it_keeps_silent() -> None:
    assert len(set(NAMES)) == len(RULES) == 14
    assert NAMES == FINDINGS, "what a scenario can expect"
    assert all(rule.silent and rule.about.endswith(".") for rule in RULES)
    assert all((rule.one is None) != (rule.all is None) for rule in RULES)
    assert all(rule.over <= set(NAMES) for rule in RULES)


@pytest.mark.parametrize(
    ("client_facts", "server_facts", "direction"),
    [
        param(LOST.client, server(), "unknown", id="nothing comes back"),
        param(
            LOST.client,
            server(chain=chain(since=3), unacked=5, unacked_since=at(3), last_at=at(16)),
            "both",
            id="both ask in vain",
        ),
        param(
            LOST.client,
            server(unacked=1, unacked_since=at(9), last_at=at(9.6)),
            "both",
            id="the other's FIN is not answered either",
        ),
        param(
            LOST.client,
            server(last_at=at(13), last_data_at=at(13)),
            "to_server",
            id="the other speaks, and acknowledges nothing",
        ),
    ],
)
def test_a_black_hole_says_its_direction(client_facts, server_facts, direction: str) -> None:
    finding = only(connection(client_facts, server_facts))
    assert (finding.rule, finding.details["direction"]) == ("black-hole", direction)


def test_a_black_hole_forecasts_the_kernels_death() -> None:
    finding = only(capture(LOST, end=15.0))
    assert finding.details["rto_s"] == pytest.approx(0.208)
    death = (finding.details["predicted_death_at_ns"] - at(1)) / SECOND
    assert death == pytest.approx(0.208 * (2**10 - 1) + 6 * 120)
    assert "goes on for another" in finding.cause


def test_a_black_hole_that_has_ended_says_that_the_kernel_gave_up() -> None:
    finding = only(capture(LOST, end=5000.0))
    assert "gave up without a word" in finding.cause
    assert "predicted_death_at_ns" not in finding.details


def test_evidence_is_frames_in_order() -> None:
    finding = only(LOST)
    assert finding.frames == (9, 10, 15)
    assert finding.at_ns == at(1)


def test_findings_come_by_harm() -> None:
    found = find(capture(FIN_LOST, connection(opening=Opening.REFUSED)))
    assert [one.harm for one in found] == [Harm.HIGH, Harm.MEDIUM, Harm.LOW]
