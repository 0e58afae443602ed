"""What a person sees while a run goes on: cheap, whole, and safe whatever the files hold."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import param
from rich.console import Console

from netdiag.cli.follow import CellNow, State, told
from netdiag.cli.progress import progress, table
from netdiag.cli.tail import Tail
from netdiag.recording import Event, Recording
from netdiag.scenario.plan import Cell, Plan

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 1_000_000_000


def line(t: int, lane: str, what: str, outcome: str = "info", **data: object) -> bytes:
    return Event(t, lane, what, outcome, data).line()  # type: ignore[arg-type]


START = line(0, "netdiag", "cell", "start", clock="real")
ASLEEP = line(SECOND, "client.app", "sleep", syscall="recvfrom", fd=24)
CUT = line(2 * SECOND, "cable", "fault", "start", fault="cut", verb="blackhole", trigger="blocked")
ERROR = line(5 * SECOND, "client.app", "error", "fail", type="TimeoutError", errno=110,
             message="Timeout reading from socket")
HEALED = line(22 * SECOND, "cable", "fault", "ok", fault="cut")
DONE = line(30 * SECOND, "netdiag", "cell", "ok")
FAILED = line(3 * SECOND, "netdiag", "cell", "fail", reason="the server ended at once")
STORY = (START, ASLEEP, CUT, ERROR, HEALED, DONE)


def after(*lines: bytes) -> CellNow:
    return told(CellNow("a"), [one.rstrip(b"\n") for one in lines])[0]


@pytest.mark.parametrize(("length", "state", "last"), [
    param(0, State.WAITING, "", id="nothing yet"),
    param(1, State.STARTING, "lab is being made", id="began"),
    param(2, State.BLOCKED, "lab is being made", id="asleep"),
    param(3, State.CUT, "fault cut begins: blackhole at blocked", id="cut"),
    param(4, State.CUT, "client got TimeoutError: Timeout reading from socket ETIMEDOUT",
          id="error"),
    param(5, State.HEALED, "fault cut healed", id="healed"),
    param(6, State.DONE, "done", id="done"),
])
def test_a_cell_goes_through_its_states(length: int, state: State, last: str) -> None:
    cell = after(*STORY[:length])
    assert (cell.state, cell.last) == (state, last)


def test_a_failed_cell_says_why_and_stays_failed() -> None:
    cell = after(START, FAILED, CUT, DONE)
    assert cell.state is State.FAILED
    assert after(START, FAILED).last == "failed: the server ended at once"


def test_the_last_thing_is_the_latest_in_time_not_in_writing() -> None:
    late = line(2 * SECOND - 1, "client.app", "connect", "ok")
    assert after(START, CUT, late).last == "fault cut begins: blackhole at blocked"


def test_only_faults_and_ends_are_news() -> None:
    assert told(CellNow("a"), [one.strip() for one in STORY])[1] == [
        "fault cut begins: blackhole at blocked", "fault cut healed", "done"]


@given(st.lists(st.binary(max_size=60)))
def test_lines_of_anything_change_nothing(lines: list[bytes]) -> None:
    assert told(CellNow("a"), lines) == (CellNow("a"), [])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=3))
NAMES = ("fault", "verb", "trigger", "reason", "type", "errno", "message", "code", "id", "command",
         "syscall", "clock")
FIELDS = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, ANYTHING))


@given(st.sampled_from(["netdiag", "cable", "client.app", "server.app"]),
       st.sampled_from(["cell", "fault", "crash", "error", "connect", "exit", "push", "sleep"]),
       st.sampled_from(["start", "ok", "fail", "info"]), FIELDS, ANYTHING)
def test_fields_of_anything_become_printable_words(
    lane: str, what: str, outcome: str, data: dict[str, object], t: object
) -> None:
    row = {"t": t, "lane": lane, "what": what, "outcome": outcome, "data": data}
    cell, news = told(CellNow("a"), [json.dumps(row).encode()])
    assert all(words.isprintable() for words in (cell.last, *news))
    table((cell,), Console(file=io.StringIO(), width=80, height=10), 10 * SECOND)


def test_a_tail_gives_each_line_once_and_waits_for_half_ones(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = Tail(path)
    assert tail.lines() == []
    with path.open("ab", buffering=0) as file:
        file.write(b"one\ntw")
        assert (tail.lines(), tail.lines()) == ([b"one"], [])
        file.write(b"o\nthree\n")
        assert (tail.lines(), tail.lines()) == ([b"two", b"three"], [])


def test_a_tail_never_reads_again_what_it_knows(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"one\n")
    tail = Tail(path)
    assert tail.lines() == [b"one"]
    path.write_bytes(b"ONE\ntwo\n")
    assert tail.lines() == [b"two"]


def test_a_tail_drops_a_line_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"x" * (3 << 20))
    tail = Tail(path)
    assert tail.lines() == []
    with path.open("ab") as file:
        file.write(b"y\ntwo\n")
    assert [len(one) < 10 for one in tail.lines()] == [True, True]


def plan(*names: str) -> Plan:
    cells = tuple(Cell(id=name, index=index, seed=1) for index, name in enumerate(names))
    return Plan(scenario="x", about="", digest="0", seed=1, cells=cells)


def append(recording: Recording, name: str, *lines: bytes) -> None:
    files = recording.cell(name)
    files.make()
    with files.events.open("ab") as file:
        file.write(b"".join(lines))


def console(*, terminal: bool, height: int = 24) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=80, height=height,
                   _environ={}, color_system=None, markup=False, highlight=False)


def shown(where: Console) -> str:
    assert isinstance(where.file, io.StringIO)
    return where.file.getvalue()


def test_off_a_terminal_a_line_tells_each_fault_and_end_once(tmp_path: Path) -> None:
    where, recording = console(terminal=False), Recording(tmp_path)
    with progress(plan("a", "b"), quiet=False, console=where) as follow:
        follow(recording)
        append(recording, "a", START, ASLEEP, CUT)
        follow(recording)
        follow(recording)
        append(recording, "a", HEALED, DONE)
        append(recording, "b", START, FAILED)
        follow(recording)
    assert shown(where).splitlines() == [
        "a: fault cut begins: blackhole at blocked", "a: fault cut healed", "a: done",
        "b: failed: the server ended at once"]


def test_quiet_is_silent(tmp_path: Path) -> None:
    where, recording = console(terminal=True), Recording(tmp_path)
    append(recording, "a", *STORY)
    with progress(plan("a"), quiet=True, console=where) as follow:
        follow(recording)
    assert shown(where) == ""


def test_on_a_terminal_every_cell_has_a_line(tmp_path: Path) -> None:
    where, recording = console(terminal=True), Recording(tmp_path)
    append(recording, "zombie", START, ASLEEP, CUT)
    append(recording, "keepalive", START, ASLEEP)
    with progress(plan("zombie", "keepalive"), quiet=False, console=where,
                  clock=lambda: 6 * SECOND) as follow:
        follow(recording)
    words = shown(where)
    assert "zombie     cut           +4.0 s  fault cut begins: blackhole at blocked" in words
    assert "keepalive  blocked" in words
    assert "2 cells: 1 cut, 1 blocked" in words


def test_a_terminal_is_drawn_anew_when_something_happened_or_a_second_is_over(
    tmp_path: Path,
) -> None:
    where, recording, now = console(terminal=True), Recording(tmp_path), [6.0]
    drawings = []
    append(recording, "a", START)
    with progress(plan("a"), quiet=False, console=where,
                  clock=lambda: round(now[0] * SECOND)) as follow:
        for now[0], lines in ((6.0, ()), (6.2, (ASLEEP,)), (6.4, ()), (6.6, ()), (7.3, ()),
                              (7.4, ())):
            append(recording, "a", *lines)
            before = len(shown(where))
            follow(recording)
            drawings.append(len(shown(where)) > before)
    assert drawings == [True, False, True, False, False, True]


def test_many_cells_fit_and_the_failed_ones_are_among_them() -> None:
    cells = [after(*STORY[:3]) for _ in range(40)]
    cells[38] = after(START, FAILED)
    named = tuple(CellNow(f"c{index}", one.state, one.began, one.fault, one.latest, one.last)
                  for index, one in enumerate(cells))
    where = console(terminal=True, height=12)
    where.print(table(named, where, 5 * SECOND))
    lines = shown(where).splitlines()
    assert len(lines) < 12
    assert any(one.startswith("c38") and "the server ended at once" in one for one in lines)
    assert lines[-1].startswith("40 cells: 1 failed, 39 cut")


def test_a_clock_of_its_own_tells_the_time_since_the_fault() -> None:
    warped = after(line(0, "netdiag", "cell", "start", clock="warp"), CUT, HEALED)
    where = console(terminal=True)
    where.print(table((warped,), where, 10**15))
    assert "+20.0 s" in shown(where)


def test_escape_codes_of_a_client_do_not_reach_the_console(tmp_path: Path) -> None:
    evil = line(3 * SECOND, "netdiag", "cell", "fail", reason="\x1b[2J[red]\u202e\ud800 :bomb:")
    where, recording = console(terminal=False), Recording(tmp_path)
    append(recording, "a", START, evil)
    with progress(plan("a"), quiet=False, console=where) as follow:
        follow(recording)
    assert shown(where) == "a: failed: \\x1b[2J[red]\\u202e\\ud800 :bomb:\n"
