"""`netdiag validate`: every mistake of every file, and 64."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .calling import call

SHIPPED = Path(__file__).parents[2] / "scenarios"
MISTAKES = Path(__file__).parents[1] / "scenario" / "mistakes"


def test_what_ships_is_valid() -> None:
    called = call("validate", str(SHIPPED))
    assert called.code == 0
    lines = called.out.splitlines()
    assert len(lines) == len(list(SHIPPED.glob("*.yaml")))
    assert all(re.search(r"\.yaml: \d+ cells?, ok$", line) for line in lines)


@pytest.mark.parametrize("path", sorted(MISTAKES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_mistake_is_a_line_with_its_place(path: Path) -> None:
    called = call("validate", str(path))
    assert called.code == 64
    assert called.error == ""
    for line in called.out.splitlines():
        assert re.match(rf"{re.escape(str(path))}:\d+:\d+: .+|\.\.\. and \d+ more", line)
    if path.with_suffix(".txt").exists():
        golden = path.with_suffix(".txt").read_text().splitlines()
        assert len(called.out.splitlines()) == len(golden)


def test_files_after_a_wrong_one_are_checked_too(tmp_path: Path) -> None:
    wrong, right = tmp_path / "a.yaml", tmp_path / "b.yml"
    wrong.write_text("name: a\nfautls: []\n")
    right.write_text("name: b\n")
    (tmp_path / "notes.txt").write_text("no scenario")
    called = call("validate", str(tmp_path), "brpop-zombie")
    first, second, third = called.out.splitlines()
    assert called.code == 64
    assert first == f"{wrong}:2:1: unknown key 'fautls' in the scenario; did you mean 'faults'?"
    assert second == f"{right}: 1 cell, ok"
    assert third.endswith("brpop-zombie.yaml: 3 cells, ok")


def test_a_directory_without_scenarios_is_a_mistake(tmp_path: Path) -> None:
    called = call("validate", str(tmp_path))
    assert (called.code, "no .yaml file" in called.error) == (64, True)


def test_a_name_that_nothing_has_is_a_mistake() -> None:
    called = call("validate", "brpop-zomby")
    assert called.code == 64
    assert "did you mean 'brpop-zombie'?" in called.out


def test_without_a_file_it_says_how() -> None:
    assert call("validate").code == 64
