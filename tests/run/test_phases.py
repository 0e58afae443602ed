"""The proof of the design's table: real clients, real servers, real kernels, and their tapes.

For each phase a number of cells (NETDIAG_REPEATS, default 2; 50 for the proof) run at the same
time, half of them over IPv6. Each tape is then read without the product's own idea of phases: the
packet is found by what it carries. A cell whose tape is not as the table says must be UNKNOWN.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from pytest import param

from netdiag.analysis import Outcome, analyse
from netdiag.catalogue import RedisPyClient, RedisPySettings
from netdiag.errors import LabError
from netdiag.faults import EventTrigger, Fault, PhaseTrigger, TimeTrigger
from netdiag.faults.blackhole import Blackhole
from netdiag.run.front import run_plan
from netdiag.scenario import Cell, Plan
from netdiag.scenario.workload import LabSettings, Produce, Workload
from netdiag.tcp.blocks import INBOUND
from netdiag.tcp.pcapng import Packet, read_pcapng
from netdiag.tcp.wire import ACK, FIN, SYN, parse_ethernet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from netdiag.tcp.wire import Segment

REPEATS = int(os.environ.get("NETDIAG_REPEATS", "2"))
AT_ONCE = 10
SOON = Produce(at=TimeTrigger(time=0.4))
LATER = Produce(at=EventTrigger(event="active", after=0.2))  # so that a cut has something to take


@dataclass(frozen=True)
class Row:
    """A frame as it came to the cable, and whether the very same one left it at the other end."""

    side: int
    segment: Segment
    comment: str | None
    delivered: bool


def rows_of(tape: Path) -> list[Row]:
    """The frames of a tape in the order in which they came; every one that left must have come."""
    rows: list[Row] = []
    packets = [one for one in read_pcapng(tape) if isinstance(one, Packet)]
    for number, packet in enumerate(packets):
        if packet.flags != INBOUND:
            before = packets[number - 1]
            assert (before.flags, before.frame) == (INBOUND, packet.frame)
            assert before.interface != packet.interface
            continue
        after = packets[number + 1] if number + 1 < len(packets) else None
        passed = after is not None and after.flags != INBOUND and after.frame == packet.frame
        segment = parse_ethernet(packet.frame)
        assert segment is not None, "nothing but TCP belongs on this wire"
        rows.append(Row(packet.interface, segment, packet.comment, passed))
    return rows


def _syn(rows: Sequence[Row]) -> int:
    return _first(rows, 0, lambda one: one.flags == SYN)


def _handshake_ack(rows: Sequence[Row]) -> int:
    return _first(rows, 0, lambda one: not one.flags & SYN)


def _request(rows: Sequence[Row]) -> int:
    return _first(rows, 0, lambda one: b"BRPOP" in one.payload)


def _pure_ack(rows: Sequence[Row]) -> int:
    asked = _request(rows)
    request = rows[asked].segment
    end = (request.seq + request.length) & 0xFFFFFFFF
    return _first(
        rows,
        1,
        lambda one: one.flags == ACK and not one.length and one.ack == end,
        asked,
    )


def _reply(rows: Sequence[Row]) -> int:
    return _first(rows, 1, lambda one: b"jobs" in one.payload, _request(rows))


def _fin(rows: Sequence[Row]) -> int:
    return next(at for at, row in enumerate(rows) if row.segment.flags & FIN)


def _first(
    rows: Sequence[Row], side: int, meant: Callable[[Segment], bool], after: int = 0
) -> int:
    return next(
        at
        for at, row in enumerate(rows)
        if at >= after and row.side == side and meant(row.segment)
    )


@dataclass(frozen=True)
class Phase:
    """A row of the design's table: how its packet is found on a tape, and what becomes of it."""

    packet: Callable[[Sequence[Row]], int]
    delivered: bool
    produce: Produce = LATER
    read_timeout: float | None = None


TABLE = {
    "connecting": Phase(_syn, delivered=False),
    "connected": Phase(_handshake_ack, delivered=True),
    "request_in_flight": Phase(_request, delivered=False),
    "request_delivered": Phase(_request, delivered=True),
    "blocked": Phase(_pure_ack, delivered=True),
    "reply_in_flight": Phase(_reply, delivered=False, produce=SOON),
    "reply_delivered": Phase(_reply, delivered=True, produce=SOON),
    "closing": Phase(_fin, delivered=False, read_timeout=0.5),
}


