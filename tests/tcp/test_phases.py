"""Which packet meets which phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.tcp.phases import PHASES, Occurrence, PhaseReader

from .segments import Line

if TYPE_CHECKING:
    from netdiag.tcp.flows import Observation

REQUEST = ["request_in_flight", "request_delivered"]
REPLY = ["reply_in_flight", "reply_delivered"]
BRPOP = frozenset({"BRPOP"})


def command(*words: str) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words
    )


POP = command("BRPOP", "k", "0")
HELLO = command("HELLO", "3")
ELEMENT = b"*2\r\n$1\r\nk\r\n$1\r\nv\r\n"


class Talk:
    """Both ends write; each packet's phases come out. Sequence numbers look after themselves."""

    def __init__(self, commands: frozenset[str] = BRPOP, *, handshake: bool = True) -> None:
        self.line = Line()
        self.reader = PhaseReader(commands)
        self.sent = {">": 1, "<": 1}
        self.kept: list[tuple[str, str, int, int, bytes]] = []
        self.first: list[list[str]] = []
        if handshake:
            self.first = [
                self.show(self.line(">", "S", 0)),
                self.show(self.line("<", "SA", 0, 1)),
                self.show(self.line(">", ".", 1, 1)),
            ]

    def show(self, obs: Observation) -> list[str]:
        return [found.phase for found in self.reader.observe(obs)]

    def says(self, way: str, data: bytes, flags: str = "PA") -> list[str]:
        other = "<" if way == ">" else ">"
        at, seen = self.sent[way], self.sent[other]
        self.sent[way] += len(data) + ("F" in flags)
        self.kept.append((way, flags, at, seen, data))
        return self.show(self.line(way, flags, at, seen, data))

    def acks(self, way: str, *, before: int = 0) -> list[str]:
        other = "<" if way == ">" else ">"
        return self.show(self.line(way, ".", self.sent[way], self.sent[other] - before))

    def again(self, index: int, after: float = 250) -> list[str]:
        way, flags, at, seen, data = self.kept[index]
        return self.show(self.line(way, flags, at, seen, data, after=after))


def test_the_story_of_a_blocked_pop() -> None:
    talk = Talk()
    assert talk.first == [["connecting"], [], ["connected"]]
    assert talk.says(">", HELLO) == []
    assert talk.says("<", b"%1\r\n+proto\r\n:3\r\n") == []
    assert talk.says(">", POP) == REQUEST
    assert talk.acks("<") == ["blocked"]
    assert talk.acks("<") == []
    assert talk.says("<", ELEMENT) == REPLY
    assert talk.acks(">") == []
    assert talk.says(">", b"", "FA") == ["closing"]
    assert talk.says("<", b"", "FA") == []


def test_what_an_occurrence_says() -> None:
    line, reader = Line().handshake(), PhaseReader(BRPOP)
    found = reader.observe(line(">", "PA", 1, 1, command("brpop", "k", "0")))
    assert found == (
        Occurrence("request_in_flight", 0, "BRPOP"),
        Occurrence("request_delivered", 0, "BRPOP"),
    )


def test_a_reply_that_carries_the_ack_leaves_nobody_blocked() -> None:
    talk = Talk()
    assert talk.says(">", POP) == REQUEST
    assert talk.says("<", ELEMENT) == REPLY
    assert talk.acks("<") == []
    assert talk.reader.why_not("blocked") == (
        "the reply carried the ACK of all 1 BRPOP command, so none was ever blocked"
    )


def test_an_ack_of_part_of_the_command_does_not_block_it() -> None:
    talk = Talk()
    talk.says(">", POP)
    assert talk.acks("<", before=3) == []
    assert talk.acks("<") == ["blocked"]


def test_retransmissions_meet_nothing() -> None:
    talk = Talk()
    talk.says(">", POP)
    assert talk.again(0) == []
    talk.acks("<")
    assert talk.again(0) == []
    talk.says("<", ELEMENT)
    assert talk.again(1) == []
    talk.says(">", b"", "FA")
    assert talk.again(2) == []


def test_a_pipeline_in_one_segment_is_matched_in_order() -> None:
    talk = Talk()
    assert talk.says(">", command("PING") + POP + command("GET", "x")) == REQUEST
    assert talk.says("<", b"+PONG\r\n") == []
    assert talk.acks("<") == ["blocked"]
    assert talk.says("<", ELEMENT + b"$-1\r\n") == REPLY


def test_one_segment_may_carry_the_greetings_reply_and_ours() -> None:
    talk = Talk()
    talk.says(">", HELLO + POP)
    assert talk.says("<", b"+hello\r\n" + ELEMENT[:6]) == REPLY
    assert talk.says("<", ELEMENT[6:]) == []
    assert talk.says(">", POP) == REQUEST


