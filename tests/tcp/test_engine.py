"""Two ways of reading, one answer: over lists and compiled, and the tracker's labels in both."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.errors import LabError
from netdiag.tcp import engine, native
from netdiag.tcp.dissect import (
    ACK,
    CUT,
    DATA_AT,
    DATA_SIZE,
    DPORT,
    FIELDS,
    FLAGS,
    FRAGMENT,
    HIDDEN,
    IP_ID,
    LENGTH,
    MSS,
    OTHER,
    SACK_LEFT,
    SACK_PERMITTED,
    SACK_RIGHT,
    SACK_TOP,
    SEGMENT,
    SEQ,
    SPORT,
    TSECR,
    TSVAL,
    WINDOW,
    WSCALE,
    dissect,
)
from netdiag.tcp.engine import analyse_capture
from netdiag.tcp.flows import Flows, highest_edge
from netdiag.tcp.labels import LABELS, Label
from netdiag.tcp.pcapng import Packet
from netdiag.tcp.rows import KEPT_FIRST, KEPT_LAST
from netdiag.tcp.wire import Segment, parse_frame
from tests.tcp.plainly import scan_capture

from . import making
from .making import Bare, bare, framed, ipv6, pcap, pcapng
from .recorded import CAPTURES, NAMES, packets, recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdiag.tcp.facts import CaptureFacts

PUBLIC = Path(__file__).parents[3] / "shared/captures/public"
COPIED = {"dup.A", "dup.B"}  # their copies are no retransmissions for the engine
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
needs_numba = pytest.mark.skipif(not native.available(), reason="the extra `fast` is missing")


def shared() -> list[Path]:
    return [*(CAPTURES / f"{name}.pcap" for name in NAMES), *sorted(PUBLIC.glob("*.pcap*"))]


def over_lists(data: bytes, **options: object) -> CaptureFacts:
    return analyse_capture(io.BytesIO(data), compiled=False, **options)  # type: ignore[arg-type]


def compiled(data: bytes, **options: object) -> CaptureFacts:
    return analyse_capture(io.BytesIO(data), compiled=True, **options)  # type: ignore[arg-type]


def same(data: bytes, **options: object) -> None:
    """Both ways give the same facts, rows and labels included."""
    first, second = over_lists(data, **options), compiled(data, **options)
    assert first.connections == second.connections
    assert first.rows == second.rows
    assert first == second
    assert (first.compiled, second.compiled) == (False, True)


@needs_numba
@pytest.mark.parametrize("path", shared(), ids=lambda path: path.name)
def test_compiled_and_interpreted_give_the_same_facts(path: Path) -> None:
    same(path.read_bytes())


@needs_numba
@pytest.mark.parametrize(
    "options",
    [
        {"since": 1.0},
        {"until": 1.5},
        {"since": 0.5, "until": 2.0},
        {"ports": [5001, 6379, 1]},
        {"hosts": ["10.9.0.1"]},
        {"hosts": ["::/8", "127.0.0.0/8"]},
        {"since": 1_795_307_470_000_000_000},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["ka_mixed.A", "reuse", "delack"])
def test_both_choose_alike(name: str, options: dict[str, object]) -> None:
    same((CAPTURES / f"{name}.pcap").read_bytes(), **options)
    six = [Bare(item.t_ns, ipv6(item.data)) for item in bare(name)]
    same(pcapng(six), **options)


@needs_numba
@pytest.mark.parametrize("link", making.LINKS)
@pytest.mark.parametrize("make", [pcap, pcapng, making.big_endian_pcapng, making.simple_pcapng])
def test_both_read_every_container_and_link_type(make: object, link: str) -> None:
    assert callable(make)
    for lost in (0, 9):
        data = make(bare("halfopen.A"), link)
        same(data[: len(data) - lost])


SMALL = [name for name in NAMES if len(packets(name)) < 60]


@st.composite
def shuffled(draw: st.DrawFn) -> bytes:
    """Recorded connections mixed, cut, repeated, out of order, with changed bytes."""
    found: list[Bare] = []
    for name in draw(st.lists(st.sampled_from(SMALL), min_size=1, max_size=3)):
        taken = bare(name)
        start = draw(st.integers(0, len(taken) - 1))
        found += taken[start : start + draw(st.integers(1, 40))]
    for _ in range(draw(st.integers(0, 8))):
        at, other = draw(st.integers(0, len(found) - 1)), draw(st.integers(0, len(found) - 1))
        kind = draw(st.sampled_from(("swap", "again", "lose", "change", "time", "six")))
        item = found[at]
        if kind == "swap":
            found[at], found[other] = found[other], found[at]
        elif kind == "again":
            found.insert(other, item)
        elif kind == "lose" and len(found) > 1:
            del found[at]
        elif kind == "change":
            data = bytearray(item.data)
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
            found[at] = Bare(item.t_ns, bytes(data))
        elif kind == "time":
            found[at] = Bare(draw(st.integers(0, 4_294_967_295_999_999_999)), item.data)
        elif item.data[0] == 0x45:
            found[at] = Bare(item.t_ns, ipv6(item.data))
    return draw(st.sampled_from((pcap, pcapng)))([item for item in found if item.data])


@needs_numba
@pytest.mark.parametrize("high", ["fd00000000000001", "20010db8fffffffe", "7fffffffffffffff"])
def test_both_agree_on_every_bit_of_an_ipv6_address(high: str) -> None:
    found = []
    for item in bare("reuse"):
        six = bytearray(ipv6(item.data))
        six[8:16] = six[24:32] = bytes.fromhex(high)
        found.append(Bare(item.t_ns, bytes(six)))
    same(pcap(found))
    assert over_lists(pcap(found)).connections[0].client.endpoint.startswith(f"[{high[:4]}:")


@needs_numba
@settings(max_examples=200, deadline=None)
@given(data=shuffled())
def test_both_agree_on_whatever_is_fed_to_them(data: bytes) -> None:
    same(data)


@needs_numba
@settings(max_examples=100, deadline=None)
@given(
    names=st.sampled_from(SMALL),
    changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=5),
)
def test_both_agree_on_damaged_files(names: str, changes: list[tuple[int, int]]) -> None:
    for make in (pcap, pcapng, making.big_endian_pcapng):
        data = bytearray(make(bare(names)))
        for at, byte in changes:
            data[24 + at % (len(data) - 24)] = byte
        same(bytes(data))


@needs_numba
def test_both_make_room_for_many_connections() -> None:
    """More four-tuples than the compiled loop has room for at first, some of them twice."""
    syn = bytearray(bare("syn_sent")[0].data)
    found = []
    for number in range(6000):
        syn[20:22] = (1024 + number % 5500).to_bytes(2, "big")
        syn[24:28] = number.to_bytes(4, "big")
        found.append(Bare(number * 1000, bytes(syn)))
    data = pcap(found)
    assert len(over_lists(data).connections) == 6000
    same(data)


def test_small_captures_are_read_over_lists() -> None:
    assert not analyse_capture(CAPTURES / "lossy1.B.pcap").compiled


@pytest.mark.parametrize("name", [name for name in NAMES if name not in COPIED])
def test_the_engine_labels_as_the_tracker_does(name: str) -> None:
    facts = analyse_capture(CAPTURES / f"{name}.pcap", compiled=False)
    life = recorded(name)
    counts: dict[tuple[int, int, Label], int] = {}
    for item in life.seen:
        key = item.obs.flow, item.obs.side, item.obs.label
        counts[key] = counts.get(key, 0) + 1
    got = {
        (one.number, side, label): count
        for one in facts.connections
        for side in (0, 1)
        for label, count in zip(LABELS, one.sides[side].labels, strict=True)
        if count
    }
    assert got == counts
    dull = {Label.ACK, Label.DATA}
    rows = {row.number: (LABELS[row.label], row.step) for row in facts.rows.rows}
    wanted = {
        item.number: (item.obs.label, item.obs.step)
        for item in life.seen
        if item.obs.label not in dull
    }
    assert {number: row for number, row in rows.items() if row[0] not in dull} == dict(
        sorted(wanted.items())[-len(wanted) :] if len(wanted) <= KEPT_FIRST + KEPT_LAST else
        [*sorted(wanted.items())[:KEPT_FIRST], *sorted(wanted.items())[-KEPT_LAST:]]
    )  # fmt: skip


def test_a_connection_with_many_notable_packets_keeps_its_first_and_its_last() -> None:
    facts = analyse_capture(CAPTURES / "lossy1.B.pcap", compiled=False)
    rows = facts.rows.of(0)
    assert len(rows) == KEPT_FIRST + KEPT_LAST
    assert [row.number for row in rows[:3]] == [1, 2, 3]
    assert [row.text for row in rows[-2:]] == ["fin", "fin"]
    assert facts.rows.left_out > 0
    assert list(rows) == sorted(rows)


def as_row(segment: Segment | None) -> dict[int, int] | None:
    """What dissect writes, made of what parse_frame returns."""
    if segment is None:
        return None
    left, right = segment.sack[0] if segment.sack else (-1, -1)
    return {
        SPORT: segment.sport, DPORT: segment.dport, SEQ: segment.seq, ACK: segment.ack,
        FLAGS: segment.flags, WINDOW: segment.window, LENGTH: segment.length,
        WSCALE: segment.wscale, SACK_PERMITTED: int(segment.sack_permitted),
        TSVAL: segment.tsval, TSECR: segment.tsecr, SACK_LEFT: left, SACK_RIGHT: right,
        SACK_TOP: highest_edge(segment.sack) if segment.sack else -1, IP_ID: segment.ip_id,
        MSS: segment.mss, DATA_SIZE: len(segment.payload),
    }  # fmt: skip


def assert_same_segment(frame: bytes, link: int, before: int = 0) -> int:
    row = [0] * FIELDS
    kind = dissect(row, bytes(before) + frame, before, len(frame), link)
    wanted = as_row(parse_frame(frame, link))
    assert (kind == SEGMENT) == (wanted is not None)
    if wanted is not None:
        assert {place: row[place] for place in wanted} == wanted
        segment = parse_frame(frame, link)
        assert segment is not None
        at = row[DATA_AT] - before
        assert frame[at : at + row[DATA_SIZE]] == segment.payload
    return kind


@pytest.mark.parametrize("path", shared(), ids=lambda path: path.name)
def test_dissecting_in_place_finds_what_parsing_finds(path: Path) -> None:
    for item in scan_capture(path.read_bytes()):
        if isinstance(item, Packet):
            assert_same_segment(item.frame, item.link, before=item.number % 5)


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(SMALL),
    index=st.integers(0, 100),
    link=st.sampled_from(sorted(making.LINKS)),
    six=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=4),
    kept=st.integers(0, 200),
)
def test_dissecting_finds_the_same_in_damaged_frames(
    name: str, index: int, link: str, six: bool, changes: list[tuple[int, int]], kept: int
) -> None:
    found = bare(name)
    data = found[index % len(found)].data
    frame = bytearray(framed(link, ipv6(data) if six else data)[:kept])
    for at, byte in changes:
        if at < len(frame):
            frame[at] = byte
    number = making.LINKS[link][0]
    what = assert_same_segment(bytes(frame), number)
    assert what in (SEGMENT, OTHER, FRAGMENT, CUT, HIDDEN)


def test_two_lives_of_a_four_tuple_know_each_other() -> None:
    facts = analyse_capture(CAPTURES / "reuse.pcap", compiled=False)
    assert [one.earlier for one in facts.connections] == [-1, 0, 1]


def test_flows_and_engine_number_connections_alike() -> None:
    data = b"".join(
        (pcap(bare(name)) if not index else pcap(bare(name))[24:])
        for index, name in enumerate(("reuse", "ka_mixed.A", "third_ack", "reuse"))
    )
    flows = Flows()
    for item in scan_capture(data):
        if isinstance(item, Packet):
            segment = parse_frame(item.frame, item.link)
            assert segment is not None
            flows.feed(item.t_ns, segment)
    assert len(over_lists(data).connections) == len(flows.flows)


@pytest.mark.parametrize(
    ("spoil", "trusted"),
    [
        param(lambda file: None, True, id="as we kept it"),
        param(lambda file: file.chmod(0o666), False, id="others may write it"),
        param(lambda file: file.parent.chmod(0o777), False, id="others may put one in its place"),
        param(lambda file: os.chown(file, 12345, -1), False, id="another's file", marks=as_root),
        param(lambda file: os.chown(file.parent, 12345, -1), False, id="another's directory",
              marks=as_root),
    ],
)
def test_machine_code_that_others_could_have_written_is_not_taken_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None], trusted: bool
) -> None:
    file = tmp_path / "code" / "scan.o"
    monkeypatch.setattr(native, "_file", lambda: file)
    native._keep(file, b"code")
    spoil(file)
    assert (native._kept() == b"code") is trusted
    native._keep(file, b"new")
    assert (file.read_bytes() == b"new") is native._ours(file.parent.stat())


def test_a_compiler_that_fails_costs_time_and_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise LabError("numba 9.9 cannot compile the tracker")

    monkeypatch.setattr(engine, "_pays", lambda source: True)
    monkeypatch.setattr(engine, "SMALL", 0)
    monkeypatch.setattr("netdiag.tcp.compiled.kernel", fail)
    path = CAPTURES / "ka_mixed.A.pcap"
    facts = analyse_capture(path)
    assert facts.notes == (
        "read without a compiler, which takes longer: numba 9.9 cannot compile the tracker",
    )
    assert facts.connections == analyse_capture(path, compiled=False).connections
    with pytest.raises(LabError, match="cannot compile"):
        analyse_capture(path, compiled=True)
