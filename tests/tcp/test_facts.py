"""Recorded captures -> facts, against what the recorder knew and what the kernel said."""

# ruff: noqa: PLR0917 -- tables
from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING

import pytest
from pytest import approx, param

from netdiag.tcp.engine import analyse_capture
from netdiag.tcp.facts import (
    ANSWERED_ROW,
    BREAKS_SILENCE_ROW,
    DSACK_ROW,
    SPURIOUS_ROW,
    ConnectionFacts,
    Ending,
    Opening,
)
from netdiag.tcp.labels import Label

from .making import bare, pcap
from .recorded import CAPTURES, truth

if TYPE_CHECKING:
    from netdiag.tcp.facts import CaptureFacts

SECOND = 1_000_000_000
LATE = 1.13  # timers fire up to an eighth late


@cache
def facts(name: str) -> CaptureFacts:
    return analyse_capture(CAPTURES / f"{name}.pcap", compiled=False)


def one(name: str) -> ConnectionFacts:
    return facts(name).connections[0]


def fates(name: str, fate: str, sender: str) -> int:
    return sum(entry["m"] == fate and entry["d"] == sender for entry in truth(name) if "d" in entry)


LIVES = [
    # name, opening, ending, ended by, frame, what an ending RST answers, still open
    ("syn_sent", Opening.UNANSWERED, Ending.NEVER_OPENED, -1, 0, None, True),
    ("refused", Opening.REFUSED, Ending.NEVER_OPENED, 1, 2, Label.SYN, False),
    ("syn_recv", Opening.HALF, Ending.OPEN, -1, 0, None, True),
    ("third_ack", Opening.COMPLETE, Ending.RST, 1, 12, Label.DATA, False),
    ("ka_ok", Opening.COMPLETE, Ending.FIN, 0, 28, None, False),
    ("ka_5_3_3", Opening.COMPLETE, Ending.RST, 0, 7, Label.SYN_ACK, False),
    ("busy", Opening.COMPLETE, Ending.FIN, 1, 23, None, True),
    ("lastack", Opening.COMPLETE, Ending.FIN, 0, 4, None, True),
    ("orphan_fin", Opening.COMPLETE, Ending.FIN, 0, 6, None, True),
    ("finwait2", Opening.COMPLETE, Ending.FIN, 0, 4, Label.DATA, False),
    ("close_unread", Opening.COMPLETE, Ending.RST, 0, 6, Label.DATA, False),
    ("halfopen.A", Opening.COMPLETE, Ending.RST, 1, 14, Label.KEEPALIVE_PROBE, False),
    ("rst_oow", Opening.COMPLETE, Ending.RST, 0, 11, Label.CHALLENGE_ACK, False),
    ("ka_mixed.B", Opening.COMPLETE, Ending.OPEN, -1, 0, None, True),
]


@pytest.mark.parametrize(("name", "opening", "ending", "by", "frame", "answers", "alive"), LIVES)
def test_how_it_opened_and_how_it_ended(
    name: str, opening: Opening, ending: Ending, by: int, frame: int, answers: Label, alive: bool
) -> None:
    it = one(name)
    assert (it.opening, it.ending, it.ended_by, it.ended_frame) == (opening, ending, by, frame)
    assert (it.reset_answers, it.open_at_end) == (answers, alive)


CHAINS = [
    # name, side, first and last frame, how many, RTO steps, seconds of the first RTO, acknowledged
    ("busy", 0, 7, 22, 16, 15, 0.2, False),
    ("busy_r2_8", 0, 7, 15, 9, 8, 0.2, False),
    ("ka_data_r8", 0, 5, 13, 9, 8, 0.2, False),
    ("orphan_fin", 0, 7, 15, 9, 8, 0.2, False),
    ("shut_fin", 0, 7, 22, 16, 15, 0.2, False),
    ("lastack", 1, 7, 15, 9, 8, 0.2, False),
    ("syn_sent", 0, 2, 11, 10, 10, 1.0, False),
    ("syn_recv", 1, 3, 15, 5, 5, 1.0, False),
    ("synloss.A", 0, 2, 3, 2, 2, 1.0, True),
    ("finloss.A", 0, 15, 17, 3, 2, 0.24, True),
    ("acktail.B", 1, 41, 47, 3, 2, 0.24, True),
]


