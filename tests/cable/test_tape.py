"""What is written on the tape is what others read: scapy, and tshark where it is installed."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from scapy.utils import RawPcapNgReader

from netdiag.cable.tape import Tape
from netdiag.tcp.blocks import INBOUND, OUTBOUND
from netdiag.tcp.pcapng import Interface, Packet, Statistics, read_pcapng

from .play import ACK, frame

OFFSET = 1_700_000_000_000_000_000
TIMES = 1_000_000_001, 1_000_020_002, 1_500_000_003, 2_000_000_004
FRAMES = frame(0, ACK, 1, 2, b"one"), frame(1, ACK, 2, 4, b"three"), frame(0, 4, 5, 6)
WHY = "taken by fault cut: blackhole"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tape.pcapng"
    tape = Tape(path, wall_offset=OFFSET, about="netdiag cell c; interface 0 is the client's end")
    assert tape.next_number == 1
    assert tape.arrived(0, TIMES[0], FRAMES[0]) == 1
    assert tape.left(1, TIMES[1], FRAMES[0]) == 2
    assert tape.arrived(1, TIMES[2], FRAMES[1], WHY) == 3
    assert tape.left(0, TIMES[3], FRAMES[2], "injected by fault rst: rst to client") == 4
    tape.close(TIMES[3] + 1, (0, 7))
    return path


def test_it_holds_each_end_with_times_directions_comments_and_statistics(path):
    blocks = list(read_pcapng(path))
    assert [(one.number, one.name, one.link) for one in blocks if isinstance(one, Interface)] == [
        (0, "client", 1),
        (1, "server", 1),
    ]
    rows = [
        (one.interface, one.t_ns - OFFSET, one.flags, one.frame, one.comment)
        for one in blocks
        if isinstance(one, Packet)
    ]
    assert rows == [
        (0, TIMES[0], INBOUND, FRAMES[0], None),
        (1, TIMES[1], OUTBOUND, FRAMES[0], None),
        (1, TIMES[2], INBOUND, FRAMES[1], WHY),
        (0, TIMES[3], OUTBOUND, FRAMES[2], "injected by fault rst: rst to client"),
    ]
    statistics = [one for one in blocks if isinstance(one, Statistics)]
    assert [(one.interface, one.received, one.dropped) for one in statistics] == [
        (0, 1, 0),
        (1, 1, 7),
    ]


def test_scapy_reads_the_frames_and_their_nanoseconds(path):
    with RawPcapNgReader(str(path)) as reader:
        rows = [(raw, meta) for raw, meta in reader]
    assert [raw for raw, _ in rows] == [FRAMES[0], FRAMES[0], FRAMES[1], FRAMES[2]]
    stamps = [((meta.tshigh << 32) + meta.tslow) for _, meta in rows]
    assert stamps == [OFFSET + t for t in TIMES]
    assert all(meta.tsresol == 10**9 for _, meta in rows)
    assert [meta.ifname for _, meta in rows] == [b"client", b"server", b"server", b"client"]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_names_times_and_comments(path):
    fields = ["frame.number", "frame.interface_name", "frame.time_epoch", "frame.comment"]
    told = subprocess.run(
        ["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=|"]
        + [word for name in fields for word in ("-e", name)],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.splitlines()
    assert told == [
        f"1|client|{1_700_000_001}.000000001|",
        f"2|server|{1_700_000_001}.000020002|",
        f"3|server|{1_700_000_001}.500000003|{WHY}",
        f"4|client|{1_700_000_002}.000000004|injected by fault rst: rst to client",
    ]


def test_what_was_flushed_can_be_read_although_the_tape_was_never_closed(tmp_path):
    path = tmp_path / "tape.pcapng"
    tape = Tape(path, wall_offset=0, about="")
    tape.arrived(0, 1, FRAMES[0])
    tape.flush()
    tape.arrived(0, 2, FRAMES[1])
    packets = [one for one in read_pcapng(path) if isinstance(one, Packet)]
    assert [one.frame for one in packets] == [FRAMES[0]]
    tape.close(3, (0, 0))


def test_a_full_disk_is_an_error_and_not_a_short_tape():
    with pytest.raises(OSError, match="No space left"):
        Tape("/dev/full", wall_offset=0, about="")
