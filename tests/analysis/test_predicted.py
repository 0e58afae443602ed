"""Predicted beside measured: stored runs of a real kernel, and what a cell does not tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pytest import param

from netdiag.analysis import CellAnalysis, Outcome
from netdiag.analysis.cell import analyse_cell
from netdiag.faults import EventTrigger
from netdiag.recording import read_events
from netdiag.scenario import expand, loads

from .recorded import SECOND, analysed, cell, copy, files, plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from netdiag.analysis.model import Predicted
    from netdiag.recording import Event


def within(one: CellAnalysis) -> dict[str, bool | None]:
    return {row.what: row.within for row in one.predicted}


@pytest.mark.parametrize(("name", "cell_id", "known"), [
    param("brpop-zombie", "zombie", {"noticed": True, "server": True}, id="never noticed"),
    param("brpop-zombie", "keepalive", {"noticed": True, "error": True, "server": True},
          id="keepalive"),
    param("brpop-zombie", "read-timeout", {"noticed": True, "error": True, "fin_wait1": None,
                                           "server": True}, id="FIN-WAIT-1 outlives the cell"),
    param("request-in-flight", "five-retries", {"noticed": True, "error": True, "fin_wait1": True,
                                                "server": None}, id="FIN-WAIT-1 ends"),
    param("reply-lost", "reply-lost", {"noticed": True, "error": True, "fin_wait1": True},
          id="the path heals"),
    param("repeats", "kept~3", {"noticed": True, "error": True, "server": None}, id="a repeat"),
])
def test_what_was_measured_is_where_it_was_foretold(
    name: str, cell_id: str, known: dict[str, bool | None]
) -> None:
    assert within(cell(name, cell_id)) == known


def test_no_stored_cell_holds_a_surprise() -> None:
    for name in ("brpop-zombie", "healthy", "missed", "reply-lost", "request-in-flight"):
        for one in analysed(name).cells:
            assert one.surprises == ()


def test_an_interval_has_its_formula_and_its_source() -> None:
    row = cell("brpop-zombie", "keepalive").predicted[0]
    assert row.formula.startswith("2 + 3 x 1 = 5 s; wheel: 5.05 to 5.1")
    assert "tcp_keepalive_timer" in row.source
    assert row.by == "the kernel's keepalive timer"
    assert row.measured is not None
    assert row.when[0].low <= row.measured <= row.when[-1].high


def test_a_measurement_outside_of_its_interval_is_a_surprise_and_no_failure() -> None:
    """The cell as if its keepalive had been set otherwise: what was measured does not fit."""
    plan = plan_of("brpop-zombie")
    other = next(one for one in plan.cells if one.id == "read-timeout")
    (seen,) = analyse_cell(replace(other, expect=()), files("brpop-zombie", "keepalive"))
    assert {row.what for row in seen.surprises} >= {"noticed"}
    assert seen.outcome is Outcome.PASS


def test_a_fault_whose_end_no_setting_tells_ended_when_it_was_seen_to() -> None:
    """It was foretold as if it lasted, and a path that had healed was NOT as predicted."""
    (plan,) = plan_of("reply-lost").cells
    (fault,) = plan.faults
    open_ended = replace(fault, for_=None, heal=EventTrigger(event="error", nth=2))
    (seen,) = analyse_cell(replace(plan, faults=(open_ended,)), files("reply-lost", "reply-lost"))
    assert within(seen) == {"noticed": True, "error": True, "fin_wait1": True}
    assert seen.unpredicted == (
        "the path heals before the server would have forgotten the client",)


@pytest.mark.parametrize(("name", "cell_id", "why"), [
    param("missed", "missed", "no fault took effect, so there is nothing to foretell", id="missed"),
    param("healthy", "patient", "no fault took effect, so there is nothing to foretell",
          id="no fault"),
])
def test_where_nothing_is_foretold_a_sentence_says_why(name: str, cell_id: str, why: str) -> None:
    one = cell(name, cell_id)
    assert one.predicted == ()
    assert one.unpredicted == (why,)


@pytest.mark.parametrize("lie", [
    param({"tick": 0}, id="no ticks"), param({"tick": 10**9}, id="too many ticks"),
    param({"kernel": "7"}, id="no release"), param({"kernel": None}, id="no text"),
])
def test_a_recording_that_lies_about_its_kernel_is_not_believed(
    lie: dict[str, object], tmp_path
) -> None:
    import json  # noqa: PLC0415

    recording = copy("brpop-zombie", tmp_path)
    own = recording.cell("keepalive")
    first, *rest = own.events.read_bytes().splitlines()
    row = json.loads(first)
    row["data"] |= lie
    own.events.write_bytes(b"\n".join([json.dumps(row).encode(), *rest]))
    keepalive = next(c for c in plan_of("brpop-zombie").cells if c.id == "keepalive")
    (one,) = analyse_cell(keepalive, own)
    assert one.predicted == ()
    assert one.unpredicted == ("the recording does not say on which kernel it was made",)


def found_gone(root: Path, late: float, alive: float | None) -> Predicted:
    """The zombie's forecast of its server's socket, as if that had been found gone `late` seconds
    after it was, and last asked for `alive` seconds before that; its RST is left on the tape."""
    held = copy("brpop-zombie", root).cell("zombie")

    def found(one: Event) -> Event:
        if (one.lane, one.what) != ("server.kernel", "socket_gone"):
            return one
        told = {} if alive is None else {"alive": one.t - round(alive * SECOND)}
        return replace(one, t=one.t + round(late * SECOND), data={**one.data, **told})

    held.events.write_bytes(b"".join(found(one).line() for one in read_events(held.events)))
    (cell,) = analyse_cell(plan_of("brpop-zombie").cells[0], held)
    return next(row for row in cell.predicted if row.what == "server")


@pytest.mark.parametrize("alive", [None, 0.1])
def test_a_servers_own_rst_tells_when_its_socket_went_not_whoever_found_out(
    alive: float | None, tmp_path: Path
) -> None:
    soon = next(row for row in cell("brpop-zombie", "zombie").predicted if row.what == "server")
    late = found_gone(tmp_path, 2.0, alive)
    assert (late.within, late.measured) == (True, soon.measured)


def test_without_its_rst_a_socket_that_was_found_gone_late_says_nothing(tmp_path: Path) -> None:
    """The RST that is there came before the socket was last seen alive, so it is another one's."""
    late = found_gone(tmp_path, 2.0, -0.1)
    assert late.within is None
    assert "s after the fault; " in late.why


def test_a_socket_that_was_still_there_after_its_time_is_a_surprise(tmp_path: Path) -> None:
    assert found_gone(tmp_path, 2.0, -1.9).within is False


AS_PREDICTED = """
name: p
client: {settings: {read_timeout: null, keepalive: {idle: 2s, interval: 1s, count: 3}, retry: 0}}
server: {config: {tcp-keepalive: 6}}
faults: [{name: cut, at: blocked, do: blackhole, for: 20s}]
expect: {as_predicted: true}
"""


def test_the_expectation_judges_every_row() -> None:
    own = expand(loads(AS_PREDICTED)).cells[0]
    (met,) = analyse_cell(own, files("brpop-zombie", "keepalive"))
    assert [one.outcome for one in met.verdicts] == [Outcome.PASS]
    wrong = expand(loads(AS_PREDICTED.replace("idle: 2s", "idle: 9s"))).cells[0]
    (unmet,) = analyse_cell(wrong, files("brpop-zombie", "keepalive"))
    assert [one.outcome for one in unmet.verdicts] == [Outcome.FAIL]
