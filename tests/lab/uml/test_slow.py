"""The slow defaults on the virtual clock: how long a server believes in a dead consumer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pytest import param

from tests.lab.uml.kernel import named, needs_kernel
from tests.run.running import Home

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [needs_kernel, pytest.mark.usefixtures("named")]

__all__ = ["named"]

EIGHTH = 1.125  # a kernel timer is late by an eighth at most
DEFAULTS = [
    param("server-reaps", 300 + 3 * 100, id="2 x tcp-keepalive when nothing is unacknowledged"),
    param("zombie-unacknowledged", 60 + 924.6, id="tcp_retries2 when a reply is"),
]


@pytest.mark.parametrize(("scenario", "seconds"), DEFAULTS)
def test_a_server_forgets_a_dead_consumer_when_its_kernel_does(
    tmp_path: Path, scenario: str, seconds: float
) -> None:
    home = Home(tmp_path)
    done = home.run("run", scenario, "--warp", "--out", home.out)
    assert done.code == 0, done.out + done.err
    rows = [json.loads(line) for line in home.events(scenario).splitlines()]
    cut = _first(rows, "cable", "fault")
    gone = _first(rows, "server.kernel", "socket_gone")
    assert seconds - 1 < (gone - cut) / 1e9 < seconds * EIGHTH
    forgotten = next(
        row["t"] for row in rows if row["what"] == "client_list" and row["t"] > cut
        and not row["data"]["clients"]
    )  # fmt: skip
    assert 0 <= forgotten - gone < 5_000_000_000


IDLE = """
name: idle
client: {kind: redis-py, settings: {read_timeout: null, retry: 0, keepalive: off}}
server: {kind: redis, config: {timeout: 60}}
workload: {pattern: request, every: 100s}
duration: 90s
"""


def test_a_server_keeps_its_own_idle_limit_by_the_virtual_clock(tmp_path: Path) -> None:
    """Valkey would take the machine's time stamp counter for its clock, if it were told of it."""
    home = Home(tmp_path)
    done = home.record(IDLE, "--warp")
    assert done.code == 0, done.out + done.err
    rows = [json.loads(line) for line in home.events("idle").splitlines()]
    asked = _first(rows, "client.app", "call")
    closed = next(
        row["t"] for row in rows
        if row["lane"] == "server.kernel" and row["data"].get("state") == "FIN-WAIT-1"
    )  # fmt: skip
    assert 60 < (closed - asked) / 1e9 < 63


def _first(rows: list[dict[str, Any]], lane: str, what: str) -> int:
    return next(row["t"] for row in rows if (row["lane"], row["what"]) == (lane, what))
