"""`netdiag new`: answers by options or on a terminal; never over a file that is there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from netdiag.catalogue import Keepalive
from netdiag.cli import new
from netdiag.scenario import expand, load
from tests.run.running import NETDIAG, needs_lab

from .calling import call


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_an_option_it_proposes() -> None:
    called = call("new")
    assert called.code == 0
    assert called.out == ("blocked-blackhole.yaml written\n"
                          "run it: netdiag run blocked-blackhole.yaml\n")
    (cell,) = expand(load("blocked-blackhole.yaml")).cells
    assert cell.client.settings.keepalive == Keepalive(idle=2, interval=1, count=3)
    assert (cell.client.settings.read_timeout, cell.faults[0].for_) == (None, 10)


def test_options_are_answers() -> None:
    called = call("new", "--name", "mine", "--phase", "reply_in_flight", "--heal-after", "1m30s",
                  "--keepalive", "off", "--read-timeout", "1500ms", "-o", "below/mine.yaml")
    assert called.code == 0
    (cell,) = expand(load("below/mine.yaml")).cells
    assert (cell.id, cell.faults[0].for_) == ("mine", 90)
    assert (cell.client.settings.keepalive, cell.client.settings.read_timeout) == (None, 1.5)


@pytest.mark.parametrize(("written", "timings"), [
    ("on", (7200, 75, 9)), ("30s/5s/3", (30, 5, 3)), ("1m/10/6", (60, 10, 6))])
def test_keepalives(written: str, timings: tuple[int, int, int]) -> None:
    assert call("new", "--name", "k", "--keepalive", written).code == 0
    keepalive = expand(load("k.yaml")).cells[0].client.settings.keepalive
    assert isinstance(keepalive, Keepalive)
    assert keepalive.timings == timings


def test_a_reset_does_not_heal() -> None:
    assert call("new", "--fault", "reset", "--heal-after", "3s").code == 0
    assert not expand(load("blocked-reset.yaml")).cells[0].faults[0].heals


def test_a_fault_of_the_engine_is_run_by_it() -> None:
    out = call("new", "--fault", "docker").out
    assert out.endswith("run it: sudo netdiag run blocked-docker.yaml --lab docker\n")


def test_standard_output() -> None:
    called = call("new", "--output", "-")
    assert called.out.startswith("# ")
    assert not list(Path.cwd().iterdir())


def test_a_file_that_is_there_stays() -> None:
    path = Path("blocked-blackhole.yaml")
    path.write_text("mine")
    called = call("new")
    assert called.code == 64
    assert "--force" in called.error
    assert path.read_text() == "mine"
    assert call("new", "--force").code == 0
    assert path.read_text() != "mine"


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["--phase", "sleeping"], "sleeping"),
    (["--fault", "blackhol"], "blackhol"),
    (["--name", "../up"], "is not a name"),
    (["--heal-after", "soon"], "is not a duration"),
    (["--read-timeout", "-3"], "is not a duration"),
    (["--keepalive", "30s"], "IDLE/INTERVAL/COUNT"),
    (["--keepalive", "30s/5s/many"], "IDLE/INTERVAL/COUNT"),
    (["--keepalive", "1500ms/1s/3"], "whole seconds"),
    (["--keepalive", "3s/1s/1000"], "whole seconds"),
    (["--phase", "closing"], "--read-timeout 3s"),
    (["--heal-after", "0s"], "has no effect; give a time with --heal-after 10s"),
    (["--output", "/proc/none/x.yaml"], "cannot be written"),
])
def test_mistakes_are_64_and_write_nothing(arguments: list[str], sentence: str) -> None:
    called = call("new", *arguments)
    assert called.code == 64
    assert sentence in called.error
    assert not list(Path.cwd().iterdir())


DRAFTS = {
    "keepalive": ["--keepalive", "1s/1s/1", "--heal-after", "4s"],
    "silent": ["--keepalive", "off", "--heal-after", "1s"],
    "reset": ["--fault", "reset", "--phase", "reply_in_flight"],
    "stream": ["--pattern", "xreadgroup", "--keepalive", "1s/1s/1", "--heal-after", "4s"],
    "restart": ["--fault", "restart", "--phase", "reply_in_flight"],
    "forgotten": ["--fault", "restart", "--pattern", "xreadgroup"],
    "published": ["--fault", "restart", "--pattern", "subscribe"],
    "signal": ["--fault", "signal", "--phase", "reply_delivered"],
    "command": ["--phase", "request_in_flight", "--read-timeout", "1s", "--heal-after", "never"],
}


@needs_lab
def test_what_it_writes_runs_as_it_is() -> None:
    """All at once: the real client, the real server, and every expectation met."""
    running = {}
    for name, options in DRAFTS.items():
        assert call("new", "--name", name, *options).code == 0
        running[name] = subprocess.Popen(
            [*NETDIAG, "run", f"{name}.yaml", "--json"], stdout=subprocess.PIPE, text=True)
    for name, process in running.items():
        told, _ = process.communicate(timeout=60)
        (cell,) = json.loads(told)["cells"]
        verdicts = {one["expectation"]: one["outcome"] for one in cell["verdicts"]}
        assert (process.returncode, cell["unknown"]) == (0, []), (name, verdicts)
        assert set(verdicts.values()) == {"PASS"}


def test_a_terminal_is_asked_for_what_no_option_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    answers = iter(["blmove", "request_in_flight", "never", "4s"])

    def prompt(question: str, *, default: str, type: object) -> object:
        asked.append((question, default))
        return type.convert(next(answers), None, None)  # type: ignore[attr-defined]

    monkeypatch.setattr(new.click, "prompt", prompt)
    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(new, "sys", SimpleNamespace(stdin=terminal, stdout=terminal))
    assert call("new", "--fault", "blackhole", "--keepalive", "off").code == 0
    assert [default for _, default in asked] == ["brpop", "blocked", "10s", "none"]
    (cell,) = expand(load("request-in-flight-blackhole.yaml")).cells
    assert (cell.client.settings.read_timeout, cell.faults[0].heals) == (4, False)


def test_a_scenario_on_a_teams_own_stack_names_the_compose_file_from_where_it_lies(tmp_path):
    (tmp_path / "stack.yml").write_text("services: {worker: {image: x}, redis: {image: redis}}")
    (tmp_path / "below").mkdir()
    made = tmp_path / "below" / "mine.yaml"
    called = call("new", "--compose", str(tmp_path / "stack.yml"), "--output", str(made))
    assert (called.code, "sudo netdiag run" in called.out) == (0, True)
    assert 'compose: "../stack.yml"' in made.read_text()
    assert call("validate", str(made)).code == 0
    assert call("new", "--compose", str(tmp_path / "stack.yml"), "--output", str(made)).code == 64


@pytest.mark.parametrize("arguments", [
    ("--compose", "stack.yml", "--keepalive", "on"), ("--client", "worker"),
])
def test_settings_of_another_kind_of_draft_are_refused(arguments):
    assert call("new", *arguments).code == 64
