"""A cell, put together; and everything that makes it UNKNOWN."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pytest import param

from netdiag.analysis import Analysis, CellAnalysis, Outcome, analyse, model
from netdiag.analysis.cell import analyse_cell
from netdiag.analysis.fields import ABOUT
from netdiag.analysis.schema import analysis_schema
from netdiag.cable.tape import Tape
from netdiag.catalogue.clients import ServiceClient
from netdiag.recording import CellFiles, Event, read_events
from netdiag.scenario.expectation import Compare, ErrorIs, Expectation, Flag
from netdiag.scenario.formula import Number
from netdiag.tcp.blocks import statistics_block

from .recorded import RECORDINGS, analysed, copy, event, files, plan_of

if TYPE_CHECKING:
    from netdiag.scenario import Cell

NAMES = sorted(path.name for path in RECORDINGS.iterdir() if path.is_dir())


@pytest.mark.parametrize(("name", "outcomes"), [
    param("brpop-zombie", {"zombie": "PASS", "keepalive": "PASS", "read-timeout": "PASS"}),
    param("reply-lost", {"reply-lost": "PASS"}),
    param("request-in-flight", {"default-retries": "PASS", "five-retries": "PASS"}),
    param("missed", {"missed": "UNKNOWN"}),
    param("healthy", {"patient": "PASS", "hasty": "PASS"}),
    param("repeats", {f"kept~{number}": "PASS" for number in range(1, 6)}),
], ids=lambda value: value if isinstance(value, str) else "")
def test_stored_recordings_keep_their_outcomes(name: str, outcomes: dict[str, str]) -> None:
    assert {cell.id: cell.outcome.value for cell in analysed(name).cells} == outcomes


@pytest.mark.parametrize("name", NAMES)
def test_the_same_recording_gives_the_same_json(name: str) -> None:
    again = analyse(copy_free(name), plan_of(name))
    assert json.dumps(again.to_json()) == json.dumps(analysed(name).to_json())


def copy_free(name: str) -> Any:
    from netdiag.recording import Recording  # noqa: PLC0415

    return Recording(RECORDINGS / name)


Spoil = Callable[[list[Event]], list[Event]]


def without(*whats: str) -> Spoil:
    return lambda events: [one for one in events if one.what not in whats]


def with_(*more: Event) -> Spoil:
    return lambda events: [*events, *more]


def summary(**changed: object) -> Spoil:
    """The cable's last word on its fault, changed."""
    return lambda events: [
        Event(one.t, one.lane, one.what, one.outcome, {**one.data, **changed})  # type: ignore[dict-item]
        if one.what == "fault_summary" else one for one in events]


def spoilt(tmp_path: Path, change: Spoil) -> CellAnalysis:
    recording = copy("brpop-zombie", tmp_path)
    held = recording.cell("zombie")
    events = change(list(read_events(held.events)))
    held.events.write_bytes(b"".join(one.line() for one in events))
    return analyse(recording, plan_of("brpop-zombie")).cells[0]


@pytest.mark.parametrize(("change", "why"), [
    param(lambda events: [], "the cell never began", id="no event"),
    param(lambda events: [one for one in events if (one.what, one.outcome) != ("cell", "ok")],
          "the cell was interrupted before its end", id="no end"),
    param(with_(event(1e6, "netdiag", "cell", "fail", reason="no memory left")), "no memory left",
          id="failed"),
    param(with_(event(1, "cable", "crash", "fail", code=-9)),
          "the cable ended before the cell did (code -9)", id="the cable died"),
    param(lambda events: list(without("fault")(summary(
              why_not="no packet reached the phase")(events))),
          "fault cut never took effect: no packet reached the phase", id="missed"),
    param(without("fault", "fault_summary"),
          "fault cut never took effect: its trigger never came", id="missed, and nothing said"),
    param(summary(unhealed="error never came"), "fault cut was never healed: error never came",
          id="never healed"),
    param(with_(event(1, "cable", "signal_summary", signal="0", trigger="error",
                      why_not="error never came")),
          "entry 1 of produce never began: error never came", id="nothing was produced"),
    param(summary(taken={}), "fault cut took effect but touched no packet", id="touched nothing"),
    param(lambda events: [*without("call", "connect")(events), event(
              1, "client.app", "exit", "fail", code=1, said="No module named redis")],
          "the client ended with code 1 before its first call: No module named redis; see "
          "logs/client.log of the cell", id="the client never began"),
])
def test_what_makes_a_cell_unknown(change: Spoil, why: str, tmp_path: Path) -> None:
    cell = spoilt(tmp_path, change)
    assert cell.outcome is Outcome.UNKNOWN
    assert why in cell.unknown


