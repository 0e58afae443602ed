"""Scenarios: YAML -> Scenario -> Plan of Cells.

    load(path) -> Scenario        every mistake at once, as errors.ScenarioError
    expand(scenario) -> Plan      the matrix, fully resolved
    find(name) -> Path            a file, or one of the scenarios that ship
    shipped() -> [(name, about)]
    dump(scenario) -> str         YAML that loads as the same scenario
    json_schema() -> dict         for editors and third-party validators

A Plan is read by every runner, so importing it brings neither pydantic nor YAML; the functions
that read files load them when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from netdiag.scenario.expectation import Expectation
from netdiag.scenario.plan import Cell, Plan

if TYPE_CHECKING:
    from netdiag.scenario.loading import Scenario as Scenario
    from netdiag.scenario.loading import dump as dump
    from netdiag.scenario.loading import expand as expand
    from netdiag.scenario.loading import load as load
    from netdiag.scenario.loading import loads as loads
    from netdiag.scenario.schema import json_schema as json_schema
    from netdiag.scenario.shelf import find as find
    from netdiag.scenario.shelf import find_all as find_all
    from netdiag.scenario.shelf import shipped as shipped

_LATER = {
    "Scenario": "loading", "dump": "loading", "expand": "loading", "load": "loading",
    "loads": "loading",
    "find": "shelf", "find_all": "shelf", "shipped": "shelf", "json_schema": "schema",
}

__all__ = [
    "Cell",
    "Expectation",
    "Plan",
    "Scenario",
    "dump",
    "expand",
    "find",
    "find_all",
    "json_schema",
    "load",
    "loads",
    "shipped",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (what the submodule holds)
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = found
    return found
