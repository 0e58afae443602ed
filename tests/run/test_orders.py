"""Orders to a cable that listens slowly: all of them, in their order, and no cell fails."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from netdiag.run.loop import Loop
from netdiag.run.orders import Orders

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 5000  # far more than a socket's buffer holds


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, cables = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, cables):
        end.setblocking(False)
    with ours, cables:
        yield ours, cables


def test_a_burst_arrives_whole_and_in_order(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, cables = ends
    loop, got, relieved = Loop(), [], []
    orders = Orders(ours, loop)
    for number in range(MANY):
        orders.give({"event": number})
    assert orders.crowded
    orders.when_relieved(lambda: relieved.append(len(got)))

    def take() -> None:
        got.append(json.loads(cables.recv(65536))["event"])
        if len(got) == MANY:
            loop.stop()

    loop.on_readable(cables.fileno(), take)
    loop.run()
    assert got == list(range(MANY))
    assert not orders.crowded
    assert len(relieved) == 1


def test_a_cable_that_has_ended_costs_nothing(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, cables = ends
    orders = Orders(ours, Loop())
    for number in range(MANY):
        orders.give({"event": number})
    cables.close()
    orders.give({"stop": True})
    loop = Loop()
    again = Orders(ours, loop)
    again.give({"stop": True})
    assert not again.crowded
