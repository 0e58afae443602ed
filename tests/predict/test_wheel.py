"""The wheel: calc_wheel_index, calc_index of kernel/time/timer.c, done tick by tick beside it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.predict.wheel import Span, Ticks, Wheel, either, exactly, level_of

LEVELS = 9


def fires(clock: int, ticks: int) -> int:
    """The jiffy at which the kernel runs a timer that is set at `clock` (Linux 4.8 and later)."""
    expires = clock + ticks
    level = 0
    while level < LEVELS - 1 and ticks >= 63 << 3 * level:  # LVL_START(level + 1)
        level += 1
    return ((expires >> 3 * level) + 1) << 3 * level


@pytest.mark.parametrize(("ticks", "level", "bucket"), [
    param(62, 0, 1, id="the last of level 0"),
    param(63, 1, 8, id="LVL_START(1)"),
    param(503, 1, 8, id="the last of level 1"),
    param(504, 2, 64, id="LVL_START(2)"),
    param(4032, 3, 512, id="LVL_START(3)"),
    param(32256, 4, 4096, id="LVL_START(4)"),
    param(258048, 5, 32768, id="LVL_START(5)"),
])
def test_a_timer_lies_on_the_level_that_the_kernel_gives_it(
    ticks: int, level: int, bucket: int
) -> None:
    assert level_of(ticks) == level
    one = Ticks().after(ticks, woken=False)
    assert one == Ticks(ticks + 1, ticks + bucket, level)


@given(st.integers(0, 1 << 20), st.lists(st.integers(1, 200_000), min_size=1, max_size=8))
def test_a_chain_of_timers_is_inside_whatever_the_phase(clock: int, steps: list[int]) -> None:
    """Each timer is set when the one before it fires; the kernel's own count is anything."""
    now, moment = clock, Ticks()
    for number, step in enumerate(steps):
        moment = moment.after(step, woken=number > 0)
        # in a timer's function the wheel stands a tick further: base->clk of __run_timers
        ahead = 1 if number else 0
        expires = now + step
        level = level_of(step - ahead)
        now = ((expires >> 3 * level) + 1) << 3 * level
        assert moment.low <= now - clock <= moment.high
        assert now % (1 << 3 * moment.level) == moment.rest


@settings(deadline=None)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=5))
def test_a_chain_is_no_wider_than_what_some_phase_does(steps: list[int]) -> None:
    ends = []
    for clock in range(1024):
        now = clock
        for number, step in enumerate(steps):
            level = level_of(step - 1 if number else step)
            now = ((now + step >> 3 * level) + 1) << 3 * level
        ends.append(now - clock)
    moment = Ticks()
    for number, step in enumerate(steps):
        moment = moment.after(step, woken=number > 0)
    assert (moment.low, moment.high) == (min(ends), max(ends))


@given(st.integers(0, 1 << 20), st.integers(1, 2_000_000))
def test_a_single_timer_is_never_early_and_late_by_an_eighth(clock: int, ticks: int) -> None:
    late = fires(clock, ticks) - clock - ticks
    assert 1 <= late <= max(1, ticks * 8 / 63)


@given(st.integers(0, 4096), st.integers(1, 5000), st.integers(0, 20), st.integers(1, 5000))
def test_a_tardy_kernel_is_inside_too(clock: int, first: int, late: int, second: int) -> None:
    one = Ticks().after(first, woken=False)
    then = fires(clock, first)
    set_at = then + late
    level = level_of(second - 1)
    end = ((set_at + second >> 3 * level) + 1) << 3 * level
    both = one.after(second, late=late)
    assert both.low <= end - clock <= both.high


@pytest.mark.parametrize(("hz", "seconds", "low", "high"), [
    param(250, 7200, 7200.0, 7331.072, id="two hours at 250 Hz"),
    param(100, 7200, 7200.0, 7527.68, id="two hours at 100 Hz"),
    param(1000, 0.2, 0.2, 0.208, id="200 ms at 1000 Hz"),
    param(250, 0.201, 0.204, 0.208, id="whole ticks"),
])
def test_seconds(hz: int, seconds: float, low: float, high: float) -> None:
    when = Wheel(hz, tardy=0.0, seen=0.0).fires(seconds)
    assert (when.low, when.high) == pytest.approx((low, high))


def test_one_of_several_intervals_keeps_its_gap() -> None:
    when = either([Span(6.8, 7.0), Span(3.4, 3.5)])
    assert when.pieces == (Span(3.4, 3.5), Span(6.8, 7.0))
    assert 3.45 in when
    assert 5.0 not in when
    assert when.width == pytest.approx(0.2)
    assert (when - exactly(3.0)).pieces[0].low == pytest.approx(0.4)
    assert (when + Span(0.0, 4.0)).pieces == (Span(3.4, 11.0),)  # the gap is filled


def test_intervals_closer_than_the_wheel_moves_a_timer_are_one() -> None:
    assert either([Span(10.0, 10.2), Span(10.4, 10.6)]) == Span(10.0, 10.6)


spans = st.tuples(st.floats(0, 100), st.floats(0, 100)).map(lambda pair: Span(*sorted(pair)))


@given(st.lists(spans, min_size=1, max_size=4), st.lists(spans, min_size=1, max_size=4),
       st.floats(0, 1), st.floats(0, 1))
def test_what_is_in_two_intervals_is_in_their_sum(
    first: list[Span], second: list[Span], where: float, there: float
) -> None:
    total = either(first) + either(second)
    for one, other in itertools.product(first, second):
        moment = one.low + where * (one.high - one.low)
        moment += other.low + there * (other.high - other.low)
        assert any(piece.low - 1e-9 <= moment <= piece.high + 1e-9 for piece in total.pieces)
