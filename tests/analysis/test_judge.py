"""Every kind of expectation in each of its states, and the exit code of each combination."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.analysis import Analysis, CellAnalysis, Outcome, analyse
from netdiag.analysis.cell import analyse_cell
from netdiag.analysis.judge import BLIND, MEASURE, Facts, judge
from netdiag.analysis.kernel import SocketState
from netdiag.analysis.model import Message, Notice, Predicted, Zombie, worst
from netdiag.cli.show import exit_code
from netdiag.scenario import Expectation, expand, loads
from netdiag.scenario.expectation import KINDS, Anything, ErrorIs

from .recorded import CLIENT, copy, files, plan_of

PASS, UNKNOWN, FAIL = Outcome.PASS, Outcome.UNKNOWN, Outcome.FAIL
SCENARIO = """
name: table
client: {settings: {read_timeout: 3s, keepalive: off, retry: 0}}
faults: [{name: cut, at: blocked, do: blackhole, for: 5s}]
expect: {%s}
"""


def expectation(text: str) -> Expectation:
    """An expectation as a scenario writes it."""
    (cell,) = expand(loads(SCENARIO % text)).cells
    return cell.expect[0]


def message(fate: str, *, pushed: float = 1.0) -> Message:
    return Message("m1", fate, "", pushed)


def socket(state: str, *, side: str = "client", gone: int | None = None,
           client: str = CLIENT) -> dict[tuple[str, str], SocketState]:
    return {(side, client): SocketState(side, client, state, "none", 0, False, gone)}


TOLD = Notice(3.2, "the application got an error", "the client's own timeout")
FACTS = Facts(
    values={"read_timeout": 3.0, "keepalive": None, "pause": 0.5}, minutes=0.5, faulted=True,
    healed=5.0, noticed=TOLD, recovered=1.2, messages=(message("delivered", pushed=6.0),),
    zombies=(), sockets=socket("ESTABLISHED"), packets=Counter(ack=3, keepalive_probe=2),
    connections=2, false_timeouts=0, errors=(("TimeoutError", 110),),
    findings={"client": (), "server": ("half-open",)})


def facts(**changed: Any) -> Facts:
    return replace(FACTS, **changed)


def foretold(*, within: bool | None) -> Predicted:
    return Predicted("noticed", (), "", "", "", "", None, within)


MUTE = {"mute": True}
ZOMBIE = Zombie("client", CLIENT, 2.0, "")
STATES = [
    param("detected_within: 4s", {}, PASS, "3.2 s", id="detected, in time"),
    param("detected_within: 3s", {}, FAIL, "3.2 s", id="detected, too late"),
    param("detected_within: 4s", {"noticed": None}, FAIL, "never", id="detected, never"),
    param("detected_within: 4s", {"faulted": False, "noticed": None}, UNKNOWN, "not measurable",
          id="detected, no fault"),
    param("detected_within: never", {"noticed": None}, PASS, "never", id="never detected"),
    param("detected_within: never", {}, FAIL, "3.2 s", id="never detected, but it was"),
    param("detected_within: never", {"faulted": False, "noticed": None}, UNKNOWN,
          "not measurable", id="never detected, no fault"),
    param("detected_within: read_timeout + 1s", {}, PASS, "3.2 s", id="a formula"),
    param("detected_within: read_timeout", {}, FAIL, "3.2 s", id="a formula, too late"),
    param("detected_within: [3s, 4s]", {}, PASS, "3.2 s", id="a range"),
    param("detected_within: [1s, 3s]", {}, FAIL, "3.2 s", id="a range, above"),
    param("detected_within: [4s, 5s]", {}, FAIL, "3.2 s", id="a range, below"),
    param("detected_within: [3s, 4s]", {"noticed": None}, FAIL, "never", id="a range, never"),
    param("recovered_within: 2s", {}, PASS, "1.2 s", id="recovered"),
    param("recovered_within: 1s", {}, FAIL, "1.2 s", id="recovered, too late"),
    param("recovered_within: 2s", {"recovered": None}, FAIL, "never", id="recovered, never"),
    param("recovered_within: 2s", {"recovered": None, "messages": (message("stuck"),)}, FAIL,
          "never", id="recovered, one waits"),
    param("recovered_within: 2s", {"recovered": None, "messages": (message("lost"),)}, UNKNOWN,
          "not measurable", id="recovered, no message after the healing"),
    param("recovered_within: 2s", {"healed": None, "recovered": None}, UNKNOWN, "not measurable",
          id="recovered, nothing healed"),
    param("no_false_timeout: true", {}, PASS, "0", id="no false timeout"),
    param("no_false_timeout: true", {"false_timeouts": 2}, FAIL, "2", id="a false timeout"),
    param("no_false_timeout: false", {"false_timeouts": 2}, PASS, "2", id="one is wanted"),
    param("no_false_timeout: false", {}, FAIL, "0", id="one is wanted, none came"),
    param("as_predicted: true", {"predicted": (foretold(within=True),)}, PASS, "0",
          id="as predicted"),
    param("as_predicted: true", {"predicted": (foretold(within=True), foretold(within=False))},
          FAIL, "1", id="one surprise"),
    param("as_predicted: true", {"predicted": (foretold(within=None),)}, UNKNOWN,
          "not measurable", id="nothing that was foretold was measured"),
    param("as_predicted: true", {"unpredicted": ("two may be first",)}, UNKNOWN, "not measurable",
          id="nothing can be foretold"),
    param("as_predicted: where_told", {"unpredicted": ("two may be first",)}, PASS,
          "nothing was foretold - two may be first", id="and nothing more is asked"),
    param("as_predicted: where_told", {"predicted": (foretold(within=False),)}, FAIL, "1",
          id="a surprise where it can be told"),
    param("as_predicted: where_told", {"predicted": (foretold(within=None),)}, UNKNOWN,
          "not measurable", id="told, but not measured"),
    param("zombies: 1", {"zombies": (ZOMBIE,)}, PASS, "1", id="a zombie"),
    param("zombies: 0", {"zombies": (ZOMBIE,)}, FAIL, "1", id="a zombie too many"),
    param("zombies: {client: 1}", {"zombies": (ZOMBIE,)}, PASS, "1", id="a zombie's side"),
    param("zombies: {server: 1}", {"zombies": (ZOMBIE,)}, FAIL, "0", id="not the other side"),
    param("zombies: 0", {"sockets": {}}, UNKNOWN, "not measurable", id="zombies, unseen"),
    param("fin_wait1: 1", {"sockets": socket("FIN-WAIT-1")}, PASS, "1", id="fin_wait1"),
    param("fin_wait1: 0", {"sockets": socket("FIN-WAIT-1")}, FAIL, "1", id="fin_wait1, held"),
    param("fin_wait1: 0", {"sockets": socket("FIN-WAIT-1", gone=9)}, PASS, "0",
          id="fin_wait1, gone"),
    param("fin_wait1: 0", {"sockets": socket("FIN-WAIT-1", side="server")}, PASS, "0",
          id="fin_wait1, the server's"),
    param("fin_wait1: 0", {"sockets": {}}, UNKNOWN, "not measurable", id="fin_wait1, unseen"),
    param("open_sockets: 1", {}, PASS, "1", id="open sockets"),
    param("open_sockets: 0", {}, FAIL, "1", id="open sockets, one"),
    param("open_sockets: 0", {"sockets": socket("TIME-WAIT")}, PASS, "0", id="open, TIME-WAIT"),
    param("open_sockets: 0", {"sockets": {}}, UNKNOWN, "not measurable", id="open, unseen"),
    param("reconnects_per_minute: 2", {}, PASS, "2", id="reconnects"),
    param("reconnects_per_minute: 1", {}, FAIL, "2", id="reconnects, too many"),
    param("no_false_timeout: true", MUTE, UNKNOWN, "not measurable", id="a service's timeouts"),
    param("error: none", {**MUTE, "errors": ()}, UNKNOWN, "not measurable",
          id="a service's errors"),
    param("unexpected: 0", MUTE, UNKNOWN, "not measurable", id="a service's messages"),
    param("lost: 0", {**MUTE, "messages": ()}, UNKNOWN, "not measurable",
          id="a service's own messages may be lost"),
    param("late: 0", {**MUTE, "messages": (message("unknown"),)}, UNKNOWN, "not measurable",
          id="a service may have received it late"),
    param("duplicated: 0", {**MUTE, "messages": (message("unknown"),)}, UNKNOWN,
          "not measurable", id="a service may have received it twice"),
    param("duplicated: 0", MUTE, PASS, "0", id="a service that took each once"),
    param("packets: {keepalive_probe: '>= 2'}", {}, PASS, "2", id="packets"),
    param("packets: {keepalive_probe: '> 2'}", {}, FAIL, "2", id="packets, too few"),
    param("packets: {rst: 0}", {}, PASS, "0", id="packets, none"),
    param("packets: {rst: '!= 0'}", {}, FAIL, "0", id="packets, not none"),
    param("packets: {rst: 0}", {"packets": Counter()}, UNKNOWN, "not measurable",
          id="packets, no tape"),
    param("error: TimeoutError", {}, PASS, "TimeoutError (ETIMEDOUT)", id="error"),
    param("error: ConnectionError", {}, FAIL, "TimeoutError (ETIMEDOUT)", id="another error"),
    param("error: {errno: ETIMEDOUT}", {}, PASS, "TimeoutError (ETIMEDOUT)", id="errno"),
    param("error: {errno: ECONNRESET}", {}, FAIL, "TimeoutError (ETIMEDOUT)", id="another errno"),
    param("error: {type: TimeoutError, errno: ECONNRESET}", {}, FAIL, "TimeoutError (ETIMEDOUT)",
          id="both, one of them wrong"),
    param("error: {errno: ETIMEDOUT}", {"errors": (("TimeoutError", None),)}, FAIL,
          "TimeoutError", id="an error without errno"),
    param("error: none", {"errors": ()}, PASS, "none", id="no error"),
    param("error: none", {}, FAIL, "TimeoutError (ETIMEDOUT)", id="no error, but one came"),
    param("finding: half-open", {}, PASS, "half-open (server)", id="finding"),
    param("finding: refused", {}, FAIL, "half-open (server)", id="finding, not made"),
    param("finding: [half-open, refused]", {}, FAIL, "half-open (server)",
          id="two findings, one made"),
    param("finding: [half-open, refused]", {"findings": {
              "client": ("half-open",), "server": ("half-open", "refused")}}, PASS,
          "half-open (client and server), refused (server)", id="two findings"),
    param("finding: none", {}, FAIL, "half-open (server)", id="a finding, and none is wanted"),
    param("finding: none", {"findings": {"client": (), "server": ()}}, PASS, "none",
          id="no finding"),
    param("finding: half-open", {"findings": None}, UNKNOWN, "not measurable",
          id="a tape that cannot be read"),
]
FATES = [
    (kind, fate, outcome) for kind in ("lost", "duplicated", "stuck")
    for fate, outcome in ((kind, PASS), ("delivered", FAIL), ("late", FAIL), ("unknown", UNKNOWN))
] + [
    ("lost", "zombie", PASS), ("lost", "refused", FAIL),
    ("taken_by_zombies", "zombie", PASS), ("taken_by_zombies", "lost", FAIL),
    ("taken_by_zombies", "unknown", UNKNOWN),
    ("late", "late", PASS), ("late", "delivered", FAIL),
    ("unexpected", "unexpected", PASS), ("unexpected", "delivered", FAIL),
]


@pytest.mark.parametrize(("text", "changed", "outcome", "measured"), STATES)
def test_judges(text: str, changed: dict[str, Any], outcome: Outcome, measured: str) -> None:
    (verdict,) = judge([expectation(text)], facts(**changed))
    assert (verdict.outcome, verdict.measured) == (outcome, measured)
    assert verdict.why if outcome is UNKNOWN else not verdict.why
    assert verdict.expectation.startswith(text.partition(":")[0])


@pytest.mark.parametrize(("kind", "fate", "outcome"), FATES)
def test_judges_fates(kind: str, fate: str, outcome: Outcome) -> None:
    """What is unknown may be lost or stuck; it was certainly not received twice."""
    (verdict,) = judge([expectation(f"{kind}: 1")], facts(messages=(message(fate),)))
    if (kind, fate) == ("duplicated", "unknown"):
        outcome = FAIL
    assert verdict.outcome is outcome


def test_the_table_holds_every_kind_met_and_unmet() -> None:
    held: dict[str, set[Outcome]] = {}
    for text, _, outcome, _ in (one.values for one in STATES):
        held.setdefault(str(text).partition(":")[0], set()).add(outcome)
    for kind, _, outcome in FATES:
        held.setdefault(kind, set()).add(outcome)
    assert held.keys() == KINDS.keys()
    assert all({PASS, FAIL} <= outcomes for outcomes in held.values())
    assert {kind for kind, outcomes in held.items() if UNKNOWN in outcomes} >= set(BLIND)


@pytest.mark.parametrize("kind", sorted(MEASURE))
def test_any_asks_for_nothing(kind: str) -> None:
    blind = facts(faulted=False, healed=None, noticed=None, recovered=None, sockets={},
                  packets=Counter(), messages=(message("unknown"),))
    wanted = Expectation(kind=kind, bound=Anything(), text="any")
    assert [verdict.outcome for verdict in judge([wanted, wanted], blind)] == [PASS, PASS]
    assert [verdict.outcome for verdict in judge([wanted], FACTS)] == [PASS]


def test_a_formula_without_a_value_is_unknown() -> None:
    """The settings' defaults depend on the library's version, which the run tells."""
    wanted = expectation("detected_within: read_timeout + 1s")
    for values in ({}, {"read_timeout": None}):
        (verdict,) = judge([wanted], facts(values=values))
        assert verdict.outcome is UNKNOWN
        assert "read_timeout has no value" in verdict.why


def test_an_errno_that_this_machine_does_not_know_is_unknown() -> None:
    wanted = Expectation(kind="error", bound=ErrorIs(None, "EWOULDBLOCK42"), text="")
    (verdict,) = judge([wanted], facts(errors=(("OSError", None),)))
    assert verdict.outcome is UNKNOWN


@settings(deadline=None)
@given(st.floats(0, 100), st.floats(0, 100))
def test_within_means_at_most(limit: float, measured: float) -> None:
    wanted = expectation(f"detected_within: {limit:.6f}")
    (verdict,) = judge([wanted], facts(noticed=replace(TOLD, t=measured)))
    assert (verdict.outcome is PASS) == (measured <= round(limit, 6))


def recorded(name: str, cell_id: str, text: str) -> CellAnalysis:
    """A cell of a recording, judged by another expectation than its own."""
    cell = next(cell for cell in plan_of(name).cells if cell.id == cell_id)
    (told,) = analyse_cell(replace(cell, expect=(expectation(text),)), files(name, cell_id))
    return told


@pytest.mark.parametrize(("where", "met", "unmet"), [
    param("brpop-zombie/keepalive", "detected_within: 6s", "detected_within: 2s", id="detected"),
    param("brpop-zombie/zombie", "detected_within: never", "detected_within: 20s", id="never"),
    param("brpop-zombie/keepalive", "recovered_within: 5s", "recovered_within: 1ms",
          id="recovered"),
    param("reply-lost/reply-lost", "lost: 1", "lost: 0", id="lost"),
    param("reply-lost/reply-lost", "duplicated: 0", "duplicated: 1", id="duplicated"),
    param("brpop-zombie/zombie", "stuck: 1", "stuck: 0", id="stuck"),
    param("brpop-zombie/zombie", "zombies: {client: 1}", "zombies: {server: 1}", id="zombies"),
    param("request-in-flight/default-retries", "fin_wait1: 1", "fin_wait1: 0", id="fin_wait1"),
    param("brpop-zombie/zombie", "open_sockets: 1", "open_sockets: 0", id="open sockets"),
    param("brpop-zombie/zombie", "reconnects_per_minute: 0", "reconnects_per_minute: '>= 1'",
          id="reconnects"),
    param("healthy/patient", "no_false_timeout: true", "no_false_timeout: false", id="patient"),
    param("healthy/hasty", "no_false_timeout: false", "no_false_timeout: true", id="hasty"),
    param("brpop-zombie/keepalive", "packets: {keepalive_probe: '>= 3'}",
          "packets: {keepalive_probe: 0}", id="packets"),
    param("brpop-zombie/keepalive", "error: {errno: ETIMEDOUT}", "error: none", id="error"),
    param("brpop-zombie/zombie", "finding: zombie-consumer", "finding: half-open", id="finding"),
    param("healthy/patient", "finding: none", "finding: capture-loss", id="no finding"),
])
def test_judges_recordings(where: str, met: str, unmet: str) -> None:
    name, _, cell_id = where.partition("/")
    assert recorded(name, cell_id, met).outcome is PASS
    assert recorded(name, cell_id, unmet).outcome is FAIL


@pytest.mark.parametrize("text", [
    "detected_within: 3s", "detected_within: any", "recovered_within: 3s", "lost: 0", "lost: 9",
    "duplicated: 0", "stuck: 0", "zombies: 0", "fin_wait1: 0", "open_sockets: 1",
    "reconnects_per_minute: 5", "no_false_timeout: true", "packets: {ack: '>= 1'}", "error: none",
    "finding: half-open"])
def test_a_missed_injection_makes_the_whole_cell_unknown(text: str) -> None:
    """Whatever the verdict would be, met or not: the experiment did not take place."""
    cell = recorded("missed", "missed", text)
    assert cell.outcome is UNKNOWN
    (why,) = cell.unknown
    assert why.startswith("fault cut never took effect: ")


MET, UNMET, BLINDED = "error: none", "error: TimeoutError", "detected_within: 3s"
EXIT = {PASS: 0, FAIL: 1, UNKNOWN: 2}
CELLS = {"met": ("healthy/patient", MET, PASS), "unmet": ("healthy/patient", UNMET, FAIL),
         "not measurable": ("healthy/patient", BLINDED, UNKNOWN),
         "missed, met": ("missed/missed", MET, UNKNOWN),
         "missed, unmet": ("missed/missed", UNMET, UNKNOWN)}


@pytest.mark.parametrize(("one", "other"), list(product(CELLS, CELLS)))
def test_the_exit_code_of_each_combination(one: str, other: str) -> None:
    """1 for a FAIL in any cell, 2 for an UNKNOWN and no FAIL, 0 only when all passed."""
    cells = []
    for where, text, expected in (CELLS[one], CELLS[other]):
        name, _, cell_id = where.partition("/")
        cells.append(recorded(name, cell_id, text))
        assert cells[-1].outcome is expected
    analysis = Analysis("table", "", worst([cell.outcome for cell in cells]), tuple(cells))
    outcomes = {CELLS[one][2], CELLS[other][2]}
    expected_code = 1 if FAIL in outcomes else 2 if UNKNOWN in outcomes else 0
    assert exit_code(analysis) == expected_code


@pytest.mark.parametrize(("texts", "outcome"), [
    param((MET, MET), PASS, id="both met"),
    param((MET, UNMET), FAIL, id="one unmet"),
    param((MET, BLINDED), UNKNOWN, id="one not measurable"),
    param((UNMET, BLINDED), FAIL, id="unmet beats not measurable"),
])
def test_a_cell_is_its_worst_verdict(texts: tuple[str, ...], outcome: Outcome) -> None:
    cell = next(cell for cell in plan_of("healthy").cells if cell.id == "patient")
    judged = replace(cell, expect=tuple(map(expectation, texts)))
    (told,) = analyse_cell(judged, files("healthy", "patient"))
    assert told.outcome is outcome


def test_a_crashed_judge_makes_its_cell_unknown_and_no_other(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(cell_facts: Facts, of: str | None) -> float:
        if cell_facts.noticed is None:
            raise ZeroDivisionError("a bug")
        return 0.0

    monkeypatch.setitem(MEASURE, "lost", crash)
    analysis = analyse(copy("brpop-zombie", tmp_path), plan_of("brpop-zombie"))
    crashed, *others = analysis.cells
    assert crashed.outcome is UNKNOWN
    assert "the judge crashed: ZeroDivisionError: a bug" in crashed.unknown[0]
    assert [cell.outcome for cell in others] == [PASS, PASS]
    assert exit_code(analysis) == 2
