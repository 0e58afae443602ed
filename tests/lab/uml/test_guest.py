"""Whole runs in a guest: real time, virtual time, and where no namespace is to be had."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.uml.kernel import named, needs_kernel, without_namespaces
from tests.run.running import TWO_CELLS, Home

if TYPE_CHECKING:
    from pathlib import Path

    from netdiag.lab.uml.kernels import Kernel

pytestmark = [needs_kernel, pytest.mark.usefixtures("named")]

__all__ = ["named"]

DEFAULTS = """
name: defaults
client: {settings: {keepalive: on, read_timeout: null, retry: 0}}
workload: {pattern: brpop, block: 0s, after_error: exit}
faults: [{name: cut, at: blocked, do: blackhole}]
expect:
  - detected_within: keepalive * 1.125
    packets: {keepalive_probe: ">= 9", rst: ">= 1"}
    stuck: 0
duration: 9000s
"""
THRICE = """
name: thrice
client:
  settings: {keepalive: {idle: 9s, interval: 2s, count: 3}, read_timeout: null, retry: 0}
workload: {pattern: brpop, block: 0s, after_error: exit}
faults: [{name: cut, at: blocked, do: blackhole}]
matrix: {workload.key: [one, two, three]}
expect: {detected_within: 17s}
duration: 40s
"""
SLOWER = TWO_CELLS.replace("1200ms", "20s")  # a guest in real time is slow, a busy machine slower


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def began(home: Home, cell: str) -> dict[str, Any]:
    first = json.loads(home.events(cell).splitlines()[0])
    return {name: first["data"][name] for name in ("clock", "kernel", "tick")}


def events(home: Home, cell: str) -> list[tuple[int, str, str, str]]:
    return told(home.events(cell))


def told(lines: bytes) -> list[tuple[int, str, str, str]]:
    rows = [json.loads(line) for line in lines.splitlines()]
    return [(row["t"], row["lane"], row["what"], row["outcome"]) for row in rows]


@pytest.mark.parametrize("options", [{}, {"preexec_fn": without_namespaces}], ids=["", "no-ns"])
def test_the_same_runner_runs_in_a_guest_in_real_time(
    home: Home, named: Kernel, options: dict[str, Any]
) -> None:
    done = home.record(SLOWER, "--lab", "uml", **options)
    assert (done.code, done.err.count("done")) == (0, 2), done.err
    assert began(home, "one")["clock"] == "guest"
    assert began(home, "one")["kernel"] == named.version or not named.version
    assert home.processes() == {}
    assert home.litter() == []


@pytest.mark.parametrize("options", [{}, {"preexec_fn": without_namespaces}], ids=["", "no-ns"])
def test_two_hours_of_keepalive_pass_with_all_nine_probes_and_the_reset(
    home: Home, options: dict[str, Any]
) -> None:
    done = home.record(DEFAULTS, "--warp", **options)
    assert done.code == 0, done.out + done.err
    assert "noticed after 2 h 11 m" in done.out
    assert began(home, "defaults")["clock"] == "virtual"
    cell = home.cells()["defaults"]
    assert cell["packets"]["keepalive_probe"] >= 9
    assert home.litter() == []


def test_two_runs_on_the_virtual_clock_are_the_same(home: Home) -> None:
    assert home.record(DEFAULTS, "--warp").code == 0
    first = events(home, "defaults")
    [scenario] = home.out.iterdir()
    again = home.run("replay", scenario, "--out", home.root / "again")
    assert again.code == 0, again.out + again.err
    assert again.out.startswith("defaults: identical, ")
    [path] = (home.root / "again").glob("*/20*/cells/defaults/events.jsonl")
    second = told(path.read_bytes())
    assert [event[1:] for event in first] == [event[1:] for event in second]
    assert max(abs(a[0] - b[0]) for a, b in zip(first, second, strict=True)) <= 100_000


def test_a_cell_measures_the_same_whatever_ran_before_it(home: Home) -> None:
    """Its timers are rounded by the same phase of the kernel's count of ticks."""
    assert home.record(THRICE, "--warp", "--jobs", "1").code == 0
    noticed = [cell["noticed"]["t"] for cell in home.cells().values()]
    assert len(noticed) == 3
    assert max(noticed) - min(noticed) <= 0.004


def test_a_clock_that_stands_still_ends_the_guest_and_names_who_computed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETDIAG_WARP_PATIENCE", "12")
    spins = DEFAULTS.replace(
        "client: {settings:",
        f'client: {{kind: exec, command: [{sys.executable}, -c, "while 1: pass"], settings:',
    )
    done = home.record(spins, "--warp")
    assert done.code == 2
    assert "virtual clock stood still for " in done.err
    assert "cells/defaults/logs/client.log" in done.err
    assert home.processes() == {}
