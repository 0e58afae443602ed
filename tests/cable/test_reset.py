"""A RST is taken only when its sequence number is exactly what the host expects next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pytest import param

from netdiag.faults import Fault, PhaseTrigger, TimeTrigger
from netdiag.faults.reset import Reset
from netdiag.tcp.wire import flag_text, parse_ethernet

from .play import MACS, WORDS, Play, cut, frame

if TYPE_CHECKING:
    from netdiag.cable.core import Injected

HANDSHAKE = "> S ok\n< SA ok\n> A ok\n"
LATER = TimeTrigger(time=1.0)
NEAR_WRAP = 0xFFFFFFFF - 20


def reset(at: TimeTrigger | PhaseTrigger = LATER, **more: str) -> Fault:
    return Fault(name="rst", at=at, do=Reset(**more))  # type: ignore[arg-type]


def told(play: Play) -> list[Injected]:
    return [one for decision in play.decisions for one in decision.injected]


def numbers(play: Play) -> dict[int, tuple[int, int]]:
    """side -> sequence and acknowledgement number of the RST for that host."""
    found = {}
    for one in told(play):
        segment = parse_ethernet(one.frame)
        assert segment is not None
        assert flag_text(segment.flags) == "RA"
        found[one.side] = segment.seq, segment.ack
    return found


STORIES = [
    param(HANDSHAKE, id="idle"),
    param(HANDSHAKE + "> HELLO ok\n< hello ok\n> BRPOP ok\n< A ok\n< m1 ok", id="after data"),
    param("> S ok", id="half open: the client alone"),
    param("> S ok\n< SA ok", id="half open"),
    param(HANDSHAKE + "> FA ok\n< A ok", id="half closed"),
    param(HANDSHAKE + "> BRPOP ok\n> again ok\n< A ok\n> HELLO ok", id="sent again"),
]


@pytest.mark.parametrize("ip", [4, 6])
@pytest.mark.parametrize("isn", [param((1000, 5000), id="far"), param((NEAR_WRAP,) * 2, id="wrap")])
@pytest.mark.parametrize("script", STORIES)
def test_each_host_gets_exactly_the_number_that_it_expects_next(script, isn, ip):
    play = Play(reset(), isn=isn, ip=ip)(script)
    play.wait(1.5)
    got = numbers(play)
    for side in (0, 1):
        if side == 0 or script != "> S ok":
            assert got[side] == (play.expects[side], play.next[side])


@pytest.mark.parametrize("isn", [param((1000, 5000), id="far"), param((NEAR_WRAP,) * 2, id="wrap")])
def test_the_numbers_are_the_receivers_own_after_undelivered_data(isn):
    play = Play(cut("request_in_flight"), reset(), isn=isn)
    play(HANDSHAKE + "> BRPOP x\n> HELLO x\n< hello x\n@ 1.5")
    assert play.next[0] != play.expects[1]
    assert play.next[1] != play.expects[0]
    assert numbers(play) == {
        0: (play.expects[0], play.next[0]),
        1: (play.expects[1], play.next[1]),
    }


def test_a_gap_at_the_receiver_is_not_skipped():
    play = Play(cut("request_in_flight", for_=0.1), reset())
    play(HANDSHAKE + "> BRPOP x\n@ 0.5\n> HELLO ok\n@ 1.5")
    assert numbers(play)[1][0] == 1001


@pytest.mark.parametrize(("to", "sides"), [("both", [0, 1]), ("client", [0]), ("server", [1])])
def test_only_who_is_told_gets_one_and_only_once(to, sides):
    play = Play(reset(to=to))(HANDSHAKE + "@ 1.5\n> BRPOP ok\n< RA ok\n@ 9")
    assert [one.side for one in told(play)] == sides
    assert play.core.summary()[0].data["injected"] == len(sides)


def test_it_bears_the_peers_name_and_says_so_on_the_tape():
    play = Play(reset(to="client"))(HANDSHAKE + "@ 1.5")
    (one,) = told(play)
    segment, model = parse_ethernet(one.frame), parse_ethernet(frame(1, 16, 0, 0))
    assert segment is not None
    assert model is not None
    assert (segment.src, segment.sport, segment.dst, segment.dport) == (
        model.src,
        model.sport,
        model.dst,
        model.dport,
    )
    assert one.frame[:12] == MACS[0] + MACS[1]
    assert one.comment == "injected by fault rst: rst to client"


@pytest.mark.parametrize("ip", [4, 6])
def test_its_checksums_are_right(ip):
    play = Play(reset(to="server"), ip=ip)(HANDSHAKE + "@ 1.5")
    body = told(play)[0].frame[14:]
    start = 20 if ip == 4 else 40
    addresses = body[12:20] if ip == 4 else body[8:40]
    tcp = body[start:]
    assert checksum(addresses + bytes([0, 6]) + len(tcp).to_bytes(2, "big") + tcp) == 0
    assert ip == 6 or checksum(body[:20]) == 0


def checksum(data: bytes) -> int:
    """RFC 1071; 0 when the checksum inside is right."""
    words = (data[at : at + 2].ljust(2, b"\0") for at in range(0, len(data), 2))
    total = sum(int.from_bytes(word, "big") for word in words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def test_its_triggers_packet_is_taken_or_delivered_first_as_the_phase_says():
    taken = Play(reset(PhaseTrigger(phase="request_in_flight")))(
        HANDSHAKE + "> BRPOP x\n> again ok"
    )
    assert numbers(taken)[1][0] == 1001
    delivered = Play(reset(PhaseTrigger(phase="request_delivered")))(HANDSHAKE + "> BRPOP ok")
    assert numbers(delivered)[1][0] == 1001 + len(WORDS["BRPOP"])
    assert delivered.decisions[-1].taken is None


def test_every_open_connection_gets_one_and_no_closed_one():
    first = Play(reset(to="client"))(HANDSHAKE + "> FA ok\n< FA ok\n> A ok")
    Play(core=first.core, port=40001, isn=(7, 9))(HANDSHAKE)
    Play(core=first.core, port=40002, isn=(7, 9))(HANDSHAKE + "< RA ok")
    third = Play(core=first.core, port=40003, isn=(7, 9))(HANDSHAKE + "@ 2")
    segments = [parse_ethernet(one.frame) for one in told(third)]
    assert [segment.dport for segment in segments if segment] == [40001, 40003]


def test_a_second_reset_finds_nobody_left():
    again = Fault(name="again", at=TimeTrigger(time=2.0), do=Reset())
    play = Play(reset(), again)(HANDSHAKE + "@ 3")
    assert [one.comment for one in told(play)] == [
        "injected by fault rst: rst to client",
        "injected by fault rst: rst to server",
    ]
