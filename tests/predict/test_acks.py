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


def test_a_call_that_is_answered_at_once_keeps_the_server_talking() -> None:
    found = acks(Workload(), greets=True, waited=(False, True), replies=1)
    assert found.client == (ONCE, LATE)
