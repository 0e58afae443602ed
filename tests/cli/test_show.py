"""A recording, shown: the report, the JSON, the exit code, and what is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from pytest import param

from netdiag.analysis import Analysis, Outcome
from netdiag.cable.tape import Tape
from netdiag.cli.analyse import command as analyse_command
from netdiag.cli.report import command as report_command
from netdiag.cli.show import exit_code, load_plan, show_recording
from netdiag.errors import RecordingError
from netdiag.faults import Fault, PhaseTrigger
from netdiag.faults.blackhole import Blackhole
from netdiag.recording import Event, Recording, find
from netdiag.scenario.plan import Cell, Plan

if TYPE_CHECKING:
    from click import Command

ROOT = Path(__file__).parents[2]
SECOND = 1_000_000_000
CUT = Fault(name="cut", at=PhaseTrigger(phase="blocked"), do=Blackhole(), for_=20.0)


def story(taken: int) -> list[Event]:
    """A cell that was cut while it was blocked, and never noticed."""
    cut = {"fault": "cut", "verb": "blackhole", "trigger": "blocked", "packet": 29}
    return [
        Event(0, "netdiag", "cell", "start", {"wall_offset": 0, "clock": "real"}),
        Event(SECOND // 4, "client.app", "call", "start", {"command": "BRPOP"}),
        Event(SECOND // 2, "client.app", "sleep", "info", {"syscall": "recvfrom", "fd": 24}),
        Event(SECOND, "cable", "fault", "start", {**cut, "edge": "active"}),
        Event(27 * SECOND, "netdiag", "end"),
        Event(27 * SECOND, "cable", "fault_summary", "info",
              {**cut, "taken": {"server rst": taken}, "injected": 0, "why_not": None}),
        Event(28 * SECOND, "netdiag", "cell", "ok"),
    ]


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return record(tmp_path / "reports" / "story" / "2026-11-22T024533", taken=1)


def record(root: Path, *, taken: int) -> Recording:
    recording = Recording(root)
    cell = Cell(id="zombie", index=0, seed=1, faults=(CUT,))
    plan = Plan(scenario="story", about="", digest="0", seed=1, cells=(cell,))
    recording.cell("zombie").make()
    recording.save_plan(plan.to_json())
    lines = b"".join(event.line() for event in story(taken))
    recording.cell("zombie").events.write_bytes(lines)
    Tape(recording.cell("zombie").tape, wall_offset=0, about="").close(0, (0, 0))
    return recording


def invoke(command: Command, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(arguments), standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.stdout


def test_the_report_ends_with_where_the_recording_lies(
    recording: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    analysis = show_recording(recording, as_json=False, fresh=False)
    shown = capsys.readouterr().out
    assert "\nnever noticed\n" in shown
    assert shown.splitlines()[-2:] == [
        "recording: reports/story/2026-11-22T024533",
        "show it again: netdiag report reports/story/2026-11-22T024533"]
    assert (analysis.outcome, exit_code(analysis)) == (Outcome.PASS, 0)


def test_json_is_all_there_is_on_standard_output(
    recording: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    analysis = show_recording(recording, as_json=True, fresh=True)
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads(recording.analysis_file.read_text()) == json.loads(
        json.dumps(analysis.to_json()))


def test_a_report_writes_nothing_and_an_analysis_is_saved(recording: Recording) -> None:
    code, shown = invoke(report_command, str(recording.root))
    assert (code, recording.analysis_file.exists()) == (0, False)
    code, again = invoke(analyse_command, str(recording.root))
    assert (code, recording.analysis_file.exists()) == (0, True)
    assert again == shown


def test_a_missed_fault_is_unknown_and_says_so(tmp_path: Path) -> None:
    code, shown = invoke(report_command, str(record(tmp_path / "run", taken=0).root))
    assert code == 2
    assert "UNKNOWN because fault cut took effect but touched no packet" in shown


def test_an_analysis_that_cannot_be_saved_is_shown_all_the_same(
    recording: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    recording.analysis_file.mkdir()  # the rename fails, as on a full disk
    show_recording(recording, as_json=False, fresh=True)
    printed = capsys.readouterr()
    assert printed.err.startswith("netdiag: cannot write reports/story/")
    assert len(printed.err.splitlines()) == 1
    assert "never noticed" in printed.out


@pytest.mark.parametrize("flag", [(), ("--json",)], ids=["report", "json"])
def test_a_full_disk_behind_standard_output_is_one_sentence(
    recording: Recording, flag: tuple[str, ...]
) -> None:
    code = "from netdiag.cli import main; main()"
    with Path("/dev/full").open("w") as full:
        told = subprocess.run([sys.executable, "-c", code, "report", str(recording.root), *flag],
                              stdout=full, stderr=subprocess.PIPE, text=True, check=False,
                              env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert told.stderr == ("netdiag: cannot print the report: No space left on device; the "
                           "recording is whole, show it again with `netdiag report`\n")
    assert told.returncode == 74


@pytest.mark.parametrize("plan", [
    param({"version": 99}, id="another version"),
    param({"version": 1}, id="no cells"),
    param({"version": 1, "scenario": "x", "about": "", "digest": "", "seed": 1,
           "cells": [{"id": "a"}]}, id="half a cell"),
    param({"version": 1, "scenario": "x", "about": "", "digest": "", "seed": 1, "cells": 7},
          id="cells that are none"),
])
def test_a_plan_that_is_none_is_one_sentence(tmp_path: Path, plan: dict[str, object]) -> None:
    recording = Recording(tmp_path)
    recording.plan_file.write_text(json.dumps(plan))
    with pytest.raises(RecordingError, match=r"plan\.json: not a plan that this netdiag can read"):
        load_plan(recording)


def test_a_directory_without_a_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="not a recording"):
        invoke(report_command, str(tmp_path))


def test_a_scenarios_directory_shows_its_latest_recording(recording: Recording) -> None:
    home = recording.root.parent
    (home / "latest").unlink(missing_ok=True)
    (home / "latest").symlink_to(recording.root.name)
    assert find(home).root == recording.root.resolve()
    assert invoke(report_command, str(home))[0] == 0


@pytest.mark.parametrize(("outcome", "code"), [
    param(Outcome.PASS, 0, id="all pass"), param(Outcome.FAIL, 1, id="a failure"),
    param(Outcome.UNKNOWN, 2, id="unknown"),
])
def test_the_exit_code_tells_the_outcome(outcome: Outcome, code: int) -> None:
    assert exit_code(Analysis("x", "", outcome, ())) == code
