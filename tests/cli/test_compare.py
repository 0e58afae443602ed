"""`netdiag compare`: what is read, what is said, and the exit code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from netdiag.analysis import analyse
from netdiag.cli.show import load_plan
from netdiag.recording import Recording, read_events, write_whole
from netdiag.scenario import expand, load

from .calling import call

RECORDINGS = Path(__file__).parents[1] / "recordings"


def recording(root: Path, name: str = "brpop-zombie") -> Recording:
    """A stored recording, as `netdiag run` leaves it."""
    shutil.copytree(RECORDINGS / name / "cells", root / "cells")
    made = Recording(root)
    made.save_plan(expand(load(RECORDINGS / name / "scenario.yaml")).to_json())
    return made


def without(made: Recording, cell: str, *whats: str) -> None:
    """Remove the client's events of these names from a cell."""
    held = made.cell(cell).events
    kept = [one for one in read_events(held)
            if not (one.lane == "client.app" and one.what in whats)]
    held.write_bytes(b"".join(one.line() for one in kept))


def test_a_recording_compared_with_itself_is_the_same(tmp_path: Path) -> None:
    root = str(recording(tmp_path / "one").root)
    called = call("compare", root, root)
    assert called.code == 0
    assert called.out == ("same: zombie, keepalive, read-timeout\n\n"
                          "brpop-zombie against its base: same (3 cells: 3 same)\n")


def test_worse_is_1_and_better_is_0(tmp_path: Path) -> None:
    base, new = recording(tmp_path / "base"), recording(tmp_path / "new")
    without(new, "keepalive", "got")
    called = call("compare", str(base.root), str(new.root))
    assert called.code == 1
    assert "worse  keepalive\n" in called.out
    assert "- messages lost: 1 instead of 0\n" in called.out
    assert "same: zombie, read-timeout\n" in called.out
    assert "worse (3 cells: 1 worse and 2 same)" in called.out
    back = call("compare", str(new.root), str(base.root))
    assert back.code == 0
    assert "better  keepalive\n" in back.out


def test_json_is_only_that(tmp_path: Path) -> None:
    base, new = recording(tmp_path / "base"), recording(tmp_path / "new")
    without(new, "keepalive", "got")
    held = json.loads(call("compare", str(base.root), str(new.root), "--json").out)
    assert (held["version"], held["change"]) == (1, "worse")
    assert [cell["change"] for cell in held["cells"]] == ["same", "worse", "same"]


def test_everything_that_holds_a_meaning_can_be_compared(tmp_path: Path) -> None:
    made = recording(tmp_path / "brpop-zombie" / "2026-01-01T000000")
    write_whole(made.analysis_file, analyse(made, load_plan(made)).to_json())
    assert call("baseline", "save", str(made.root), str(tmp_path / "kept")).code == 0
    kept = tmp_path / "kept"
    bases = (made.root, made.root.parent, made.analysis_file, kept, kept / "brpop-zombie.json")
    for base in bases:
        called = call("compare", str(base), str(made.root))
        assert (called.code, called.out[:6]) == (0, "same: ")


@pytest.mark.parametrize(("base", "sentence"), [
    ("nothing", "no such directory"), ("nowhere", "not a recording"), ("empty.json", "not JSON"),
    ("other", "no cell in common")])
def test_what_holds_none_is_64(base: str, sentence: str, tmp_path: Path,
                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = recording(tmp_path / "made")
    recording(tmp_path / "other", "reply-lost")
    Path("empty.json").write_text("")
    Path("nowhere").mkdir()
    called = call("compare", base, str(made.root))
    assert called.code == 64
    assert sentence in called.error
