"""`netdiag replay`: what it needs to know before it runs anything, and a replay in real time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.run.running import TWO_CELLS, Home, needs_lab

from .calling import call
from .test_compare import recording

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_no_recording_cannot_be_run_again(tmp_path: Path) -> None:
    called = call("replay", str(tmp_path))
    assert called.code == 64
    assert "not a recording" in called.error


def test_a_recording_in_which_no_cell_began_does_not_say_where_it_ran(tmp_path: Path) -> None:
    made = recording(tmp_path / "one")
    for events in made.root.glob("cells/*/events.jsonl"):
        events.unlink()
    called = call("replay", str(made.root))
    assert called.code == 64
    assert "no cell says which clock it ran on" in called.error


@needs_lab
def test_in_real_time_a_replay_is_compared_by_meaning(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.record(TWO_CELLS).code == 0
    [scenario] = home.out.iterdir()
    again = home.run("replay", scenario, "--out", home.root / "again")
    assert again.code == 0, again.out + again.err
    assert again.out.startswith("identical: 2 cells, by meaning")
