"""The reaper of a processing list, against a list that the test keeps."""

from __future__ import annotations

import pytest

from netdiag.run import requeue
from netdiag.scenario.workload import Reaper

SECOND = 1_000_000_000


class Lists:
    """Two lists that answer as the server does, and the clock, the loop and the recorder."""

    def __init__(self, *processing: str) -> None:
        self.processing = list(processing)
        self.jobs: list[str] = []
        self.now = 0
        self.look = None
        self.noted: list[tuple[str, float]] = []

    def monotonic_ns(self) -> int:
        return self.now

    def every(self, period, call) -> None:
        self.look = call
        call()

    def note(self, lane, what, outcome, **data) -> None:
        self.noted.append((data["id"], data["idle"]))

    def ask(self, callback, *words) -> bool:
        name, *rest = words
        if name == "LRANGE":
            callback(tuple(one.encode() for one in self.processing))
        elif name == "LREM":
            found = rest[2] in self.processing
            self.processing = [one for one in self.processing if one != rest[2]]
            callback(int(found))
        else:
            self.jobs.append(rest[1])
            callback(len(self.jobs))
        return True


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> Lists:
    made = Lists("m1")
    monkeypatch.setattr(requeue, "time", made)
    names = {"key": "jobs", "processing": "jobs:processing"}
    requeue.Requeue(made, made, made, names=names).every(Reaper(idle=2.0))
    return made


def test_what_nobody_finishes_goes_back_and_is_told(lists):
    lists.now = 2 * SECOND
    lists.look()
    assert (lists.jobs, lists.processing, lists.noted) == (["m1"], [], [("m1", 2.0)])


def test_what_is_not_old_enough_stays(lists):
    lists.now = 2 * SECOND - 1
    lists.look()
    assert (lists.jobs, lists.processing, lists.noted) == ([], ["m1"], [])


def test_who_takes_it_next_has_all_its_time(lists):
    lists.now = 2 * SECOND
    lists.look()
    lists.processing = ["m1"]
    lists.look()
    lists.now += 2 * SECOND - 1
    lists.look()
    assert lists.processing == ["m1"]


def test_what_its_consumer_finishes_in_time_is_forgotten(lists):
    lists.processing = []
    lists.now = SECOND
    lists.look()
    lists.processing = ["m1"]
    lists.now = 2 * SECOND
    lists.look()
    assert lists.jobs == []
