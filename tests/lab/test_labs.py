"""One suite for the fake lab and the real one: what stands above may believe either."""

from __future__ import annotations

import os
import select
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from netdiag.lab import CLIENT, SERVER, SIDE_NAMES, Lab, Side
from netdiag.lab.fake import FakeLab, fake_lab
from netdiag.lab.namespaces import NamespaceLab, namespace_lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MACS = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
KIND = b"\x88\xb5"  # an experimental EtherType: no host answers to it (IEEE 802)


class Ends:
    """A lab with the hosts' side of its wire in our hands: frames put in, frames got out."""

    def __init__(self, lab: Lab, put: Callable[[Side, bytes], None], got: Callable[[Side], bytes]):
        self.lab, self.put, self.got = lab, put, got


@contextmanager
def fake_ends() -> Iterator[Ends]:
    with fake_lab() as lab:
        yield Ends(lab, lab.play, lambda side: lab.delivered(side) or b"")


@contextmanager
def real_ends() -> Iterator[Ends]:
    with namespace_lab(sysctls={}) as lab:
        wires = [on_wire(lab, side) for side in (CLIENT, SERVER)]

        def got(side: Side) -> bytes:
            assert select.select([wires[side]], [], [], 5)[0]
            return wires[side].recv(65536)

        yield Ends(lab, lambda side, frame: wires[side].send(frame) and None, got)


def on_wire(lab: NamespaceLab, side: Side) -> socket.socket:
    """A packet socket on the host itself, made there and handed to us."""
    ours, theirs = socket.socketpair()

    def open_there() -> int:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        wire.bind(("eth0", int.from_bytes(KIND, "big")))
        socket.send_fds(theirs, [b"."], [wire.fileno()])
        return 0

    assert lab.start(side, open_there, "wire").wait() == 0
    _, (fd,), _, _ = socket.recv_fds(ours, 1, 1)
    ours.close()
    theirs.close()
    return socket.socket(fileno=fd)


def frame(side: Side, size: int) -> bytes:
    return (MACS[1 - side] + MACS[side] + KIND).ljust(size, b"x")


def frames_pass_whole_both_ways(ends: Ends) -> None:
    for side in (CLIENT, SERVER):
        for size in (60, 700, 1514):
            sent = frame(side, size)
            ends.put(side, sent)
            port = ends.lab.port(side)
            assert select.select([port], [], [], 5)[0]
            assert port.recv(65536) == sent
            ends.lab.port(1 - side).send(sent)
            assert ends.got(1 - side) == sent


def ports_never_block_and_do_not_hear_themselves(ends: Ends) -> None:
    for side in (CLIENT, SERVER):
        ends.lab.port(side).send(frame(1 - side, 60))
        assert ends.got(side) == frame(1 - side, 60)
        with pytest.raises(BlockingIOError):
            ends.lab.port(side).recv(65536)


def a_program_is_started_at_the_hosts_own_address(ends: Ends) -> None:
    for side in (CLIENT, SERVER):
        address = ends.lab.address(side)

        def bind(address: str = address) -> int:
            with socket.create_server((address, 0)):
                return 42

        assert ends.lab.start(side, bind, "bind").wait() == 42


def a_started_program_is_a_child_that_can_be_waited_for_and_killed(ends: Ends) -> None:
    reading, writing = os.pipe()

    def sleep() -> int:
        os.write(writing, b"!")
        select.select([], [], [])
        return 0

    child = ends.lab.start(SERVER, sleep, "sleeper")
    assert os.read(reading, 1) == b"!"
    assert (child.name, child.poll()) == ("sleeper", None)
    child.kill()
    assert select.select([child.pidfd], [], [], 5)[0]
    assert child.wait() == -9


def nothing_is_dropped_at_first(ends: Ends) -> None:
    assert ends.lab.dropped() == (0, 0)


SUITE = [
    frames_pass_whole_both_ways,
    ports_never_block_and_do_not_hear_themselves,
    a_program_is_started_at_the_hosts_own_address,
    a_started_program_is_a_child_that_can_be_waited_for_and_killed,
    nothing_is_dropped_at_first,
]


@pytest.mark.parametrize("promise", [pytest.param(one, id=one.__name__) for one in SUITE])
@pytest.mark.parametrize("lab", ["fake", "namespaces"])
def test_a_lab_keeps_its_protocol(lab, promise, in_sandbox):
    def keep() -> None:
        with (fake_ends if lab == "fake" else real_ends)() as ends:
            promise(ends)

    keep() if lab == "fake" else in_sandbox(keep)


def test_the_fake_lab_says_what_it_is_told_to_have_dropped():
    with fake_lab() as lab:
        lab.drops = (1, 2)
        assert lab.dropped() == (1, 2)
        assert lab.netlink(CLIENT) is None


def test_the_fake_lab_says_when_nothing_is_delivered():
    with fake_lab() as lab:
        assert isinstance(lab, FakeLab)
        assert lab.delivered(CLIENT, timeout=0.001) is None


def test_sides_have_names():
    assert (SIDE_NAMES[CLIENT], SIDE_NAMES[SERVER]) == ("client", "server")
