"""`netdiag baseline save`: a small file that can be committed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .calling import call
from .test_compare import recording, without

if TYPE_CHECKING:
    from pathlib import Path


def test_saves_one_file_a_scenario(tmp_path: Path) -> None:
    made = recording(tmp_path / "made")
    kept = tmp_path / "kept"
    for _ in range(2):
        called = call("baseline", "save", str(made.root), str(kept))
        assert called.code == 0
        assert called.out == f"{kept / 'brpop-zombie.json'}: 3 runs of brpop-zombie\n"
    (path,) = kept.iterdir()
    text = path.read_text()
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"
    assert len(text) < 3000
    assert list(json.loads(text)["cells"]) == ["keepalive", "read-timeout", "zombie"]


def test_an_unknown_cell_is_refused(tmp_path: Path) -> None:
    made = recording(tmp_path / "made", "missed")
    called = call("baseline", "save", str(made.root), str(tmp_path / "kept"))
    assert called.code == 64
    assert "run the scenario again" in called.error
    assert not (tmp_path / "kept").exists()


def test_a_cell_that_fails_is_named(tmp_path: Path) -> None:
    made = recording(tmp_path / "made")
    without(made, "keepalive", "got")  # then it has lost a message, and expects to lose none
    called = call("baseline", "save", str(made.root), str(tmp_path / "kept"))
    assert called.code == 0
    assert called.out.splitlines()[1:] == [
        "netdiag: kept although it is a FAIL: keepalive; a later run that does the same will count "
        "as the same"]


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    called = call("baseline", "save", str(tmp_path), str(tmp_path / "kept"))
    assert (called.code, "not a recording" in called.error) == (64, True)


def test_a_file_where_the_directory_should_be_is_a_sentence(tmp_path: Path) -> None:
    made = recording(tmp_path / "made")
    called = call("baseline", "save", str(made.root), str(made.plan_file))
    assert called.code == 64


def test_its_help_names_what_it_does() -> None:
    assert "save" in call("baseline", "--help").out
