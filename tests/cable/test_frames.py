"""Whatever crosses the cable: nothing raises, and only faults change what passes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from netdiag.cable.core import Core
from netdiag.faults import EventTrigger, Fault, PacketTrigger, PhaseTrigger, TimeTrigger
from netdiag.faults.blackhole import Blackhole
from netdiag.faults.reset import Reset
from netdiag.faults.trigger import PHASES

from .play import BRPOP, MS, WORDS, cut, frame

WAITING = [cut(PhaseTrigger(phase=phase, nth=10_000), name=phase) for phase in PHASES]
FLAGS = st.integers(0, 255)
NUMBERS = st.one_of(st.integers(990, 1100), st.integers(4990, 5100), st.integers(0, 2**32 - 1))
PAYLOADS = st.one_of(st.sampled_from(sorted(WORDS.values())), st.binary(max_size=40))
SEGMENTS = st.builds(
    frame, st.integers(0, 1), FLAGS, NUMBERS, NUMBERS, PAYLOADS, ip=st.sampled_from([4, 6])
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A segment with some bytes changed, or cut short."""
    made = bytearray(draw(SEGMENTS))
    for at in draw(st.lists(st.integers(0, len(made) - 1), max_size=4)):
        made[at] = draw(st.integers(0, 255))
    return bytes(made[: draw(st.integers(0, len(made)))])


FRAMES = st.lists(
    st.tuples(st.integers(0, 1), st.one_of(st.binary(max_size=120), SEGMENTS, damaged())),
    max_size=25,
)


@given(FRAMES)
@settings(max_examples=300, deadline=None)
def test_without_a_fault_that_is_met_every_frame_passes(frames):
    core = Core(WAITING, BRPOP, {"0": PhaseTrigger(phase="closing", nth=10_000)})
    for number, (side, raw) in enumerate(frames):
        decision = core.frame(number * MS, side, raw, number + 1)
        assert (decision.taken, decision.injected, decision.notes) == (None, [], [])
    core.summary()


FAULTS = st.lists(
    st.builds(
        Fault,
        name=st.just("f"),
        at=st.one_of(
            st.builds(
                PhaseTrigger, phase=st.sampled_from(PHASES), after=st.sampled_from([0, 0.002])
            ),
            st.builds(TimeTrigger, time=st.sampled_from([0.0, 0.003])),
            st.builds(
                PacketTrigger,
                from_=st.sampled_from(["client", "server"]),
                label=st.sampled_from(["syn", "data", "ack", "fin", "rst"]),
                nth=st.integers(1, 3),
                packet=st.sampled_from(["taken", "delivered"]),
            ),
            st.builds(EventTrigger, event=st.sampled_from(["active", "healed", "error"])),
        ),
        do=st.one_of(
            st.builds(Blackhole, direction=st.sampled_from(["both", "to_server", "to_client"])),
            st.builds(Reset, to=st.sampled_from(["both", "client", "server"])),
        ),
    ),
    max_size=3,
)


@given(FAULTS, FRAMES)
@settings(max_examples=300, deadline=None)
def test_no_frame_and_no_fault_raises_and_what_is_certain_is_delivered(faults, frames):
    core = Core(faults, BRPOP)
    for number, (side, raw) in enumerate(frames):
        now = number * MS
        while (due := core.due()) is not None and due <= now:
            core.tick(due)
        certain = core.certain(side)
        decision = core.frame(now, side, raw, number + 1)
        assert not (certain and decision.taken)
    assert len(core.summary()) == len(faults)


@given(FAULTS, FRAMES)
@settings(max_examples=150, deadline=None)
def test_settling_at_once_or_late_decides_the_same(faults, frames):
    prompt, late = Core(faults, BRPOP), Core(faults, BRPOP)
    for number, (side, raw) in enumerate(frames):
        decisions = []
        for core in (prompt, late):
            while (due := core.due()) is not None and due <= number * MS:
                core.tick(due)
            decisions.append(core.frame(number * MS, side, raw, number + 1))
        prompt.settle()
        assert decisions[0] == decisions[1]
    assert prompt.summary() == late.summary()
