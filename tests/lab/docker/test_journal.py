"""A run's journal: it lives as long as its lock is held, and is played backwards."""

from __future__ import annotations

import errno
import fcntl
import os
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyroute2.netlink.exceptions import NetlinkError

from netdiag.cli.clean import command as clean
from netdiag.errors import LabError
from netdiag.lab import links
from netdiag.lab.docker import engine, reaping
from netdiag.lab.docker.engine import Engine
from netdiag.lab.docker.journal import begin, dead, known
from netdiag.lab.docker.reaping import Reaped, end, reap
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
    journal.note({"undo": "bridge"})
    journal.note({"undo": "sysctl", "pid": [], "space": 0, "key": {}, "value": "1"})
    undoing.before("bridge", None, index=2)
    told = play_back(journal, engine=None)
    assert told.count == 2, "neither what has gone nor what was refused"
    assert [one.partition("undone: ")[2] for one in told.refused] == [
        "its line in the journal is damaged at 'pid', 'key'",
        "its line in the journal lacks 'index'",
        "this netdiag does not know such a change",
    ]
    assert undone == [2, 1]
    assert [one["undo"] for one in journal.changes()] == [
        "sysctl", "bridge", "nobody knows"]


class Refusal(Exception):
    """As the SDK's own: with the engine's answer, or without any."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP status {status}")
        self.response = SimpleNamespace(status_code=status)


class Api:
    """An engine's interface that knows one paused container and refuses to let it go on."""

    refuses = True

    def inspect_container(self, container: str) -> dict[str, object]:
        if container != "shop":
            raise Refusal(404)
        state = {"Pid": 1, "Status": "paused", "ExitCode": 0}
        return {"Id": container, "Name": container, "State": state, "Config": {}}

    def unpause(self, container: str) -> None:
        if self.refuses:
            raise Refusal(500)

    def containers(self, **_: object) -> list[dict[str, object]]:
        return []

    networks = containers

    def volumes(self, **_: object) -> dict[str, object]:
        return {"Volumes": None}


def test_what_the_engine_refused_to_undo_is_told_and_tried_again_by_the_next(tmp_path):
    api = Api()
    asked = Engine(SimpleNamespace(api=api), "1", Refusal)
    journal = begin(tmp_path)
    undoing = Undoing(journal)
    undoing.before("unpause", None, container="shop")
    undoing.before("start", None, container="gone")
    undoing.before("unpause", None, container="gone")
    first = end(journal, asked)
    assert (first.undone, len(first.refused)) == (0, 1), "what has gone was not undone"
    assert "container 'shop'" in first.refused[0]
    assert "refused to unpause shop: HTTP status 500" in first.refused[0]
    api.refuses = False
    (second,) = reap(asked, tmp_path)
    assert (second.run, second.undone, second.refused) == (journal.run, 1, ())
    assert reap(asked, tmp_path) == ()


class Busy:
    """An engine that will not let the containers of one run go."""

    stuck = True

    def __init__(self) -> None:
        self.removed: list[str] = []

    def remove(self, label: str) -> int:
        if label.endswith("=stuck") and self.stuck:
            raise LabError("the Docker engine refused to remove what is left: busy")
        self.removed.append(label)
        return 0

    def label_values(self, label: str) -> frozenset[str]:
        return frozenset({"stuck", "other"})


def test_a_run_whose_containers_stay_keeps_no_other_from_being_cleaned_up(tmp_path, monkeypatch):
    monkeypatch.setattr(reaping, "_ON_ITS_WAY", 0)
    busy = Busy()
    (tmp_path / "docker-stuck").touch()
    (tmp_path / "docker-dead").touch()
    told = {one.run: one.refused for one in reap(busy, tmp_path)}
    assert told["dead"] == told["other"] == ()
    assert "what run stuck has left is still there" in told["stuck"][0]
    assert {path.name for path in tmp_path.iterdir()} == {"docker-stuck"}
    busy.stuck = False
    assert {one.run: one.refused for one in reap(busy, tmp_path)}["stuck"] == ()
    assert not list(tmp_path.iterdir()), "its lock had been let go of"


def test_cleaning_up_says_what_it_could_not_undo_and_fails(monkeypatch, capsys):
    left = Reaped("7-ab", 2, 1, ("the pause of 'shop' could not be undone: no",))
    monkeypatch.setattr(engine, "connect", lambda: None)
    monkeypatch.setattr(reaping, "reap", lambda _: (left,))
    with pytest.raises(LabError, match="'shop' could not be undone: no\nrepair that"):
        clean.callback()
    assert capsys.readouterr().out == "run 7-ab: removed 2, undone 1\n"


def test_what_was_undone_is_not_undone_again_after_a_refusal(tmp_path, monkeypatch):
    undone = []

    def undo(change: dict[str, int], _: object) -> None:
        if change["index"] == 2 and not undone:
            raise PermissionError(1, "not permitted")
        undone.append(change["index"])

    monkeypatch.setitem(UNDO, "bridge", undo)
    journal = begin(tmp_path)
    for index in (1, 2):
        journal.note({"undo": "bridge", "index": index})
    assert play_back(journal, engine=None).count == 1
    journal.note({"undo": "bridge", "index": 3})
    assert play_back(journal, engine=None).count == 2
    assert undone == [1, 3, 2]
    journal.end()
    assert known(tmp_path) == frozenset()


@pytest.mark.parametrize("number", [errno.ENODEV, errno.EPERM])
def test_a_refusal_of_the_kernel_is_the_same_as_any_other(monkeypatch, number):
    def refuse(*_: object, **__: object) -> None:
        raise NetlinkError(number)

    monkeypatch.setattr(links, "IPRoute", refuse)
    with pytest.raises(OSError, match=os.strerror(number)) as refusal:
        links.enslave(1, 2)
    assert refusal.value.errno == number


def test_on_a_stack_of_our_own_nothing_is_written_down(tmp_path):
    Undoing(None).before("bridge", None, index=1)
    assert list(tmp_path.iterdir()) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner,
                                                               max_size=2), max_leaves=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(undo=st.sampled_from([*UNDO, "x"]) | json_values, data=st.data())
def test_a_damaged_line_is_refused_or_about_nothing(tmp_path, undo, data) -> None:
    """Any JSON where a change should be: nothing is raised, nothing of this machine is touched."""
    names = ("pid", "space", "interface", "on", "name", "index", "address", "mac", "key", "value",
             "bridge")
    change = {"undo": undo, "container": 5, "network": None, "pid": -1, "space": -1, "index": -1,
              "name": "netdiag-none"}
    for name in data.draw(st.sets(st.sampled_from(names))):
        wrong = data.draw(json_values.filter(lambda value: not isinstance(value, int | str)))
        change[name] = wrong
    journal = begin(tmp_path)
    try:
        journal.note(change)
        play_back(journal, engine=None)
        journal.keep([])
    finally:
        journal.end()
