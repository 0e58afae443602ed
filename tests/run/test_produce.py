"""The producer: what it pushes, and that it is silent once what is left is to be told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from netdiag.faults import TimeTrigger
from netdiag.recording import read_events
from netdiag.run.loop import Loop
from netdiag.run.produce import Producer
from netdiag.run.recorder import Recorder
from netdiag.scenario.workload import Produce, Workload
from netdiag.units import MILLISECOND

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netdiag.servers.admin import Answer

NOW = TimeTrigger(time=0)
BURST, STREAM = Produce(at=NOW, count=3), Produce(at=NOW, count=10_000, rate=500.0)


class Server:
    """An admin connection to a server that takes everything."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def ask(self, told: Callable[[Answer], None], *words: str) -> bool:
        self.asked.append(words)
        told(() if words[0] == "LRANGE" else len(self.asked))
        return True


def producing(path: Path, *entries: Produce) -> tuple[Server, Loop, Producer]:
    """Without makers: every entry is pushed by ourselves."""
    server, loop = Server(), Loop()
    workload = Workload(key="jobs", produce=entries)
    return server, loop, Producer(server, loop, Recorder(path), workload=workload, makers=None)


def run(loop: Loop, ms: int) -> None:
    loop.run(until=time.monotonic_ns() + ms * MILLISECOND)


def test_a_burst_is_pushed_at_once_and_only_once(tmp_path) -> None:
    server, _, producer = producing(tmp_path / "events.jsonl", BURST)
    producer.start(0)
    producer.start(0)
    assert [words[-1] for words in server.asked] == ["m1", "m2", "m3"]
    assert producer.stop() is False


@pytest.mark.parametrize("entry", [0, 1], ids=["a stream under way", "a trigger met too late"])
def test_nothing_is_pushed_after_the_stop(tmp_path, entry: int) -> None:
    path = tmp_path / "events.jsonl"
    server, loop, producer = producing(path, STREAM, BURST)
    producer.start(0)
    run(loop, 10)
    assert producer.stop() is True
    pushed = len(server.asked)
    producer.start(entry)
    run(loop, 10)
    producer.look_for_what_is_left()
    run(loop, 10)
    assert [words[0] for words in server.asked[pushed:]] == ["LRANGE"]
    assert read_events(path)[-1].what == "left"
