"""Two axes of a matrix against each other, one thing in each slot."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest import param

from netdiag.analysis.model import Analysis, CellAnalysis, Message, Outcome
from netdiag.errors import NetdiagError
from netdiag.report.pivot import pivot


def cell(pattern: str, at: str, *fates: str, unknown: tuple[str, ...] = ()) -> CellAnalysis:
    choices = {"workload.pattern": pattern, "faults.cut.at": at}
    messages = tuple(Message(f"m{number}", fate, "") for number, fate in enumerate(fates))
    outcome = Outcome.UNKNOWN if unknown else Outcome.PASS
    return CellAnalysis(f"{pattern}.{at}", choices, outcome, unknown, 1.0, messages=messages)


def run(*cells: CellAnalysis) -> Analysis:
    return Analysis("fates", "", Outcome.PASS, cells)


FATES = run(
    cell("brpop", "idle", "zombie", "delivered"), cell("brpop", "reply", "lost"),
    cell("blmove", "idle", "stuck"), cell("blmove", "reply", unknown=("it missed",)))
TABLE = """
| workload.pattern \\ faults.cut.at | idle                | reply   |
|----------------------------------|---------------------|---------|
| brpop                            | 1 taken by a zombie | 1 lost  |
| blmove                           | 1 stuck             | unknown |
"""


@pytest.mark.parametrize("wanted", ["pattern,at", "workload.pattern, faults.cut.at",
                                    "pattern,cut.at,messages"])
def test_an_axis_is_named_whole_or_by_its_end(wanted: str) -> None:
    assert pivot(FATES, wanted) == TABLE.removeprefix("\n")


def test_the_other_way_round_with_the_outcome() -> None:
    head, _, idle, reply = pivot(FATES, "at,pattern,outcome").splitlines()
    assert [word.strip() for word in head.split("|")[2:4]] == ["brpop", "blmove"]
    assert [word.strip() for word in idle.split("|")[1:4]] == ["idle", "PASS", "PASS"]
    assert [word.strip() for word in reply.split("|")[1:4]] == ["reply", "PASS", "unknown"]


def test_repeats_that_do_not_agree_are_counted() -> None:
    one = cell("brpop", "idle", "lost")
    repeats = run(one, one, replace(one, messages=()))
    assert "| 1 lost (2 of 3); - (1 of 3) |" in pivot(repeats, "pattern,at")


def test_a_slot_without_a_cell_is_empty_and_a_bar_in_a_name_stays_a_name() -> None:
    table = pivot(run(cell("a|b", "idle", "lost"), cell("c", "reply", "lost")), "pattern,at")
    assert "| a\\|b " in table
    assert table.splitlines()[2].split("|")[-2].strip() == ""


@pytest.mark.parametrize(("analysis", "wanted", "why"), [
    param(FATES, "pattern", "write two axes", id="one axis"),
    param(FATES, "patern,at", "no axis 'patern'", id="an unknown axis"),
    param(FATES, "pattern,at,colour", "cannot show 'colour'", id="an unknown thing"),
    param(run(), "pattern,at", "has no matrix", id="no matrix"),
])
def test_what_cannot_be_a_table_is_refused(analysis: Analysis, wanted: str, why: str) -> None:
    with pytest.raises(NetdiagError, match=why) as refusal:
        pivot(analysis, wanted)
    assert refusal.value.exit_code == 64