def cell(index: int, phase: str, number: int) -> Cell:
    """One repeat of a phase."""
    row = TABLE[phase]
    settings = RedisPySettings(
        keepalive=None, read_timeout=row.read_timeout, connect_timeout=None, retry=0
    )
    return Cell(
        id=f"{phase}-{number}",
        index=index,
        seed=index,
        lab=LabSettings(ip=6 if number % 2 else 4),
        clients={"client": RedisPyClient(settings=settings)},
        workload=Workload(produce=(row.produce,)),
        faults=(Fault(name="cut", at=PhaseTrigger(phase=phase), do=Blackhole()),),
        duration=4.0,  # a busy machine needs more than a second from SYN to BRPOP
    )


def proof_plan() -> Plan:
    cells = [(phase, number) for number in range(REPEATS) for phase in TABLE]
    return Plan(
        scenario="phases",
        about="each phase, many times",
        digest="",
        seed=1,
        cells=tuple(cell(index, *one) for index, one in enumerate(cells)),
    )


@dataclass(frozen=True)
class Ran:
    """A cell that ran: what the analysis says, and how its tape differs from the table."""

    outcome: Outcome
    unknown: tuple[str, ...]
    differs: str | None


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> dict[str, list[Ran]]:
    plan = proof_plan()
    try:
        result = run_plan(
            plan, out=tmp_path_factory.mktemp("proof"), jobs=AT_ONCE, follow=lambda _: None
        )
    except LabError as err:
        pytest.skip(str(err))
    assert (result.code, result.complaints) == (0, ())
    found: dict[str, list[Ran]] = {phase: [] for phase in TABLE}
    for judged in analyse(result.recording, plan).cells:
        phase = judged.id.rsplit("-", 1)[0]
        differs = how_it_differs(rows_of(result.recording.cell(judged.id).tape), TABLE[phase])
        found[phase].append(Ran(judged.outcome, judged.unknown, differs))
    return found


def how_it_differs(rows: Sequence[Row], phase: Phase) -> str | None:
    """What of a tape is not as the design's table says; None when all of it is."""
    try:
        own = phase.packet(rows)
    except StopIteration:
        return "its packet never came"
    for at, row in enumerate(rows):
        wanted = at < own or (at == own and phase.delivered)
        if row.delivered != wanted or (row.comment is None) != wanted:
            return f"frame {at}, {own} being the phase's own: {row}"
    return None if len(rows) > own + 1 else "nothing came after it"


@pytest.mark.parametrize("phase", [param(phase, id=phase) for phase in TABLE])
def test_the_tape_shows_exactly_what_the_table_says(ran, phase):
    assert len(ran[phase]) == REPEATS
    passed_although = [one for one in ran[phase] if one.differs and one.outcome is Outcome.PASS]
    assert not passed_although, "a miss must be UNKNOWN, never PASS"
    exact = [one for one in ran[phase] if one.differs is None and one.outcome is Outcome.PASS]
    print(f"{phase}: {len(exact)} of {REPEATS} as the table says")
    assert exact == ran[phase]


def _row(side: int, flags: int, payload: bytes = b"", *, taken: bool = False) -> Row:
    ends = [(b"\1", 1), (b"\2", 2)][:: -1 if side else 1]
    segment = parse_ethernet(_frame(side, flags, payload))
    assert segment is not None, ends
    return Row(side, segment, "taken" if taken else None, not taken)


def _frame(side: int, flags: int, payload: bytes) -> bytes:
    tcp = bytes(4) + bytes([0, 0, 0, 9, 0, 0, 0, 9 + 5 * side, 0x50, flags]) + bytes(6) + payload
    ends = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    ip = bytes([0x45, 0, 0, 20 + len(tcp), 0, 0, 0, 0, 64, 6, 0, 0]) + ends[side] + ends[1 - side]
    return bytes(12) + b"\x08\x00" + ip + tcp


REQUEST = _row(0, ACK, b"BRPOP")
MISSES = [
    param([REQUEST, _row(1, ACK, taken=True)], "connected", None, id="as the table says"),
    param([REQUEST, _row(1, ACK)], "connected", "frame 1", id="something crossed after it"),
    param([_row(0, ACK, taken=True), REQUEST], "connected", "frame 0", id="its own was taken"),
    param([REQUEST, REQUEST], "request_in_flight", "frame 0", id="its own was delivered"),
    param([_row(0, SYN, taken=True)], "connecting", "nothing came", id="nothing came after it"),
    param([REQUEST], "closing", "never came", id="it never came"),
]


@pytest.mark.parametrize(("rows", "phase", "difference"), MISSES)
def test_the_proof_itself_sees_a_miss(rows, phase, difference):
    found = how_it_differs(rows, TABLE[phase])
    assert found is None if difference is None else difference in str(found)
