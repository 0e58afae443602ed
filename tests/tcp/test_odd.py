"""Captures that nobody tuned for: odd framings, odd openings, odd clocks. What was really there?"""

from __future__ import annotations

import io
from struct import pack

import pytest
from pytest import param

from netdiag.analysis.findings import find
from netdiag.report.capture import view_of_capture
from netdiag.tcp.blocks import interface_block, packet_block, section_header
from netdiag.tcp.engine import analyse_capture
from netdiag.tcp.facts import CaptureFacts, Ending, Opening
from netdiag.tcp.labels import RETRANSMISSIONS
from tests.analysis.talk import CLIENT, OK, SERVER, Talk, Wire, resp

from .making import LINKS, MACS, Bare, framed

IP, UDP, GRE, IN_IP = 0x0800, 17, 47, 4
GET, PONG = resp("GET", "a"), b"+PONG\r\n"
WAYS = pytest.mark.parametrize("compiled", [False, True])


def healthy(number: int = 0) -> list[Bare]:
    wire = Wire()
    Talk(wire, number).open().ask(GET, OK).close()
    return wire.heard


def read(frames: list[tuple[int, bytes]], link: int = 1, *, compiled: bool = False) -> CaptureFacts:
    """A pcap of these frames, in this order, explained."""
    out = [pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link)]
    for t_ns, frame in frames:
        out.append(pack("<IIII", *divmod(t_ns, 10**9), len(frame), len(frame)) + frame)
    return analyse_capture(io.BytesIO(b"".join(out)), compiled=compiled)


def outer(protocol: int, payload: bytes) -> bytes:
    return pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, 0, b"\1\1\1\1",
                b"\2\2\2\2") + payload


HIDDEN = {
    "GRE": lambda data: framed("ethernet", outer(GRE, pack("!HH", 0, IP) + data)),
    "IP in IP": lambda data: framed("ethernet", outer(IN_IP, data)),
    "VXLAN": lambda data: framed("ethernet", outer(UDP, pack(
        "!HHHHII", 5555, 4789, 16, 0, 0x08000000, 0) + MACS + pack("!H", IP) + data)),
    "MPLS": lambda data: MACS + pack("!HI", 0x8847, 0x00010140) + data,
    "PPPoE": lambda data: MACS + pack("!HBBHHH", 0x8864, 0x11, 0, 1, len(data) + 2, 0x21) + data,
    "three tags": lambda data: MACS + pack("!HHHHHHH", 0x8100, 7, 0x8100, 8, 0x8100, 9, IP) + data,
}


@WAYS
@pytest.mark.parametrize("name", HIDDEN)
def test_what_a_tunnel_hides_is_not_called_no_tcp(name: str, compiled: bool) -> None:
    frames = [(t_ns, HIDDEN[name](data)) for t_ns, data in healthy()]
    told = read(frames, compiled=compiled).totals
    assert (told.hidden, told.other, told.foreign, told.tcp) == (len(frames), 0, 0, 0)


@WAYS
def test_a_link_type_that_is_not_read_is_named(compiled: bool) -> None:
    """802.11 with radiotap, as a laptop in monitor mode records it."""
    frames = [(t_ns, bytes([0, 0, 8, 0, 0, 0, 0, 0]) + bytes(32) + data)
              for t_ns, data in healthy()]
    capture = read(frames, 127, compiled=compiled)
    assert (capture.totals.foreign, capture.totals.other) == (len(frames), 0)
    view = view_of_capture(capture, ())
    assert f"{len(frames)} of a link type that is not read" in view.summary
    assert view.notes[0].startswith("link type 127 is not read")


