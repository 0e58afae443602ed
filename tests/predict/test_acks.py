"""Who delays its ACKs: as the kernels' own round trips showed it (rto of tcp_info, Linux 6.1)."""

from __future__ import annotations

import pytest
from pytest import param

from netdiag.predict.acks import acks
from netdiag.scenario.workload import Workload

LATE, ONCE = True, False


@pytest.mark.parametrize(("workload", "greets", "client", "server"), [
    param(Workload(), True, (LATE, ONCE, ONCE), (ONCE, ONCE), id="only the first is delayed"),
    param(Workload(), False, (ONCE, ONCE, ONCE), (ONCE, ONCE), id="whoever says nothing first"),
    param(Workload(work=1.0), True, (LATE, ONCE, ONCE), (LATE, ONCE),
          id="the first reply waits for a request that comes after the work"),
    param(Workload(pattern="xreadgroup"), True, (LATE, ONCE, LATE, ONCE, LATE),
          (ONCE, ONCE, ONCE, ONCE), id="XACK is answered, so the server hopes again"),
    param(Workload(pattern="xreadgroup", work=1.0), True, (LATE, ONCE, LATE, ONCE, LATE),
          (LATE, ONCE, LATE, ONCE), id="and so does the client, each time"),
])
def test_the_acks_of_three_calls_and_two_replies(
    workload: Workload, client: tuple[bool, ...], server: tuple[bool, ...], *, greets: bool
) -> None:
    found = acks(workload, greets=greets, waited=(True, True, True), replies=2)
    assert (found.client, found.server) == (client, server)


@pytest.mark.parametrize(("greets", "server"), [(True, (LATE, ONCE)), (False, (ONCE, ONCE))])
def test_a_subscriber_acknowledges_its_confirmation_late(
    server: tuple[bool, ...], *, greets: bool
) -> None:
    found = acks(Workload(pattern="subscribe"), greets=greets, waited=(True,), replies=1)
    assert (found.client, found.server) == ((ONCE,), server)


@pytest.mark.parametrize(("workload", "rides"), [
    param(Workload(), True, id="the reply's ACK waits for the next request"),
    param(Workload(work=1.0), False, id="not through the work"),
    param(Workload(pattern="blmove"), True, id="so does that of LREM's reply"),
    param(Workload(pattern="blmove", work=1.0), False, id="once it has waited in vain"),
])
def test_whether_an_ack_rides_on_the_next_request(workload: Workload, *, rides: bool) -> None:
    assert acks(workload, greets=True, waited=(True,), replies=1).rides is rides


def test_a_call_that_is_answered_at_once_keeps_the_server_talking() -> None:
    found = acks(Workload(), greets=True, waited=(False, True), replies=1)
    assert found.client == (ONCE, LATE)
