"""Captures in and out: what is written is read, and what a crash leaves is read up to the crash."""

from __future__ import annotations

import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdiag.errors import RecordingError
from netdiag.tcp.blocks import interface_block, packet_block, section_header, statistics_block
from netdiag.tcp.pcapng import (
    Damaged,
    Interface,
    Packet,
    Statistics,
    Truncated,
    read_pcapng,
    scan_pcapng,
)
from tests.tcp.plainly import read_capture, scan_capture

from .recorded import CAPTURES, packets

if TYPE_CHECKING:
    from pathlib import Path

T = 1_700_000_000_123_456_789
FRAMES = [bytes(range(n)) * 3 for n in (20, 21, 22, 23)]
TAPE = (
    section_header("a tape")
    + interface_block("client", 0)
    + interface_block("server", 65535, comment="the far end")
    + packet_block(0, T, FRAMES[0])
    + packet_block(1, T + 1, FRAMES[1], comment="syn, delivered", flags=2)
    + packet_block(0, T + 2, FRAMES[2], flags=1)
    + packet_block(1, T + 3, FRAMES[3], comment="gr\u00fc\u00dfe", length=5000)
    + statistics_block(0, T + 4, 2, 0)
    + statistics_block(1, T + 4, 7, 5, "the recorder fell behind")
)


def test_what_is_written_is_read() -> None:
    assert list(scan_pcapng(TAPE)) == [
        Interface(0, "client", 1, 0),
        Interface(1, "server", 1, 65535, "the far end"),
        Packet(1, 0, T, FRAMES[0], 60, None, 1),
        Packet(2, 1, T + 1, FRAMES[1], 63, "syn, delivered", 1, 2),
        Packet(3, 0, T + 2, FRAMES[2], 66, None, 1, 1),
        Packet(4, 1, T + 3, FRAMES[3], 5000, "gr\u00fc\u00dfe", 1),
        Statistics(0, T + 4, 2, 0, None),
        Statistics(1, T + 4, 7, 5, "the recorder fell behind"),
    ]


@pytest.mark.parametrize("cut", range(1, 200))
def test_a_tape_cut_anywhere_gives_its_whole_blocks_and_says_so(cut: int) -> None:
    whole = list(scan_pcapng(TAPE))
    got = list(scan_pcapng(TAPE[:-cut]))
    last = got.pop() if isinstance(got[-1], Truncated) else None
    assert got == whole[: len(got)]
    assert len(got) < len(whole)
    if last is None:  # cut between two blocks
        assert len(TAPE) - cut in _block_ends()
    else:
        assert isinstance(last, Truncated)
        assert last.offset in _block_ends()


def _block_ends() -> set[int]:
    ends, at = set(), 0
    while at < len(TAPE):
        at += int(struct.unpack_from("<I", TAPE, at + 4)[0])
        ends.add(at)
    return ends


def _foreign(order: str, resolution: bytes, ticks: int) -> bytes:
    """A section as others write it: byte order, if_tsresol, and a simple packet block."""

    def block(kind: int, body: bytes) -> bytes:
        body += b"\0" * (-len(body) % 4)
        total = struct.pack(order + "I", len(body) + 12)
        return struct.pack(order + "I", kind) + total + body + total

    option = struct.pack(order + "HH", 9, 1) + resolution + b"\0\0\0" + b"\0\0\0\0"
    return (
        block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
        + block(1, struct.pack(order + "HHI", 101, 0, 40) + (option if resolution else b""))
        + block(0x0BAD, b"unknown blocks are passed over")
        + block(6, struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, 3, 9) + b"abc")
        + block(3, struct.pack(order + "I", 60) + b"d" * 40)
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("resolution", "ticks", "t_ns"),
    [
        (b"", 1_500_000, 1_500_000_000),  # none: microseconds
        (b"\x06", 1_500_000, 1_500_000_000),
        (b"\x09", 1_500_000_123, 1_500_000_123),
        (b"\x03", 1_500, 1_500_000_000),
        (b"\x8a", 1536, 1_500_000_000),  # 2**-10 s
    ],
)
def test_what_others_write(order: str, resolution: bytes, ticks: int, t_ns: int) -> None:
    assert list(scan_pcapng(_foreign(order, resolution, ticks))) == [
        Interface(0, "", 101, 40),
        Packet(1, 0, t_ns, b"abc", 9, None, 101),
        Packet(2, 0, 0, b"d" * 40, 60, None, 101),
    ]