@pytest.mark.parametrize("told", [
    param({"signal": "0", "why_not": None}, id="another cable gave it"),
    param({"signal": "7", "why_not": "error never came"}, id="not this cell's"),
])
def test_a_producer_that_began_anywhere_is_no_reason(told: dict[str, Any], tmp_path: Path) -> None:
    never = event(1, "cable", "signal_summary", signal="0", why_not="error never came")
    first = [never] if told["signal"] == "0" else []
    zombie = spoilt(tmp_path, with_(*first, event(1, "cable", "signal_summary", **told)))
    assert zombie.outcome is Outcome.PASS


@pytest.mark.parametrize(("first", "count", "why"), [
    param(20, 6, "events.jsonl is damaged in 6 lines: line 21 cannot be read, line 22 cannot be "
                 "read, line 23 cannot be read, ...", id="in the middle"),
    param(20, 1, "events.jsonl is damaged: line 21 cannot be read", id="a single one"),
    param(0, None, "line 1 cannot be read, line 2 cannot be read, line 3 cannot be read, ...",
          id="all of them"),
])
def test_events_that_cannot_be_read_make_a_cell_unknown(
    first: int, count: int | None, why: str, tmp_path: Path
) -> None:
    """What they said would be missing in every verdict, so that none of them may be green."""
    recording = copy("brpop-zombie", tmp_path)
    held = recording.cell("zombie").events
    lines = held.read_bytes().splitlines(keepends=True)
    lost = len(lines) if count is None else count
    lines[first : first + lost] = [b"garbage\n"] * lost
    held.write_bytes(b"".join(lines))
    zombie, *others = analyse(recording, plan_of("brpop-zombie")).cells
    assert zombie.outcome is Outcome.UNKNOWN
    assert zombie.unknown[0].endswith(why)
    assert [cell.outcome for cell in others] == [Outcome.PASS, Outcome.PASS]


def test_frames_that_the_recorder_lost_make_a_cell_unknown(tmp_path: Path) -> None:
    recording = copy("brpop-zombie", tmp_path)
    tape = recording.cell("zombie").tape
    tape.write_bytes(tape.read_bytes()[:-40])
    zombie, *others = analyse(recording, plan_of("brpop-zombie")).cells
    assert zombie.outcome is Outcome.UNKNOWN
    (why,) = zombie.unknown
    assert re.fullmatch(
        r"frames may be missing on the tape: what stands at its byte \d+ is no whole block", why)
    assert [cell.outcome for cell in others] == [Outcome.PASS, Outcome.PASS]


def lossy(tape: Path) -> None:
    """Let a tape say that the kernel dropped three frames."""
    tape.write_bytes(tape.read_bytes() + statistics_block(0, 0, received=9, dropped=3))


DROPPED = "the kernel dropped 3 frames before the cable could see them"


def test_frames_that_the_kernel_dropped_make_a_cell_unknown(tmp_path: Path) -> None:
    recording = copy("brpop-zombie", tmp_path)
    lossy(recording.cell("zombie").tape)
    zombie, *others = analyse(recording, plan_of("brpop-zombie")).cells
    assert (zombie.outcome, zombie.unknown) == (Outcome.UNKNOWN, (DROPPED,))
    assert [cell.outcome for cell in others] == [Outcome.PASS, Outcome.PASS]


def two_clients(root: Path) -> tuple[Cell, CellFiles]:
    """The zombie's cell with two clients, a and b, to whom the same happened."""
    held = copy("brpop-zombie", root).cell("zombie")
    events = list(read_events(held.events))
    shared = ("netdiag", "server.app")
    told = [replace(one, who="" if one.lane in shared else who) for one in events
            for who in (("a",) if one.lane in shared else ("a", "b"))]
    held.events.write_bytes(b"".join(one.line() for one in told))
    for who in ("a", "b"):
        held.tape_of(who).write_bytes(held.tape.read_bytes())
    cell = plan_of("brpop-zombie").cells[0]
    return replace(cell, clients=dict.fromkeys(("a", "b"), cell.client)), held