@pytest.mark.parametrize(
    ("name", "side", "first", "last", "count", "steps", "rto", "acknowledged"), CHAINS
)
def test_the_last_row_of_timers(
    name: str, side: int, first: int, last: int, count: int, steps: int, rto: float,
    acknowledged: bool,
) -> None:  # fmt: skip
    chain = one(name).sides[side].chain
    assert chain is not None
    assert (chain.first_frame, chain.last_frame) == (first, last)
    assert (chain.retransmissions, chain.steps) == (count, steps)
    assert rto <= chain.rto_ns / SECOND <= rto * LATE
    assert chain.acknowledged is acknowledged
    assert one(name).sides[side].max_step == steps


def test_a_chain_tells_when_the_bytes_were_first_sent() -> None:
    """`t_send` is the recorder's: 15 ms after everything began to be dropped."""
    chain = one("busy").client.chain
    assert chain is not None
    sent = next(entry["t"] for entry in truth("busy") if entry["m"] == "t_send")
    began = one("busy").first_at
    assert (chain.first_sent_at - began) / SECOND == approx(sent, abs=0.01)
    assert one("busy").client.unacked == chain.length == 17
    assert one("busy").client.unacked_since == chain.first_sent_at


PROBES = [
    # name, kind, sent, answered, idle, interval, unanswered in a row
    ("ka_ok", "keepalive", 10, 10, 2, -1, 0),
    ("ka_5_3_3", "keepalive", 3, 0, 5, 3, 3),
    ("ka_1_11_3", "keepalive", 3, 0, 1, 11, 3),
    ("ka_mixed.A", "keepalive", 10, 4, 2, 2, 4),
    ("nat_drop.A", "keepalive", 3, 0, 2, 2, 3),
    ("nat_drop.B", "keepalive", 3, 3, 2, -1, 0),
    ("halfopen.A", "keepalive", 1, 0, 2, -1, 1),
    ("zero_answered", "zero_probes", 11, 10, 0.2, None, 0),
    ("zero_dead", "zero_probes", 16, 1, 0.2, 120, 15),
]


@pytest.mark.parametrize(("name", "kind", "sent", "answered", "idle", "interval", "row"), PROBES)
def test_probes_and_their_answers(
    name: str, kind: str, sent: int, answered: int, idle: float, interval: float | None, row: int
) -> None:
    probes = getattr(one(name).client, kind)
    assert (probes.sent, probes.answered, probes.unanswered_row) == (sent, answered, row)
    assert idle * 0.96 <= probes.idle_ns / SECOND <= idle * LATE
    if interval == -1:
        assert probes.interval_ns == -1
    elif interval is not None:
        assert interval * 0.98 <= probes.interval_ns / SECOND <= interval * LATE


def test_answered_probes_are_marked_in_the_rows() -> None:
    rows = [row for row in facts("ka_mixed.A").rows.of(0) if row.text == "keepalive_probe"]
    marked = [bool(row.marks & ANSWERED_ROW) for row in rows]
    assert marked == [True, True, False, False, True, True, False, False, False, False]
    dropped = [e for e in truth("ka_mixed") if e["m"] == "drop" and not e["flags"] & 4]
    assert marked.count(False) == len(dropped)


@pytest.mark.parametrize(
    ("name", "seconds", "open_at_end"),
    [("zero_answered", 400.5, False), ("zero_dead", 1064.0, False), ("zero_open", 4.97, True)],
)
def test_how_long_a_window_was_closed(name: str, seconds: float, open_at_end: bool) -> None:
    server = one(name).server
    assert server.zero_windows == 1
    assert server.zero_window_ns / SECOND == approx(seconds, rel=0.01)
    assert (server.zero_window_since == 0) is open_at_end
    assert one(name).client.window_full >= 1


SILENCES = [
    # name, seconds, label that broke it, side, answer
    ("silence", 30, Label.DATA, 0, Label.ACK),
    ("finwait2", 61.7, Label.DATA, 1, Label.RST),
    ("halfopen.A", 1.96, Label.KEEPALIVE_PROBE, 0, Label.RST),
    ("nat_drop.A", 2.03, Label.KEEPALIVE_PROBE, 0, None),
    ("lastack", 28.2, Label.FIN_RETRANSMISSION, 1, None),
]


