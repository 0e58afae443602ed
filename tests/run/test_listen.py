"""Whatever a client says becomes events, and nothing it says disturbs the cell."""

from __future__ import annotations

import json
import os
import time

import pytest
from pytest import param

from netdiag.event_data import CLIENTS_WORDS
from netdiag.recording import Event, read_events
from netdiag.run.listen import ClientVoice
from netdiag.run.recorder import Recorder

PIPE = 32768


class Ear:
    """A ClientVoice with both ends of its pipe, and what it recorded."""

    def __init__(self, path):
        self.path = path
        self.reading, self.writing = os.pipe()
        self.heard: list[str] = []
        self.voice = ClientVoice(self.reading, Recorder(path), self.heard.append)

    def says(self, data: bytes) -> bool:
        """The client writes this, as far as a pipe holds it by one write, and is heard."""
        for at in range(0, len(data), PIPE):
            os.write(self.writing, data[at : at + PIPE])
            going = self.voice.ready()
        return going

    @property
    def events(self) -> list[Event]:
        return list(read_events(self.path))

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(event.what, event.outcome) for event in self.events]

    @property
    def garbage(self) -> list[object]:
        return [event.data["text"] for event in self.events if event.what == "garbage"]


@pytest.fixture
def ear(tmp_path):
    ear = Ear(tmp_path / "events.jsonl")
    yield ear
    os.close(ear.reading)


def line(what: str = "call", outcome: str = "start", **fields: object) -> bytes:
    row = {"t": time.monotonic_ns(), "what": what, "outcome": outcome, **fields}
    return json.dumps(row).encode() + b"\n"


@pytest.mark.parametrize("what", sorted(CLIENTS_WORDS))
def test_a_word_of_the_contract_is_an_event_with_the_clients_own_time(ear, what):
    t = time.monotonic_ns()
    assert ear.says(line(what, "ok", t=t, data={"id": "m1"}))
    assert ear.events == [Event(t, "client.app", what, "ok", {"id": "m1"})]
    assert ear.heard == [what]


def test_the_time_may_be_left_out_and_is_when_the_line_was_read(ear):
    before = time.monotonic_ns()
    ear.says(b'{"what": "call", "outcome": "start"}\n')
    assert before <= ear.events[0].t <= time.monotonic_ns()


@pytest.mark.parametrize(("said", "why"), [
    (b"hello\n", "no JSON"),
    (b"[]\n", "no JSON object"),
    (b'{"what": "sing", "outcome": "ok"}\n', "`what` is no word of the contract"),
    (b'{"what": "got", "outcome": "done"}\n', "`outcome` is none of start, ok, fail, info"),
    (b'{"what": "got", "outcome": "ok", "data": "m1"}\n', "`data` is no object"),
    (b'{"what": "got", "outcome": "ok", "t": "now"}\n', "`t` is no whole number"),
])
def test_what_is_wrong_with_a_line_is_said(ear, said, why):
    ear.says(said)
    assert ear.events[0].data["why"] == why


def test_data_may_be_left_out(ear):
    ear.says(line("reconnect", "info"))
    assert ear.events[0].data == {}


def test_lines_may_come_in_pieces_and_several_at_a_time(ear):
    whole = line("call") + line("got", "ok", data={"id": "m1"}) + line("return", "ok")
    for piece in (whole[:10], whole[10:75], whole[75:-1], whole[-1:]):
        ear.says(piece)
    assert ear.heard == ["call", "got", "return"]


GARBAGE = [
    param(b"Traceback (most recent call last):\n", id="text"),
    param(b"\n", id="empty line"),
    param(b"\xff\xfe\x00\n", id="no UTF-8"),
    param(b"[]\n", id="no object"),
    param(b"5\n", id="a number"),
    param(b'{"t": 1.5, "what": "call", "outcome": "start"}\n', id="time is no integer"),
    param(b'{"t": NaN, "what": "call", "outcome": "start"}\n', id="not a number"),
    param(b'{"t": 1, "what": "sing", "outcome": "start"}\n', id="no such word"),
    param(b'{"t": 1, "what": ["call"], "outcome": "start"}\n', id="no word"),
    param(b'{"t": 1, "what": "call", "outcome": "great"}\n', id="no such outcome"),
    param(b'{"t": 1, "what": "call", "outcome": "start", "data": 1}\n', id="data is no object"),
    param(b'{"t": 1, "what": "got", "outcome": "ok", "data": {"x": Infinity}}\n', id="infinite"),
    param(b'{"t": ' + b"9" * 5000 + b"}\n", id="a number of 5000 digits"),
    param(b"[" * 100_000 + b"\n", id="100,000 levels"),
]


@pytest.mark.parametrize("said", GARBAGE)
def test_anything_else_is_garbage_cut_and_escaped(ear, said):
    ear.says(said)
    ear.says(line("call"))
    assert {event.what for event in ear.events} == {"garbage", "call"}
    assert ear.heard == ["call"]
    text = str(ear.garbage[0])
    assert text.isascii()
    assert text.isprintable()
    assert len(text) <= 4 * 200


@pytest.mark.parametrize("levels", range(900, 1000, 7))
def test_no_depth_of_data_is_too_much(ear, levels):
    nested = b'{"x": ' * levels + b"1" + b"}" * levels
    ear.says(b'{"t": 1, "what": "got", "outcome": "ok", "data": ' + nested + b"}\n")
    assert [event.what for event in ear.events] in (["got"], ["garbage"])


def test_only_so_much_garbage_is_kept_and_words_still_count(ear):
    for _ in range(100):
        ear.says(b"blah\n" * 50)
    ear.says(line("call"))
    assert len(ear.garbage) == 20
    assert ear.heard == ["call"]


def test_a_line_without_an_end_does_not_grow_for_ever(ear):
    for _ in range(10):
        ear.says(b"x" * 60_000)
    assert len(ear.garbage) >= 4
    ear.says(b"\n" + line("call"))
    assert ear.heard == ["call"]


CLOCKS = [
    param(lambda: 0, id="no clock"),
    param(lambda: -5, id="before time"),
    param(time.time_ns, id="the wall's"),
    param(lambda: 10**30, id="the far future"),
    param(lambda: True, id="a truth"),
]


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_clock_that_lies_is_replaced_by_ours(ear, clock):
    before = time.monotonic_ns()
    ear.says(line(t=clock()))
    assert before <= ear.events[0].t <= time.monotonic_ns()


def test_what_was_said_before_anybody_listened_keeps_its_time(tmp_path):
    said = line("connect")
    t = json.loads(said)["t"]
    ear = Ear(tmp_path / "events.jsonl")
    ear.says(said)
    assert ear.events[0].t == t
    os.close(ear.reading)


def test_the_end_of_the_pipe_is_told_and_a_half_line_is_garbage(ear):
    os.write(ear.writing, line("call") + b'{"t": 1')
    os.close(ear.writing)
    assert ear.voice.ready()
    assert not ear.voice.ready()
    assert sorted(ear.told) == [("call", "start"), ("garbage", "fail")]
    assert ear.garbage == ['{"t": 1']


def test_last_words_are_all_that_is_still_in_the_pipe(ear):
    for _ in range(500):
        os.write(ear.writing, line("call"))
    ear.voice.last_words()
    assert len(ear.heard) == 500


def test_last_words_of_a_client_that_left_its_pipe_to_a_child_do_not_wait_for_it(ear):
    os.write(ear.writing, line("call"))
    ear.voice.last_words()
    assert ear.heard == ["call"]
