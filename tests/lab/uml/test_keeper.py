"""Guests from outside, played by shell scripts: their words, their ends, a clock that stands."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from pytest import param

from netdiag.errors import LabError
from netdiag.lab.uml import boot
from netdiag.lab.uml.boot import command, python
from netdiag.lab.uml.console import Guest, Place
from netdiag.lab.uml.keeper import FRONT_GONE, Keeper, Machine, Seats, share, standstill
from netdiag.lab.uml.kernels import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UP = "echo '== up '; read order"


def kernel(tmp_path: Path, script: str) -> Kernel:
    path = tmp_path / "linux"
    path.write_text(f"#!/bin/sh\ntrap '' ALRM\n{script}\n")
    path.chmod(0o755)
    return Kernel(path)


@contextmanager
def keeper(
    tmp_path: Path, script: str, *, virtual: bool = True, patience: float = 30.0
) -> Iterator[tuple[Keeper, int]]:
    """A keeper of guests that run this script, and the front's end of the lifeline."""
    reading, writing = os.pipe()
    machine = Machine(kernel(tmp_path, script), ("init",), virtual, memory=1)
    with os.fdopen(reading, "rb", closefd=True):
        kept = Keeper(machine, reading, patience=patience)
        try:
            yield kept, writing
        finally:
            kept.end()


def test_each_guest_is_told_its_share_of_the_cells_and_the_highest_code_counts(
    tmp_path: Path,
) -> None:
    script = f"{UP}; echo \"$order\" > {tmp_path}/told.$$; echo '== exit 0'"
    with keeper(tmp_path, script) as (kept, _):
        order = {"directory": "/x", "run": {"jobs": 3}}
        assert kept.run(order, list("abcdefgh"), cores=2) == 0
    told = sorted(path.read_text() for path in tmp_path.glob("told.*"))
    start = '{"directory": "/x", "run": {"jobs": 3, "clock": "virtual", "only": '
    assert told == [
        start + '["a", "c", "e", "g"]}}\n',
        start + '["b", "d", "f", "h"]}}\n',
    ]


