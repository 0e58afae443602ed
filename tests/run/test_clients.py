"""Several clients: a fault at one's cable is an event for the others' triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pytest import param

from tests.run.running import Home, needs_lab

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = needs_lab
CHAIN = """
name: chain
clients:
  one: {settings: {keepalive: off, read_timeout: null}}
  two: {settings: {keepalive: off, read_timeout: null}}
workload: {key: jobs, produce: [{at: {event: healed, fault: second, after: 50ms}}]}
faults:
  - {name: first, client: one, at: 300ms, do: blackhole, for: 300ms}
  - {name: second, client: two, at: {event: healed, fault: first, after: 200ms}, do: blackhole,
     for: 200ms}
  - {name: ice, at: 400ms, do: freeze, heal: {event: active, fault: second}}
  - {name: third, client: two, at: {event: active, fault: ice}, do: blackhole, for: 100ms}
  - {name: fourth, at: {event: healed, nth: 4}, do: blackhole}
  - {name: fifth, at: {event: active, fault: fourth, nth: 2}, do: blackhole}
duration: 2s
"""


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, str], dict[str, Any]]:
    """(client, fault) -> what became of it."""
    home = Home(tmp_path_factory.mktemp("chain"))
    done = home.record(CHAIN)
    assert done.code in {0, 2}, done.out + done.err  # what touches no packet is UNKNOWN
    return {(client, one["name"]): one for client in ("one", "two")
            for one in home.cells()[f"chain.{client}"]["faults"]}


@pytest.mark.parametrize(
    ("later", "edge", "earlier", "after"),
    [
        param(("two", "second"), "began_ns", ("one", "first", "healed_ns"), 0.2, id="another's"),
        param(("two", "third"), "began_ns", ("one", "ice", "began_ns"), 0, id="the server's"),
        param(("one", "ice"), "healed_ns", ("two", "second", "began_ns"), 0, id="a heal"),
        param(("one", "fourth"), "began_ns", ("two", "second", "healed_ns"), 0, id="the last of"),
    ],
)
def test_a_fault_waits_for_one_at_another_cable(
    faults, later: tuple[str, str], edge: str, earlier: tuple[str, str, str], after: float
) -> None:
    *who, what = earlier
    apart = (faults[later][edge] - faults[tuple(who)][what]) / 1e9
    assert after <= apart < after + 0.2


def test_what_all_clients_have_is_heard_from_ones_own_cable_alone(faults) -> None:
    """Each has a `fourth`, which begins once."""
    for client in ("one", "two"):
        assert faults[client, "fourth"]["began_ns"] is not None
        assert faults[client, "fifth"]["began_ns"] is None
