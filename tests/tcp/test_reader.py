"""Any container, link type, compression -> the same connections; damage -> what could be read."""

from __future__ import annotations

import dataclasses
import gzip
import io
import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.errors import RecordingError, ScenarioError
from netdiag.tcp import source as sources
from netdiag.tcp.blocks import interface_block, packet_block, section_header, statistics_block
from netdiag.tcp.engine import analyse_capture
from netdiag.tcp.labels import Label

from . import making
from .making import Bare, bare, framed, ipv6, pcap, pcapng
from .recorded import CAPTURES, NAMES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netdiag.tcp.facts import CaptureFacts, ConnectionFacts

NAME = "ka_mixed.A"
CONTAINERS: dict[str, Callable[..., bytes]] = {
    "pcap, us": pcap,
    "pcap, ns": lambda found, link: pcap(found, link, nanoseconds=True),
    "pcap, us, big endian": lambda found, link: pcap(found, link, order=">"),
    "pcap, ns, big endian": lambda found, link: pcap(found, link, order=">", nanoseconds=True),
    "pcapng": pcapng,
    "pcapng, big endian, sections": making.big_endian_pcapng,
    "pcapng, simple packets": making.simple_pcapng,
}


def read(data: bytes, **options: object) -> CaptureFacts:
    return analyse_capture(io.BytesIO(data), compiled=False, **options)  # type: ignore[arg-type]


def shape(facts: CaptureFacts) -> list[tuple[object, ...]]:
    """What does not depend on the clock's precision."""
    return [
        (
            one.opening, one.ending, one.ended_by, one.ended_frame, one.first_frame,
            one.last_frame, one.client.labels, one.server.labels, one.client.payload,
            one.server.payload, one.client.state, one.server.state,
        )
        for one in facts.connections
    ]  # fmt: skip


def reference(name: str = NAME) -> CaptureFacts:
    return analyse_capture(CAPTURES / f"{name}.pcap", compiled=False)


@pytest.mark.parametrize("link", making.LINKS)
@pytest.mark.parametrize("container", ["pcap, us", "pcapng"])
def test_link_types_carry_the_same_connections(container: str, link: str) -> None:
    facts = read(CONTAINERS[container](bare(NAME), link))
    assert shape(facts) == shape(reference())
    assert facts.truncated == -1
    assert facts.notes == ()


@pytest.mark.parametrize("packer", making.PACKERS)
@pytest.mark.parametrize("container", [name for name in CONTAINERS if "simple" not in name])
def test_containers_and_compressions_carry_the_same_connections(
    container: str, packer: str
) -> None:
    facts = read(making.PACKERS[packer](CONTAINERS[container](bare(NAME), "ethernet")))
    assert shape(facts) == shape(reference())
    got = [one.last_at - one.first_at for one in facts.connections]
    wanted = [one.last_at - one.first_at for one in reference().connections]
    assert got == pytest.approx(wanted, abs=2000)
    assert facts.kind == container.split(",", maxsplit=1)[0] + (
        "" if packer == "plain" else "+" + packer.split(",", maxsplit=1)[0]
    )


def test_nanoseconds_survive() -> None:
    found = [Bare(item.t_ns * 1 + 7, item.data) for item in bare(NAME)]
    for made in (pcap(found, nanoseconds=True), pcapng(found)):
        facts = read(made)
        assert facts.totals.first_at == found[0].t_ns
        assert facts.totals.last_at == found[-1].t_ns


def test_simple_packets_have_no_time_but_the_rest() -> None:
    facts = read(making.simple_pcapng(bare("refused")))
    (one,) = facts.connections
    assert (one.first_at, one.last_at, one.opening.name) == (0, 0, "REFUSED")


@pytest.mark.parametrize(
    ("extensions", "first"),
    [
        param(b"", 6, id="none"),
        param(making.HOP_BY_HOP + making.DESTINATION + making.ATOMIC, 0, id="three, one atomic"),
    ],
)
@pytest.mark.parametrize("link", ["ethernet", "vlan", "cooked v2", "null", "raw"])
def test_ipv6_with_extension_headers(link: str, extensions: bytes, first: int) -> None:
    found = [Bare(item.t_ns, ipv6(item.data, extensions, first)) for item in bare(NAME)]
    facts = read(pcap(found, link))
    assert shape(facts) == shape(reference())
    assert facts.connections[0].client.endpoint.startswith("[::")


def test_ip_options_and_fragments() -> None:
    found = []
    for item in bare(NAME):
        data = bytearray(item.data[:20] + bytes([1] * 8) + item.data[20:])
        data[0] = 0x47
        data[2:4] = (len(item.data) + 8).to_bytes(2, "big")
        found.append(Bare(item.t_ns, bytes(data)))
        later = bytearray(item.data)
        later[6:8] = (185).to_bytes(2, "big")
        found.append(Bare(item.t_ns + 1, bytes(later)))
    facts = read(pcap(found))
    assert facts.totals.fragments == len(found) // 2
    assert [one.client.labels for one in facts.connections] == [
        one.client.labels for one in reference().connections
    ]


