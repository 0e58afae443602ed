"""Every recorded capture has a known story: which findings each must give, and which none.

The truth is in tests/captures/*.json and in their README. A capture that shows one end of a path
proves less than both ends know: `ka_mixed.B` says why it is silent.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from netdiag.analysis.findings import Finding, find
from netdiag.tcp.engine import analyse_capture

CAPTURES = Path(__file__).parent.parent / "captures"
PUBLIC = Path(__file__).parent.parent.parent.parent / "shared" / "captures" / "public"

NONE: frozenset[str] = frozenset()
BLACK_HOLE = frozenset({"black-hole"})
LEFTOVER = frozenset({"black-hole", "fin-wait-1-leftover"})
SLOW = frozenset({"slow-reader"})
HALF_OPEN = frozenset({"half-open"})
SYN = frozenset({"syn-black-hole"})
OUTAGE = frozenset({"outage"})

TRUTH = {
    "ackhsloss.A": NONE,  # one lost ACK
    "ackhsloss.B": NONE,
    "acktail.A": OUTAGE,  # ACKs lost for one second
    "acktail.B": OUTAGE,
    "busy": BLACK_HOLE,
    "busy_r2_8": BLACK_HOLE,
    "busy_uto10": BLACK_HOLE,
    "close_unread": NONE,  # closing with data unread sends an RST
    "delack": NONE,
    "dup.A": NONE,  # packets doubled by the network
    "dup.B": NONE,
    "finloss.A": OUTAGE,  # a FIN lost three times, then acknowledged
    "finloss.B": NONE,
    "finwait2": NONE,  # the peer never closes: it may
    "finwait2_10": NONE,
    "finwait2_data": NONE,
    "halfopen.A": HALF_OPEN,
    "halfopen.B": HALF_OPEN,
    "ka_1_11_3": BLACK_HOLE,
    "ka_1_11_3_uto12.5": BLACK_HOLE,
    "ka_5_3_3": BLACK_HOLE,
    "ka_data_r8": BLACK_HOLE,
    "ka_mixed.A": BLACK_HOLE | OUTAGE,  # two probes lost, one answered, then dead
    "ka_mixed.B": NONE,  # the last probe that arrived was answered; the rest never came here
    "ka_ok": NONE,
    "lastack": LEFTOVER,
    "linger0": NONE,
    "lossy1.B": frozenset({"capture-loss"}),  # 30 segments were acknowledged and never recorded
    "nat_drop.A": BLACK_HOLE,
    "nat_drop.B": BLACK_HOLE,  # every probe is answered; the TSecr tells that none arrives
    "orphan_data": LEFTOVER,
    "orphan_fin": LEFTOVER,
    "refused": frozenset({"refused"}),
    "reuse": NONE,
    "rst_oow": HALF_OPEN,  # an RST that was injected in the client's name
    "shut_fin": LEFTOVER,
    "silence": NONE,
    "spur.A": NONE,
    "spur.B": NONE,
    "syn_recv": SYN,
    "syn_sent": SYN,
    "synloss.A": NONE,
    "synloss.B": NONE,
    "tail.A": NONE,
    "tail.B": NONE,
    "tail1.A": NONE,
    "tail1.B": NONE,
    "third_ack": OUTAGE,  # the handshake's last ACK, eight seconds late
    "zero_answered": SLOW,
    "zero_answered_ka": SLOW,
    "zero_dead": BLACK_HOLE,
    "zero_open": SLOW,  # closed for five seconds, then drained
}


@cache
def found(name: str) -> tuple[Finding, ...]:
    return find(analyse_capture(CAPTURES / f"{name}.pcap"))


def one(name: str, rule: str) -> Finding:
    return next(finding for finding in found(name) if finding.rule == rule)


def test_the_table_is_complete() -> None:
    assert set(TRUTH) == {path.stem for path in CAPTURES.glob("*.pcap")}


@pytest.mark.parametrize("name", TRUTH)
def test_finds_what_was_done_and_nothing_else(name: str) -> None:
    assert {finding.rule for finding in found(name)} == TRUTH[name]
    assert len(found(name)) == len(TRUTH[name])


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("busy", "both"), ("orphan_fin", "both"), ("ka_5_3_3", "both"), ("shut_fin", "both"),
        ("nat_drop.A", "unknown"), ("ka_mixed.A", "unknown"),
    ],
)  # fmt: skip
def test_a_direction_is_claimed_where_the_capture_proves_it(name: str, direction: str) -> None:
    assert one(name, "black-hole").details["direction"] == direction


def test_syn_acks_that_do_not_arrive_have_a_direction() -> None:
    assert one("syn_recv", "syn-black-hole").details["direction"] == "to_client"
    assert one("syn_sent", "syn-black-hole").details["direction"] == "unknown"


@pytest.mark.parametrize(
    ("name", "rule", "side", "rto"),
    [
        ("busy", "black-hole", "client", 0.208),
        ("ka_data_r8", "black-hole", "client", 0.22),
        ("lastack", "black-hole", "server", 0.208),
    ],
)
def test_the_rto_is_estimated(name: str, rule: str, side: str, rto: float) -> None:
    finding = one(name, rule)
    assert finding.details["asking"] == side
    assert finding.details["rto_s"] == pytest.approx(rto, rel=0.1)


def test_keepalive_says_that_it_killed() -> None:
    for name in ("ka_5_3_3", "ka_1_11_3", "ka_1_11_3_uto12.5", "ka_mixed.A", "nat_drop.A"):
        assert one(name, "black-hole").details["killed_by"] == "keepalive", name


def test_the_slow_reader_was_closed_for_five_seconds() -> None:
    assert one("zero_open", "slow-reader").details["closed_s"] == pytest.approx(5, abs=0.3)


def test_fin_wait_1_and_last_ack_are_told_apart() -> None:
    assert one("orphan_fin", "fin-wait-1-leftover").details["state"] == "FIN-WAIT-1"
    assert one("lastack", "fin-wait-1-leftover").details["state"] == "LAST-ACK"


@pytest.mark.parametrize("name", [name for name, rules in TRUTH.items() if rules])
def test_evidence_is_in_the_capture(name: str) -> None:
    capture = analyse_capture(CAPTURES / f"{name}.pcap")
    for finding in found(name):
        assert finding.frames
        assert all(0 < frame <= capture.totals.frames for frame in finding.frames)
        assert capture.totals.first_at <= finding.at_ns <= capture.totals.last_at
        assert finding.cause
        assert finding.cure


PUBLIC_TRUTH = {
    "206_example_b.pcap": BLACK_HOLE,  # the client vanishes; twelve retransmissions, then an RST
    "fin_retransmission.pcap": NONE,
    "handshake-reorder.pcap": NONE,
    "missing-syn.pcap": NONE,
    "one-sided-2745.pcap": NONE,
    "one_tcp_stream_max_seq.pcap": NONE,
    "option-sack.pcap": SYN,  # four SYNs and nothing else
    "retransmit-fast009.pcap": NONE,
    "retransmit-timeout.pcapng": NONE,
    "rst-inject-rae.pcap": NONE,
    "smb3_multichannel.pcap": NONE,
    "ssh-dups.pcap": NONE,  # every packet captured twice
    "unidirectional_tcp_stream_with_missing_packet.pcap": NONE,
}


@pytest.mark.parametrize("name", PUBLIC_TRUTH)
def test_others_captures_hold_no_false_alarm(name: str) -> None:
    if not (PUBLIC / name).exists():
        pytest.skip("the public captures are not beside this checkout")
    findings = find(analyse_capture(PUBLIC / name))
    assert {finding.rule for finding in findings} == PUBLIC_TRUTH[name]


TAPES = Path(__file__).parent / "tapes"
ZOMBIE = frozenset({"zombie-consumer", "black-hole"})
TAPE_TRUTH = [
    ("zombie", "client", NONE),  # a client that is never told sees only silence
    ("zombie", "server", ZOMBIE),
    ("keepalive", "client", frozenset({"black-hole", "syn-black-hole", "outage"})),
    ("keepalive", "server", ZOMBIE),  # its own keepalive tells the client: not seen from here
    ("read-timeout", "client", frozenset({"black-hole", "fin-wait-1-leftover", "syn-black-hole",
                                          "read-timeout-below-block"})),
    ("read-timeout", "server", ZOMBIE | {"read-timeout-below-block"}),
    ("request-in-flight", "client", BLACK_HOLE),
    ("request-in-flight", "server", BLACK_HOLE),  # nothing was asked of it: no consumer waits
    ("reply-lost", "client", LEFTOVER | {"read-timeout-below-block"}),
    ("reply-lost", "server", HALF_OPEN | {"read-timeout-below-block"}),  # healed: RST for the reply
    ("reset-client", "client", HALF_OPEN | {"read-timeout-below-block"}),
    ("reset-client", "server", HALF_OPEN | {"read-timeout-below-block"}),
    ("healed", "client", OUTAGE),  # cut for three seconds: the same connection goes on
    ("healed", "server", OUTAGE),
]  # fmt: skip


@pytest.mark.parametrize(("name", "end", "rules"), TAPE_TRUTH)
def test_tapes_of_the_lab_tell_what_was_done(name: str, end: str, rules: frozenset[str]) -> None:
    findings = find(analyse_capture(TAPES / f"{name}.pcapng", interface=end))
    assert {finding.rule for finding in findings} == rules


def test_a_path_that_came_back_is_not_dead_in_both_directions() -> None:
    findings = find(analyse_capture(TAPES / "reply-lost.pcapng", interface="client"))
    directions = [one.details["direction"] for one in findings if one.rule == "black-hole"]
    assert directions == ["unknown"]
