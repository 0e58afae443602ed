"""SIGKILL to any process of a run in a guest: nothing is left, and the recording is readable.

With namespaces the kernel takes everything away; without them each process does it for the others.
NETDIAG_REPEATS=10 takes every process at every moment, ten times each.
"""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from netdiag.recording import find
from tests.lab.uml.kernel import named, needs_kernel, without_namespaces
from tests.run.running import TWO_CELLS, Home, ended, until

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [needs_kernel, pytest.mark.usefixtures("named")]

__all__ = ["named"]

NAMESPACES: dict[str, tuple[Callable[[], None] | None, tuple[str, ...]]] = {
    "namespaces": (None, ("front", "netdiag-sandbox", "netdiag-reaper", "netdiag-runner", "linux")),
    "none": (without_namespaces, ("front", "netdiag-sandbox", "netdiag-keeper", "linux")),
}
MOMENTS = ("start", "began", "cut")
MARKS = {"began": b'"what":"cell"', "cut": b'"what":"fault","outcome":"start"'}
LONG = TWO_CELLS.replace("1200ms", "60s")


def chosen() -> list[tuple[str, str, str]]:
    """(kind of machine, who, when)"""
    dice = random.Random(5)
    repeats = int(os.environ.get("NETDIAG_REPEATS", "0"))
    every = [(kind, who) for kind, (_, names) in NAMESPACES.items() for who in names]
    some = [(*one, when) for one, when in product(every, MOMENTS)] * repeats
    return some or [(*one, dice.choice(MOMENTS)) for one in every]


def sessions(home: Home) -> set[int]:
    return {_stat(pid, 3) for pid in home.processes()} - {os.getsid(0)}


def inhabitants(numbers: set[int]) -> list[int]:
    """Living processes of those sessions: a guest's own processes have no environment to tell."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if _stat(pid, 3) in numbers and _state(pid) != "Z"]


def _stat(pid: int, field: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[field])
    return -1


def _state(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "Z"


def victim(home: Home, who: str, front: int) -> int | None:
    if who == "front":
        return front
    found = [pid for pid, name in home.processes().items() if name == who]
    return min(found, default=None)


@pytest.mark.parametrize(("kind", "who", "when"), chosen())
def test_nothing_is_left(tmp_path: Path, kind: str, who: str, when: str) -> None:
    home = Home(tmp_path)
    options: dict[str, Any] = {"preexec_fn": NAMESPACES[kind][0]}
    path = home.write(LONG)
    with home.start("run", path, "--out", home.out, "--lab", "uml", **options) as process:
        assert until(lambda: victim(home, "linux", process.pid), 30)
        if when in MARKS:
            assert until(lambda: MARKS[when] in home.events("one"), 60)
        then = sessions(home)
        pid = victim(home, who, process.pid)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        done = ended(process)
    assert until(lambda: not inhabitants(then), 5), f"{inhabitants(then)} of {then}"
    assert home.processes() == {}
    assert home.litter() == []
    if who != "front":
        assert done.code in (2, 3)
    for scenario in home.out.glob("*"):
        if list(scenario.glob("20*/plan.json")):
            assert find(scenario).load_plan()["scenario"] == "two"
            assert home.report().code in (0, 1, 2)
