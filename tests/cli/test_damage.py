"""Recordings that are damaged anywhere: shown as far as they can be, and told where it is."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.event_data import CLIENTS_WORDS, FIELDS
from netdiag.recording import LANES, OUTCOMES, Event, Recording
from tests.analysis.recorded import RECORDINGS, plan_of

from .calling import Called, call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASS, FAIL, UNKNOWN, DAMAGED = 0, 1, 2, 64
NAME, CELL = "reply-lost", "reply-lost"

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 1 << 62, 1 << 63, 10**300, 10**400, "", "x", "\ud800", "\x1b[2J"])
    | st.floats()
    | st.text(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner,
                                                               max_size=3),
    max_leaves=6,
)
unhurried = settings(
    deadline=None, max_examples=int(os.environ.get("NETDIAG_EXAMPLES", "40")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    shutil.copytree(RECORDINGS / NAME / "cells", tmp_path / "cells")
    made = Recording(tmp_path)
    made.save_plan(plan_of(NAME).to_json())
    return made


def shown(recording: Recording) -> Called:
    """What `report` prints; a traceback is raised here."""
    told = call("report", str(recording.root))
    assert "Traceback" not in told.out + told.error
    assert "the judge crashed" not in told.out
    assert told.out.isprintable() or all(c.isprintable() or c == "\n" for c in told.out)
    return told


@cache
def lines() -> tuple[bytes, ...]:
    path = Recording(RECORDINGS / NAME).cell(CELL).events
    return tuple(path.read_bytes().splitlines())


def places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Every place in a JSON value."""
    yield path
    if isinstance(value, dict):
        for key, one in value.items():
            yield from places(one, (*path, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from places(one, (*path, index))


def put(value: Any, path: tuple[Any, ...], new: object) -> object:
    if not path:
        return new
    holder = value
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = new
    return value


@unhurried
@given(st.data())
def test_any_value_anywhere_in_an_event_is_told_or_harmless(
    recording: Recording, data: st.DataObject
) -> None:
    held = list(lines())
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(held) - 1))
        event = json.loads(lines()[number])
        path = data.draw(st.sampled_from(list(places(event))))
        held[number] = json.dumps(put(event, path, data.draw(values))).encode()
    recording.cell(CELL).events.write_bytes(b"\n".join(held) + b"\n")
    assert shown(recording).code in (PASS, FAIL, UNKNOWN)


names = sorted({*FIELDS, *CLIENTS_WORDS, "ready", "end", "overrun"})
fields = sorted({name for kinds in FIELDS.values() for name in kinds} | {"local", "answer"})
words = st.sampled_from(["", "m1", "cut", "active", "healed", "SIGSTOP", "pause", "ESTABLISHED",
                         "FIN-WAIT-1", "none", "10.0.0.1:40000", "6.18", "virtual"])
plausible = (
    words | st.integers(-2, 1 << 40) | st.booleans() | st.lists(words, max_size=3)
    | st.dictionaries(words, words | st.integers(0, 9), max_size=3)
    | st.lists(st.dictionaries(st.sampled_from(["addr", "id", "flags"]), words), max_size=2)
)
strange = st.builds(
    Event, st.integers(0, 1 << 50), st.sampled_from(LANES), st.sampled_from(names),
    st.sampled_from(OUTCOMES),
    st.dictionaries(st.sampled_from(fields), values | plausible, max_size=9),
)


@unhurried
@given(st.lists(strange, min_size=1, max_size=4))
def test_events_that_no_netdiag_writes_are_told_or_harmless(
    recording: Recording, found: list[Event]
) -> None:
    first = json.loads(lines()[0])["t"]
    later = [replace(event, t=first + event.t % 40_000_000_000) for event in found]
    whole = b"\n".join(lines()) + b"\n" + b"".join(event.line() for event in later)
    recording.cell(CELL).events.write_bytes(whole)
    assert shown(recording).code in (PASS, FAIL, UNKNOWN)


@unhurried
@given(st.data())
def test_any_value_anywhere_in_a_plan_is_told_with_its_place(
    recording: Recording, data: st.DataObject
) -> None:
    plan = plan_of(NAME).to_json()
    path = data.draw(st.sampled_from(list(places(plan))))
    text = json.dumps(put(json.loads(json.dumps(plan)), path, data.draw(values)))
    recording.plan_file.write_text(text, encoding="utf-8")
    told = shown(recording)
    assert told.code in (PASS, FAIL, UNKNOWN, DAMAGED)
    if told.code == DAMAGED:
        assert "plan.json: " in told.error


@unhurried
@given(st.data())
def test_any_bytes_anywhere_in_a_tape_are_told_or_harmless(
    recording: Recording, data: st.DataObject
) -> None:
    tape = recording.cell(CELL).tape
    raw = bytearray((RECORDINGS / NAME / "cells" / CELL / "tape.pcapng").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        piece = data.draw(st.binary(min_size=1, max_size=8))
        raw[at : at + len(piece)] = piece
    tape.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    assert shown(recording).code in (PASS, FAIL, UNKNOWN)


def loop(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def huge_line(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"t":' + b"[" * 5_000_000 + b"\n")


HARM = {
    "missing": lambda path: path.unlink(),
    "zero bytes": lambda path: path.write_bytes(b""),
    "a symlink loop": loop,
    "a folder": folder,
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe" + path.read_bytes()),
    "cut in the middle": lambda path: path.write_bytes(path.read_bytes()[: -path.stat().st_size
                                                                          // 2]),
    "a huge line": huge_line,
}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize(("file", "code"), [
    param("plan", DAMAGED, id="plan"), param("events", UNKNOWN, id="events"),
    param("tape", UNKNOWN, id="tape")])
def test_a_file_that_is_not_what_it_should_be_is_named(
    file: str, code: int, harm: str, recording: Recording
) -> None:
    path = {"plan": recording.plan_file, "events": recording.cell(CELL).events,
            "tape": recording.cell(CELL).tape}[file]
    HARM[harm](path)
    told = shown(recording)
    assert told.code == code
    words = " ".join((told.out + told.error).split()).replace("- ", "-")
    unheard = {"missing": "the cell never began", "zero bytes": "the cell never began",
               "cut in the middle": "the cell was interrupted before its end"}
    assert (unheard.get(harm, file) if file == "events" else file) in words


def test_a_cells_folder_that_cannot_be_entered_is_named(recording: Recording) -> None:
    cell = recording.root / "cells" / CELL
    shutil.rmtree(cell)
    loop(cell)
    told = shown(recording)
    assert told.code == UNKNOWN
    assert "Too many levels of symbolic links" in " ".join(told.out.split())


def test_a_plan_of_deep_nesting_or_without_cells_is_refused(recording: Recording) -> None:
    plan = plan_of(NAME).to_json()
    plan["cells"][0]["workload"] = json.loads("[" * 900 + "]" * 900)
    for text in (json.dumps(plan), json.dumps({**plan, "cells": []}), "[" * 100_000):
        recording.plan_file.write_text(text)
        assert shown(recording).code == DAMAGED
