"""The words of every pattern, and what an answer says is left."""

from __future__ import annotations

import pytest
from pytest import param

from netdiag.catalogue import PATTERNS
from netdiag.scenario.workload import Workload
from netdiag.servers.queues import QUEUES, Refused, words
from netdiag.tcp.resp import ErrorReply

ENTRIES = ((b"7-0", (b"message", b"m1")), (b"7-1", (b"message", b"m2")), (b"10-0", (b"x", b"m3")))
NO_GROUP = ErrorReply(b"NOGROUP No such key 'jobs' or consumer group 'workers'")
GROUPS = ((b"name", b"workers", b"last-delivered-id", b"7-1"),)


def test_every_pattern_of_the_catalogue_has_its_queue():
    assert QUEUES.keys() == PATTERNS.keys()
    for name, row in PATTERNS.items():
        assert (QUEUES[name].push is None) == row.own_messages
        assert bool(QUEUES[name].places) == (row.keeps or row.acknowledges)


@pytest.mark.parametrize("pattern", QUEUES)
def test_every_template_is_filled_from_the_workload(pattern):
    queue, names = QUEUES[pattern], Workload(pattern=pattern).names
    templates = [queue.push, queue.prepare, *queue.places.values()]
    for template in filter(None, templates):
        assert all(words(template, **names, id="m1", number="1"))


def test_a_key_with_spaces_and_braces_stays_one_word():
    assert words("LPUSH {key} {id}", key="my {key} x", id="m1") == ("LPUSH", "my {key} x", "m1")


LEFT = [
    param("brpop", {"ids": (b"m2", b"m1")}, {"ids": ["m2", "m1"]}, id="a list"),
    param("brpop", {"ids": b"no list"}, {"ids": []}, id="an answer that is none"),
    param("blmove", {"ids": (), "processing": (b"\xff",)},
          {"ids": [], "processing": [r"\xff"]}, id="a processing list"),
    param("xreadgroup", {"entries": ENTRIES, "groups": GROUPS, "pending": ((b"7-1", b"c", 1, 1),)},
          {"ids": ["m3"], "pending": ["m2"]}, id="a stream: ids compared as numbers"),
    param("xreadgroup", {"entries": ENTRIES, "groups": (), "pending": NO_GROUP},
          {"ids": [], "ungrouped": ["m1", "m2", "m3"]}, id="a stream whose group is gone"),
    param("xreadgroup", {"entries": (), "groups": ErrorReply(b"ERR no such key"),
                         "pending": NO_GROUP},
          {"ids": [], "ungrouped": []}, id="a stream that is gone with its group"),
    param("xreadgroup", {"entries": ENTRIES, "groups": ((b"name", b"others"), *GROUPS),
                         "pending": ()},
          {"ids": ["m3"], "pending": []}, id="a stream with another group, too"),
    param("xreadgroup", {"entries": ((b"7-0", b"odd"),), "groups": GROUPS,
                         "pending": ((b"9-9", 1),)},
          {"ids": [], "pending": []}, id="a stream of somebody else's making"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "answers", "left"), LEFT)
def test_what_is_left_is_told_by_place(pattern, answers, left):
    assert QUEUES[pattern].read(answers, Workload(pattern=pattern).names) == left


BUSY = ErrorReply(b"BUSY Redis is busy running a script")


@pytest.mark.parametrize(("pattern", "answers"), [
    param("brpop", {"ids": BUSY}, id="a list"),
    param("blmove", {"ids": (b"m1",), "processing": BUSY}, id="one of two"),
    param("xreadgroup", {"entries": BUSY, "groups": BUSY, "pending": BUSY}, id="a stream"),
    param("xreadgroup", {"entries": ENTRIES, "groups": GROUPS, "pending": BUSY}, id="its pending"),
])
def test_an_error_is_no_empty_list(pattern, answers):
    """What the server did not tell may still be there."""
    with pytest.raises(Refused, match="BUSY Redis is busy"):
        QUEUES[pattern].read(answers, Workload(pattern=pattern).names)
