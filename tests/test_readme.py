"""The README names everything that a person can ask for by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netdiag.analysis.findings import RULES
from netdiag.scenario.expectation import KINDS
from netdiag.scenario.shelf import shipped

ROWS = re.findall(r"^\| (`.*?) \|", (Path(__file__).parents[1] / "README.md").read_text(), re.M)
NAMED = [name for row in ROWS for name in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize("names", [
    pytest.param([rule.name for rule in RULES], id="findings"),
    pytest.param(list(KINDS), id="expectations"),
    pytest.param([name for name, _ in shipped()], id="scenarios"),
])
def test_every_name_has_its_row(names: list[str]) -> None:
    assert [name for name in names if name not in NAMED] == []
