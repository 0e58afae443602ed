"""One thread, many descriptors: who is called, in which order, and when it ends."""

from __future__ import annotations

import itertools
import os
import time

import pytest

from netdiag.run.loop import Loop
from netdiag.units import MILLISECOND


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    for fd in (reading, writing):
        try:
            os.close(fd)
        except OSError:
            continue


def soon(milliseconds: float = 0) -> int:
    return time.monotonic_ns() + round(milliseconds * MILLISECOND)


def test_a_readable_descriptor_calls_until_it_is_read(pipe):
    loop, got = Loop(), []
    reading, writing = pipe

    def take() -> None:
        got.append(os.read(reading, 1))
        if len(got) == 3:
            loop.stop()

    loop.on_readable(reading, take)
    os.write(writing, b"abc")
    assert loop.run()
    assert got == [b"a", b"b", b"c"]


def test_the_end_of_a_pipe_is_something_to_read(pipe):
    loop = Loop()
    reading, writing = pipe
    loop.on_readable(reading, loop.stop)
    os.close(writing)
    assert loop.run(until=soon(5000))


def test_moments_come_in_the_order_of_time_and_never_early():
    loop, seen = Loop(), []
    begun = time.monotonic_ns()
    for wanted in (6, 2, 4):
        loop.at(begun + wanted * MILLISECOND, lambda wanted=wanted: seen.append(
            (wanted, time.monotonic_ns() - begun)))  # fmt: skip
    loop.at(begun + 8 * MILLISECOND, loop.stop)
    assert loop.run()
    assert [wanted for wanted, _ in seen] == [2, 4, 6]
    assert all(wanted * MILLISECOND <= real for wanted, real in seen)


def test_moments_of_the_same_time_come_in_the_order_of_asking():
    loop, seen, t = Loop(), [], soon()
    for name in "abc":
        loop.at(t, lambda name=name: seen.append(name))
    loop.at(t, loop.stop)
    loop.run()
    assert seen == ["a", "b", "c"]


def test_until_ends_it_and_says_so_and_it_can_go_on():
    loop, seen = Loop(), []
    loop.at(soon(20), lambda: (seen.append("later"), loop.stop()))
    assert not loop.run(until=soon(2))
    assert seen == []
    assert loop.run(until=soon(5000))
    assert seen == ["later"]


def test_a_moment_that_is_past_comes_at_once():
    loop = Loop()
    loop.at(0, loop.stop)
    assert loop.run(until=soon(5000))


def test_every_begins_now_and_comes_again():
    loop, seen = Loop(), []

    def tick() -> None:
        seen.append(time.monotonic_ns())
        if len(seen) == 3:
            loop.stop()

    loop.every(MILLISECOND, tick)
    assert len(seen) == 1
    loop.run()
    assert all(b - a >= MILLISECOND for a, b in itertools.pairwise(seen))


def test_a_forgotten_descriptor_calls_nobody(pipe):
    loop = Loop()
    reading, writing = pipe
    loop.on_readable(reading, lambda: pytest.fail("it was forgotten"))
    os.write(writing, b"!")
    loop.forget(reading)
    loop.forget(reading)
    assert not loop.run(until=soon(2))


def test_one_call_may_forget_the_next_descriptor_of_the_same_round(pipe):
    loop, calls = Loop(), []
    reading, writing = pipe
    other, its = os.pipe()

    def call(own: int, another: int):
        return lambda: (calls.append(own), os.read(own, 1), loop.forget(another))

    loop.on_readable(reading, call(reading, other))
    loop.on_readable(other, call(other, reading))
    os.write(writing, b"!")
    os.write(its, b"!")
    loop.run(until=soon(5))
    assert len(calls) == 1
    os.close(other)
    os.close(its)


def test_after_stop_nobody_else_is_called(pipe):
    loop = Loop()
    reading, writing = pipe
    os.write(writing, b"!")
    loop.on_readable(reading, lambda: pytest.fail("it was stopped before"))
    loop.at(0, loop.stop)
    loop.at(0, lambda: pytest.fail("it was stopped before"))
    assert loop.run()


def test_a_call_that_always_comes_again_does_not_starve_the_end():
    loop = Loop()
    loop.every(0, lambda: None)
    assert not loop.run(until=soon(2))