@pytest.mark.parametrize("cut", range(1, len(POP)))
def test_a_command_cut_in_two_is_met_once_by_the_packet_that_names_it(cut: int) -> None:
    talk = Talk()
    got = [talk.says(">", POP[:cut]), talk.says(">", POP[cut:])]
    named = cut >= len(b"*3\r\n$5\r\nBRPOP\r\n")
    assert got == ([REQUEST, []] if named else [[], REQUEST])
    assert talk.acks("<") == ["blocked"]


@pytest.mark.parametrize("cut", range(1, len(ELEMENT)))
def test_a_reply_cut_in_two_is_met_by_its_first_byte(cut: int) -> None:
    talk = Talk()
    talk.says(">", POP)
    assert talk.says("<", ELEMENT[:cut]) == REPLY
    assert talk.says("<", ELEMENT[cut:]) == []


def test_pushes_are_no_replies() -> None:
    talk = Talk()
    talk.says(">", POP)
    assert talk.says("<", b">2\r\n+invalidate\r\n*1\r\n+k\r\n") == []
    assert talk.says("<", b">2\r\n+inval") == []
    assert talk.says("<", b"idate\r\n*1\r\n+k\r\n" + ELEMENT) == REPLY


CONFIRMED = b"3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
DELIVERED = b"3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nv\r\n"


@pytest.mark.parametrize("marker", [b"*", b">"], ids=["RESP2", "RESP3"])
def test_a_subscriber_waits_from_its_ack_on_and_is_answered_by_messages(marker: bytes) -> None:
    talk = Talk(frozenset({"SUBSCRIBE", "PING"}))
    assert talk.says(">", command("SUBSCRIBE", "c", "d")) == REQUEST
    assert talk.acks("<") == []
    assert talk.says("<", marker + CONFIRMED) == []
    assert talk.acks(">") == ["blocked"]
    assert talk.says("<", marker + CONFIRMED) == []
    assert talk.acks(">") == []
    assert talk.says("<", marker + DELIVERED) == REPLY
    assert talk.says(">", command("PING")) == REQUEST
    assert talk.says("<", marker + DELIVERED) == REPLY
    assert talk.says("<", b"*2\r\n$4\r\npong\r\n$0\r\n\r\n") == REPLY


@pytest.mark.parametrize("cut", range(1, len(DELIVERED)))
def test_a_message_cut_in_two_is_met_once_by_the_packet_that_names_it(cut: int) -> None:
    talk = Talk(frozenset({"SUBSCRIBE"}))
    talk.says(">", command("SUBSCRIBE", "c"))
    talk.says("<", b">" + CONFIRMED)
    got = [talk.says("<", b">" + DELIVERED[:cut]), talk.says("<", DELIVERED[cut:])]
    assert got in ([REPLY, []], [[], REPLY])


def test_a_confirmation_that_is_not_acknowledged_yet_blocks_nobody() -> None:
    talk = Talk(frozenset({"SUBSCRIBE"}))
    talk.says(">", command("SUBSCRIBE", "c"))
    talk.says("<", b"*" + CONFIRMED)
    assert talk.acks(">", before=1) == []
    assert talk.acks(">") == ["blocked"]


def test_client_reply_skip_and_off_expect_no_reply() -> None:
    talk = Talk()
    talk.says(">", command("CLIENT", "REPLY", "SKIP") + command("PING") + POP)
    assert talk.says("<", ELEMENT) == REPLY
    talk.says(">", command("CLIENT", "REPLY", "OFF") + command("PING"))
    talk.says(">", command("CLIENT", "REPLY", "ON") + POP)
    assert talk.says("<", b"+OK\r\n") == []
    assert talk.says("<", ELEMENT) == REPLY


def test_any_command_when_none_is_named() -> None:
    talk = Talk(frozenset())
    assert talk.says(">", b"PING\r\n") == REQUEST
    assert talk.says("<", b"+PONG\r\n") == REPLY


def test_the_ack_that_ends_the_handshake_may_carry_the_first_command() -> None:
    talk = Talk(handshake=False)
    talk.show(talk.line(">", "S", 0))
    talk.show(talk.line("<", "SA", 0, 1))
    assert talk.says(">", POP) == ["connected", *REQUEST]


def test_a_syn_sent_again_and_an_ack_sent_again_meet_nothing() -> None:
    talk = Talk(handshake=False)
    assert talk.show(talk.line(">", "S", 0)) == ["connecting"]
    assert talk.show(talk.line(">", "S", 0, after=1000)) == []
    talk.show(talk.line("<", "SA", 0, 1))
    assert talk.show(talk.line(">", ".", 1, 1)) == ["connected"]
    talk.show(talk.line("<", "SA", 0, 1, after=1000))
    assert talk.show(talk.line(">", ".", 1, 1)) == []


def test_a_keepalive_probe_of_the_server_blocks_nobody() -> None:
    talk = Talk()
    talk.says("<", b"+early\r\n")
    talk.acks(">")
    talk.says(">", POP)
    probe = talk.line("<", ".", talk.sent["<"] - 1, talk.sent[">"], after=300_000)
    assert probe.label.text == "keepalive_probe"
    assert talk.show(probe) == []
    assert talk.acks("<") == ["blocked"]