def test_interfaces_and_packets_count_through_several_sections() -> None:
    got = list(scan_pcapng(TAPE + _foreign(">", b"\x09", 5)))
    assert [i.number for i in got if isinstance(i, Interface)] == [0, 1, 2]
    assert [(p.number, p.interface) for p in got if isinstance(p, Packet)][-2:] == [(5, 2), (6, 2)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "scale"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_classic_pcap(order: str, magic: int, scale: int) -> None:
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 101)
    record = struct.pack(order + "IIII", 17, 5, 3, 9) + b"abc"
    data = head + record + record
    wanted = Packet(1, 0, 17_000_000_000 + 5 * scale, b"abc", 9, None, 101)
    assert list(scan_capture(data)) == [
        Interface(0, "", 101, 65535),
        wanted,
        wanted._replace(number=2),
    ]
    assert list(scan_capture(data[:-1]))[1:] == [wanted, Truncated(24 + 19)]


def test_errors_name_the_file_and_the_cure(tmp_path: Path) -> None:
    odd = tmp_path / "odd.pcap"
    odd.write_bytes(b"\x1f\x8b\x08\x00 compressed")
    with pytest.raises(RecordingError, match=r"odd\.pcap: neither pcap nor pcapng.*decompress"):
        list(read_capture(odd))
    with pytest.raises(RecordingError, match="No such file"):
        list(read_capture(tmp_path / "absent.pcap"))
    with pytest.raises(RecordingError, match="not a pcapng file"):
        list(read_pcapng(odd))


@given(st.binary(max_size=300), st.sampled_from([b"", TAPE[:28], TAPE[:200], TAPE]))
def test_any_bytes_after_a_good_beginning_end_the_reading_at_most(tail: bytes, good: bytes) -> None:
    try:
        items = list(scan_capture(good + tail))
    except RecordingError:
        assert not good
    else:
        assert all(not isinstance(item, Truncated) for item in items[:-1])


@given(st.lists(st.tuples(st.integers(0, len(TAPE) - 1), st.integers(0, 255)), max_size=8))
def test_a_damaged_tape_never_raises(damage: list[tuple[int, int]]) -> None:
    raw = bytearray(TAPE)
    for place, value in damage:
        raw[place] = value
    raw[:4] = TAPE[:4]
    for item in scan_capture(bytes(raw)):
        assert isinstance(item, Packet | Interface | Statistics | Damaged | Truncated)


def test_scapy_reads_the_tape(tmp_path: Path) -> None:
    utils = pytest.importorskip("scapy.utils")
    path = tmp_path / "tape.pcapng"
    path.write_bytes(TAPE)
    with utils.RawPcapNgReader(str(path)) as reader:
        got = [(data, meta.tshigh << 32 | meta.tslow) for data, meta in reader]
    assert got == [(frame, T + n) for n, frame in enumerate(FRAMES)]


needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def _tshark(path: Path, *fields: str) -> list[list[str]]:
    command = ["tshark", "-r", str(path), "-T", "fields", "-E", "separator=|"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("|") for line in done.stdout.splitlines()]


@needs_tshark
def test_tshark_reads_the_tape(tmp_path: Path) -> None:
    path = tmp_path / "tape.pcapng"
    path.write_bytes(TAPE)
    got = _tshark(path, "frame.number", "frame.time_epoch", "frame.interface_name", "frame.comment")
    assert got == [
        ["1", f"1700000000.{123456789 + 0}", "client", ""],
        ["2", f"1700000000.{123456789 + 1}", "server", "syn, delivered"],
        ["3", f"1700000000.{123456789 + 2}", "client", ""],
        ["4", f"1700000000.{123456789 + 3}", "server", "gr\u00fc\u00dfe"],
    ]


@needs_tshark
@pytest.mark.parametrize("name", ["busy_r2_8", "synloss.A", "zero_open"])
def test_tshark_sees_the_same_packets(name: str) -> None:
    got = _tshark(CAPTURES / f"{name}.pcap", "frame.number", "frame.time_epoch", "frame.len")
    mine = [
        [str(p.number), f"{p.t_ns // 10**9}.{p.t_ns % 10**9:09d}", str(p.length)]
        for p in packets(name)
    ]
    assert mine == got