@WAYS
def test_fragments_are_named_where_bytes_are_missing(compiled: bool) -> None:
    """A large answer in three fragments: nothing was lost, and the finding does not say it was."""
    wire = Wire()
    talk = Talk(wire).open().ask(GET)
    talk.say(SERVER, "PA", b"$2990\r\n" + bytes(2990) + b"\r\n")
    t_ns, whole = wire.heard.pop()
    for at in range(0, len(whole) - 20, 1480):
        more = 0x2000 if at + 1480 < len(whole) - 20 else 0
        piece = whole[20 + at : 20 + at + 1480]
        head = pack("!BBHHH", 0x45, 0, 20 + len(piece), 9, more | at // 8) + whole[8:20]
        wire.heard.append(Bare(t_ns + at, head + piece))
    talk.say(CLIENT, "A").close()
    frames = [(t, framed("ethernet", data)) for t, data in sorted(wire.heard)]
    capture = read(frames, compiled=compiled)
    assert capture.totals.fragments == 2
    (finding,) = find(capture)
    assert "but perhaps in 2 fragments of IP packets" in finding.cause


def both_dial(wire: Wire) -> None:
    talk = Talk(wire)
    talk.say(CLIENT, "S").say(SERVER, "S", after=0.0001)
    there, back = talk.seq
    talk.say(CLIENT, "SA", seq=there - 1, after=0.01).say(SERVER, "SA", seq=back - 1, after=0.0001)
    talk.ask(b"hello", b"world").close()


def data_in_the_syn(wire: Wire) -> None:
    """TCP Fast Open: the server takes the command that came with the SYN."""
    talk = Talk(wire).say(CLIENT, "S", resp("PING")).say(SERVER, "SA").say(SERVER, "PA", PONG)
    talk.say(CLIENT, "A").close()


def data_in_the_syn_refused(wire: Wire) -> None:
    """The server acknowledges the SYN alone, so the command is sent again."""
    talk = Talk(wire).say(CLIENT, "S", resp("PING"))
    talk.seq[CLIENT] -= len(resp("PING"))
    talk.say(SERVER, "SA").say(CLIENT, "PA", resp("PING"), after=0.0001)
    talk.say(SERVER, "PA", PONG).say(CLIENT, "A").close()


@WAYS
@pytest.mark.parametrize(("story", "commands"), [
    param(both_dial, 0, id="simultaneous open"), param(data_in_the_syn, 1, id="Fast Open"),
    param(data_in_the_syn_refused, 1, id="Fast Open, data refused")])
def test_an_odd_opening_is_one_connection_that_works(
    story: object, commands: int, compiled: bool
) -> None:
    wire = Wire()
    story(wire)  # type: ignore[operator]
    capture = read([(t, framed("ethernet", data)) for t, data in wire.heard], compiled=compiled)
    (one,) = capture.connections
    assert (one.opening, one.ending) == (Opening.COMPLETE, Ending.FIN)
    assert (one.client.state, one.server.state) == ("time_wait", "closed")
    assert one.client.application.messages == one.server.application.messages == commands
    assert find(capture) == ()


@WAYS
def test_time_wait_answers_in_the_name_of_the_life_before(compiled: bool) -> None:
    """The server closed first; a SYN with an older number is answered by its TIME-WAIT (RFC 6191),
    whose ACK the client answers by an RST, and dials again.
    """
    wire = Wire()
    old = Talk(wire).open().ask(GET, OK).close(SERVER)
    new = Talk(wire, at=1.0)
    new.seq = [100, 5_000_000]
    new.say(CLIENT, "S")
    new.say(SERVER, "A", seq=old.seq[SERVER], ack=old.seq[CLIENT], after=0.0002)
    new.say(CLIENT, "R", seq=old.seq[CLIENT], after=0.0001).say(CLIENT, "S", seq=100, after=1.0)
    new.say(SERVER, "SA").say(CLIENT, "A", after=0.0001).ask(GET, OK).close()
    frames = [(t, framed("ethernet", data)) for t, data in wire.heard]
    capture = read(frames, compiled=compiled)
    assert [(one.opening, one.ending) for one in capture.connections] == [
        (Opening.COMPLETE, Ending.FIN)] * 2
    assert find(capture) == ()


@WAYS
def test_two_recorders_of_one_path_see_copies(compiled: bool) -> None:
    """`-i lo -i any`: one interface's frames after the other's, stamped a little earlier."""
    out = [section_header(), *(interface_block(name) for name in ("lo", "any"))]
    frames = [(t_ns, framed("ethernet", data)) for t_ns, data in healthy()]
    for number, shift in ((0, 0), (1, -300)):
        out += [packet_block(number, t + shift, frame) for t, frame in frames]
    capture = analyse_capture(io.BytesIO(b"".join(out)), compiled=compiled)
    (one,) = capture.connections
    assert (one.frames, capture.totals.copies) == (len(frames), len(frames))
    assert not any(side.count(*RETRANSMISSIONS) for side in one.sides)
    assert "1 frame is earlier than the one before" in capture.notes[0]


@WAYS
def test_a_clock_that_was_set_back_gives_no_negative_time(compiled: bool) -> None:
    frames = [(t_ns - (60 * 10**9 if index > 6 else 0), framed("ethernet", data))
              for index, (t_ns, data) in enumerate(healthy())]
    capture = read(frames, compiled=compiled)
    view = view_of_capture(capture, find(capture))
    assert "in an unknown time from" in view.summary
    assert view.rows[0].lasted == "an unknown time"
    assert not view.findings


def test_every_link_type_that_is_read_gives_the_same() -> None:
    told = []
    for name, (link, _) in LINKS.items():
        (one,) = read([(t, framed(name, data)) for t, data in healthy()], link).connections
        told.append((one.client.state, one.server.state, one.client.application.messages))
    assert set(told) == {("time_wait", "closed", 1)}
