from __future__ import annotations

import errno
import json
import os
import resource
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import param

from netdiag.errors import RecordingError
from netdiag.process import fork
from netdiag.recording import (
    CellFiles,
    Event,
    EventLog,
    Json,
    Recording,
    create,
    find,
    parse_event,
    printable,
    read_events,
    read_object,
    read_told,
    write_whole,
)

GOOD = Event(5, "client.app", "call", "start", {"command": "BRPOP"})

scalars = st.none() | st.booleans() | st.integers() | st.text()
data = st.dictionaries(st.text(), scalars | st.lists(scalars))
events = st.builds(Event, st.integers(-(1 << 62), 1 << 62), st.text(), st.text(), st.text(), data)


@given(events)
def test_an_event_survives_its_line(event: Event) -> None:
    line = event.line()
    assert parse_event(line) == event
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert all(byte >= 0x20 for byte in line[:-1])


@given(st.binary() | events.map(Event.line), st.integers(0, 200), st.binary(max_size=3))
def test_no_bytes_disturb_a_reader(line: bytes, at: int, put: bytes) -> None:
    parsed = parse_event(line[:at] + put + line[at + len(put) :])
    assert parsed is None or isinstance(parsed, Event)


@pytest.mark.parametrize(
    "line",
    [
        param(GOOD.line()[:-9], id="cut by a crash"),
        param(b"", id="nothing"),
        param(b"[]", id="no object"),
        param(b"{}", id="no fields"),
        param(b"[" * 100_000, id="too deep"),
        param(b'{"t":Infinity,"lane":"a","what":"b","outcome":"c","data":{}}', id="no time"),
        param(b'{"t":1e400,"lane":"a","what":"b","outcome":"c","data":{}}', id="no number"),
        param(b'{"t":true,"lane":"a","what":"b","outcome":"c","data":{}}', id="true is no time"),
        param(b'{"t":%d,"lane":"a","what":"b","outcome":"c","data":{}}' % (1 << 63), id="too late"),
        param(b'{"t":1,"lane":["a"],"what":"b","outcome":"c","data":{}}', id="a lane is a name"),
        param(b'{"t":1,"lane":"a","what":{},"outcome":"c","data":{}}', id="what is a word"),
        param(b'{"t":1,"lane":"a","what":"b","outcome":"c","data":[]}', id="data is an object"),
        param(b'{"t":' + b"9" * 5000 + b"}", id="a number without end"),
        param('{"t":1,"lane":"\ud800"}'.encode("utf-8", "surrogatepass"), id="no UTF-8"),
    ],
)
def test_a_line_that_is_no_event_is_none(line: bytes) -> None:
    assert parse_event(line) is None


def test_events_come_in_the_order_of_their_times_and_damage_costs_one_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = [Event(t, "cable", "note").line() for t in (3, 1, 2)]
    path.write_bytes(lines[0] + b"\0\xff garbage\r\n" + lines[1] + lines[2] + GOOD.line()[:-5])
    assert [event.t for event in read_events(path)] == [1, 2, 3]
    assert read_told(path).damage == {2: "cannot be read"}


def test_only_a_last_line_that_was_cut_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    cut = GOOD.line()[:-5]
    for end, damage in ((b"", {}), (cut, {}), (cut + b"\n", {2: "cannot be read"})):
        path.write_bytes(GOOD.line() + end)
        told = read_told(path)
        assert ([one.t for one in told.events], told.damage) == ([GOOD.t], damage)