@pytest.mark.parametrize(("spoil", "why"), [
    param(lambda held: lossy(held.tape_of("b")), DROPPED, id="frames that the kernel dropped"),
    param(lambda held: held.tape_of("b").unlink(), "frames may be missing on the tape: there is "
          "none", id="a tape that is gone"),
    param(lambda held: held.events.write_bytes(b"".join(
              one.line() for one in read_events(held.events)
              if (one.who, one.what) not in (("b", "fault"), ("b", "fault_summary")))),
          "fault cut never took effect: its trigger never came", id="a fault that missed"),
])
def test_what_one_client_lacks_makes_the_cell_unknown_for_the_others(
    spoil: Callable[[CellFiles], object], why: str, tmp_path: Path
) -> None:
    """The messages are everybody's, and so is the experiment."""
    cell, held = two_clients(tmp_path)
    assert [view.outcome for view in analyse_cell(cell, held)] == [Outcome.PASS] * 2
    spoil(held)
    a, b = analyse_cell(cell, held)
    assert (a.outcome, a.unknown) == (Outcome.UNKNOWN, (f"client b: {why}",))
    assert (b.outcome, b.unknown) == (Outcome.UNKNOWN, (why,))


def of_a_service(root: Path, *silent: str) -> tuple[Cell, CellFiles]:
    """A recorded cell as if its client had been a service, which says none of these words."""
    held = copy("brpop-zombie", root).cell("read-timeout")
    events = read_events(held.events)
    held.events.write_bytes(b"".join(one.line() for one in events if one.what not in silent))
    cell = next(one for one in plan_of("brpop-zombie").cells if one.id == "read-timeout")
    return replace(cell, clients={"client": ServiceClient()}), held


WORDS = ("connect", "disconnect", "call", "return", "got", "error", "reconnect", "processed")


@pytest.mark.parametrize(("kind", "bound", "outcome", "measured"), [
    param("reconnects_per_minute", Compare("<=", Number(1.0)), "FAIL", "5.95", id="it reconnects"),
    param("no_false_timeout", Flag(holds=True), "UNKNOWN", "not measurable", id="no words"),
    param("error", ErrorIs(), "UNKNOWN", "not measurable", id="no error is none"),
    param("lost", Compare("==", Number(0.0)), "PASS", "0", id="what it took is not lost"),
    param("late", Compare("==", Number(0.0)), "PASS", "0", id="nor late"),
])
def test_a_service_is_judged_by_the_wire(
    kind: str, bound: Any, outcome: str, measured: str, tmp_path: Path
) -> None:
    cell, held = of_a_service(tmp_path, *WORDS)
    wanted = Expectation(kind=kind, bound=bound, text="")
    (told,) = analyse_cell(replace(cell, expect=(wanted,)), held)
    (verdict,) = told.verdicts
    assert (verdict.outcome.value, verdict.measured) == (outcome, measured)
    assert told.outcome is verdict.outcome


def test_a_service_that_sent_nothing_makes_a_cell_unknown(tmp_path: Path) -> None:
    cell, held = of_a_service(tmp_path, *WORDS, "fault", "fault_summary")
    empty = Tape(held.tape, wall_offset=0, about="")
    empty.close(0, (0, 0))
    (told,) = analyse_cell(replace(cell, faults=()), held)
    (why,) = told.unknown
    assert "the service sent nothing to the server" in why


