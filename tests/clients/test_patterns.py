"""What each pattern asks for and says, step by step; replies are given by the test."""

from __future__ import annotations

import json
import os

import pytest
from pytest import param

from netdiag.clients.programs.redis_py.patterns import (
    Call,
    Listen,
    Sleep,
    Subscribe,
    consumers,
    entries,
)
from netdiag.clients.programs.redis_py.voice import Voice

WORKLOAD = {
    "key": "jobs", "consumer": "c", "block": 0.0, "work": 0.0, "after_error": {"pause": 0.5},
    "processing": "p", "group": "g", "reaper": None, "every": 1.0,
    "names": "a:r",
}  # fmt: skip
ENTRY = [b"5-1", {b"message": b"m1"}]


class Broken(Exception):
    """What the library raises."""


def play(replies, **workload):
    """Give these replies (or raise these errors) in turn; the steps, the words, the end."""
    reading, writing = os.pipe()
    consumer, *_ = consumers({**WORKLOAD, **workload}, Voice(writing), (Broken,))
    running = consumer.steps()
    steps, end = [next(running)], None
    for reply in replies:
        try:
            one = running.throw(reply) if isinstance(reply, Exception) else running.send(reply)
            steps.append(one)
        except StopIteration as stop:
            end = stop.value
    os.close(writing)
    with os.fdopen(reading) as lines:
        said = [json.loads(line) for line in lines]
    return steps, [(row["what"], row["data"].get("id")) for row in said], end


BRPOP = Call(("BRPOP", "jobs", 0.0))
BLMOVE = Call(("BLMOVE", "jobs", "p", "RIGHT", "LEFT", 0.0))
READ = Call(("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "BLOCK", 0, "STREAMS", "jobs", ">"))
DONE = [("call", None), ("got", "m1"), ("processed", "m1")]
STORIES = [
    param({"pattern": "brpop"}, [(b"jobs", b"m1")], [BRPOP, BRPOP], DONE, id="brpop"),
    param({"pattern": "brpop"}, [None], [BRPOP, BRPOP], [("call", None), ("return", None)],
          id="nothing came"),
    param({"pattern": "brpop", "work": 2.0}, [(b"jobs", b"m1"), None],
          [BRPOP, Sleep(2.0), BRPOP], DONE, id="work takes its time"),
    param({"pattern": "bzpopmin"}, [(b"jobs", b"m1", 1.0)],
          [Call(("BZPOPMIN", "jobs", 0.0))] * 2, DONE, id="bzpopmin"),
    param({"pattern": "blmove"}, [b"m1", 1], [BLMOVE, Call(("LREM", "p", 1, b"m1")), BLMOVE],
          [*DONE, ("acknowledged", "m1")], id="blmove removes what is done"),
    param({"pattern": "blmove"}, [b"m1", Broken(), None],
          [BLMOVE, Call(("LREM", "p", 1, b"m1")), Sleep(0.5), BLMOVE],
          [*DONE, ("error", None), ("reconnect", None)], id="what cannot be acknowledged is not"),
    param({"pattern": "xreadgroup"}, [[[b"jobs", [ENTRY]]], 1],
          [READ, Call(("XACK", "jobs", "g", b"5-1")), READ],
          [*DONE, ("acknowledged", "m1")], id="xreadgroup acknowledges what is done"),
    param({"pattern": "xreadgroup", "reaper": {"idle": 2.0}}, [[b"0-0", [ENTRY], []], 1],
          [Call(("XAUTOCLAIM", "jobs", "g", "c", 2000, "0-0", "COUNT", 10)),
           Call(("XACK", "jobs", "g", b"5-1")), READ],
          [*DONE[1:], ("acknowledged", "m1")], id="xreadgroup claims what others left"),
    param({"pattern": "subscribe"},
          [None, [b"subscribe", b"jobs", 1], [b"message", b"jobs", b"m1"]],
          [Subscribe("jobs"), Listen(0.0), Listen(0.0), Listen(0.0)], DONE, id="subscribe"),
    param({"pattern": "subscribe"}, [None, Broken(), None],
          [Subscribe("jobs"), Listen(0.0), Sleep(0.5), Subscribe("jobs")],
          [("call", None), ("error", None), ("reconnect", None)], id="subscribes again"),
    param({"pattern": "request"}, [1, None],
          [Call(("RPUSH", "jobs", "a:r1")), Sleep(1.0), Call(("RPUSH", "jobs", "a:r2"))],
          [("call", "a:r1"), ("got", "a:r1")], id="request"),
    param({"pattern": "request"}, [Broken(), None, 1],
          [Call(("RPUSH", "jobs", "a:r1")), Sleep(0.5), Call(("RPUSH", "jobs", "a:r2")),
           Sleep(1.0)],
          [("call", "a:r1"), ("error", "a:r1"), ("reconnect", None), ("call", "a:r2"),
           ("got", "a:r2")], id="an error says whose it is"),
]  # fmt: skip


@pytest.mark.parametrize(("workload", "replies", "steps", "said"), STORIES)
def test_a_consumer_asks_and_says(workload, replies, steps, said):
    asked, words, _ = play(replies, **workload)
    assert asked == steps
    assert words[: len(said)] == said


def test_an_error_ends_the_consumer_that_was_told_to_exit():
    _, words, end = play([Broken()], pattern="brpop", after_error="exit")
    assert end == 1
    assert words[-1] == ("error", None)


def test_a_pool_has_as_many_users_that_share_the_numbers():
    workload = {**WORKLOAD, "pattern": "request", "pool": 3}
    users = consumers(workload, Voice(os.open(os.devnull, os.O_WRONLY)), (Broken,))
    assert [next(one.steps()).words[2] for one in users] == ["a:r1", "a:r2", "a:r3"]


NESTED = [
    param(None, [], id="none"),
    param([], [], id="an empty list"),
    param([[b"jobs", [ENTRY]]], [(b"5-1", "m1")], id="RESP2"),
    param({b"jobs": [[ENTRY]]}, [(b"5-1", "m1")], id="RESP3"),
    param([b"0-0", [(b"5-1", [b"message", b"m1"])], [b"4-1"]], [(b"5-1", "m1")], id="claimed"),
    param([["jobs", [("5-1", {"message": "m1"})]]], [("5-1", "m1")], id="decoded"),
    param([b"0-0", [[b"5-1", [b"message", b"m1"]]]], [(b"5-1", "m1")], id="claimed from 6.2"),
    param([b"0-0", [[b"5-1", None]]], [], id="claimed, but deleted"),
    param([b"0-0", []], [], id="nothing to claim"),
]


@pytest.mark.parametrize(("reply", "found"), NESTED)
def test_entries_are_found_however_they_are_nested(reply, found):
    assert list(entries(reply)) == found
