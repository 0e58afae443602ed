"""Recorded captures: the labels, their counts and steps, against what the recorder knew."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.tcp.flows import Flows
from netdiag.tcp.labels import RETRANSMISSIONS, Label
from netdiag.tcp.wire import parse_frame

from .recorded import NAMES, packets, recorded, truth

OPENED = {"syn": 1, "syn_ack": 1, "handshake_ack": 1}
LATE_CLOSE = {"fin": 1, "fin_retransmission": 2}  # the server's, when the experiment was torn down

COUNTS = [
    ("syn_sent", {"syn": 1, "syn_retransmission": 10}),
    (
        "syn_recv",
        {"syn": 1, "syn_retransmission": 9, "syn_ack": 1, "syn_ack_retransmission": 5},
    ),
    (
        "third_ack",
        OPENED | {"handshake_ack": 4, "syn_ack_retransmission": 3, "data": 1, "ack": 1, "rst": 1},
    ),
    ("refused", {"syn": 1, "rst": 1}),
    ("ka_5_3_3", OPENED | LATE_CLOSE | {"keepalive_probe": 3, "rst": 1}),
    ("ka_1_11_3", OPENED | LATE_CLOSE | {"keepalive_probe": 3, "rst": 1}),
    ("ka_1_11_3_uto12.5", OPENED | LATE_CLOSE | {"keepalive_probe": 2, "rst": 1}),
    (
        "ka_ok",
        OPENED | {"keepalive_probe": 10, "keepalive_answer": 10, "data": 2, "ack": 3, "fin": 2},
    ),
    (
        "ka_data_r8",
        OPENED | LATE_CLOSE | {"data": 1, "tail_loss_probe": 1, "rto_retransmission": 8},
    ),
    (
        "busy",
        OPENED | LATE_CLOSE | {"data": 2, "ack": 1, "tail_loss_probe": 1, "rto_retransmission": 15},
    ),
    (
        "busy_r2_8",
        OPENED | LATE_CLOSE | {"data": 2, "ack": 1, "tail_loss_probe": 1, "rto_retransmission": 8},
    ),
    (
        "busy_uto10",
        OPENED | LATE_CLOSE | {"data": 2, "ack": 1, "tail_loss_probe": 1, "rto_retransmission": 5},
    ),
    (
        "zero_answered",
        OPENED
        | {
            "data": 2,
            "ack": 1,
            "zero_window": 1,
            "zero_window_probe": 11,
            "zero_window_answer": 10,
            "rst": 1,
        },
    ),
    (
        "zero_answered_ka",
        OPENED
        | {
            "data": 2,
            "ack": 1,
            "zero_window": 1,
            "zero_window_probe": 8,
            "zero_window_answer": 7,
            "rst": 1,
        },
    ),
    (
        "zero_dead",
        OPENED
        | {
            "data": 2,
            "ack": 1,
            "zero_window": 1,
            "zero_window_probe": 16,
            "zero_window_answer": 1,
            "rst": 1,
        },
    ),
    (
        "zero_open",
        OPENED
        | {
            "data": 33,
            "ack": 34,
            "zero_window": 1,
            "zero_window_probe": 4,
            "zero_window_answer": 3,
            "window_update": 1,
            "fin": 2,
        },
    ),
    ("orphan_fin", OPENED | {"data": 1, "ack": 1, "fin": 2, "fin_retransmission": 11}),
    ("orphan_data", OPENED | {"data": 2, "ack": 1, "fin": 2, "fin_retransmission": 11}),
    ("lastack", OPENED | {"fin": 2, "ack": 1, "fin_retransmission": 9}),
    ("shut_fin", OPENED | {"data": 1, "ack": 1, "fin": 2, "fin_retransmission": 18}),
    ("finwait2", OPENED | {"fin": 1, "ack": 1, "data": 1, "rst": 1}),
    ("finwait2_10", OPENED | {"fin": 1, "ack": 1, "data": 1, "rst": 1}),
    ("finwait2_data", OPENED | {"fin": 1, "ack": 1, "data": 1, "rst": 1}),
    ("close_unread", OPENED | {"data": 1, "ack": 1, "rst": 1}),
    ("linger0", OPENED | {"data": 1, "ack": 1, "rst": 1}),
    (
        "rst_oow",
        OPENED | {"syn": 2, "data": 1, "ack": 1, "rst": 4, "challenge_ack": 2, "fin": 1},
    ),
    (
        "reuse",
        {"syn": 3, "syn_ack": 3, "handshake_ack": 3, "data": 3, "ack": 3, "rst": 3},
    ),
    ("delack", OPENED | {"data": 30, "ack": 31, "fin": 2}),
    ("silence", OPENED | {"data": 7, "ack": 7, "fin": 2}),
    ("synloss.A", OPENED | {"syn_retransmission": 2, "data": 4, "ack": 3, "fin": 2}),
    ("synloss.B", OPENED | {"data": 4, "ack": 3, "fin": 2}),
    (
        "ackhsloss.A",
        OPENED | {"handshake_ack": 2, "syn_ack_retransmission": 1, "data": 4, "ack": 3, "fin": 2},
    ),
    ("ackhsloss.B", OPENED | {"syn_ack_retransmission": 1, "data": 4, "ack": 3, "fin": 2}),
    ("tail.A", OPENED | {"data": 38, "ack": 7, "tail_loss_probe": 1, "rst": 1}),
    ("tail.B", OPENED | {"data": 37, "ack": 7, "retransmission": 1, "rst": 1}),
    ("tail1.A", OPENED | {"data": 32, "ack": 5, "tail_loss_probe": 1, "fin": 2}),
    ("tail1.B", OPENED | {"data": 32, "ack": 5, "fin": 2}),
    (
        "spur.A",
        OPENED | {"data": 32, "ack": 5, "tail_loss_probe": 1, "duplicate_ack": 1, "fin": 2},
    ),
    (
        "spur.B",
        OPENED | {"data": 32, "ack": 5, "out_of_order": 1, "duplicate_ack": 1, "fin": 2},
    ),
    (
        "acktail.A",
        OPENED
        | {
            "data": 31,
            "ack": 6,
            "retransmission": 1,
            "tail_loss_probe": 1,
            "rto_retransmission": 2,
            "fin": 2,
        },
    ),
    (
        "acktail.B",
        OPENED
        | {
            "data": 32,
            "ack": 5,
            "tail_loss_probe": 2,
            "rto_retransmission": 4,
            "duplicate_ack": 3,
            "fin": 2,
        },
    ),
    (
        "finloss.A",
        OPENED
        | {
            "data": 6,
            "ack": 3,
            "fin": 2,
            "fin_retransmission": 3,
            "tail_loss_probe": 1,
            "duplicate_ack": 1,
        },
    ),
    (
        "finloss.B",
        OPENED | {"data": 6, "ack": 4, "fin": 1, "fin_retransmission": 1, "tail_loss_probe": 1},
    ),
    ("halfopen.A", OPENED | {"data": 6, "ack": 3, "keepalive_probe": 1, "rst": 1}),
    ("halfopen.B", OPENED | {"data": 6, "ack": 2, "keepalive_probe": 1, "rst": 2}),
    (
        "ka_mixed.A",
        OPENED | {"data": 6, "ack": 3, "keepalive_probe": 10, "keepalive_answer": 4, "rst": 1},
    ),
    ("ka_mixed.B", OPENED | {"data": 6, "ack": 3, "keepalive_probe": 4, "keepalive_answer": 4}),
    ("nat_drop.A", OPENED | {"data": 6, "ack": 3, "keepalive_probe": 3, "rst": 1}),
    (
        "nat_drop.B",
        OPENED | {"data": 6, "ack": 3, "keepalive_probe": 3, "keepalive_answer": 3, "rst": 1},
    ),
    ("dup.A", OPENED | {"data": 276, "ack": 239, "duplicate_ack": 9, "fin": 2, "rst": 1}),
    (
        "dup.B",
        OPENED
        | {"data": 276, "ack": 233, "duplicate_ack": 9, "retransmission": 8, "fin": 2, "rst": 1},
    ),
    (
        "lossy1.B",
        OPENED
        | {"data": 991, "ack": 574, "duplicate_ack": 323, "fast_retransmission": 14, "fin": 2},
    ),
]


def test_every_capture_has_its_row() -> None:
    assert sorted(name for name, _ in COUNTS) == NAMES


@pytest.mark.parametrize(("name", "counts"), COUNTS)
def test_labels_and_their_counts(name: str, counts: dict[str, int]) -> None:
    assert dict(recorded(name).counts()) == counts


TLP_THEN_RTO = [0, *range(1, 16)]


@pytest.mark.parametrize(
    ("name", "label", "side", "steps"),
    [
        ("syn_sent", "syn_retransmission", 0, list(range(1, 11))),
        ("syn_recv", "syn_ack_retransmission", 1, [1, 2, 3, 4, 5]),
        ("third_ack", "syn_ack_retransmission", 1, [1, 2, 3]),
        ("busy", "rto_retransmission", 0, list(range(1, 16))),
        ("busy_r2_8", "rto_retransmission", 0, list(range(1, 9))),
        ("busy_uto10", "rto_retransmission", 0, [1, 2, 3, 4, 5]),
        ("ka_data_r8", "rto_retransmission", 0, list(range(1, 9))),
        ("orphan_fin", "fin_retransmission", 0, TLP_THEN_RTO[:9]),
        ("orphan_data", "fin_retransmission", 0, TLP_THEN_RTO[:9]),
        ("lastack", "fin_retransmission", 1, TLP_THEN_RTO[:9]),
        ("shut_fin", "fin_retransmission", 0, TLP_THEN_RTO[:16]),
        ("finloss.A", "fin_retransmission", 0, [0, 1, 2]),
        ("acktail.A", "rto_retransmission", 0, [1, 2]),
        ("acktail.B", "rto_retransmission", 1, [1, 2]),
        ("ka_5_3_3", "keepalive_probe", 0, [1, 2, 3]),
        ("ka_ok", "keepalive_probe", 0, [1] * 10),
        ("ka_mixed.A", "keepalive_probe", 0, [1, 1, 1, 2, 3, 1, 1, 2, 3, 4]),
        ("ka_mixed.B", "keepalive_probe", 0, [1, 1, 1, 1]),
        ("nat_drop.A", "keepalive_probe", 0, [1, 2, 3]),
        ("nat_drop.B", "keepalive_probe", 0, [1, 1, 1]),
        ("zero_answered", "zero_window_probe", 0, list(range(1, 12))),
        ("zero_dead", "zero_window_probe", 0, list(range(1, 17))),
        ("zero_open", "zero_window_probe", 0, [1, 2, 3, 4]),
    ],
)
def test_steps(name: str, label: str, side: int, steps: list[int]) -> None:
    assert recorded(name).steps(label, side) == steps


@pytest.mark.parametrize(
    ("name", "label", "side", "gaps"),
    [
        param("ka_5_3_3", "keepalive_probe", 0, [5, 3, 3], id="idle 5, then every 3"),
        param("ka_1_11_3", "keepalive_probe", 0, [1, 11, 11], id="idle 1, then every 11"),
        param("ka_ok", "keepalive_probe", 0, [2] * 8, id="idle 2, answered, so idle 2 again"),
        param("busy", "rto_retransmission", 0, [0.2 * 2**k for k in range(9)], id="doubling"),
        param("lastack", "fin_retransmission", 1, [0.2, 0.2, 0.4, 0.8, 1.6, 3.2], id="FIN"),
        param("zero_answered", "zero_window_probe", 0, [0.2, 0.42, 0.85, 1.7, 3.4], id="persist"),
        param("syn_sent", "syn_retransmission", 0, [1] * 5 + [2, 4, 8, 16, 32], id="SYN"),
    ],
)
def test_gaps_are_late_by_an_eighth_at_most(
    name: str, label: str, side: int, gaps: list[float]
) -> None:
    measured = [i.obs.since_previous_ns / 1e9 for i in recorded(name).labelled(label, side)]
    for got, wanted in zip(measured, gaps, strict=False):
        assert wanted * 0.995 <= got <= wanted * 1.125 + 0.008


@pytest.mark.parametrize(
    ("name", "side", "causes"),
    [
        ("orphan_data", 0, ["tail_loss_probe"] + ["rto_retransmission"] * 8),
        ("orphan_fin", 0, ["tail_loss_probe"] + ["rto_retransmission"] * 8),
        ("finloss.A", 0, ["tail_loss_probe", "rto_retransmission", "rto_retransmission"]),
    ],
)
def test_a_fin_sent_again_names_its_timer(name: str, side: int, causes: list[str]) -> None:
    again = recorded(name).labelled("fin_retransmission", side)
    assert [item.obs.cause.text for item in again if item.obs.cause] == causes


def test_collapsed_fin_counts_from_the_bytes_it_carries() -> None:
    seen = recorded("orphan_data").seen
    data = next(item for item in seen if item.obs.segment.length == 100)
    collapsed = next(
        item for item in seen if item.obs.segment.length == 100 and item.obs.segment.flags & 1
    )
    assert collapsed.obs.label.text == "fin_retransmission"
    assert collapsed.obs.since_original_ns == pytest.approx((collapsed.t - data.t) * 1e9, abs=2000)


@pytest.mark.parametrize(("name", "side"), [("tail.B", 0), ("acktail.A", 1), ("finloss.B", 0)])
def test_what_never_passed_before_is_sent_again_by_an_unknown_cause(name: str, side: int) -> None:
    """A later ACK showed that it had been sent; how often, and when, this end cannot know."""
    (again,) = [
        item.obs
        for item in recorded(name).seen
        if item.obs.side == side and item.obs.cause is Label.RETRANSMISSION
    ]
    assert again.step == 0
    assert again.new_bytes == again.segment.length


LOST_AND_REPAIRED = ["synloss.A", "tail.A", "tail1.A", "finloss.A", "lossy1.B"]


@pytest.mark.parametrize("name", LOST_AND_REPAIRED)
def test_what_was_dropped_is_what_is_sent_again(name: str) -> None:
    dropped = [
        entry["seq"]
        for entry in truth(name)
        if entry["m"] == "drop" and entry["d"] == "A" and (entry["plen"] or entry["flags"] & 3)
    ]
    again = [
        item.obs.segment.seq
        for item in recorded(name).seen
        if item.obs.side == 0 and item.obs.label in RETRANSMISSIONS
    ]
    assert sorted(again) == sorted(dropped)


def test_what_the_network_doubled_has_no_timer_behind_it() -> None:
    doubled = [e["seq"] for e in truth("dup") if e["m"] == "dup" and e["d"] == "A"]
    again = recorded("dup.B").labelled("retransmission")
    assert sorted(item.obs.segment.seq for item in again) == sorted(doubled)


def test_a_delayed_original_is_out_of_order_and_answered_by_a_d_sack() -> None:
    delayed = next(e["seq"] for e in truth("spur") if e["m"] == "delay")
    (late,) = recorded("spur.B").labelled("out_of_order")
    assert late.obs.segment.seq == delayed
    assert late.obs.new_bytes == 0
    for name in ("spur.A", "spur.B"):
        assert [item.obs.dsack for item in recorded(name).labelled("duplicate_ack")] == [True]
        assert recorded(name).flows.flows[0].spurious(0) == 1


def test_probes_that_were_dropped_are_the_ones_without_an_answer() -> None:
    drops = [e for e in truth("ka_mixed") if e["m"] == "drop" and not e["flags"] & 4]
    seen = recorded("ka_mixed.A").labelled("keepalive_probe")
    answers = recorded("ka_mixed.A").labelled("keepalive_answer")
    assert len(seen) - len(answers) == len(drops)
    assert all(0.04 < item.obs.since_previous_ns / 1e9 < 0.05 for item in answers)
    assert [item.obs.answered for item in seen] == [
        False, True, True, False, False, True, True, False, False, False,
    ]  # fmt: skip


def test_unanswered_counts_since_the_last_word_of_the_peer() -> None:
    name = "busy_r2_8"
    flows = Flows()
    counts = []
    for packet in packets(name)[:15]:
        segment = parse_frame(packet.frame, packet.link)
        assert segment is not None
        flows.feed(packet.t_ns, segment)
        counts.append(flows.flows[0].unanswered(0))
    assert counts == [1, 0, 0, 1, 0, *range(1, 11)]


def test_the_three_lives_of_a_four_tuple() -> None:
    life = recorded("reuse")
    assert [flow.number for flow in life.flows.flows] == [0, 1, 2]
    assert [i.number for i in life.seen if i.obs.new_flow] == [1, 7, 13]
    assert {flow.client_state for flow in life.flows.flows} == {"closed"}


def test_resets_are_judged_by_the_window() -> None:
    resets = recorded("rst_oow").labelled("rst")
    assert [item.obs.rst_verdict for item in resets] == [0, 1, 2, 2]
    states = []
    flows = Flows()
    for packet in packets("rst_oow"):
        segment = parse_frame(packet.frame, packet.link)
        assert segment is not None
        flows.feed(packet.t_ns, segment)
        states.append(flows.flows[0].client_state)
    assert states[5:11] == ["established"] * 5 + ["closed"]


@pytest.mark.parametrize(
    ("name", "number", "client", "server"),
    [
        ("syn_sent", 11, "syn_sent", "closed"),
        ("refused", 2, "closed", "closed"),
        ("third_ack", 2, "established", "syn_received"),
        ("finwait2", 5, "fin_wait_2", "close_wait"),
        ("lastack", 6, "time_wait", "last_ack"),
        ("orphan_fin", 6, "fin_wait_1", "close_wait"),
        ("orphan_fin", 16, "closing", "closing"),
        ("ka_ok", 30, "time_wait", "closed"),
        ("halfopen.A", 14, "closed", "closed"),
        ("ka_5_3_3", 7, "closed", "closed"),
    ],
)
def test_states_if_everything_that_passed_arrived(
    name: str, number: int, client: str, server: str
) -> None:
    flows = Flows()
    for packet in packets(name)[:number]:
        segment = parse_frame(packet.frame, packet.link)
        assert segment is not None
        flows.feed(packet.t_ns, segment)
    assert (flows.flows[0].client_state, flows.flows[0].server_state) == (client, server)


SMALL = [name for name in NAMES if len(packets(name)) < 60]


def _trace(name: str, shift: tuple[int, int]) -> list[tuple[Any, ...]]:
    flows = Flows()
    out = []
    client = None
    for packet in packets(name):
        seg = parse_frame(packet.frame, packet.link)
        assert seg is not None
        client = client or (seg.src, seg.sport)
        own, peer = shift if (seg.src, seg.sport) == client else shift[::-1]
        moved = seg._replace(
            seq=(seg.seq + own) & 0xFFFFFFFF,
            ack=(seg.ack + peer) & 0xFFFFFFFF if seg.flags & 16 else seg.ack,
            sack=tuple(((a + peer) & 0xFFFFFFFF, (b + peer) & 0xFFFFFFFF) for a, b in seg.sack),
        )
        obs = flows.feed(packet.t_ns, moved)
        out.append(obs._replace(segment=seg))
    return out


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(SMALL),
    shift=st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF)),
)
def test_labels_do_not_depend_on_where_sequence_numbers_begin(
    name: str, shift: tuple[int, int]
) -> None:
    assert _trace(name, shift) == _trace(name, (0, 0))


@pytest.mark.parametrize("name", ["busy", "orphan_data", "lossy1.B", "zero_dead", "ka_mixed.A"])
@pytest.mark.parametrize("back", [0, 1, 5, 1000])
def test_labels_survive_the_wrap_itself(name: str, back: int) -> None:
    first = parse_frame(packets(name)[0].frame, packets(name)[0].link)
    second = parse_frame(packets(name)[1].frame, packets(name)[1].link)
    assert first is not None
    assert second is not None
    shift = -first.seq - 1 - back, -second.seq - 1 - back
    assert _trace(name, shift) == _trace(name, (0, 0))
