"""`netdiag plan`: cells and their settings, without running anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netdiag.scenario import Plan, expand, find, load

from .calling import call

NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_json_is_the_complete_plan(name: str) -> None:
    called = call("plan", name, "--json")
    assert called.code == 0
    assert Plan.from_json(json.loads(called.out)) == expand(load(find(name)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_every_cell_and_expectation_is_shown(name: str, columns: int) -> None:
    called = call("plan", name, columns=columns)
    lines = called.out.splitlines()
    assert max(map(len, lines)) <= columns
    assert all(line == line.rstrip() for line in lines)
    text = "".join("".join(lines).split())
    for cell in expand(load(find(name))).cells:
        assert cell.id in text
        for expectation in cell.expect:
            assert expectation.kind in text


def test_what_differs_stands_in_a_table() -> None:
    out = call("plan", "request-in-flight", columns=100).out
    *_, head, first, second = out.splitlines()
    assert head.split() == ["cell", "expect", "fin_wait1",
                            "hosts.client.net.ipv4.tcp_orphan_retries"]
    assert first.split() == ["default-retries", "1", "-"]
    assert second.split() == ["five-retries", "0", "5"]


def test_options_change_the_plan() -> None:
    called = call("plan", "brpop-zombie", "--json", "--only", "keep*", "--repeat", "2", "--seed",
                  "7", "--set", "duration=40s")
    plan = Plan.from_json(json.loads(called.out))
    assert [cell.id for cell in plan.cells] == ["keepalive~1", "keepalive~2"]
    assert {cell.duration for cell in plan.cells} == {40}
    assert plan.seed == 7


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["nothing-like-this"], "no file and no shipped scenario"),
    (["brpop-zombie", "--only", "zombi"], "did you mean 'zombie'?"),
    (["brpop-zombie", "--repeat", "0"], "from 1 to 1000"),
    (["brpop-zombie", "--set", "duratoin=3s"], "leads nowhere"),
    (["brpop-zombie", "--seed", "-1"], "seed"),
])
def test_mistakes_are_64(arguments: list[str], sentence: str) -> None:
    called = call("plan", *arguments)
    assert called.code == 64
    assert sentence in called.error


@pytest.mark.parametrize(("setting", "axis"), [
    ("client.settings.read_timeout=3s", "client.settings"),
    ("client.settings.read_timeout=3parsec", "client.settings"),
    ("client={}", "client.settings"),
    ("client.settings={}", "client.settings"),
])
def test_what_an_axis_decides_cannot_be_set(setting: str, axis: str) -> None:
    called = call("plan", "brpop-zombie", "--set", setting)
    assert called.code == 64
    assert f"the matrix varies {axis}, and that axis decides" in called.error
    assert "--only" in called.error


def test_whole_steps_of_a_path_are_compared_and_faults_by_any_name(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("name: x\nduration: 20s\nclient: {settings: {keepalive: off}}\n"
                    "faults: [{name: cut, at: blocked, do: blackhole, for: 2s}]\n"
                    "matrix: {faults.cut.for: [3s, 4s], workload.work: [0s, 1s]}\n"
                    "expect: {detected_within: any}\n")
    assert call("plan", str(path), "--set", "workload.block=5s").code == 0
    for setting in ("faults.0.for=5s", "faults.cut={}"):
        assert "the matrix varies faults.cut.for" in call("plan", str(path), "--set", setting).error


def test_whatever_the_matrix_varies_is_a_column(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("name: x\nworkload: {after_error: exit}\n"
                    "matrix:\n  workload.key: [aa, bb]\n  workload.work: [1s, 2s]\n"
                    "  lab.ip: [4, 6]\nexpect: {detected_within: any}\n")
    lines = call("plan", str(path), columns=120).out.splitlines()
    *common, head = lines[:-8]
    assert head.split() == ["cell", "workload.key", "workload.work", "lab.ip"]
    assert ["bb", "2", "s", "6"] in [line.split()[1:] for line in lines[-8:]]
    assert any(line.split() == ["workload.after_error", "exit"] for line in common)


def test_block_is_told_of_patterns_that_block(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("name: x\nworkload: {pattern: blmove, block: 3s, reaper: {idle: 3s}}\n"
                    "expect: {detected_within: any}\n")
    out = call("plan", str(path)).out
    assert "blmove, block 3 s" in out
    assert any(line.split() == ["workload.reaper", "idle", "3", "s"] for line in out.splitlines())
    path.write_text("name: x\nworkload: {pattern: subscribe}\nexpect: {detected_within: any}\n")
    assert "block" not in call("plan", str(path)).out
