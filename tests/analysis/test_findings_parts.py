"""A part of a capture tells what it shows: neither its border, nor what is missing, is taken for
the beginning or the end of the trouble. The whole stories are in test_findings_captures.py.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from pytest import param

from netdiag.analysis.findings import Finding, find
from netdiag.report.capture import view_of_capture
from netdiag.report.capture_flow import view_of_flow
from netdiag.tcp.engine import analyse_capture
from netdiag.tcp.facts import Healing
from netdiag.tcp.labels import Label
from tests.analysis.talk import CLIENT, SERVER, VALUE, Talk, Wire, resp
from tests.tcp.making import Bare, bare, pcap
from tests.tcp.recorded import CAPTURES

if TYPE_CHECKING:
    from netdiag.tcp.facts import CaptureFacts

SECOND = 1_000_000_000


def part(name: str, first: int, last: int, *, of: str = "") -> CaptureFacts:
    """Frames `first` to `last` of a recorded capture; `of`: only those from this address."""
    source = bytes(map(int, of.split("."))) if of else b""
    frames = [one for one in bare(name)[first - 1 : last] if not of or _source(one) == source]
    return analyse_capture(io.BytesIO(pcap(frames, nanoseconds=True)))


def _source(frame: Bare) -> bytes:
    return frame.data[12:16]


def only(facts: CaptureFacts) -> Finding:
    (finding,) = find(facts)
    return finding


@pytest.mark.parametrize("compiled", [False, True])
def test_the_end_of_a_selection_is_not_the_end_of_the_trouble(compiled: bool) -> None:
    """busy.pcap goes on until 817 s, and says nothing from then on; RTO 208 ms."""
    facts = analyse_capture(CAPTURES / "busy.pcap", until=60.0, compiled=compiled)
    finding = only(facts)
    assert (facts.totals.before, facts.totals.after) == (0, 10)
    assert "gave up" not in finding.cause
    assert finding.details["rto_s"] == pytest.approx(0.208, rel=0.1)
    lives = (finding.details["predicted_death_at_ns"] - facts.totals.first_at) / SECOND
    assert lives == pytest.approx(937, rel=0.01)  # the kernel's ETIMEDOUT, see busy.json
    (note,) = view_of_capture(facts, ()).notes
    assert note.startswith("10 segments after --until were left out")


@pytest.mark.parametrize("compiled", [False, True])
def test_the_beginning_of_a_selection_is_not_the_beginning_of_the_trouble(compiled: bool) -> None:
    facts = analyse_capture(CAPTURES / "busy.pcap", since=90.0, compiled=compiled)
    finding = only(facts)
    assert (facts.totals.before, facts.totals.after) == (15, 0)
    assert "rto_s" not in finding.details
    assert "its RTO is unknown" in finding.cause
    assert "for at least 11 m 51 s" in finding.cause
    (note,) = view_of_capture(facts, ()).notes
    assert note.startswith("15 segments before --since were left out")


def test_segments_that_are_not_asked_for_are_not_outside_the_span() -> None:
    facts = analyse_capture(CAPTURES / "busy.pcap", until=60.0, ports=[6379])
    assert (facts.totals.filtered, facts.totals.after) == (25, 0)


def test_a_timer_whose_beginning_was_not_seen_has_no_length() -> None:
    facts = part("busy", 14, 25)
    chain = facts.connections[0].client.chain
    assert chain is not None
    assert (chain.rto_ns, chain.begun, chain.label) == (-1, False, Label.RTO_RETRANSMISSION)
    view = view_of_flow(facts, facts.connections[0], ())
    texts = [row.text for row in view.rows]
    assert "rto retransmission (step at least 1), 17 bytes" in texts
    assert not any("tail loss probe" in text for text in texts)


def test_a_timer_that_cannot_have_been_doubled_yet_has_one() -> None:
    """The capture begins with the very request: 206 ms are no doubled RTO."""
    finding = only(part("busy", 5, 25))
    assert finding.details["rto_s"] == pytest.approx(0.208, rel=0.1)


def test_the_request_that_hung_is_evidence_and_in_the_timeline() -> None:
    facts = part("busy", 1, 25)
    assert only(facts).frames[0] == 6
    rows = view_of_flow(facts, facts.connections[0], ()).rows
    assert ("6", "data, 17 bytes", "sent again below") in [
        (row.frame, row.text, row.reason) for row in rows
    ]


def test_data_that_is_sent_again_with_a_fin_is_told() -> None:
    assert "FIN with 100 bytes of data sent again" in find(part("orphan_data", 1, 19))[0].cause


@pytest.mark.parametrize(
    ("name", "count"), [param("ka_mixed.A", 4, id="an earlier gap had healed"), ("ka_5_3_3", 3)]
)
def test_only_the_probes_of_the_last_gap_are_in_vain(name: str, count: int) -> None:
    assert f"({count} keepalive probes)" in find(part(name, 1, 10_000))[0].cause


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        param("busy", 12, 20, id="nine copies"),
        param("busy", 14, 18, id="five copies"),
        param("busy", 15, 17, id="three copies, a minute and more apart"),
        param("busy", 16, 22, id="seven copies"),
    ],
)
def test_what_is_sent_again_and_again_is_unanswered_whoever_was_captured(
    name: str, first: int, last: int
) -> None:
    facts = part(name, first, last)
    finding = only(facts)
    assert (finding.rule, finding.details["direction"]) == ("black-hole", "unknown")
    assert "nothing that the server sent was captured" in finding.cause
    assert any("only one side was captured" in note for note in view_of_capture(facts, ()).notes)


def test_one_side_alone_that_stops_to_ask_may_have_been_answered() -> None:
    """Five retransmissions, and much later a frame of another connection ends the capture."""
    frames = [*bare("busy")[11:17], *_at(bare("busy_uto10")[:1], bare("busy")[24].t_ns)]
    assert find(analyse_capture(io.BytesIO(pcap(frames)))) == ()


def _at(frames: list[Bare], t_ns: int) -> list[Bare]:
    return [Bare(t_ns, one.data) for one in frames]


@pytest.mark.parametrize(
    ("name", "first", "last"), [("ka_mixed.A", 23, 26), ("zero_dead", 15, 24)]
)
def test_probes_alone_cannot_be_told_from_answers_and_the_report_says_so(
    name: str, first: int, last: int
) -> None:
    facts = part(name, first, last)
    assert find(facts) == ()
    (note,) = view_of_capture(facts, ()).notes
    assert "whether the other is silent, or the capture shows one direction only" in note


@pytest.mark.parametrize(
    ("name", "asking", "seconds", "words"),
    [
        param("acktail.A", "client", 1.04, "was then answered (frame 41)", id="ACKs were lost"),
        param("finloss.A", "client", 1.03, "3 retransmissions of a FIN", id="a FIN was lost"),
        param("third_ack", "server", 7.09, "the client believed in a connection that the server "
              "did not have yet", id="the handshake's last ACK was lost"),
    ],
)  # fmt: skip
def test_an_outage_that_healed_is_told(
    name: str, asking: str, seconds: float, words: str
) -> None:
    finding = only(part(name, 1, 10_000))
    assert (finding.rule, finding.details["asking"]) == ("outage", asking)
    assert finding.details["unanswered_s"] == pytest.approx(seconds, abs=0.01)
    assert words in finding.cause


def test_probes_that_were_lost_and_one_that_was_answered_are_an_outage() -> None:
    _, finding = find(part("ka_mixed.A", 1, 10_000))
    assert (finding.rule, finding.frames) == ("outage", (17, 19, 20))


def test_syn_acks_sent_again_are_not_called_needless() -> None:
    facts = part("third_ack", 1, 12)
    lines = {line.name: line for line in view_of_flow(facts, facts.connections[0], ()).sides}
    told = lines["sent again"].server
    assert told == "3 syn ack retransmissions, 3 of them although the peer had it"


def test_answers_that_pass_here_and_do_not_arrive_are_a_black_hole() -> None:
    """At the server's end: the client's probes echo an old timestamp, and it ends it by an RST."""
    finding = only(part("nat_drop.B", 1, 19))
    assert (finding.rule, finding.details["direction"]) == ("black-hole", "to_client")
    assert finding.frames == (13, 17, 18, 19)


@pytest.mark.parametrize(
    ("name", "answer", "again"),
    [
        param("busy", 0, 0, id="a FIN that acknowledges nothing of it"),
        param("ka_mixed.A", 20, 1, id="the first of two probes was lost"),
    ],
)
def test_an_answer_acknowledges_what_was_asked(name: str, answer: int, again: int) -> None:
    silence = part(name, 1, 10_000).connections[0].silence
    assert silence is not None
    assert (silence.answer_frame, silence.asked_again) == (answer, again)


def test_an_outage_that_an_rst_ended_says_that_the_other_had_given_up() -> None:
    """A reply is sent again for seconds; meanwhile its client has closed, and answers it by RST."""
    wire = Wire()
    talk = Talk(wire).open().ask(resp("BRPOP", "q", "0"))
    lost = talk.seq[SERVER]
    talk.say(SERVER, "PA", VALUE, after=2)
    for step in range(6):
        talk.say(SERVER, "PA", VALUE, seq=lost, after=0.2 * 2 ** max(step - 1, 0))
    talk.say(CLIENT, "R", after=0.0003)
    facts = wire.facts()
    row = facts.connections[0].server.outage
    assert row is not None
    assert (row.healing, row.count) == (Healing.RESET, 6)
    rows = view_of_flow(facts, facts.connections[0], ()).rows
    (reason,) = (row.reason for row in rows if row.text.startswith("data"))
    assert reason.endswith("after the one before; sent again below")