@pytest.mark.parametrize(("name", "seconds", "label", "side", "answer"), SILENCES)
def test_the_longest_silence_and_what_broke_it(
    name: str, seconds: float, label: Label, side: int, answer: Label | None
) -> None:
    silence = one(name).silence
    assert silence is not None
    assert silence.ns / SECOND == approx(seconds, rel=0.01)
    assert (silence.label, silence.side, silence.answer_label) == (label, side, answer)
    assert silence.to_frame > silence.from_frame
    if silence.ns >= SECOND:
        (row,) = [row for row in facts(name).rows.of(0) if row.number == silence.to_frame]
        assert row.marks & BREAKS_SILENCE_ROW


@pytest.mark.parametrize("name", ["dup.A", "dup.B"])
def test_what_the_network_doubled_is_told_from_retransmissions(name: str) -> None:
    it = one(name)
    sender = {"A": ("B", it.server), "B": ("A", it.client)}[name[-1]]
    assert sender[1].copies == fates("dup", "dup", sender[0])
    assert it.client.count(Label.RETRANSMISSION, Label.FAST_RETRANSMISSION) == 0
    assert it.client.spurious == 0
    copies = [row for row in facts(name).rows.rows if row.text == "copy"]
    assert len(copies) == sender[1].copies


@pytest.mark.parametrize(
    ("name", "count"),
    [
        param("spur.A", 1, id="by D-SACK, at the sender"),
        param("acktail.A", 1, id="by D-SACK and timestamps, once each"),
        param("tail.A", 0, id="a tail that was lost"),
        param("lossy1.B", 0, id="lost ones"),
        param("acktail.B", 3, id="its ACKs were lost"),
    ],
)
def test_retransmissions_that_were_not_needed(name: str, count: int) -> None:
    assert one(name).client.spurious == count


def test_verdicts_that_came_late_are_marked_in_the_rows() -> None:
    rows = facts("spur.A").rows.of(0)
    (probe,) = [row for row in rows if row.marks & SPURIOUS_ROW]
    (answer,) = [row for row in rows if row.marks & DSACK_ROW]
    assert probe.text == "tail_loss_probe"
    assert probe.number < answer.number


def test_bytes_lost_before_they_passed_are_missed() -> None:
    """The receiver's side: what was dropped comes as a retransmission, and is new there."""
    client = one("lossy1.B").client
    assert client.payload == client.unique
    assert client.count(Label.FAST_RETRANSMISSION) == 14


@pytest.mark.parametrize("keep", [0, 1])
def test_one_direction_alone_is_said_to_be_one(keep: int) -> None:
    found = bare("delack")
    client = found[0].data[20:22]
    kept = [item for item in found if (item.data[20:22] == client) is (keep == 0)]
    (it,) = analyse_capture(io.BytesIO(pcap(kept)), compiled=False).connections
    assert it.one_sided == keep
    assert one("delack").one_sided == -1


@pytest.mark.parametrize("name", ["syn_sent", "refused", "busy", "lastack"])
def test_silence_of_the_peer_is_not_a_one_sided_capture(name: str) -> None:
    assert one(name).one_sided == -1


def test_a_connection_older_than_the_capture() -> None:
    (it,) = analyse_capture(io.BytesIO(pcap(bare("ka_ok")[5:])), compiled=False).connections
    assert it.opening is Opening.MID_STREAM
    assert it.server.endpoint == one("ka_ok").server.endpoint
    assert it.client.keepalive == one("ka_ok").client.keepalive or it.client.keepalive is not None


def test_resets_are_counted_by_their_verdict() -> None:
    client = one("rst_oow").client
    assert (client.rsts, client.rsts_outside, client.rsts_challenged) == (3, 1, 1)
    assert client.rst_frame == 11


@pytest.mark.parametrize("name", ["synloss.A", "tail.A", "lossy1.B", "halfopen.A"])
def test_the_round_trip_of_two_times_twenty_milliseconds(name: str) -> None:
    it = one(name)
    assert 40 <= it.least_rtt_ns / 1e6 <= 43
    assert it.rtt_ns >= it.least_rtt_ns


def test_frames_by_label_are_all_frames() -> None:
    for name in ("lossy1.B", "dup.B", "zero_open"):
        capture = facts(name)
        counted = sum(side.frames + side.copies for it in capture.connections for side in it.sides)
        assert counted == capture.totals.tcp == capture.totals.frames