def test_a_block_of_the_tape_that_is_damaged_makes_a_cell_unknown(tmp_path: Path) -> None:
    """A frame that claims to be longer than its block: it was on the wire, and cannot be read."""
    recording = copy("brpop-zombie", tmp_path)
    tape = recording.cell("zombie").tape
    raw = bytearray(tape.read_bytes())
    at = raw.index(b"\6\0\0\0", len(raw) // 2)
    while int.from_bytes(raw[at + 4 : at + 8], "little") > 200:
        at = raw.index(b"\6\0\0\0", at + 4)
    raw[at + 20 : at + 24] = b"\xff\xff\0\0"
    tape.write_bytes(raw)
    zombie, *_ = analyse(recording, plan_of("brpop-zombie")).cells
    assert zombie.outcome is Outcome.UNKNOWN
    assert zombie.unknown == (
        f"frames may be missing on the tape: the block at its byte {at} is damaged",)


def test_a_tape_that_is_gone_makes_a_cell_unknown(tmp_path: Path) -> None:
    recording = copy("brpop-zombie", tmp_path)
    recording.cell("zombie").tape.unlink()
    zombie = analyse(recording, plan_of("brpop-zombie")).cells[0]
    assert zombie.unknown == ("frames may be missing on the tape: there is none",)


def test_a_cell_that_was_cut_short_tells_what_it_has(tmp_path: Path) -> None:
    """Every third line from the end removed: never green, and the timeline only gets shorter."""
    recording = copy("brpop-zombie", tmp_path)
    held = recording.cell("zombie")
    lines = held.events.read_bytes().splitlines(keepends=True)
    before = len(analysed("brpop-zombie").cells[0].timeline)
    for length in range(len(lines) - 1, 0, -3):
        held.events.write_bytes(b"".join(lines[:length]) + lines[length][:7])
        (cell,) = analyse_cell(plan_of("brpop-zombie").cells[0], held)
        assert cell.outcome is Outcome.UNKNOWN
        assert not cell.unknown[0].startswith("the judge crashed")
        assert len(cell.timeline) <= before
        before = len(cell.timeline)


@settings(deadline=None)
@given(st.data())
def test_damaged_events_never_stop_the_analysis(data: st.DataObject) -> None:
    """A line that is something else: a cell comes out, and never because the judge crashed."""
    import tempfile  # noqa: PLC0415

    held = files("brpop-zombie", "zombie")
    lines = held.events.read_bytes().splitlines()
    where = data.draw(st.integers(0, len(lines) - 1))
    plain = json.loads(lines[where])
    key = data.draw(st.sampled_from(sorted(plain["data"]) or ["none"]))
    plain["data"][key] = data.draw(st.none() | st.text(max_size=3) | st.integers(-9, 9) | st.just(
        [{"addr": None}]) | st.just({}))
    lines[where] = json.dumps(plain).encode()
    with tempfile.TemporaryDirectory() as root:
        own = CellFiles(Path(root))
        own.events.write_bytes(b"\n".join(lines))
        own.tape.write_bytes(held.tape.read_bytes())
        (cell,) = analyse_cell(plan_of("brpop-zombie").cells[0], own)
    assert not any(why.startswith("the judge crashed") for why in cell.unknown)


@pytest.mark.parametrize("name", NAMES)
def test_the_json_is_what_its_schema_says(name: str) -> None:
    validator = Draft202012Validator(analysis_schema())
    plain = json.loads(json.dumps(analysed(name).to_json()))
    assert [error.message for error in validator.iter_errors(plain)] == []


@pytest.mark.parametrize("spoil", [
    param(lambda plain: plain.pop("cells"), id="no cells"),
    param(lambda plain: plain.update(version=99), id="another version"),
    param(lambda plain: plain["cells"][0].update(outcome="FINE"), id="an outcome"),
    param(lambda plain: plain["cells"][0]["faults"][0].update(began="soon"), id="a time"),
    param(lambda plain: plain["cells"][0]["messages"][0].pop("fate"), id="no fate"),
    param(lambda plain: plain["cells"][0].update(packets={"ack": "many"}), id="a count"),
])
def test_the_schema_refuses_what_is_none(spoil: Callable[[dict[str, Any]], object]) -> None:
    plain = json.loads(json.dumps(analysed("brpop-zombie").to_json()))
    spoil(plain)
    assert list(Draft202012Validator(analysis_schema()).iter_errors(plain))


def test_the_schema_is_a_schema_and_describes_every_field() -> None:
    schema = analysis_schema()
    Draft202012Validator.check_schema(schema)
    classes = {**schema["$defs"], Analysis.__name__: schema}
    assert {name: set(about) for name, about in ABOUT.items()} == {
        name: {field.name for field in fields(getattr(model, name))} for name in classes}
    assert all(is_dataclass(getattr(model, name)) for name in ABOUT)
    for name, one in classes.items():
        if name != Analysis.__name__:
            assert all(field["description"] for field in one["properties"].values())


@pytest.mark.parametrize(("name", "cell_id", "origin", "errors"), [
    param("healthy", "hasty", "the client's first packet", {"TimeoutError": 1}, id="no fault"),
    param("healthy", "patient", "the client's first packet", {}, id="no error"),
    param("brpop-zombie", "keepalive", "the fault", {"TimeoutError ETIMEDOUT": 1,
                                                     "TimeoutError": 2}, id="a fault"),
])
def test_it_says_what_its_times_count_from_and_which_errors_there_were(
    name: str, cell_id: str, origin: str, errors: dict[str, int]
) -> None:
    cell = next(cell for cell in analysed(name).cells if cell.id == cell_id)
    assert (cell.origin, cell.errors) == (origin, errors)