def test_what_a_runner_complains_about_is_passed_on_and_its_code_returned(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = f"echo booting; {UP}; echo no room; echo '== exit 3'; echo halted"
    with keeper(tmp_path, script, virtual=False) as (kept, _):
        assert kept.run({"run": {}}, ["a"], cores=1) == 3
    assert capfd.readouterr().err == "no room\n"


def test_a_guest_that_ends_by_itself_is_named_with_its_last_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with keeper(tmp_path, "echo 'Kernel panic'; exit 134") as (kept, _):
        assert kept.run({"run": {}}, ["a"], cores=1) == LabError.exit_code
    said = capfd.readouterr().err
    assert said == "the guest ended by itself (code 134); it said: Kernel panic\n"


def test_when_the_front_goes_the_guests_go(tmp_path: Path) -> None:
    with keeper(tmp_path, f"{UP}; exec sleep 1000") as (kept, lifeline):
        kept.boot()
        os.close(lifeline)
        assert kept.run({"run": {}}, ["a"], cores=1) == FRONT_GONE


def test_a_clock_that_stands_still_is_asked_about_and_ended(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    runs = '[{"pid": 7, "name": "spin", "output": "/r/cells/a/logs/client.log"}]'
    script = f"{UP}; while head -c 1 >/dev/null; do echo '== runs {runs}'; done; exec sleep 1000"
    with keeper(tmp_path, script, patience=0.2) as (kept, _):
        assert kept.run({"run": {}}, ["a"], cores=1) == LabError.exit_code
    said = capfd.readouterr().err
    assert "spin (pid 7, which prints to cells/a/logs/client.log) computed" in said


def test_programs_that_compute_one_after_the_other_are_not_at_fault(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    one, other = (f'[{{"pid": {pid}, "name": "start"}}]' for pid in (1, 2))
    question = "head -c 1 >/dev/null"
    script = (
        f"{UP}; {question}; echo '== runs {one}'; {question}; echo '== runs {other}'; "
        f"{question}; echo '== clock 50000000'; echo '== exit 0'"
    )
    with keeper(tmp_path, script, patience=0.2) as (kept, _):
        assert kept.run({"run": {}}, ["a"], cores=1) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("runs", "who"),
    [
        (None, "its processes could not be asked"),
        ([], "no process computes, so its kernel itself is stuck"),
        ([{"pid": 3, "name": "x", "output": ""}], "x (pid 3) computed without sleeping"),
    ],
)
def test_a_standstill_in_words(runs: list[dict[str, object]] | None, who: str) -> None:
    assert f"stood still for 30 s: {who}; a program that" in standstill(30, runs)


def test_all_processes_of_a_guest_end_with_it(tmp_path: Path) -> None:
    path = kernel(tmp_path, "sleep 1000 & echo $!; wait").path
    with closing_guest(Guest([str(path)], {}, Place(0))) as guest:
        os.set_blocking(guest.fileno(), True)
        child = int(os.read(guest.fileno(), 100))
        pidfd = os.pidfd_open(child)
        assert guest.kill() == -signal.SIGKILL
        with os.fdopen(pidfd, "rb"):
            signal_sent = _still(pidfd)
    assert not signal_sent


def _still(pidfd: int) -> bool:
    """Whether the process is there five seconds later, at the latest."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return not poll.poll(5000)


@contextmanager
def closing_guest(guest: Guest) -> Iterator[Guest]:
    try:
        yield guest
    finally:
        guest.end()


@pytest.mark.parametrize(
    ("cells", "cores", "guests"), [(1, 8, 1), (3, 8, 1), (8, 2, 2), (24, 2, 2), (24, 64, 6)]
)
def test_few_cells_share_a_guest_and_many_have_one_a_core(
    cells: int, cores: int, guests: int
) -> None:
    assert share(cells, cores) == guests


def test_the_command_line_of_a_virtual_guest(tmp_path: Path) -> None:
    words = command(Kernel(tmp_path / "linux"), ["/usr/bin/python", "-P", "a b.py"], virtual=True)
    assert words[0] == str(tmp_path / "linux")
    assert {"ro", "time-travel=inf-cpu", "init=/usr/bin/python"} <= set(words)
    assert words[-3:] == ["--", "-P", '"a b.py"']
    assert not any(
        "time-travel" in word for word in command(Kernel(tmp_path), ["x"], virtual=False)
    )


def test_the_guests_interpreter_finds_the_packages_that_ours_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "site:/opt/a b:")
    words = command(Kernel(tmp_path / "linux"), ["x"], virtual=True)
    assert f'"PYTHONPATH={tmp_path}/site:/opt/a b"' in words
    monkeypatch.delenv("PYTHONPATH")
    words = command(Kernel(tmp_path / "linux"), ["x"], virtual=True)
    assert not any("PYTHONPATH" in word for word in words)


def test_a_guest_that_ends_before_it_is_up_says_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = "echo 'ModuleNotFoundError: none'; echo '== exit 1'"
    with keeper(tmp_path, script) as (kept, _):
        assert kept.run({"run": {}}, ["a"], cores=1) == LabError.exit_code
    said = capfd.readouterr().err
    assert said.startswith("the guest ended before it was ready (code 1); it said: ModuleNotFound")


def test_a_word_that_no_kernel_can_be_told_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="quotation mark"):
        command(Kernel(tmp_path), python(tmp_path / 'a"b.py'), virtual=True)


def test_memory_that_fits_nowhere_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabError, match="set TMPDIR"):
        boot._room(1 << 40)


def test_a_kernel_that_cannot_be_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be run: No such file"):
        Guest([str(tmp_path / "none")], {}, Place(0))


class Sitter:
    """A guest as Seats sees it: how long it waited, and where it was moved to."""

    def __init__(self) -> None:
        self.waited = 0
        self.moved: list[int] = []

    def delayed(self) -> int:
        return self.waited

    def move(self, processor: int) -> None:
        self.moved.append(processor)


CROWDS = [
    param((0, 1, 2), 0.2, [], id="its processor is its own"),
    param((0, 1, 2), 0.5, [1, 2, 0], id="others crowd it out"),
    param((0,), 0.5, [], id="there is no other"),
]


@pytest.mark.parametrize(("processors", "share_waited", "moved"), CROWDS)
def test_a_guest_that_waits_for_its_processor_gets_the_next_one(
    processors: tuple[int, ...], share_waited: float, moved: list[int]
) -> None:
    seats, guest = Seats(processors), Sitter()
    assert seats.next() == 0
    seats.take(guest)  # type: ignore[arg-type]
    start = time.monotonic_ns()
    for second in (1, 2, 3):
        guest.waited += round(share_waited * 1_000_000_000)
        seats.look(guest, start + second * 1_000_000_000)  # type: ignore[arg-type]
    assert guest.moved == moved


def test_a_guest_stays_on_the_processor_that_it_was_given() -> None:
    [*_, last] = sorted(os.sched_getaffinity(0))
    asks = ["/bin/sh", "-c", "grep Cpus_allowed_list /proc/self/status"]
    with closing_guest(Guest(asks, {}, Place(last))) as guest:
        os.set_blocking(guest.fileno(), True)
        assert os.read(guest.fileno(), 100) == f"Cpus_allowed_list:\t{last}\n".encode()