@pytest.mark.parametrize(("lane", "what", "data", "wrong", "kept"), [
    param("netdiag", "cell", {"tick": "250", "clock": "real"}, "tick is no whole number",
          {"clock": "real"}, id="text for a number"),
    param("client.kernel", "socket", {"state": ["ESTABLISHED"], "orphan": 1},
          "state is no text; orphan is no true or false", {}, id="two of one line"),
    param("netdiag", "cell", {"wall_offset": 1 << 70}, "wall_offset is no whole number", {},
          id="a number that is no time"),
    param("cable", "fault", {"packet": True}, "packet is no whole number", {}, id="no number"),
    param("cable", "fault", {"packet": None, "other": {}}, "", {"packet": None, "other": {}},
          id="may be null, and what nobody knows is left alone"),
    param("client.app", "error", {"errno": "ETIMEDOUT"}, "", {"errno": "ETIMEDOUT"},
          id="a client's own words"),
])
def test_a_field_of_another_type_is_told_and_left_out(
    lane: str, what: str, data: dict[str, Json], wrong: str, kept: dict[str, Json], tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(GOOD.line() + Event(GOOD.t + 1, lane, what, "info", data).line())
    told = read_told(path)
    assert told.damage == ({2: wrong} if wrong else {})
    assert told.events[1].data == kept


def test_a_cell_that_never_began_has_no_events(tmp_path: Path) -> None:
    assert read_events(tmp_path / "none.jsonl") == ()


def test_events_that_cannot_be_read_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read: Is a directory"):
        read_events(tmp_path)


def test_a_log_keeps_what_was_there_and_adds(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for t in (1, 2):
        log = EventLog(path)
        log.write(Event(t, "cable", "note"))
        log.close()
    assert [event.t for event in read_events(path)] == [1, 2]


def test_half_a_line_is_taken_back_when_the_disk_is_full(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"

    def fill() -> int:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        log = EventLog(path)
        log.write(GOOD)
        size = path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, resource.RLIM_INFINITY))
        for _ in range(2):
            try:
                log.write(GOOD)
            except OSError as err:
                assert err.errno == errno.ENOSPC
            else:
                return 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        log.write(Event(6, "netdiag", "cell", "fail"))
        return 0

    assert fork(fill, "fill").wait() == 0
    assert [event.t for event in read_events(path)] == [5, 6]


# directories


def test_a_recording_is_the_latest_once_its_plan_is_saved(tmp_path: Path) -> None:
    first = create(tmp_path, "name", now=0)
    first.save_plan({"cells": []})
    second = create(tmp_path, "name", now=0)
    assert find(tmp_path / "name") == first
    second.save_plan({"cells": [1]})
    assert find(tmp_path / "name") == second
    assert find(first.root) == first
    assert find(tmp_path / "name").load_plan() == {"cells": [1]}
    assert (tmp_path / "name" / "latest").readlink() == Path(second.root.name)


def test_a_link_that_was_left_half_way_is_no_obstacle(tmp_path: Path) -> None:
    made = create(tmp_path, "name")
    (tmp_path / "name" / f".latest-{os.getpid()}").symlink_to("nowhere")
    made.save_plan({})
    assert find(tmp_path / "name") == made
    assert sorted(path.name for path in (tmp_path / "name").iterdir()) == [made.root.name, "latest"]


def test_recordings_of_one_second_do_not_meet(tmp_path: Path) -> None:
    made = [create(tmp_path, "name", now=0).root.name for _ in range(999)]
    assert len(set(made)) == 999
    assert (made[1], made[998]) == (f"{made[0]}-2", f"{made[0]}-999")
    with pytest.raises(RecordingError, match="holds 999 recordings of this second; run again"):
        create(tmp_path, "name", now=0)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match=r"under .*file/below: Not a directory; .*--out"):
        create(tmp_path / "file" / "below", "name")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        param((), "no such directory", id="nothing"),
        param(("x/notes.txt",), "not a recording", id="some directory"),
        param(("x/latest/notes.txt",), "not a recording", id="a latest without a plan"),
        param(("x/plan.json/deep",), "not a recording", id="a plan that is a directory"),
    ],
)
def test_what_is_no_recording_is_said(tmp_path: Path, made: tuple[str, ...], words: str) -> None:
    for name in made:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
    with pytest.raises(RecordingError, match=words):
        find(tmp_path / "x")


@pytest.mark.parametrize("name", ["a" * 300, "nul\0inside"], ids=["too long", "impossible"])
def test_a_name_that_no_file_can_have_is_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError):
        find(tmp_path / name)


def test_a_ring_of_links_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to("latest")
    with pytest.raises(RecordingError, match="not a recording"):
        find(tmp_path)


@pytest.mark.parametrize("name", ["", ".", "..", "../../etc", "/etc", "a/b", "a\0b"])
def test_a_cells_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match="is no name of a cell"):
        Recording(tmp_path).cell(name)


def test_a_cells_files(tmp_path: Path) -> None:
    files = Recording(tmp_path).cell("zombie")
    files.make()
    files.make()
    assert files.logs.is_dir()
    assert files == CellFiles(tmp_path / "cells" / "zombie")
    assert (files.events.name, files.tape.name) == ("events.jsonl", "tape.pcapng")


# JSON


@pytest.mark.parametrize(
    ("content", "words"),
    [
        param(b"", "not JSON", id="empty"),
        param(b'{"half": ', "not JSON", id="cut"),
        param(b"\xff\xfe{}", "not JSON", id="no UTF-8"),
        param(b"[" * 100_000, "not JSON", id="too deep"),
        param(b"[1, 2]", "holds no JSON object", id="a list"),
        param(b"null", "holds no JSON object", id="null"),
    ],
)
def test_damaged_json_is_a_sentence_with_its_place(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=words) as caught:
        read_object(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_json_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "analysis.json"
    write_whole(path, {"version": 1})

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, {"version": 2})
    monkeypatch.undo()
    assert read_object(path) == {"version": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["analysis.json"]
    write_whole(path, {"version": 3})
    assert json.loads(path.read_text()) == {"version": 3}


@given(st.text(alphabet=st.characters(exclude_characters="\0")))
def test_a_path_is_shown_without_disturbing_a_terminal(name: str) -> None:
    assert printable(Path(name)).isprintable()


def test_a_hostile_name_is_shown_escaped() -> None:
    assert printable(Path("a\x1b[2Jb\nc\udcff")) == r"a\x1b[2Jb\nc\udcff"