@pytest.mark.parametrize("snaplen", [54, 60, 66, 100])
def test_short_snap_lengths_lose_options_and_payload_but_no_segment(snaplen: int) -> None:
    facts = read(pcap(bare("silence"), snaplen=snaplen))
    whole = reference("silence")
    assert [(one.client.payload, one.server.payload) for one in facts.connections] == [
        (one.client.payload, one.server.payload) for one in whole.connections
    ]
    assert facts.totals.cut == 0


@pytest.mark.parametrize("snaplen", [34, 40, 53])
def test_headers_that_were_not_captured_are_counted(snaplen: int) -> None:
    facts = read(pcap(bare(NAME), snaplen=snaplen))
    assert facts.totals.cut == facts.totals.frames == len(bare(NAME))
    assert facts.connections == ()


def test_segments_larger_than_an_ip_length() -> None:
    """BIG TCP: total length 0; what was captured has to do."""
    found = []
    for item in bare("zero_open"):
        data = bytearray(item.data)
        data[2:4] = bytes(2)
        found.append(Bare(item.t_ns, bytes(data)))
    assert shape(read(pcap(found))) == shape(reference("zero_open"))


def test_frames_without_tcp_are_counted_and_no_more() -> None:
    arp = making.MACS + b"\x08\x06" + bytes(28)
    udp = framed("ethernet", bare(NAME)[0].data[:9] + b"\x11" + bare(NAME)[0].data[10:])
    data = section_header("") + interface_block("eth0")
    for index, frame in enumerate((arp, udp, b"", b"short")):
        data += packet_block(0, index, frame)
    assert dataclasses.replace(read(data).totals, bytes=0) == dataclasses.replace(
        read(section_header("")).totals, frames=4, other=4, first_at=0, last_at=3, end_at=3, bytes=0
    )


def test_what_the_recorder_lost_is_told() -> None:
    data = pcapng(bare(NAME)) + statistics_block(0, 1, 27, 3)
    (drops,) = read(data).drops
    assert (drops.interface, drops.received, drops.dropped) == ("eth0", 27, 3)


def tape() -> bytes:
    """Both ends of a cable, as netdiag writes it: what is taken reaches one end only."""
    data = section_header("a tape") + interface_block("client") + interface_block("server")
    for index, item in enumerate(bare("halfopen.A")):
        frame = framed("ethernet", item.data)
        data += packet_block(0, item.t_ns, frame, flags=1)
        if index < 10:
            data += packet_block(1, item.t_ns + 1000, frame, flags=2)
    return data


def test_of_our_own_tape_one_end_is_read() -> None:
    facts = read(tape())
    assert facts.connections[0].frames == 14
    assert (facts.totals.other_view, facts.totals.copies) == (10, 0)
    assert "both ends of the cable" in facts.notes[0]


@pytest.mark.parametrize(
    ("interface", "frames"), [("client", 14), ("server", 10), (0, 14), (1, 10)]
)
def test_an_interface_is_chosen_by_name_or_number(interface: str | int, frames: int) -> None:
    facts = read(tape(), interface=interface)
    assert facts.connections[0].frames == frames
    assert facts.notes == ()


def test_an_interface_that_is_not_there() -> None:
    with pytest.raises(RecordingError, match=r"no interface 'eth9'; it has 0 client, 1 server"):
        read(tape(), interface="eth9")


@pytest.mark.parametrize(
    ("choice", "frames"),
    [
        param({"ports": [6379]}, None, id="its port"),
        param({"ports": [1]}, 0, id="another port"),
        param({"hosts": ["10.9.0.0/16"]}, None, id="its network"),
        param({"hosts": ["fd00::1", "10.9.0.2"]}, None, id="one of two addresses"),
        param({"hosts": ["192.0.2.1"]}, 0, id="another address"),
        param({"until": 0.01}, 1, id="the first ten milliseconds"),
        param({"since": 4_000_000_000_000_000_000}, 0, id="the far future"),
    ],
)
def test_what_is_chosen(choice: dict[str, object], frames: int | None) -> None:
    whole = reference()
    port = int(whole.connections[0].server.endpoint.split(":")[1])
    if choice.get("ports") == [6379]:
        choice = {"ports": [port]}
    facts = read((CAPTURES / f"{NAME}.pcap").read_bytes(), **choice)
    wanted = whole.totals.tcp if frames is None else frames
    assert (facts.totals.tcp, facts.totals.filtered) == (wanted, whole.totals.tcp - wanted)


