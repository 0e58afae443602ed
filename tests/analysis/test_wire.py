"""A tape -> frames with their fates, and replies on both ends."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netdiag.analysis.wire import WireLog, read_tape
from netdiag.errors import RecordingError
from netdiag.recording import read_events
from netdiag.tcp.blocks import INBOUND
from netdiag.tcp.labels import NAMES as LABELS
from netdiag.tcp.pcapng import Packet, read_pcapng

from .recorded import RECORDINGS, files

TAPES = sorted(RECORDINGS.rglob("tape.pcapng"))
BRPOP = frozenset({"BRPOP"})


def tape(name: str, cell_id: str) -> WireLog:
    held = files(name, cell_id)
    offset = read_events(held.events)[0].data["wall_offset"]
    assert isinstance(offset, int)
    return read_tape(held.tape, offset, BRPOP)


@pytest.mark.parametrize("path", TAPES, ids=lambda path: path.parent.name)
def test_every_packet_that_came_to_the_cable_is_a_frame(path: Path) -> None:
    log = read_tape(path, 0, BRPOP)
    came = [one for one in read_pcapng(path) if isinstance(one, Packet) and one.flags == INBOUND]
    own = [frame for frame in log.frames if frame.injected is None]
    assert [frame.number for frame in own] == [packet.number for packet in came]
    assert [frame.t for frame in own] == [packet.t_ns for packet in came]
    assert sum(log.counts().values()) == len(own)
    assert set(log.counts()) <= set(LABELS)
    assert (log.dropped, log.trouble, log.strangers) == (0, "", 0)


def test_a_frame_that_was_taken_says_by_whom() -> None:
    log = tape("brpop-zombie", "zombie")
    taken = [(frame.sender, frame.label) for frame in log.frames if frame.taken]
    assert taken == [("server", "keepalive_probe")] * 3 + [("server", "rst")]
    assert {frame.taken for frame in log.frames if frame.taken} == {"taken by fault cut: blackhole"}


def test_times_are_those_of_the_events() -> None:
    """The tape holds wall-clock time; the offset that the run recorded ties it to the events."""
    log = tape("brpop-zombie", "zombie")
    (cut,) = [one for one in read_events(files("brpop-zombie", "zombie").events)
              if one.what == "fault" and one.outcome == "start"]
    (own,) = [frame for frame in log.frames if frame.number == cut.data["packet"]]
    assert [(one.phase, one.command) for one in own.phases] == [("blocked", "BRPOP")]
    assert abs(own.t - cut.t) < 5_000_000


def test_a_reply_that_was_taken_was_sent_until_it_got_through() -> None:
    """m1 reaches the client's host after the healing, long after its socket was closed."""
    log = tape("reply-lost", "reply-lost")
    (late,) = [reply for reply in log.replies if reply.value == (b"jobs", b"m1")]
    (soon,) = [reply for reply in log.replies if reply.value == (b"jobs", b"m2")]
    assert (late.sent > 3, late.taken) == (True, late.sent - 1)
    assert (soon.sent, soon.taken) == (1, 0)
    assert late.arrived is not None
    assert soon.arrived is not None
    assert late.arrived - late.left > 8_000_000_000
    assert 0 <= soon.arrived - soon.left < 50_000_000


@pytest.mark.parametrize("path", TAPES, ids=lambda path: path.parent.name)
def test_what_arrived_was_sent_untaken(path: Path) -> None:
    """A reply is there only when one of its copies got through, and never before it left."""
    replies = read_tape(path, 0, BRPOP).replies
    assert replies
    for reply in replies:
        assert 0 <= reply.taken <= reply.sent
        if reply.arrived is not None:
            assert reply.taken < reply.sent
            assert reply.arrived >= reply.left


def test_a_tape_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_tape(tmp_path / "tape.pcapng", 0, BRPOP) == WireLog(trouble="there is none")


def test_a_tape_cut_anywhere_gives_its_beginning(tmp_path: Path) -> None:
    """Every 53rd byte: what is read is a prefix, and is never thought to be the whole."""
    whole = files("brpop-zombie", "zombie").tape
    data = whole.read_bytes()
    numbers = [frame.number for frame in read_tape(whole, 0, BRPOP).frames]
    cut = tmp_path / "tape.pcapng"
    for length in range(0, len(data), 53):
        cut.write_bytes(data[:length])
        log = read_tape(cut, 0, BRPOP)
        assert [frame.number for frame in log.frames] == numbers[: len(log.frames)]
        assert log.trouble


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 2**20))
def test_a_damaged_tape_never_gives_a_traceback(noise: bytes, where: int) -> None:
    """Bytes written over any place of a tape are read as something, or refused in a sentence."""
    data = bytearray(files("brpop-zombie", "zombie").tape.read_bytes())
    start = where % len(data)
    data[start : start + len(noise)] = noise
    with TemporaryDirectory() as root:
        path = Path(root) / "tape.pcapng"
        path.write_bytes(data)
        try:
            log = read_tape(path, 0, BRPOP)
        except RecordingError as err:
            assert "tape.pcapng" in str(err)
        else:
            assert sum(log.counts().values()) <= len(log.frames)
