"""Two ports as one row of frames: the older first, each unchanged, nothing left behind."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from netdiag.cable import arrivals
from netdiag.cable.arrivals import Arrivals

if TYPE_CHECKING:
    from collections.abc import Iterator

SO_TIMESTAMPNS = 35


class Wire:
    """Two hosts that send, and the ports at which their frames arrive."""

    def __init__(self, *, stamped: bool = True) -> None:
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
        self.hosts = [host for host, _ in pairs]
        self.ports = [port for _, port in pairs]
        for one in self.hosts:
            one.setblocking(False)
        if stamped:
            for one in self.ports:
                one.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.arrivals = Arrivals((self.ports[0], self.ports[1]))

    def send(self, side: int, frame: bytes) -> None:
        self.hosts[side].send(frame)

    def close(self) -> None:
        for one in (*self.hosts, *self.ports):
            one.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def test_the_older_frame_goes_first_whichever_side_it_came_from(wire):
    sent = []
    for number in range(90):
        side = number // 3 % 2  # three of one side, three of the other: the queues stay short
        frame = bytes([number])
        wire.send(side, frame)
        sent.append((side, frame))
        if number % 9 == 8:
            assert [(s, one) for s, _, one in wire.arrivals.batch()] == sent[-9:]


def test_many_frames_that_wait_come_in_order_and_none_is_left(wire):
    wire.hosts[0].setblocking(True)
    got, numbers = [], iter(range(2000))
    for number in numbers:
        wire.hosts[0].settimeout(0.001)
        try:
            wire.send(0, number.to_bytes(2, "big"))
        except TimeoutError:  # the queue of a unix socket is full
            got += [one for _, _, one in wire.arrivals.batch(whole=True)]
            wire.send(0, number.to_bytes(2, "big"))
    got += [one for _, _, one in wire.arrivals.batch(whole=True)]
    assert got == [number.to_bytes(2, "big") for number in range(2000)]
    assert not wire.arrivals.waiting


@pytest.mark.parametrize("size", [0, 1, 60, 1514, 65550, 150_000])
def test_a_frame_of_any_size_arrives_whole(wire, size):
    frame = bytes(number % 251 for number in range(size))
    for side in (0, 1):
        wire.send(side, frame)
    assert [one for _, _, one in wire.arrivals.batch()] == [frame, frame]


def test_the_time_is_the_kernels_on_the_monotonic_clock(wire):
    begun = time.monotonic_ns()
    wire.send(1, b"x")
    ended = time.monotonic_ns()
    ((_, t, _),) = wire.arrivals.batch()
    assert begun - 20_000 <= t <= ended + 20_000


def test_what_comes_while_a_batch_is_under_way_waits_for_the_next(wire):
    wire.send(0, b"first")
    batch = wire.arrivals.batch()
    assert next(batch)[2] == b"first"
    wire.send(0, b"second")
    assert list(batch) == []
    assert [one for _, _, one in wire.arrivals.batch()] == [b"second"]


@pytest.mark.parametrize("step", [-300_000_000, 300_000_000], ids=["back", "forward"])
def test_a_wall_clock_that_is_set_neither_holds_a_frame_nor_dates_it_before_the_last(
    wire, monkeypatch, step: int
) -> None:
    wire.send(0, b"before")
    ((_, before, _),) = wire.arrivals.batch()
    begun = time.monotonic_ns()
    wire.send(0, b"after")
    true = arrivals._clocks()[1]
    monkeypatch.setattr(arrivals, "_clocks", lambda: (time.monotonic_ns(), true - step))
    ((_, t, frame),) = [*wire.arrivals.batch(), *wire.arrivals.batch()]
    assert frame == b"after"
    assert before <= t <= time.monotonic_ns()
    assert t >= begun or step > 0
    assert not wire.arrivals.waiting


def test_a_port_without_stamps_gives_the_time_of_the_look():
    wire = Wire(stamped=False)
    begun = time.monotonic_ns()
    wire.send(0, b"x")
    ((_, t, _),) = wire.arrivals.batch()
    wire.close()
    assert begun <= t <= time.monotonic_ns()


def test_an_empty_wire_and_one_whose_host_is_gone_give_nothing(wire):
    assert list(wire.arrivals.batch()) == []
    wire.hosts[0].close()
    assert list(wire.arrivals.batch()) == []
    assert not wire.arrivals.waiting
