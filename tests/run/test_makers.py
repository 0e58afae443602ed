"""Messages that a stack's own producer makes: each run of its command, and how it ended."""

from __future__ import annotations

import time
from contextlib import ExitStack

from netdiag.errors import LabError
from netdiag.process import fork
from netdiag.recording import read_told
from netdiag.run.loop import Loop
from netdiag.run.makers import LOG, Makers
from netdiag.run.recorder import Recorder
from netdiag.scenario.workload import Maker


class Stack:
    """A lab whose services are this machine's own processes."""

    def start_in(self, service, main, name):
        if service != "web":
            raise LabError(f"no service {service!a} runs in this stack; there are web")
        return fork(main, name)


def told(tmp_path, *makers: Maker) -> list[dict]:
    loop = Loop()
    with ExitStack() as undo:
        made = Makers(Stack(), loop, Recorder(tmp_path / "events.jsonl"), logs=tmp_path, undo=undo)
        for maker in makers:
            made.make(maker)
        ends = sum(maker.service == "web" for maker in makers)
        limit = time.monotonic_ns() + 10_000_000_000
        while ends and time.monotonic_ns() < limit:
            loop.run(until=time.monotonic_ns() + 20_000_000)
            events = read_told(tmp_path / "events.jsonl").events
            ends = 2 * len(makers) - len(events)
    return [{"outcome": one.outcome, **one.data} for one in events if one.outcome != "start"]


def test_a_command_is_run_and_its_exit_code_recorded(tmp_path):
    ends = told(tmp_path, Maker(service="web", run=("sh", "-c", "echo order; exit 3")),
                Maker(service="web", run=("true",)))
    assert {one["number"]: (one["outcome"], one["code"]) for one in ends} == {
        1: ("fail", 3), 2: ("ok", 0)}
    assert (tmp_path / LOG).read_text() == "order\n"


def test_a_command_that_is_not_there_says_so_in_the_log(tmp_path):
    (end,) = told(tmp_path, Maker(service="web", run=("no-such-program",)))
    assert (end["outcome"], end["code"]) == ("fail", 127)
    assert "no-such-program: cannot be run" in (tmp_path / LOG).read_text()


def test_a_service_that_is_not_there_is_a_sentence(tmp_path):
    made = Makers(Stack(), Loop(), Recorder(tmp_path / "events.jsonl"), logs=tmp_path,
                  undo=ExitStack())
    made.make(Maker(service="wbe", run=("true",)))
    (_, end) = read_told(tmp_path / "events.jsonl").events
    assert end.outcome == "fail"
    assert "no service 'wbe' runs in this stack; there are web" in end.data["reason"]
