"""Repeats and selections of a plan's cells."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.errors import ScenarioError
from netdiag.scenario import Plan, expand, loads
from netdiag.scenario.repeat import base, only, repeated

PLAN = expand(loads("""
name: base
faults: [{at: blocked, do: blackhole, for: 3s}]
matrix:
  client.settings: {zombie: {}, keepalive: {keepalive: on}, keep-all: {retry: 3}}
"""))


def ids(plan: Plan) -> list[str]:
    return [cell.id for cell in plan.cells]


@settings(deadline=None)
@given(st.integers(1, 12))
def test_a_repeat_is_the_same_cell(times: int) -> None:
    plan = repeated(PLAN, times)
    assert len(plan.cells) == times * len(PLAN.cells)
    assert [cell.index for cell in plan.cells] == list(range(len(plan.cells)))
    assert len(set(ids(plan))) == len(plan.cells)
    for cell in plan.cells:
        (own,) = [one for one in PLAN.cells if one.id == base(cell.id)]
        assert replace(cell, id=own.id, index=own.index) == own
        assert re.fullmatch(r"[a-z0-9._=~-]{1,60}", cell.id)
    assert Plan.from_json(plan.to_json()) == plan


def test_once_is_the_plan_itself() -> None:
    assert repeated(PLAN, 1) is PLAN
    assert ids(repeated(PLAN, 2))[:2] == ["zombie~1", "zombie~2"]


@pytest.mark.parametrize("times", [0, -1, 1001])
def test_so_often_is_refused(times: int) -> None:
    with pytest.raises(ScenarioError, match=f"--repeat {times}: "):
        repeated(PLAN, times)


@pytest.mark.parametrize(("cell_id", "expected"), [
    param("zombie", "zombie", id="no repeat"), param("zombie~12", "zombie", id="a repeat"),
    param("a~1~2", "a~1", id="the last mark"), param("~1", "~1", id="nothing before"),
    param("a~x", "a~x", id="no number"), param("a~", "a~", id="nothing after"),
])
def test_base(cell_id: str, expected: str) -> None:
    assert base(cell_id) == expected


@pytest.mark.parametrize(("wanted", "expected"), [
    param([], ["zombie", "keepalive", "keep-all"], id="all"),
    param(["keepalive"], ["keepalive"], id="one"),
    param(["keep-all", "zombie"], ["zombie", "keep-all"], id="two, in the plan's order"),
    param(["keep*"], ["keepalive", "keep-all"], id="a pattern"),
    param(["zombie", "z*"], ["zombie"], id="twice is once"),
])
def test_only(wanted: list[str], expected: list[str]) -> None:
    plan = only(PLAN, wanted)
    assert ids(plan) == expected
    assert [cell.index for cell in plan.cells] == list(range(len(plan.cells)))


def test_only_of_a_repeated_plan_means_all_repeats_or_one() -> None:
    plan = repeated(PLAN, 2)
    assert ids(only(plan, ["zombie"])) == ["zombie~1", "zombie~2"]
    assert ids(only(plan, ["zombie~2"])) == ["zombie~2"]


def test_only_says_which_names_are_wrong() -> None:
    with pytest.raises(ScenarioError) as caught:
        only(PLAN, ["zombi", "keepalive", "x*"])
    first, second = caught.value.mistakes
    assert first == "--only zombi: no cell is called so; did you mean 'zombie'?"
    assert second.startswith("--only x*: no cell is called so; write one of: zombie, ")
