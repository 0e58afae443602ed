"""SIGKILL to any process of a run at any time: nothing is left, and what was recorded can be read.

A few moments, chosen by a fixed seed; NETDIAG_REPEATS=10 takes every process at every moment, ten
times each.
"""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest

from tests.run.running import (
    TWO_CELLS,
    Done,
    Home,
    assert_nothing_is_left,
    ended,
    lodging,
    needs_lab,
    soon_alone,
    until,
)

pytestmark = needs_lab

WHOLE_RUN = ("front", "netdiag-sandbox", "netdiag-reaper", "netdiag-runner")
ONE_CELL = ("cell one", "cable")
MOMENTS = ("start", "blocked", "cut", "report")
MARKS = {"blocked": b'"what":"sleep"', "cut": b'"what":"fault","outcome":"start"'}
EVERY = list(product(WHOLE_RUN + ONE_CELL, MOMENTS))


def chosen() -> list[tuple[str, str, float]]:
    """(who, when, a share of 1 by which the moment is later)."""
    dice = random.Random(20)
    repeats = int(os.environ.get("NETDIAG_REPEATS", "0"))
    some = EVERY * repeats or [(who, dice.choice(MOMENTS)) for who in WHOLE_RUN + ONE_CELL]
    return [(who, when, round(dice.random(), 3)) for who, when in some]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def victim(home: Home, who: str, front: int) -> int | None:
    """The process that is to be killed, when it is there; of the cables, the one of cell `one`."""
    found = {pid for pid, name in home.processes().items() if name == who}
    if who == "front":
        return front
    if who != "cable":
        return min(found, default=None)
    cells = {pid for pid, name in home.processes().items() if name == "cell one"}
    return next((pid for pid in found if parent(pid) in cells), None)


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def wait_for(home: Home, who: str, when: str, later: float, front: int) -> int | None:
    """Wait for the moment; the process to kill, or None when it has ended by itself before."""
    if when == "report" and who == "front":
        done = b'"what":"cell","outcome":"ok"'
        assert until(lambda: all(done in home.events(one) for one in ("one", "other")), 20)
    elif when == "report":
        assert until(lambda: b'"what":"end"' in home.events("one"), 20)
    elif when == "start":
        assert until(lambda: victim(home, who, front), 20)
    else:
        assert until(lambda: MARKS[when] in home.events("one"), 20)
    spread = {"start": 0.7 if who == "front" else 0.1}.get(when, 0.05)
    until(lambda: False, later * spread)
    return victim(home, who, front)


@pytest.mark.parametrize(("who", "when", "later"), chosen())
def test_nothing_outlives_a_killed_process(home: Home, who: str, when: str, later: float) -> None:
    with home.start("run", home.write(TWO_CELLS), "--out", home.out) as process:
        pid = wait_for(home, who, when, later, process.pid)
        with lodging(home) as spaces:
            killed = time.monotonic_ns()
            if pid is not None:
                with suppress(ProcessLookupError):  # it may have ended by itself just now
                    os.kill(pid, signal.SIGKILL)
            if who in WHOLE_RUN:  # of which the front may still make its report
                assert soon_alone(home, {process.pid}), home.processes()
            done = ended(process)
            assert_nothing_is_left(home, spaces)
    if who == "front":
        assert done.code == -signal.SIGKILL
        assert_readable(home, when)
    elif when != "report":
        assert done.code == 2
        assert_told(home, done, who, killed)
    else:
        assert done.code in (0, 2)


FROZEN = """
name: frozen
faults:
  - {name: ice, at: blocked, do: freeze}
  - {name: sleep, at: {event: active, after: 100ms}, do: {freeze: client}}
expect: {detected_within: never}
duration: 20s
"""


def test_frozen_programs_die_with_their_run_too(home: Home) -> None:
    with home.start("run", home.write(FROZEN), "--out", home.out) as process:
        assert until(lambda: home.events("frozen").count(b'"signal":"SIGSTOP"') == 2, 20)
        [cell] = [pid for pid, name in home.processes().items() if name == "cell frozen"]
        every = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]
        programs = [pid for pid in every if parent(pid) == cell]
        assert len(programs) == 3, "cable, client and server, which rewrites its environment"
        with lodging(home) as spaces:
            os.kill(process.pid, signal.SIGKILL)
            ended(process)
            assert_nothing_is_left(home, spaces)
        assert until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in programs), 2)


def assert_readable(home: Home, when: str) -> None:
    """The recording reads as UNKNOWN with a sentence; killed after its end, as what it was."""
    if not list(home.out.glob("two/*/plan.json")):
        assert when == "start"
        return
    shown = home.report()
    assert shown.code == (0 if when == "report" else 2), shown
    if when != "report":
        assert "interrupted before its end" in shown.out or "never began" in shown.out


def assert_told(home: Home, done: Done, who: str, killed: int) -> None:
    """Who died is said: for the whole run on standard error, for one cell in its own events."""
    cells = home.cells()
    assert cells["one"]["outcome"] == "UNKNOWN"
    if who in WHOLE_RUN:
        assert cells["other"]["outcome"] == "UNKNOWN"
        assert "ended from outside (SIGKILL)" in done.err
        return
    assert cells["other"]["outcome"] == "PASS", cells["other"]["unknown"]
    [why, *_] = cells["one"]["unknown"]
    assert "SIGKILL" in why
    [last] = [line for line in home.events("one").splitlines() if b'"reason"' in line]
    told = int(last.split(b",")[0].removeprefix(b'{"t":'))
    assert told - killed < 2_000_000_000
