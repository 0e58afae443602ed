"""Which connection a segment belongs to, and which side sent it."""

from __future__ import annotations

import pytest

from netdiag.tcp.flows import Flows
from netdiag.tcp.labels import Label
from netdiag.tcp.wire import endpoint_text

from .segments import CLIENT, SERVER, Line, segment


@pytest.mark.parametrize(
    ("sport", "dport", "side"),
    [
        (40000, 6379, 0),
        (6379, 40000, 1),
        (1500, 6379, 0),  # a known port serves although it is the higher one
        (5001, 53300, 1),
        (53300, 5001, 0),
    ],
)
def test_in_mid_life_the_ports_tell_who_serves(sport: int, dport: int, side: int) -> None:
    made = segment(">", "PA", 5, 7, b"x")._replace(sport=sport, dport=dport)
    flows = Flows()
    obs = flows.feed(1, made)
    assert (obs.side, obs.new_flow) == (side, True)
    assert flows.flows[0].server[1] == (sport if side else dport)
    assert flows.flows[0].client_state == "established"


def test_the_sender_of_a_syn_ack_serves_whatever_its_port() -> None:
    obs = Flows().feed(1, segment("<", "SA", 5, 7)._replace(sport=60000, dport=80))
    assert obs.side == 1


def test_a_capture_that_begins_with_a_probe_knows_it_by_the_second() -> None:
    line = Line()
    labels = line.labels(
        (1, ">", ".", 9, 5), (1, "<", ".", 5, 10), (2000, ">", ".", 9, 5), (1, "<", ".", 5, 10)
    )
    assert labels == ["ack", "ack", "keepalive_probe", "keepalive_answer"]


def test_a_new_life_begins_with_a_syn_and_the_old_host_may_still_challenge_it() -> None:
    line = Line().handshake()
    line(">", "PA", 1, 1, 10)
    line("<", ".", 1, 11)
    syn = line(">", "S", 77_000)
    assert (syn.flow, syn.new_flow, syn.label) == (1, True, Label.SYN)
    challenge = line("<", ".", 1, 11)
    assert (challenge.flow, challenge.side) == (0, 1)
    reset = line(">", "R", 11)
    assert (reset.flow, reset.side, reset.rst_verdict) == (0, 0, 2)
    again = line(">", "S", 77_000, after=1000)
    assert (again.flow, again.label) == (1, Label.SYN_RETRANSMISSION)
    answer = line("<", "SA", 500_000, 77_001)
    assert (answer.flow, answer.label) == (1, Label.SYN_ACK)
    assert line(">", ".", 77_001, 500_001).label is Label.HANDSHAKE_ACK
    assert line.flows.flows[1].client_state == "established"


def test_a_bare_syn_into_a_living_connection_is_challenged_within_it() -> None:
    line = Line().handshake()
    forged = line(">", "S", 1, mss=-1, wscale=-1, sack_permitted=False)
    assert (forged.flow, forged.label) == (0, Label.SYN)
    assert line("<", ".", 1, 1).label is Label.CHALLENGE_ACK
    assert line.flows.flows[0].server_state == "established"


def test_a_syn_sent_again_after_a_refusal_is_the_same_attempt() -> None:
    line = Line()
    line(">", "S", 0)
    line("<", "RA", 0, 1)
    again = line(">", "S", 0, after=1000)
    assert (again.flow, again.label) == (0, Label.SYN_RETRANSMISSION)


def test_reading_a_flow() -> None:
    line = Line().handshake()
    line(">", "PA", 1, 1, 100)
    line("<", ".", 1, 51)
    flow = line.flows.flows[0]
    assert (flow.client, flow.server) == (CLIENT, SERVER)
    assert endpoint_text(*flow.server) == "10.0.0.2:6379"
    assert flow.next_seq(0) == 1000 + 101
    assert flow.acked(0) == 1000 + 51
    assert flow.received_next(1) == 1000 + 101
    assert (flow.unanswered(0), flow.open) == (0, True)
    line(">", "PA", 101, 1, 100)
    line("<", ".", 1, 301)
    assert flow.missed(0) == 100  # acknowledged, and never passed here
