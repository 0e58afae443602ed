"""`netdiag run` of several scenarios: all run, each says its verdict, the worst is the run's."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netdiag.cli.several import Result, show_json
from netdiag.errors import ScenarioError
from netdiag.scenario import expand, find_all, load
from netdiag.scenario.shelf import shelf
from tests.run.running import Home, ended, until, why_no_lab

if TYPE_CHECKING:
    from pathlib import Path

QUICK = """
name: {name}
client: {{settings: {{keepalive: off, read_timeout: 200ms, retry: 0}}}}
workload: {{produce: [{{at: {{event: active, after: 50ms}}, count: 1}}]}}
faults: [{{name: cut, at: {at}, do: blackhole}}]
expect: {{detected_within: {bound}}}
duration: 900ms
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    reason = why_no_lab()
    if reason is not None:
        pytest.skip(reason)
    return Home(tmp_path)


def write(home: Home, name: str, at: str = "blocked", bound: str = "read_timeout + 400ms") -> None:
    directory = home.root / "cwd" / "mine"
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.yaml").write_text(QUICK.format(name=name, at=at, bound=bound))


def test_a_directory_is_run_and_the_worst_verdict_is_its_own(home: Home) -> None:
    write(home, "good")
    write(home, "wrong", bound="10ms")
    write(home, "missed", at="{phase: blocked, nth: 99}")
    done = home.run("run", "mine", "--jobs", "2", "--out", str(home.out))
    assert done.code == 1, done.out + done.err
    verdicts = {line.split()[1].rstrip(":"): line.split()[0] for line in done.out.splitlines()
                if line.startswith(("PASS", "FAIL", "UNKNOWN")) and ":" in line.split()[1]}
    assert verdicts == {"good": "PASS", "wrong": "FAIL", "missed": "UNKNOWN"}
    assert "FAIL  detected_within: 10ms  measured: " in done.out
    assert done.out.rstrip().endswith("FAIL (3 scenarios: 1 PASS, 1 UNKNOWN, 1 FAIL)")
    for name in ("good", "wrong", "missed"):
        assert (home.out / name / "latest" / "analysis.json").exists()


def test_as_json_every_analysis_is_there(home: Home) -> None:
    write(home, "one")
    write(home, "two")
    done = home.run("run", "mine/one.yaml", "mine/two.yaml", "--json", "--out", str(home.out))
    assert done.code == 0, done.err
    assert [one["scenario"] for one in json.loads(done.out)] == ["one", "two"]


def test_as_json_what_was_not_run_is_named(home: Home) -> None:
    write(home, "one")
    write(home, "two")
    path = home.root / "cwd" / "mine" / "two.yaml"
    path.write_text(path.read_text() + "server: {binary: /no/such/server}\n")
    done = home.run("run", "mine", "--json", "--out", str(home.out))
    assert done.code == 3, done.err
    assert [one["scenario"] for one in json.loads(done.out)] == ["one"]
    (line,) = done.err.splitlines()
    assert line.startswith("netdiag: two was not run: ")
    assert "/no/such/server" in line


def test_as_json_what_is_worse_than_its_baseline_is_named(home: Home) -> None:
    write(home, "one")
    write(home, "two")
    run = ("run", "mine", "--json", "--out", str(home.out))
    assert home.run(*run).code == 0
    kept = home.root / "kept"
    for name in ("one", "two"):
        assert home.run("baseline", "save", home.out / name, kept).code == 0
    same = home.run(*run, "--baseline", kept)
    assert (same.code, same.err) == (0, "")
    path = home.root / "cwd" / "mine" / "two.yaml"
    path.write_text(path.read_text().replace("read_timeout: 200ms", "read_timeout: 5s"))
    done = home.run(*run, "--baseline", kept)
    assert done.code == 1, done.err
    assert [one["scenario"] for one in json.loads(done.out)] == ["one", "two"]
    lines = done.err.splitlines()
    assert lines
    assert all(line.startswith("netdiag: two: two: worse than its baseline: ") for line in lines)


def test_what_is_unknown_in_one_of_several_passes_when_it_is_allowed_and_is_named(
    home: Home
) -> None:
    write(home, "good")
    write(home, "missed", at="{phase: blocked, nth: 99}")
    run = ("run", "mine", "--out", str(home.out))
    assert home.run(*run).code == 2
    done = home.run(*run, "--allow-unknown")
    assert done.code == 0
    assert done.err.splitlines() == [
        "netdiag: WARNING: nothing is known of 1 of 2 scenarios (missed), and --allow-unknown lets "
        "them pass"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
@pytest.mark.parametrize("early", [True, False], ids=["before it has begun", "when it records"])
def test_when_we_are_stopped_no_other_is_begun(
    home: Home, number: int, code: int, early: bool
) -> None:
    for name in ("one", "two", "three"):
        write(home, name)
    with home.start("run", "mine", "--jobs", "1", "--out", home.out) as process:
        assert until(lambda: len(home.processes()) > 1, 20)
        assert early or until(lambda: any(home.out.glob("*/20*/cells/*")), 20)
        process.send_signal(number)
        done = ended(process)
    assert done.code == code, done.out + done.err
    assert done.out.rstrip().endswith(", 2 not begun)")
    assert len(list(home.out.glob("*"))) <= 1
    assert early or "1 cell" in done.out


def test_who_asks_twice_is_heeded_at_once(home: Home) -> None:
    write(home, "one")
    with home.start("run", "mine", "mine/one.yaml", "brpop-zombie", "--out", home.out) as process:
        assert until(lambda: any(home.out.glob("brpop*/20*/cells/*")), 20)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        done = ended(process)
    assert done.code in {130, 143}
    assert until(lambda: not home.processes(), 5)


def test_what_was_not_begun_is_named_too(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    write(home, "one")
    plan = expand(load(home.root / "cwd" / "mine" / "one.yaml"))
    stopped = Result("one", "not run", "it was stopped", (), stopped=2)
    assert show_json([stopped], [plan, replace(plan, scenario="two")]) == 130
    told = capsys.readouterr()
    assert json.loads(told.out) == []
    assert told.err.splitlines() == ["netdiag: one was not run: it was stopped",
                                     "netdiag: two was not begun"]


def test_the_mistakes_of_all_are_told_before_anything_runs(home: Home) -> None:
    write(home, "one", bound="soon")
    write(home, "two", at="blokced")
    done = home.run("run", "mine", "--out", str(home.out))
    assert done.code == 64
    assert "one.yaml:6" in done.err
    assert "did you mean 'blocked'" in done.err
    assert not home.out.exists()


def test_files_directories_and_names_are_found(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "notes.txt"):
        (tmp_path / name).write_text("name: x")
    found = find_all([tmp_path, tmp_path / "b.yaml", "brpop-zombie"])
    assert [path.name for path in found] == ["a.yml", "b.yaml", "brpop-zombie.yaml"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ScenarioError, match="no scenario"):
        find_all([empty])


def test_scenarios_are_the_shipped_ones_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_all(["scenarios/"]) == sorted(shelf().glob("*.yaml"))
