"""Two runs by meaning: what is the same, better, worse or different, and what names it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.analysis import Analysis, CellAnalysis, Outcome
from netdiag.analysis.baseline import (
    compare_with_baseline,
    dump_baseline,
    read_analysis,
    read_meanings,
    save_baseline,
)
from netdiag.analysis.changes import Change
from netdiag.analysis.compare import Comparison, compare
from netdiag.analysis.meaning import Meaning, Meanings, meaning, meanings
from netdiag.analysis.model import FinWait1, Interval, Message, Notice, Verdict, Zombie
from netdiag.analysis.tolerance import SCHEDULING, WHEEL, learn, wheel_step
from netdiag.errors import RecordingError

from .recorded import RECORDINGS, analysed

if TYPE_CHECKING:
    from pathlib import Path

NAMES = sorted(path.name for path in RECORDINGS.iterdir() if path.is_dir())
PASS, UNKNOWN, FAIL = Outcome.PASS, Outcome.UNKNOWN, Outcome.FAIL


def compared(base: Analysis, new: Analysis) -> Comparison:
    return compare(meanings(base), meanings(new))


def changed(analysis: Analysis, **cells: CellAnalysis) -> Analysis:
    """An analysis with some of its cells replaced; `read_timeout` means `read-timeout`."""
    others = {name.replace("_", "-"): cell for name, cell in cells.items()}
    return replace(analysis, cells=tuple(others.get(one.id, one) for one in analysis.cells))


def later(cell: CellAnalysis, seconds: float) -> CellAnalysis:
    assert cell.noticed is not None
    return replace(cell, noticed=replace(cell.noticed, t=cell.noticed.t + seconds))


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_compared_with_itself_is_the_same(name: str) -> None:
    comparison = compared(analysed(name), analysed(name))
    assert comparison.change is Change.SAME
    assert [cell.sentences for cell in comparison.cells] == [()] * len(comparison.cells)
    assert (comparison.only_base, comparison.only_new) == ((), ())


def test_names_exactly_the_cells_that_changed() -> None:
    """One slower than the tolerance, one that lost a message, one with another errno."""
    base = analysed("brpop-zombie")
    zombie, keepalive, read_timeout = base.cells
    third = replace(read_timeout, id="fourth")
    base = replace(base, cells=(*base.cells, third))
    assert keepalive.noticed is not None
    notice = replace(keepalive.noticed, errno=104)
    new = changed(
        base,
        zombie=replace(zombie, messages=(Message("m1", "lost", "gone"),)),
        keepalive=replace(keepalive, noticed=notice),
        read_timeout=later(read_timeout, 1.0))
    comparison = compared(base, new)
    assert {cell.id: cell.change for cell in comparison.cells} == {
        "zombie": Change.WORSE, "keepalive": Change.DIFFERENT, "read-timeout": Change.WORSE,
        "fourth": Change.SAME}
    lost, errno, slower, same = (cell.sentences for cell in comparison.cells)
    assert lost == ("messages lost: 1 instead of 0", "messages stuck in the queue: 0 instead of 1")
    assert errno == ("the error is TimeoutError (ECONNRESET) instead of TimeoutError (ETIMEDOUT)",)
    assert len(slower) == 1
    assert slower[0].startswith("noticed after 3.96 s instead of 2.96 s: 1 s more, and ")
    assert same == ()
    assert [cell.id for cell in comparison.worse] == ["zombie", "read-timeout"]


RUN = Meaning(outcome=PASS, faults={"cut": "blackhole at blocked"}, effective=("cut",),
              noticed=5.0, error="TimeoutError", errno="ETIMEDOUT", consumed=True)
CHANGES = [
    param({}, {}, [], id="nothing"),
    param({}, {"noticed": 5.6}, [], id="later, within the tolerance"),
    param({}, {"noticed": 4.4}, [], id="sooner, within the tolerance"),
    param({}, {"noticed": 5.7}, [(Change.WORSE, "noticed after 5.7 s instead of 5 s: 700 ms more")],
          id="later"),
    param({}, {"noticed": 4.2}, [(Change.BETTER, "noticed after 4.2 s instead of 5 s: 800 ms")],
          id="sooner"),
    param({}, {"noticed": None, "error": None, "errno": None},
          [(Change.WORSE, "the fault is never noticed; before after 5 s")], id="no longer noticed"),
    param({"noticed": None, "error": None, "errno": None, "stuck": 1}, {"stuck": 1},
          [(Change.BETTER, "the fault is noticed after 5 s; before never")],
          id="noticed now, and it was needed"),
    param({"noticed": None, "error": None, "errno": None}, {},
          [(Change.DIFFERENT, "the fault is noticed after 5 s; before never")],
          id="noticed now, and nothing had been wrong"),
    param({}, {"error": "ConnectionError"},
          [(Change.DIFFERENT, "the error is ConnectionError (ETIMEDOUT) instead of")],
          id="another type"),
    param({}, {"errno": None}, [(Change.DIFFERENT, "the error is TimeoutError (no errno)")],
          id="no errno any more"),
    param({}, {"lost": 2}, [(Change.WORSE, "messages lost: 2 instead of 0")], id="lost"),
    param({"lost": 2}, {"lost": 1}, [(Change.BETTER, "messages lost: 1 instead of 2")],
          id="less lost"),
    param({}, {"duplicated": 1},
          [(Change.WORSE, "messages consumed more than once: 1 instead of 0")], id="duplicated"),
    param({}, {"stuck": 1}, [(Change.WORSE, "messages stuck in the queue: 1 instead of 0")],
          id="stuck"),
    param({}, {"zombies": {"client": 1}},
          [(Change.WORSE, "zombies on the client's side: 1 instead of 0")], id="a zombie"),
    param({"zombies": {"server": 1}}, {},
          [(Change.BETTER, "zombies on the server's side: 0 instead of 1")], id="no zombie"),
    param({}, {"fin_wait1": {"client": 1}},
          [(Change.WORSE, "client sockets in FIN-WAIT-1 at the end: 1 instead of 0")],
          id="FIN-WAIT-1"),
    param({"fin_wait1_s": 13.0}, {"fin_wait1_s": 26.0},
          [(Change.WORSE, "the longest FIN-WAIT-1 lasts 26 s instead of 13 s")],
          id="a longer FIN-WAIT-1"),
    param({}, {"consumed": False},
          [(Change.WORSE, "after the healing no message is consumed any more")],
          id="no longer consumed"),
    param({"consumed": False}, {},
          [(Change.BETTER, "after the healing a message is consumed again")], id="consumed again"),
    param({}, {"faults": {"cut": "blackhole at closing"}},
          [(Change.DIFFERENT, "fault cut is blackhole at closing instead of blackhole at blocked")],
          id="another phase"),
    param({}, {"effective": ()}, [(Change.WORSE, "fault cut does not take effect any more")],
          id="no effect"),
    param({}, {"outcome": FAIL, "failed": ("lost: 0",)},
          [(Change.WORSE, "the outcome is FAIL instead of PASS: lost: 0")], id="FAIL"),
    param({"outcome": FAIL, "failed": ("lost: 0",)}, {},
          [(Change.BETTER, "the outcome is PASS instead of FAIL: lost: 0")], id="PASS again"),
    param({"outcome": FAIL, "failed": ("lost: 0",)}, {"outcome": FAIL, "failed": ("stuck: 0",)},
          [(Change.WORSE, "'stuck: 0' is not met any more"), (Change.BETTER, "'lost: 0' is met")],
          id="another FAIL"),
    param({}, {"outcome": UNKNOWN, "unknown": ("a trigger never came",), "noticed": None,
               "effective": (), "lost": 3},
          [(Change.WORSE, "the outcome is UNKNOWN instead of PASS: a trigger never came")],
          id="UNKNOWN says nothing else"),
    param({"outcome": FAIL}, {"outcome": UNKNOWN}, [(Change.DIFFERENT, "the outcome is UNKNOWN")],
          id="FAIL to UNKNOWN"),
    param({"outcome": UNKNOWN}, {"lost": 9}, [(Change.BETTER, "the outcome is PASS")],
          id="UNKNOWN to PASS"),
]


@pytest.mark.parametrize(("before", "after", "said"), CHANGES)
def test_says_what_changed(before: dict[str, Any], after: dict[str, Any],
                           said: list[tuple[Change, str]]) -> None:
    comparison = _one((replace(RUN, **before),), (replace(RUN, **after),))
    (cell,) = comparison.cells
    assert len(cell.sentences) == len(said)
    for sentence, (_, start) in zip(cell.sentences, said, strict=True):
        assert sentence.startswith(start)
    order = (Change.WORSE, Change.BETTER, Change.DIFFERENT)
    expected = min((change for change, _ in said), key=order.index, default=Change.SAME)
    assert cell.change is comparison.change is expected


SAID = {"fin_wait1": (Interval(6.76, 12.66),), "noticed": (Interval(4.0, 8.0),)}


@pytest.mark.parametrize(("before", "after", "change"), [
    param({"fin_wait1_s": 7.06}, {"fin_wait1_s": 12.36}, Change.SAME, id="both as foretold"),
    param({"fin_wait1_s": 12.36}, {"fin_wait1_s": 7.06}, Change.SAME, id="the other way"),
    param({"noticed": 4.1}, {"noticed": 7.9}, Change.SAME, id="noticed"),
    param({"fin_wait1_s": 7.06, "foretold": {}}, {"fin_wait1_s": 12.36}, Change.WORSE,
          id="nothing foretold of one"),
    param({"fin_wait1_s": 7.06}, {"fin_wait1_s": 13.0}, Change.WORSE, id="beyond it"),
    param({"fin_wait1_s": 7.06},
          {"fin_wait1_s": 12.36, "foretold": {"fin_wait1": (Interval(12.0, 12.5),)}}, Change.WORSE,
          id="other settings foretell otherwise"),
    param({"fin_wait1_s": 7.06}, {"fin_wait1_s": 12.36, "lost": 1}, Change.WORSE,
          id="something else is worse"),
])
def test_two_times_where_both_runs_were_foretold_are_the_same(
    before: dict[str, Any], after: dict[str, Any], change: Change
) -> None:
    base = replace(RUN, **{"foretold": SAID, **before})
    new = replace(RUN, **{"foretold": SAID, **after})
    assert _one((base,), (new,)).change is change


def test_a_run_means_what_was_foretold_of_it_and_came_so(tmp_path: Path) -> None:
    analysis = analysed("request-in-flight")
    (cell,) = [one for one in analysis.cells if one.id == "five-retries"]
    held = meaning(cell)
    (part,) = held.foretold["noticed"]
    assert held.noticed is not None
    assert part.low <= held.noticed <= part.high
    missed = replace(cell, predicted=tuple(replace(one, within=False) for one in cell.predicted))
    assert meaning(missed).foretold == {}
    path = save_baseline(tmp_path, analysis)
    assert read_meanings(path) == meanings(analysis)


def _one(base: tuple[Meaning, ...], new: tuple[Meaning, ...]) -> Comparison:
    return compare(Meanings("s", {"cell": base}), Meanings("s", {"cell": new}))


def runs(*times: float | None, own: bool = True) -> tuple[Meaning, ...]:
    return tuple(replace(RUN, noticed=t, error="E" if t else None, errno=None, own_timeout=own)
                 for t in times)


@pytest.mark.parametrize(("before", "after", "change"), [
    param((5.0, 5.1, 5.2), (5.3,), Change.SAME, id="within the spread"),
    param((5.0, 5.1, 5.2), (5.7,), Change.WORSE, id="beyond it"),
    param((5.0,) * 5, (5.04,), Change.SAME, id="no spread, and scheduling"),
    param((5.0,) * 5, (5.1,), Change.WORSE, id="no spread"),
    param((5.0,) * 5, (4.9,), Change.BETTER, id="no spread, and sooner"),
    param((5.0,), (5.1,), Change.SAME, id="one run: the timer wheel"),
    param((5.0, 7.0, 5.5, 6.0, 5.2), (8.9,), Change.SAME, id="a wide spread"),
    param((5.0,) * 5, (5.0, 5.01, 9.0), Change.SAME, id="the median decides"),
    param((5.0, 5.0), (5.0, None), Change.WORSE, id="never, in one run"),
    param((5.0, None), (None, 5.0), Change.SAME, id="never in some of both"),
    param((5.0, None), (5.0, 5.0), Change.DIFFERENT, id="always now"),
])
def test_repeats_teach_the_tolerance(before: tuple[float | None, ...],
                                     after: tuple[float | None, ...], change: Change) -> None:
    assert _one(runs(*before), runs(*after)).change is change


def test_what_a_kernel_timer_decided_keeps_a_step_of_its_wheel() -> None:
    """Repeats that ran together were rounded alike; the next run may be rounded otherwise."""
    assert _one(runs(*[5.0] * 5, own=False), runs(5.3, own=False)).change is Change.SAME
    (cell,) = _one(runs(*[5.0] * 5, own=False), runs(5.7, own=False)).cells
    assert cell.change is Change.WORSE
    assert "5 repeats differ by 0 s, a step of the kernel's timer wheel is 512 ms" in (
        cell.sentences[0])


@pytest.mark.parametrize(("seconds", "step"), [
    (0.05, 0.01), (0.3, 0.032), (1.0, 0.08), (3.0, 0.256), (5.0, 0.512), (5.05, 0.64),
    (0.63, 0.08), (60.0, 5.12)])
def test_the_steps_of_the_wheel(seconds: float, step: float) -> None:
    """8**n ticks below 63 * 8**n of them, for the coarsest of 100 to 1000 ticks a second."""
    assert wheel_step(seconds) == pytest.approx(step)
    assert wheel_step(seconds) <= max(seconds * WHEEL, 0.01)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=8), st.floats(0, 1e4))
def test_tolerances_hold_what_they_were_learned_from(times: list[float], other: float) -> None:
    tolerance = learn(times)
    assert [tolerance.later([one]) for one in times] == [0.0] * len(times)
    late = tolerance.later([other])
    assert (late > 0) == (other > max(times) + tolerance.seconds)
    assert (late < 0) == (other < min(times) - tolerance.seconds)


@settings(deadline=None)
@given(st.floats(0.001, 1e4), st.floats(0, 1))
def test_a_timer_may_be_late_by_an_eighth(length: float, share: float) -> None:
    """Both runs of one timer lie between its length and an eighth more: never a change."""
    one, other = length, length * (1 + WHEEL * share)
    assert _one(runs(one), runs(other)).change is Change.SAME
    assert _one(runs(other), runs(one)).change is Change.SAME
    assert learn([one]).seconds >= SCHEDULING


def test_cells_of_one_run_alone_are_named() -> None:
    base = analysed("brpop-zombie")
    fewer = replace(base, cells=base.cells[1:])
    more = replace(base, cells=base.cells[:2])
    comparison = compared(fewer, more)
    assert comparison.only_base == ("read-timeout",)
    assert comparison.only_new == ("zombie",)
    assert comparison.change is Change.SAME


def test_runs_without_a_common_cell_are_refused() -> None:
    """A pipeline that compares nothing must not be green."""
    with pytest.raises(RecordingError, match="no cell in common"):
        compared(analysed("brpop-zombie"), analysed("reply-lost"))


def test_repeats_are_folded_under_their_cell() -> None:
    held = meanings(analysed("repeats")).cells
    assert list(held) == ["kept"]
    assert len(held["kept"]) == 5


def test_what_is_raw_does_not_count() -> None:
    """Other ports, other absolute times, other packet numbers: the same meaning."""
    base = analysed("brpop-zombie").cells[1]
    fault = base.faults[0]
    assert fault.began_ns is not None
    other = replace(base, timeline=(), beliefs=(), packets={}, length=base.length + 3, faults=(
        replace(fault, began_ns=fault.began_ns + 10**12, packet=99),))
    assert meaning(other) == meaning(base)


def test_a_meaning_counts_sockets_by_side() -> None:
    cell = CellAnalysis(
        "c", {}, FAIL, (), 9.0, noticed=Notice(1.23456, "the client ended", "its end"),
        fin_wait1=(FinWait1("client", "a", 1, 5, ended=False, orphan=True),
                   FinWait1("client", "b", 1, 2, ended=True, orphan=True)),
        zombies=(Zombie("server", "a", 1, ""), Zombie("server", "b", 1, "")),
        verdicts=(Verdict("lost: 0", FAIL, "1"), Verdict("stuck: 0", PASS, "0")))
    held = meaning(cell)
    assert (held.noticed, held.error, held.errno) == (1.235, "the client ended", None)
    assert (held.zombies, held.fin_wait1, held.fin_wait1_s) == ({"server": 2}, {"client": 1}, None)
    assert (held.failed, held.consumed) == (("lost: 0",), None)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "missed"])
def test_a_baseline_is_read_back_as_the_same_meaning(name: str, tmp_path: Path) -> None:
    path = save_baseline(tmp_path / "kept", analysed(name))
    assert path == tmp_path / "kept" / f"{name}.json"
    assert read_meanings(path) == meanings(analysed(name))
    assert compare_with_baseline(path.parent, analysed(name)).change is Change.SAME
    assert path.read_text() == dump_baseline(read_meanings(path))
    assert [*path.parent.iterdir()] == [path]


def test_a_baseline_is_the_same_text_for_the_same_meaning() -> None:
    held = meanings(analysed("brpop-zombie"))
    turned = Meanings(held.scenario, dict(reversed(held.cells.items())))
    assert dump_baseline(turned) == dump_baseline(held)
    assert max(map(len, dump_baseline(held).splitlines())) < 80


def test_an_unknown_cell_is_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"cell missed is UNKNOWN \(fault cut never"):
        save_baseline(tmp_path, analysed("missed"))
    assert not any(tmp_path.iterdir())


def test_a_baseline_that_is_not_there_says_how_to_save_one(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="netdiag baseline save"):
        compare_with_baseline(tmp_path, analysed("healthy"))


@pytest.mark.parametrize(("text", "what"), [
    param("[]", "no JSON object", id="a list"),
    param("{", "not JSON", id="no JSON"),
    param('{"kind": "netdiag baseline", "version": 9}', "version 9", id="a later version"),
    param('{"kind": "netdiag baseline", "version": 1}', "missing", id="no cells"),
    param('{"kind": "netdiag baseline", "version": 1, "scenario": "s", "cells": {"c": []}}',
          r"cells.c is no list of runs", id="no runs"),
    param('{"kind": "netdiag baseline", "version": 1, "scenario": "s", "cells": '
          '{"c": [{"outcome": "FINE"}]}}', r"cells.c\[0\].outcome is none of PASS", id="outcome"),
    param('{"kind": "netdiag baseline", "version": 1, "scenario": "s", "cells": '
          '{"c": [{"outcome": "PASS", "lost": "2"}]}}', r"cells.c\[0\].lost is no int", id="type"),
    param('{"version": 1}', "scenario is missing", id="something else"),
    param('{"version": 1, "scenario": null}', "scenario is no str", id="null"),
])
def test_a_damaged_baseline_is_one_sentence(text: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(RecordingError, match=what):
        read_meanings(path)


@pytest.mark.parametrize("name", NAMES)
def test_an_analysis_is_read_back_from_its_json(name: str, tmp_path: Path) -> None:
    plain = json.loads(json.dumps(analysed(name).to_json()))
    back = read_analysis(plain)
    assert back.to_json() == analysed(name).to_json()
    path = tmp_path / "analysis.json"
    path.write_text(json.dumps(plain))
    assert read_meanings(path) == meanings(analysed(name))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=3), max_leaves=8)


@settings(deadline=None)
@given(st.data())
def test_a_changed_analysis_is_read_or_refused(data: st.DataObject) -> None:
    """Any value anywhere gives an analysis or a ValueError, never anything else."""
    plain = json.loads(json.dumps(analysed("reply-lost").to_json()))
    node: Any = plain
    while isinstance(node, dict | list) and node:
        keys = sorted(node) if isinstance(node, dict) else range(len(node))
        key = data.draw(st.sampled_from(list(keys)))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
            node[key] = data.draw(JSON)
            break
        node = node[key]
    try:
        read_analysis(plain)
    except ValueError as err:
        assert str(err)
