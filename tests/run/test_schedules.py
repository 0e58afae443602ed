"""The kernel's timers on real tapes: never early, late by at most one step of the timer wheel.

The wheel (kernel/time/timer.c) rounds a timeout up to a step that is at most an eighth of it: one
tick below 63 ticks, 8 ticks below 504, 64 below 4032.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from netdiag.catalogue import Keepalive, RedisPyClient, RedisPySettings
from netdiag.errors import LabError
from netdiag.faults import Fault, PhaseTrigger
from netdiag.faults.blackhole import Blackhole
from netdiag.recording import Event, read_events
from netdiag.run.front import run_plan
from netdiag.scenario import Cell, Plan
from netdiag.tcp.blocks import INBOUND
from netdiag.tcp.pcapng import Packet, read_pcapng
from netdiag.tcp.wire import ACK, RST, SYN, Segment, parse_ethernet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdiag.recording import CellFiles

CLOCK_MONOTONIC_COARSE = 6
TICK = time.clock_getres(CLOCK_MONOTONIC_COARSE)
SCHEDULING = 0.05  # s: what a busy machine may add until the timer's softirq has run
ROUNDING = 0.001  # s: the kernel tells its RTO in whole ms


def wheel_step(timeout: float) -> float:
    """By how much the wheel may be late for a timeout, s."""
    ticks, step = timeout / TICK, 1
    while ticks >= 63 * step:
        step *= 8
    return step * TICK


@dataclass(frozen=True)
class Sent:
    """A frame of the client, or one that was handed to it (`own` is false), s."""

    t: float
    own: bool
    segment: Segment


@dataclass(frozen=True)
class Tape:
    frames: tuple[Sent, ...]
    events: tuple[Event, ...]

    def own(self, *, since: float = 0.0) -> list[Sent]:
        return [frame for frame in self.frames if frame.own and frame.t >= since]

    @property
    def cut(self) -> float:
        """When the fault took effect."""
        began = [event for event in self.events if (event.lane, event.what) == ("cable", "fault")]
        return began[0].t / 1e9


def read(files: CellFiles) -> Tape:
    events = read_events(files.events)
    offset = next(event.data["wall_offset"] for event in events if "wall_offset" in event.data)
    frames = []
    for packet in read_pcapng(files.tape):
        if isinstance(packet, Packet) and packet.interface == 0:
            segment = parse_ethernet(packet.frame)
            assert segment is not None
            frames.append(Sent((packet.t_ns - offset) / 1e9, packet.flags == INBOUND, segment))
    return Tape(tuple(frames), events)


CELLS = {
    "keepalive": ("blocked", Keepalive(idle=2, interval=1, count=3)),
    "retransmission": ("request_in_flight", None),
    "syn": ("connecting", None),
}


@pytest.fixture(scope="module")
def tapes(tmp_path_factory) -> dict[str, Tape]:
    cells = tuple(
        Cell(
            id=name,
            index=index,
            seed=1,
            clients={
                "client": RedisPyClient(
                    settings=RedisPySettings(
                        keepalive=keepalive, read_timeout=None, connect_timeout=None, retry=0
                    )
                )
            },
            faults=(Fault(name="cut", at=PhaseTrigger(phase=phase), do=Blackhole()),),
            duration=6.5,
        )
        for index, (name, (phase, keepalive)) in enumerate(CELLS.items())
    )
    plan = Plan(scenario="schedules", about="", digest="", seed=1, cells=cells)
    try:
        out = tmp_path_factory.mktemp("schedules")
        result = run_plan(plan, out=out, jobs=len(cells), follow=lambda _: None)
    except LabError as err:
        pytest.skip(str(err))
    return {name: read(result.recording.cell(name)) for name in CELLS}


def in_time(gap: float, nominal: float) -> bool:
    return nominal - ROUNDING <= gap <= nominal + wheel_step(nominal) + SCHEDULING


def assert_in_time(times: Sequence[float], nominal: Sequence[float]) -> None:
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) == len(nominal)
    late = [(gap, wanted) for gap, wanted in zip(gaps, nominal, strict=True)
            if not in_time(gap, wanted)]  # fmt: skip
    assert late == []


def test_keepalive_probes_come_after_idle_then_every_interval_and_end_in_a_reset(tapes):
    tape = tapes["keepalive"]
    heard = max(frame.t for frame in tape.frames if not frame.own)
    first = tape.own(since=heard + 0.5)
    end = next(at for at, frame in enumerate(first) if frame.segment.flags & RST)
    dying = first[: end + 1]
    assert [frame.segment.flags for frame in dying] == [ACK, ACK, ACK, RST | ACK]
    expected = tape.own()[-1 - len(first)].segment  # what the client had sent before
    nxt = (expected.seq + expected.length) & 0xFFFFFFFF
    assert [(frame.segment.seq - nxt) & 0xFFFFFFFF for frame in dying] == [0xFFFFFFFF] * 3 + [0]
    assert_in_time([heard, *(frame.t for frame in dying)], [2.0, 1.0, 1.0, 1.0])


def test_data_is_sent_again_after_the_rto_which_then_doubles(tapes):
    tape = tapes["retransmission"]
    copies = [frame for frame in tape.own(since=tape.cut - 0.00005) if frame.segment.length]
    assert len({frame.segment.seq for frame in copies}) == 1
    times = [frame.t for frame in copies]
    backed_off = {
        event.data["backoff"]: event.data["rto_ms"] / 1000
        for event in tape.events
        if event.lane == "client.kernel" and event.what == "socket" and event.t / 1e9 > times[0]
    }
    rto = backed_off[0]
    assert 0.2 <= rto <= 0.3
    assert backed_off == {step: rto * 2**step for step in backed_off}
    probe, rest = times[1] - times[0], times[1:]
    assert 0.2 <= probe <= rto + wheel_step(rto) + SCHEDULING  # the tail loss probe
    assert len(rest) == 5
    assert_in_time(rest, [rto * 2**step for step in range(len(rest) - 1)])


def test_a_syn_is_sent_again_after_a_second(tapes):
    times = [frame.t for frame in tapes["syn"].own() if frame.segment.flags == SYN]
    assert len(times) >= 3
    assert_in_time(times[:2], [1.0])


STEPS = [(50, 1), (62, 1), (63, 8), (500, 8), (504, 64), (4031, 64), (4032, 512)]


@pytest.mark.parametrize(("ticks", "step"), STEPS)
def test_the_wheels_steps_are_the_kernels(ticks, step):
    assert wheel_step(ticks * TICK) == pytest.approx(step * TICK)
