"""A run's journal: it lives as long as its lock is held, and is played backwards."""

from __future__ import annotations

import fcntl
import os

from netdiag.lab.docker.journal import begin, dead, known
from netdiag.lab.docker.undoing import UNDO, Undoing, play_back
from netdiag.process import fork


def test_a_run_that_lives_is_left_alone(tmp_path):
    journal = begin(tmp_path)
    assert known(tmp_path) == {journal.run}
    assert list(dead(tmp_path)) == []
    journal.end()
    assert known(tmp_path) == frozenset()


def test_a_run_that_was_taken_for_dead_before_it_had_its_lock_begins_again(tmp_path, monkeypatch):
    """Somebody who cleans up comes between the making of the file and its lock."""
    flock, taken = fcntl.flock, []

    def slow(fd: int, how: int) -> None:
        if not taken and not how & fcntl.LOCK_NB:
            taken.append(None)
            for found in dead(tmp_path):
                taken.append(found.run)
                found.end()
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", slow)
    journal = begin(tmp_path)
    assert len(taken) == 2, "the first file was found and ended"
    assert journal.run != taken[1]
    assert known(tmp_path) == {journal.run}
    assert list(dead(tmp_path)) == []
    journal.end()


def test_a_killed_run_is_dead_and_its_changes_come_back_the_latest_first(tmp_path):
    def run() -> int:
        journal = begin(tmp_path)
        journal.note({"undo": "first", "index": 1})
        journal.note({"undo": "second", "on": ["tso"]})
        os.kill(os.getpid(), 9)
        return 0

    assert fork(run, "run").wait() == -9
    (journal,) = dead(tmp_path)
    assert [one["undo"] for one in journal.changes()] == ["second", "first"]
    assert list(dead(tmp_path)) == [], "whoever undoes it holds its lock"
    journal.end()


def test_a_line_that_a_crash_cut_was_not_carried_out(tmp_path):
    journal = begin(tmp_path)
    journal.note({"undo": "bridge", "index": 7})
    with journal.path.open("ab") as file:
        file.write(b'{"undo": "sys')
    assert journal.changes() == [{"undo": "bridge", "index": 7}]
    journal.end()


def test_what_cannot_be_undone_keeps_nothing_else_from_being_undone(tmp_path, monkeypatch):
    undone = []
    monkeypatch.setitem(UNDO, "bridge", lambda change, _: undone.append(change["index"]))
    journal = begin(tmp_path)
    undoing = Undoing(journal)
    undoing.before("bridge", None, index=1)
    journal.note({"undo": "sysctl", "pid": 0, "space": 0, "key": "net.x", "value": "1"})
    journal.note({"undo": "nobody knows"})
    undoing.before("bridge", None, index=2)
    assert play_back(journal, engine=None) == 4
    assert undone == [2, 1]
    journal.end()


def test_on_a_stack_of_our_own_nothing_is_written_down(tmp_path):
    Undoing(None).before("bridge", None, index=1)
    assert list(tmp_path.iterdir()) == []