def test_bytes_that_were_not_captured_end_the_matching() -> None:
    talk = Talk()
    talk.says(">", POP)
    talk.sent["<"] += 5  # a segment that never passed
    talk.says("<", b"hello")
    assert talk.acks(">") == []
    assert talk.says(">", POP) == []
    assert "were not captured" in talk.reader.why_not("reply_in_flight")


@pytest.mark.parametrize(
    ("story", "phase", "reason"),
    [
        param([], "connecting", "no connection was opened", id="nothing"),
        param([], "request_in_flight", "no connection was opened", id="nothing, a command"),
        param(
            [(">", "S", 0)], "connected", "1 connection began, but no SYN was answered", id="SYN"
        ),
        param(
            [(">", "S", 0), ("<", "RA", 0, 1)],
            "connected",
            "the server refused 1 connection attempt with an RST",
            id="refused",
        ),
        param(
            [(">", "S", 0), ("<", "SA", 0, 1)],
            "connected",
            "the SYN-ACK passed, but the client's ACK of it never did",
            id="SYN-ACK",
        ),
        param(
            [(">", "PA", 1, 1, HELLO), ("<", "PA", 1, 1 + len(HELLO), b"+OK\r\n")],
            "request_in_flight",
            "no BRPOP was sent (commands seen: HELLO)",
            id="only greetings",
        ),
        param(
            [(">", "PA", 1, 1, b"\x16\x03\x01\0\0")],
            "blocked",
            "the bytes are not RESP, so phases of commands cannot be read: "
            "byte 0x16 at 0 begins nothing in RESP (TLS?); connecting, connected and closing "
            "remain, and packets, times, socket states and the client's events",
            id="TLS",
        ),
        param(
            [(">", "PA", 1, 1, POP)],
            "blocked",
            "1 BRPOP command passed, and no ACK of one",
            id="no ACK",
        ),
        param(
            [(">", "PA", 1, 1, POP)],
            "reply_delivered",
            "1 BRPOP command passed, and no reply to one",
            id="no reply",
        ),
        param(
            [(">", "PA", 1, 1, POP), ("<", "R", 1)],
            "reply_delivered",
            "1 BRPOP command passed, and no reply to one; 1 RST passed",
            id="reset",
        ),
        param([(">", "PA", 1, 1, POP)], "closing", "no FIN passed on 1 connection", id="no FIN"),
        param(
            [(">", "PA", 1, 1, POP)],
            "connecting",
            "the beginning of 1 connection was not seen",
            id="joined",
        ),
        param(
            [(">", "S", 0), (">", "S", 0)], "connecting", "connecting came once only", id="did"
        ),
    ],
)
def test_why_not(story: list[tuple[object, ...]], phase: str, reason: str) -> None:
    line, reader = Line(), PhaseReader(BRPOP)
    for step in story:
        reader.observe(line(*step))  # type: ignore[arg-type]
    assert reader.why_not(phase) == reason


def test_every_phase_has_its_reasons() -> None:
    reader = PhaseReader(BRPOP)
    assert all("no connection" in reader.why_not(phase) for phase in PHASES)


SCRIPT = [
    (">", HELLO),
    ("<", b"+OK\r\n"),
    (">", POP),
    ("<", b""),
    ("<", ELEMENT),
    (">", command("GET", "a") + POP),
    ("<", b"$-1\r\n"),
    ("<", b""),
    ("<", ELEMENT),
]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(SCRIPT)), st.integers(0, 200), st.integers(1, 200)),
        max_size=12,
    ),
    st.integers(0, 0xFFFFFFFF),
)
def test_ranges_sent_again_never_meet_a_phase_twice(
    again: list[tuple[int, int, int]], isn: int
) -> None:
    talk = Talk(handshake=False)
    talk.line = Line(isn=(isn, isn ^ 0xFFFFFFFF))
    counts = dict.fromkeys(PHASES, 0)

    def note(phases: list[str]) -> None:
        for phase in phases:
            counts[phase] += 1

    for obs in (("S", 0, 0, ">"), ("SA", 0, 1, "<"), (".", 1, 1, ">")):
        note(talk.show(talk.line(obs[3], obs[0], obs[1], obs[2])))
    bytes_sent = {">": b"", "<": b""}
    for index, (way, data) in enumerate(SCRIPT):
        note(talk.says(way, data) if data else talk.acks(way))
        bytes_sent[way] += data
        for place, start, size in again:
            if place == index:
                part = bytes_sent[way][start : start + size]
                other = "<" if way == ">" else ">"
                note(talk.show(talk.line(way, "PA", 1 + start, talk.sent[other], part, after=230)))
    assert counts == {
        "connecting": 1,
        "connected": 1,
        "request_in_flight": 2,
        "request_delivered": 2,
        "blocked": 2,
        "reply_in_flight": 2,
        "reply_delivered": 2,
        "closing": 0,
    }
