"""The guest's kernel beside the machine's: the same timers end the same calls, at the same times.

Times may differ by one step of the kernel's timer wheel for each timer that ran, and 20 ms. Kernels
differ in one thing here: since 6.5 a SYN is sent again at 1, 2, 3 and 4 s and only then less often
(tcp_syn_linear_timeouts), in as much time; the guest's 6.1 does it at 1, 3, 7 s.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from netdiag.analysis.tolerance import wheel_step
from netdiag.lab.uml.kernels import NAMED
from tests.lab.uml.kernel import KERNEL, needs_kernel
from tests.run.running import Home, ended, needs_lab

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [needs_kernel, needs_lab]

TIMERS = """
name: timers
client: {settings: {read_timeout: null, connect_timeout: null, retry: 0}}
workload: {pattern: brpop, block: 0s, after_error: exit}
faults: [{name: cut, at: blocked, do: blackhole}]
hosts: {client: {net.ipv4.tcp_retries2: 3, net.ipv4.tcp_syn_retries: 2}}
matrix:
  client.settings:
    keepalive: {keepalive: {idle: 2s, interval: 1s, count: 3}}
    user-timeout: {keepalive: {idle: 2s, interval: 1s, count: 9}, user_timeout: 4s}
  faults.cut.at:
    idle: blocked
    request: request_in_flight
    opening: connecting
duration: 16s
"""
RTO = 0.2
DOUBLED = [RTO * 2**count for count in range(4)]
INVOLVED = {  # every timer that has to run before the client knows, s
    "keepalive.idle": [2, 1, 1, 1],
    "keepalive.request": DOUBLED,
    "keepalive.opening": [1, 2, 4],
    "user-timeout.idle": [2, 1, 1],
    "user-timeout.request": DOUBLED,
    "user-timeout.opening": [1, 2, 4],
}
SLACK = 0.02
PATIENCE = 240  # s, on a busy machine
LABS = {"namespaces": (), "guest": ("--lab", "uml"), "warp": ("--warp",)}
LINEAR = Path("/proc/sys/net/ipv4/tcp_syn_linear_timeouts")
RETRIED = "client syn_retransmission"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Any]]:
    """Lab -> cell -> its analysis."""
    assert KERNEL is not None
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(NAMED, str(KERNEL.path))
        for lab, options in LABS.items():
            home = Home(tmp_path_factory.mktemp(lab))
            path = home.write(TIMERS)
            with home.start("run", path, "--out", home.out, *options) as process:
                done = ended(process, PATIENCE)
            assert done.code == 0, done.out + done.err
            [analysis] = home.out.glob("timers/20*/analysis.json")
            found[lab] = {row["id"]: row for row in json.loads(analysis.read_text())["cells"]}
    return found


def cause(cell: Mapping[str, Any]) -> tuple[str, ...]:
    """What the application got, and which timer decided it."""
    noticed = cell["noticed"]
    return noticed["by"], noticed["type"], noticed["errno"], noticed["message"]


def taken(cell: Mapping[str, Any]) -> list[str]:
    """The kinds of frames that the client's kernel sent into the cut, in the order of the first."""
    return [kind for kind in cell["faults"][0]["taken"] if kind.startswith("client ")]


@pytest.mark.parametrize("name", INVOLVED)
@pytest.mark.parametrize("lab", ["guest", "warp"])
def test_the_same_timer_ends_the_same_call(
    cells: Mapping[str, Mapping[str, Any]], lab: str, name: str
) -> None:
    assert cause(cells[lab][name]) == cause(cells["namespaces"][name])


@pytest.mark.parametrize("name", INVOLVED)
def test_the_same_frames_go_before(cells: Mapping[str, Mapping[str, Any]], name: str) -> None:
    assert taken(cells["warp"][name]) == taken(cells["namespaces"][name])


FIXED = [one for one in INVOLVED if one != "keepalive.request"]
"""All but what retransmissions alone decide: their timer follows the round trip."""


@pytest.mark.parametrize("name", FIXED)
def test_at_the_same_time_on_the_virtual_clock(
    cells: Mapping[str, Mapping[str, Any]], name: str
) -> None:
    assert _apart(cells, "warp", name) <= _tolerance(name)


@pytest.mark.parametrize("name", [one for one in FIXED if not one.endswith("request")])
def test_at_the_same_time_in_real_time(cells: Mapping[str, Mapping[str, Any]], name: str) -> None:
    assert _apart(cells, "guest", name) <= _tolerance(name)


@pytest.mark.parametrize("lab", LABS)
def test_retransmissions_end_when_each_kernel_s_own_timeout_says(
    cells: Mapping[str, Mapping[str, Any]], lab: str
) -> None:
    """The same arithmetic holds for every kernel, from the timeout that it told of itself."""
    [row] = [one for one in cells[lab]["keepalive.request"]["predicted"]
             if one["what"] == "noticed"]
    assert row["within"] is True, row


@pytest.mark.skipif(not LINEAR.exists(), reason="this kernel is no newer than the guest's")
def test_only_newer_kernels_send_a_syn_again_at_even_intervals(
    cells: Mapping[str, Mapping[str, Any]],
) -> None:
    counts = {lab: cells[lab]["keepalive.opening"]["faults"][0]["taken"][RETRIED] for lab in LABS}
    assert counts["guest"] == counts["warp"] == 2
    assert counts["namespaces"] > 2


def _apart(cells: Mapping[str, Mapping[str, Any]], lab: str, name: str) -> float:
    return abs(float(cells[lab][name]["noticed"]["t"])
               - float(cells["namespaces"][name]["noticed"]["t"]))


def _tolerance(name: str) -> float:
    return sum(map(wheel_step, INVOLVED[name])) + SLACK
