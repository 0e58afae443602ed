"""A client in another language, by its page alone: what the page shows works."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import netdiag.clients
from netdiag.catalogue import PATTERNS
from netdiag.clients.task import workload_json
from netdiag.event_data import CLIENTS_WORDS
from netdiag.recording import OUTCOMES
from netdiag.scenario.workload import Workload
from tests.run.running import Home, needs_lab

PAGE = (Path(netdiag.clients.__file__).parent / "own-client.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The page's only block in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_page_has_every_word_every_outcome_and_every_part_of_a_workload() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE, re.MULTILINE)
    assert {word for word, _ in rows} == CLIENTS_WORDS
    said = {outcome for _, outcomes in rows for outcome in re.findall(r"`(\w+)`", outcomes)}
    assert said == set(OUTCOMES)
    for pattern in PATTERNS:
        for name in workload_json(Workload(pattern=pattern), consumer="c", names="r"):
            assert f"`{name}`" in PAGE, name


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The page's scenario: its analysis and the client's own words."""
    home = Home(tmp_path_factory.mktemp("own"))
    consumer = home.root / "cwd" / "consumer.sh"
    consumer.write_text(block("bash"))
    consumer.chmod(0o755)
    done = home.record(block("yaml"))
    assert done.code == 0, done.out + done.err
    (root,) = home.out.glob("own/20*")
    (told,) = json.loads((root / "analysis.json").read_text())["cells"]
    lines = (root / "cells" / "own" / "events.jsonl").read_text().splitlines()
    return told, [row for row in map(json.loads, lines) if row["lane"] == "client.app"]


@needs_lab
def test_the_consumer_in_bash_is_understood_and_followed(cell) -> None:
    told, words = cell
    assert "garbage" not in {one["what"] for one in words}
    assert [one["data"]["id"] for one in words if one["what"] == "processed"] == ["m1", "m2"]
    assert {one["fate"] for one in told["messages"]} <= {"delivered", "late"}
    assert told["faults"][0]["trigger"] == "blocked (2nd)"
    assert told["noticed"]["by"] == "the client's own timeout"
