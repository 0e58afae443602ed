"""A cell on the fake lab: real programs, no privileges, and a wire that nobody uses."""

from __future__ import annotations

import os
import sys
from itertools import count
from typing import TYPE_CHECKING

import pytest
from pytest import param

from netdiag.errors import LabError
from netdiag.lab.fake import fake_lab
from netdiag.recording import CellFiles, Event, read_events
from netdiag.run.cell import CellRun
from netdiag.scenario import expand, loads
from netdiag.tcp.pcapng import Statistics, read_pcapng
from tests.run.running import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NUMBERS = count(1)
SCENARIO = """
name: cell
{more}
workload: {{pattern: brpop, key: jobs}}
duration: {duration}
"""
CONTRACT = """
import json, os, signal, time
def say(what, outcome="start", **data):
    row = {"t": time.monotonic_ns(), "what": what, "outcome": outcome, "data": data}
    os.write(int(os.environ["NETDIAG_EVENTS"]), json.dumps(row).encode() + b"\\n")
def sibling(name):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as comm, open(f"/proc/{pid}/stat") as stat:
                found = comm.read().strip() == name
                state, parent = stat.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if found and state != "Z" and int(parent) == os.getppid():
            return int(pid)
task = json.loads(os.environ["NETDIAG_CLIENT"])
"""


def client(code: str) -> str:
    body = "\n      ".join((CONTRACT + code).splitlines())
    program = f"    - {sys.executable}\n    - -c\n    - |\n      {body}"
    return f"client:\n  kind: exec\n  command:\n{program}"


def run(tmp_path: Path, more: str, duration: str = "300ms") -> CellFiles:
    """Run the cell of a scenario with a server of its own address."""
    [cell] = expand(loads(SCENARIO.format(more=more, duration=duration))).cells
    files = CellFiles(tmp_path / "cell")
    files.make()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    number = os.getpid() % 60000 + next(_NUMBERS)
    with fake_lab(address=f"127.{100 + number % 100}.{number >> 8 & 255}.{number & 255}") as lab:
        CellRun(cell, files, scratch, 0).run([lab])
    return files


def told(files: CellFiles, what: str) -> list[Event]:
    return [event for event in read_events(files.events) if event.what == what]


def test_a_cell_records_its_programs_and_ends_when_its_time_is_over(tmp_path: Path) -> None:
    code = 'say("call", command=task["workload"]["pattern"]); print("a log"); signal.pause()'
    files = run(tmp_path, client(code))
    assert [event.data for event in told(files, "call")] == [{"command": "brpop"}]
    [ready] = told(files, "ready")
    assert (ready.lane, ready.data["server_name"]) == ("server.app", "valkey")
    [start], [end], [left] = told(files, "start"), told(files, "end"), told(files, "left")
    assert 300e6 <= end.t - start.t < 5e9
    assert left.data == {"ids": []}
    assert not told(files, "exit")
    drops = [item.dropped for item in read_pcapng(files.tape) if isinstance(item, Statistics)]
    assert drops == [0, 0]


@pytest.fixture(autouse=True)
def _every_program_ends() -> Iterator[None]:
    """Whatever the story, when the cell is over no program of it lives any longer."""

    def over() -> bool:
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return True
        return False

    yield
    assert until(over, 5)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        param(
            "server: {config: {maxmemory: a-lot}}",
            r"the server ended \(code 1\): .*memory value.*; see logs/server.log",
            id="a server that refuses its configuration",
        ),
        param(
            client('say("call"); os.kill(sibling("valkey-server"), 9); signal.pause()'),
            r"the server ended \(SIGKILL\): .*; see logs/server.log",
            id="a server that is killed",
        ),
        param(
            client('say("call"); os.kill(sibling("cable"), 9); signal.pause()'),
            r"the cable ended before the cell did \(SIGKILL\)",
            id="a cable that is killed",
        ),
    ],
)
def test_what_ends_before_the_cell_ends_the_cell_at_once(
    tmp_path: Path, more: str, reason: str
) -> None:
    with pytest.raises(LabError, match=reason):
        run(tmp_path, more, duration="1h")


def test_a_tape_that_cannot_be_written_ends_the_cell_with_the_systems_reason(
    tmp_path: Path,
) -> None:
    files = CellFiles(tmp_path / "cell")
    files.tape.mkdir(parents=True)
    with pytest.raises(OSError, match="Is a directory"):
        run(tmp_path, "", duration="1h")


@pytest.mark.parametrize("code", [0, 3])
def test_a_client_that_never_got_to_work_ends_the_cell_at_once(tmp_path: Path, code: int) -> None:
    files = run(tmp_path, client(f'print("nothing to do"); raise SystemExit({code})'), "1h")
    [exit_] = told(files, "exit")
    assert exit_.outcome == ("fail" if code else "ok")
    assert exit_.data == {"code": code, "said": "nothing to do"}
    assert told(files, "end")


def test_a_client_that_worked_and_ended_leaves_the_cell_to_go_on(tmp_path: Path) -> None:
    files = run(tmp_path, client('say("call"); say("got", "ok", id="m1")'))
    [exit_], [end] = told(files, "exit"), told(files, "end")
    assert end.t - exit_.t > 100e6
    assert [event.data for event in told(files, "got")] == [{"id": "m1"}]


def test_what_is_no_line_of_the_contract_is_recorded_as_garbage(tmp_path: Path) -> None:
    code = 'os.write(int(os.environ["NETDIAG_EVENTS"]), b"\\x1b[2J hello\\n"); signal.pause()'
    files = run(tmp_path, client(code))
    [garbage] = told(files, "garbage")
    assert garbage.data == {"text": "\\x1b[2J hello", "why": "no JSON"}