def test_a_host_that_is_none() -> None:
    with pytest.raises(ScenarioError, match="no address and no network"):
        read(b"", hosts=["redis.example"])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        param(b"", "the file is empty", id="empty"),
        param(b"PK\x03\x04 no capture", "504b0304", id="something else"),
        param(gzip.compress(b"text"), "74657874", id="something else, compressed"),
        param(b"\x1f\x8b\x08\x00damaged", "the gzip stream", id="gzip of nothing"),
    ],
)
def test_what_is_no_capture(data: bytes, why: str) -> None:
    with pytest.raises(RecordingError, match=why):
        read(data)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"nowhere\.pcap: No such file"):
        analyse_capture(tmp_path / "nowhere.pcap")


def test_zstd_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sources.sys.modules, "zstandard", None)
    with pytest.raises(RecordingError, match=r"zstandard.*not installed.*zstd -d"):
        read(b"\x28\xb5\x2f\xfd and more")


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("lost", [1, 3, 5, 17, 70])
def test_a_file_still_being_written_gives_all_whole_records(container: str, lost: int) -> None:
    data = CONTAINERS[container](bare(NAME), "ethernet")[:-lost]
    facts = read(data)
    assert 25 <= facts.totals.frames <= 26
    assert 0 < facts.truncated < len(data)
    assert facts.notes == (
        f"the file ends inside a record at byte {facts.truncated}: "
        "cut off, or still being written; all before it was read",
    )


@pytest.mark.parametrize("container", CONTAINERS)
def test_damage_in_the_middle_says_where_it_broke(container: str) -> None:
    whole = CONTAINERS[container](bare(NAME), "ethernet")
    at = whole.index(framed("ethernet", bare(NAME)[12].data))
    facts = read(whole[: at - 28] + b"\xff" * 60 + whole[at:])
    assert facts.totals.frames in (11, 12, 13)
    assert at - 90 <= facts.truncated <= at + 90
    assert "damaged; nothing behind it was read" in facts.notes[-1]


@pytest.mark.parametrize("packer", ["gzip", "zstd"])
def test_a_compressed_file_that_was_cut_off(packer: str) -> None:
    data = making.PACKERS[packer](recorded_bulk())
    facts = read(data[: len(data) // 2])
    assert facts.totals.frames > 100
    assert f"the {packer} stream ends before its end mark; all before that was read" in facts.notes


def recorded_bulk() -> bytes:
    return pcap(bare("dup.B"), nanoseconds=True)


def test_a_damaged_gzip_stream_gives_what_stands_before_the_damage() -> None:
    data = bytearray(gzip.compress(pcap(bare(NAME))))
    data[len(data) * 2 // 3 :] = b"\xff" * len(data[len(data) * 2 // 3 :])
    facts = read(bytes(data))
    assert facts.totals.frames >= 5
    assert any("the gzip stream" in note for note in facts.notes)


def test_a_pipe_is_read_as_it_comes() -> None:
    data = pcapng(bare(NAME))
    out, into = os.pipe()

    def write() -> None:
        with os.fdopen(into, "wb", buffering=0) as file:
            for at in range(0, len(data), 100):
                file.write(data[at : at + 100])

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(out, "rb") as file:
        facts = analyse_capture(file)
    writer.join()
    assert shape(facts) == shape(reference())


def test_progress_is_told() -> None:
    told: list[tuple[int, int, int]] = []
    path = CAPTURES / f"{NAME}.pcap"
    analyse_capture(path, progress=lambda *now: told.append(now))
    assert told[-1] == (path.stat().st_size, path.stat().st_size, 27)


SEEDS = [
    make(bare(name))
    for name in ("refused", "rst_oow", "halfopen.A", "third_ack")
    for make in (pcap, pcapng, making.big_endian_pcapng)
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A capture with bytes changed, lost and added."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(("change", "lose", "add")))
        extra = draw(st.binary(min_size=1, max_size=8))
        if kind == "change":
            data[at : at + len(extra)] = extra
        elif kind == "lose":
            del data[at : at + draw(st.integers(1, 200))]
        else:
            data[at:at] = extra
    return bytes(data)


@settings(max_examples=150, deadline=None)
@given(data=damaged())
def test_damage_never_crashes_and_is_told_in_one_sentence(data: bytes) -> None:
    try:
        facts = read(data)
    except RecordingError:
        return
    assert facts.totals.frames <= len(data) // 16
    assert (facts.truncated >= 0) == any("byte" in note for note in facts.notes)
    for one in facts.connections:
        check(one)


def check(one: ConnectionFacts) -> None:
    """What holds of any connection, however damaged."""
    assert one.first_frame <= one.last_frame
    for side in one.sides:
        assert side.frames == sum(side.labels)
        assert 0 <= side.unique <= side.payload + 2**31
        assert len(side.labels) == len(Label)


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_capture_is_whole(name: str) -> None:
    facts = reference(name)
    assert (facts.truncated, facts.notes, facts.totals.other) == (-1, (), 0)
    for one in facts.connections:
        check(one)
