"""Short stories, segment by segment: what each is called at the moment it passes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.tcp import fields as f
from netdiag.tcp.labels import BASE, BY_NAME, NAMES, Label, matches
from netdiag.tcp.states import EVENTS, NEXT, RESET, STATE_TEXTS
from netdiag.tcp.tracker import track

from .segments import MS, Line

STORIES = [
    param(
        [
            (1, ">", "PA", 1, 1, 100),
            (200, ">", "PA", 1, 1, 100),
            (200, ">", "PA", 1, 1, 100),
            (400, ">", "PA", 1, 1, 100),
        ],
        ["data", "tail_loss_probe", "rto_retransmission", "rto_retransmission"],
        id="equal first gaps: a probe, then the timer",
    ),
    param(
        [
            (1, ">", "PA", 1, 1, 100),
            (1, ">", "PA", 101, 1, 100),
            (1, ">", "PA", 201, 1, 100),
            (210, ">", "PA", 1, 1, 100),
            (420, ">", "PA", 1, 1, 100),
        ],
        ["data", "data", "data", "rto_retransmission", "rto_retransmission"],
        id="a timer resends the first of the flight",
    ),
    param(
        [
            (1, ">", "PA", 1, 1, 100),
            (1, ">", "PA", 101, 1, 100),
            (3, ">", "PA", 101, 1, 100),
            (210, ">", "PA", 1, 1, 200),
        ],
        ["data", "data", "tail_loss_probe", "rto_retransmission"],
        id="a probe resends the last; the timer's segment has other boundaries",
    ),
    param(
        [
            (1, ">", "PA", 1, 1, 100),
            (0.02, ">", "PA", 1, 1, 100),
        ],
        ["data", "retransmission"],
        id="at once: no timer",
    ),
    param(
        [
            (1, ">", "A", 1, 1, 100),
            (0.1, ">", "A", 101, 1, 100),
            (0.1, ">", "A", 201, 1, 100),
            (0.1, ">", "A", 301, 1, 100),
            (1, "<", ".", 1, 1),
            (0.1, "<", ".", 1, 1),
            (0.1, "<", ".", 1, 1),
            (0.1, "<", ".", 1, 1),
            (0.1, ">", "A", 1, 1, 100),
            (1, "<", ".", 1, 401),
        ],
        ["data"] * 4 + ["window_update"] + ["duplicate_ack"] * 3 + ["fast_retransmission", "ack"],
        id="three duplicate ACKs",
    ),
    param(
        [
            (1, "<", ".", 1, 1),
            (60_000, ">", "A", 0, 1, 1),
            (1, "<", ".", 1, 1),
        ],
        ["window_update", "keepalive_probe", "keepalive_answer"],
        id="a keepalive probe with a byte of garbage",
    ),
    param(
        [
            (1, ">", "PA", 1, 1, 1),
            (1, "<", ".", 1, 2),
            (210, ">", "PA", 1, 1, 1),
        ],
        ["data", "ack", "tail_loss_probe"],
        id="a single byte of data sent again is no keepalive probe",
    ),
    param(
        [
            (1, ">", "PA", 1, 1, 10),
            (1, "<", "PA", 1, 11, 10),
            (60_000, ">", ".", 10, 11),
            (5, "<", ".", 10, 11),
            (5, "<", ".", 11, 11),
            (5, ">", ".", 11, 11),
        ],
        ["data"] * 2 + ["keepalive_probe"] * 2 + ["keepalive_answer"] * 2,
        id="both sides probe at the same time",
    ),
    param(
        [
            (1, ">", "PA", 1, 1, 10),
            (1, "<", ".", 1, 11),
            (1, ">", "FA", 11, 1),
            (1, ">", ".", 11, 1),
            (1, "<", ".", 1, 12),
            (9000, ">", ".", 11, 1),
        ],
        ["data", "ack", "fin", "duplicate_ack", "ack", "keepalive_probe"],
        id="an ACK from before the FIN, overtaken by it, is no probe; one long after it is",
    ),
    param(
        [
            (1, ">", "A", 1, 1, 10),
            (1, "<", "A", 21, 1, 10),
            (1, "<", "A", 1, 1, 20),
        ],
        ["data", "data", "out_of_order"],
        id="late by less than a round trip",
    ),
    param(
        [
            (1, ">", "PA", 1, 1, 10),
            (1, ">", "FPA", 11, 1, 10),
            (210, ">", "FPA", 1, 1, 20),
        ],
        ["data", "fin", "fin_retransmission"],
        id="a collapsed FIN",
    ),
    param(
        [
            (1, ">", "PA", 1, 1, 10),
            (210, ">", "FPA", 1, 1, 10),
        ],
        ["data", "fin"],
        id="data sent again that carries the FIN for the first time",
    ),
]


@pytest.mark.parametrize(("story", "labels"), STORIES)
def test_stories_after_the_handshake(story: list[tuple[object, ...]], labels: list[str]) -> None:
    assert Line().handshake().labels(*story) == labels


def test_a_repeated_syn_ack_is_acknowledged_again() -> None:
    line = Line().handshake()
    again = line("<", "SA", 0, 1, after=1000)
    assert (again.label, again.step) == (Label.SYN_ACK_RETRANSMISSION, 1)
    assert line(">", ".", 1, 1).label is Label.HANDSHAKE_ACK
    assert line(">", ".", 1, 1).label is Label.DUPLICATE_ACK


def test_doubling_from_the_start_shows_a_sender_without_probes() -> None:
    line = Line().handshake()
    line(">", "PA", 1, 1, 100)
    first = line(">", "PA", 1, 1, 100, after=200)
    second = line(">", "PA", 1, 1, 100, after=400)
    assert first.label is Label.TAIL_LOSS_PROBE  # nothing can tell yet
    assert (second.label, second.step) == (Label.RTO_RETRANSMISSION, 2)
    line("<", ".", 1, 101)
    line(">", "PA", 101, 1, 100)
    again = line(">", "PA", 101, 1, 100, after=200)
    assert (again.label, again.step) == (Label.RTO_RETRANSMISSION, 1)


def test_without_sack_there_are_no_tail_loss_probes() -> None:
    line = Line(sack=False).handshake()
    line(">", "PA", 1, 1, 100)
    steps = [line(">", "PA", 1, 1, 100, after=200 * 2**k) for k in range(4)]
    assert [(o.label, o.step) for o in steps] == [
        (Label.RTO_RETRANSMISSION, k) for k in (1, 2, 3, 4)
    ]


def test_sack_blocks_above_make_it_fast_and_the_timer_still_slow() -> None:
    line = Line().handshake()
    for start in (1, 101, 201):
        line(">", "A", start, 1, 100)
    line("<", ".", 1, 1, after=20, sack=((101, 301),))
    assert line(">", "A", 1, 1, 100, after=1).label is Label.FAST_RETRANSMISSION
    late = line(">", "A", 1, 1, 100, after=250)
    assert (late.label, late.step) == (Label.RTO_RETRANSMISSION, 1)


def test_what_acks_clock_out_after_a_timeout_is_not_another_timeout() -> None:
    line = Line().handshake()
    for start in (1, 101, 201):
        line(">", "A", start, 1, 100)
    assert line(">", "A", 1, 1, 100, after=220).label is Label.RTO_RETRANSMISSION
    line("<", ".", 1, 101, after=20)
    assert line(">", "A", 101, 1, 100, after=0.1).label is Label.RETRANSMISSION


def test_the_chain_goes_on_although_the_ack_passed_here_and_was_lost_behind() -> None:
    line = Line().handshake()
    line("<", "PA", 1, 1, 50)
    line(">", ".", 1, 51)
    got = [line("<", "PA", 1, 1, 50, after=gap) for gap in (204, 204, 408, 816)]
    assert [(o.label.text, o.step) for o in got] == [
        ("tail_loss_probe", 0),
        ("rto_retransmission", 1),
        ("rto_retransmission", 2),
        ("rto_retransmission", 3),
    ]
    assert [round(o.since_original_ns / MS) for o in got] == [204, 408, 816, 1632]


def test_a_segment_with_an_older_timestamp_is_out_of_order_however_late() -> None:
    line = Line().handshake()
    line(">", "PA", 1, 1, 100, tsval=1000)
    line(">", "PA", 1, 1, 100, tsval=1220, after=220)
    assert line(">", "PA", 1, 1, 100, tsval=1000, after=500).label is Label.OUT_OF_ORDER


@pytest.mark.parametrize(
    ("window", "probe", "answer"),
    [(0, "zero_window_probe", "zero_window_answer"), (7, "keepalive_probe", "keepalive_answer")],
)
def test_the_peers_window_tells_the_probes_apart(window: int, probe: str, answer: str) -> None:
    line = Line().handshake()
    line(">", "PA", 1, 1, 100)
    line("<", ".", 1, 101, window=window)
    assert line(">", ".", 100, 1, after=5000).label.text == probe
    assert line("<", ".", 1, 101, window=window).label.text == answer


def test_a_probe_with_the_next_byte_goes_on_as_data_once_the_window_opens() -> None:
    line = Line().handshake()
    line(">", "PA", 1, 1, 100)
    assert line("<", ".", 1, 101, window=0).label is Label.ZERO_WINDOW
    for step in (1, 2):
        probe = line(">", "A", 101, 1, 1, after=500)
        assert (probe.label, probe.step) == (Label.ZERO_WINDOW_PROBE, step)
        assert line("<", ".", 1, 101, window=0).label is Label.ZERO_WINDOW_ANSWER
    assert line("<", ".", 1, 101, window=500).label is Label.WINDOW_UPDATE
    assert line(">", "A", 101, 1, 200).label is Label.DATA


def test_windows_are_scaled_only_when_both_offered_it() -> None:
    line = Line().handshake()
    assert line.flows.flows[0].window(0) == 1000 << 7
    bare = Line()
    bare(">", "S", 0)
    bare("<", "SA", 0, 1, wscale=-1)
    bare(">", ".", 1, 1)
    assert bare.flows.flows[0].window(0) == 1000


def test_rst_in_syn_sent_counts_only_with_the_right_ack() -> None:
    line = Line()
    line(">", "S", 0)
    assert line("<", "R", 0).rst_verdict == 0
    assert line("<", "RA", 0, 55).rst_verdict == 0
    assert line.flows.flows[0].client_state == "syn_sent"
    assert line("<", "RA", 0, 1).rst_verdict == 2
    assert line.flows.flows[0].client_state == "closed"


@pytest.mark.parametrize(
    ("story", "client", "server"),
    [
        ("", "established", "established"),
        (">F", "fin_wait_1", "close_wait"),
        (">F <a", "fin_wait_2", "close_wait"),
        (">F <a <F", "time_wait", "last_ack"),
        (">F <a <F >a", "time_wait", "closed"),
        ("<F >a >F <a", "closed", "time_wait"),
        (">F <f >a <a", "time_wait", "time_wait"),
        (">R", "closed", "closed"),
    ],
)
def test_states(story: str, client: str, server: str) -> None:
    line = Line().handshake()
    sent = {">": 1, "<": 1}
    for way, what in story.split():
        other = "<" if way == ">" else ">"
        seen = sent[other] if what != "f" else 1  # `f`: crossed on the way
        line(way, {"F": "FA", "f": "FA", "a": ".", "R": "RA"}[what], sent[way], seen)
        sent[way] += what in "Ff"
    flow = line.flows.flows[0]
    assert (flow.client_state, flow.server_state) == (client, server)


@pytest.mark.parametrize(
    ("story", "verdict", "server"),
    [
        ("", 0, "established"),
        (">F", 2, "closed"),
        (">F <a", 2, "closed"),
        (">F <a <F", 2, "closed"),
        (">F <f <a", 2, "closed"),
    ],
    ids=["no FIN", "CLOSE-WAIT", "CLOSE-WAIT, told so", "LAST-ACK", "CLOSING"],
)
def test_a_rst_with_the_number_of_the_fin_is_accepted(
    story: str, verdict: int, server: str
) -> None:
    """macOS sends one when a program is interrupted. Source: tcp_reset_check, tcp_input.c."""
    line = Line().handshake()
    sent = {">": 1, "<": 1}
    for way, what in story.split():
        seen = 1 if what == "f" else sent["<" if way == ">" else ">"]
        line(way, "." if what == "a" else "FA", sent[way], seen)
        sent[way] += what in "Ff"
    assert line(">", "R", sent[">"] - 1).rst_verdict == verdict
    assert line.flows.flows[0].server_state == server


def test_a_fin_behind_a_hole_is_not_received_before_the_hole_is_filled() -> None:
    line = Line().handshake()
    line(">", "FPA", 101, 1, 100)
    flow = line.flows.flows[0]
    assert (flow.client_state, flow.server_state) == ("fin_wait_1", "established")
    assert flow.received_next(1) == 1001
    line(">", "PA", 1, 1, 100, after=300)
    assert flow.server_state == "close_wait"


def test_reset_leads_to_closed_from_everywhere() -> None:
    for state in range(len(STATE_TEXTS)):
        assert STATE_TEXTS[NEXT[state * EVENTS + RESET]] == "closed"


@pytest.mark.parametrize(
    ("asked", "answering"),
    [
        ("fin", {"fin", "fin_retransmission"}),
        ("syn", {"syn", "syn_retransmission"}),
        ("syn_ack", {"syn_ack", "syn_ack_retransmission"}),
        ("fin_retransmission", {"fin_retransmission"}),
        ("keepalive_probe", {"keepalive_probe"}),
        (
            "data",
            {
                "data",
                "tail_loss_probe",
                "rto_retransmission",
                "fast_retransmission",
                "retransmission",
                "out_of_order",
            },
        ),
        (
            "ack",
            {
                "ack",
                "handshake_ack",
                "keepalive_answer",
                "zero_window_answer",
                "duplicate_ack",
                "window_update",
                "zero_window",
                "challenge_ack",
            },
        ),
    ],
)
def test_what_a_trigger_counts(asked: str, answering: set[str]) -> None:
    assert {name for name in NAMES if matches(BY_NAME[asked], BY_NAME[name])} == answering


def test_every_label_answers_to_its_own_name() -> None:
    assert all(matches(label, label) for label in Label)
    assert set(BASE) <= set(Label)


U32 = st.integers(0, 0xFFFFFFFF)
NEAR = st.integers(-3, 3).map(lambda n: n & 0xFFFFFFFF) | U32 | st.integers(0, 5000)
ANY = st.tuples(
    st.integers(0, 1),
    st.integers(-MS, 10_000 * MS),
    NEAR,
    NEAR,
    st.integers(0, 255),
    st.integers(0, 3) | st.integers(0, 70_000),
    st.integers(0, 3) | st.integers(0, 65535),
    st.integers(-1, 14),
    st.booleans(),
    st.just(-1) | NEAR,
    st.just(-1) | NEAR,
    st.just(-1) | NEAR,
    st.just(-1) | NEAR,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ANY, max_size=60))
def test_any_segments_leave_a_state_within_its_bounds(segments: list[tuple[int, ...]]) -> None:
    state = f.new_state()
    now = 0
    for side, dt, seq, ack, flags, length, window, wscale, permitted, *rest in segments:
        now += dt
        label = track(
            state, side, now, seq, ack, flags, length, window, wscale, bool(permitted), *rest
        )
        assert label in range(len(NAMES))
        assert len(state) == f.SIZE
        for base in (0, f.SIDE):
            assert 0 <= state[base + f.HOLE_COUNT] <= f.HOLES
            assert state[base + f.TCP_STATE] in range(len(STATE_TEXTS))
            assert all(0 <= state[base + n] <= f.MASK for n in (f.NXT, f.UNA, f.ISN, f.TAIL_SEQ))
