"""`netdiag run` with its options, on one small scenario in the real lab."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from netdiag.analysis.baseline import dump_baseline
from netdiag.analysis.meaning import Meaning, Meanings
from netdiag.analysis.model import Outcome
from tests.run.running import Home, why_no_lab

from .calling import call

SMALL = """
name: small
client: {settings: {keepalive: off, retry: 0}}
faults: [{name: cut, at: blocked, do: blackhole}]
matrix:
  client.settings.read_timeout: [200ms, 400ms]
expect: {detected_within: read_timeout + 300ms}
duration: 900ms
"""
MISSED = SMALL.replace("at: blocked", "at: {phase: blocked, nth: 99}")


@pytest.fixture(scope="module", autouse=True)
def _lab() -> None:
    reason = why_no_lab()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_one_cell_is_chosen_changed_and_repeated(home: Home) -> None:
    options = ("--only", "*200ms", "--repeat", "2", "--set", "duration=700ms", "--seed", "7")
    done = home.record(SMALL, *options)
    assert done.code == 0, done.err
    assert "Repeats" in done.out
    root = (home.out / "small" / "latest").resolve()
    plan = json.loads((root / "plan.json").read_text())
    repeats = ["read_timeout=200ms~1", "read_timeout=200ms~2"]
    assert [cell["id"] for cell in plan["cells"]] == repeats
    assert plan["seed"] == 7
    assert {cell["duration"] for cell in plan["cells"]} == {0.7}


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--only", "read_timout=200ms", ("--only", "did you mean 'read_timeout=200ms'")),
        ("--set", "duration=soon", ("duration", "soon")),
        ("--set", "client.settings.read_timeot=1s", ("read_timeot", "did you mean")),
        ("--repeat", "0", ("--repeat", "0")),
        ("--table", "a,b", ("no axis 'a'", "client.settings.read_timeout")),
        ("--table", "read_timeout,read_timeout,colour", ("cannot show 'colour'",)),
        ("--baseline", "nope", ("nope holds no baseline of small", "netdiag baseline save")),
    ],
)
def test_a_mistake_in_an_option_runs_nothing(
    home: Home, option: str, value: str, words: tuple[str, ...]
) -> None:
    done = home.record(SMALL, option, value)
    assert done.code == 64
    assert all(word in done.err for word in words), done.err
    assert not home.out.exists()


def test_what_is_unknown_is_allowed_only_loudly(home: Home) -> None:
    assert home.record(MISSED).code == 2
    done = home.record(MISSED, "--allow-unknown")
    assert done.code == 0
    assert "WARNING: nothing is known of 2 of 2 cells" in done.err
    assert "read_timeout=200ms, read_timeout=400ms" in done.err


def test_a_failure_is_not_allowed_as_unknown(home: Home) -> None:
    failing = SMALL.replace("read_timeout + 300ms", "1ms")
    assert home.record(failing, "--allow-unknown").code == 1


def test_a_run_is_compared_with_its_baseline(home: Home) -> None:
    assert home.record(SMALL, "--repeat", "2").code == 0
    kept = home.root / "kept"
    assert home.run("baseline", "save", home.out / "small", kept).code == 0
    same = home.record(SMALL, "--baseline", kept)
    assert same.code == 0, same.out
    assert "small against its base: same" in same.out
    losing = "workload: {produce: [{at: {event: active, after: 50ms}}]}\nmatrix:"
    worse = home.record(SMALL.replace("matrix:", losing), "--baseline", kept)
    assert worse.code == 1, worse.out
    assert "small against its base: worse" in worse.out
    assert "lost" in worse.out.split("worse", 1)[1]
    missing = home.record(SMALL, "--baseline", home.root / "nothing")
    assert missing.code == 64
    assert "netdiag baseline save" in missing.err


def test_json_is_all_that_is_printed(home: Home) -> None:
    done = home.record(SMALL, "--json", "--only", "*200ms")
    assert done.code == 0
    assert [cell["id"] for cell in json.loads(done.out)["cells"]] == ["read_timeout=200ms"]
    assert done.err == ""


def test_a_table_needs_a_matrix_and_a_baseline_the_same_cells(home: Home) -> None:
    plain = SMALL.replace("  client.settings.read_timeout: [200ms, 400ms]\n", "").replace(
        "matrix:\n", ""
    ).replace("read_timeout + 300ms", "any")
    done = home.record(plain, "--table", "a,b")
    assert (done.code, "this run has no matrix" in done.err) == (64, True), done.err
    kept = home.root / "kept.json"
    kept.write_text(dump_baseline(Meanings("small", {"another": (Meaning(Outcome.PASS),)})))
    done = home.record(SMALL, "--baseline", kept)
    assert (done.code, "has no cell in common with its base" in done.err) == (64, True), done.err
    assert not home.out.exists()


def test_its_help_names_every_exit_code_that_the_readme_names() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    told = re.search(r"Exit codes of `run`:(.*?)\n\n", readme, re.DOTALL)
    assert told is not None
    codes = set(re.findall(r"\b\d+\b", told[1]))
    assert {"0", "70", "74", "143"} <= codes
    help_text = call("run", "--help").out.partition("Exit code:")[2].partition("Options:")[0]
    assert set(re.findall(r"\b\d+\b", help_text)) == codes
