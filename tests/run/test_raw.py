"""Plain TCP in the real lab: what the kernel's own timers do when no protocol helps them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from netdiag.errors import ScenarioError
from netdiag.scenario import expand, loads
from tests.run.running import Home, needs_lab

if TYPE_CHECKING:
    from pathlib import Path

SILENT = """
name: raw
server: {kind: tcp, keepalive: {idle: 1s, interval: 1s, count: 2}}
client: {kind: raw}
workload: {pattern: raw, after_error: exit}
faults: [{name: cut, at: 1s, do: blackhole}]
matrix:
  client.settings:
    off: {}
    keepalive: {keepalive: {idle: 2s, interval: 1s, count: 2}}
    read-timeout: {read_timeout: 3s}
duration: 7s
"""
ECHO = """
name: echo
server: {kind: tcp, answers: echo}
client: {kind: raw, settings: {user_timeout: 3s, keepalive: {idle: 60s}}}
workload: {pattern: raw, every: 200ms, after_error: exit}
faults: [{name: cut, at: 1s, do: blackhole}]
duration: 8s
"""


@needs_lab
def test_keepalive_alone_finds_the_silence_and_the_server_finds_it_by_its_own(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    done = home.record(SILENT, "--jobs", "3")
    assert done.code == 0, done.out + done.err
    cells = home.cells()
    assert cells["off"]["noticed"] is None
    kept = cells["keepalive"]["noticed"]
    assert kept["errno"] == 110
    assert kept["by"] == "the kernel's keepalive timer"
    assert 2.0 <= kept["t"] < 6.0
    read = cells["read-timeout"]["noticed"]
    assert read["errno"] is None
    assert 1.5 <= read["t"] < 4.0
    assert "nothing came for 3 s" in read["message"]
    for cell in cells.values():
        assert any("has forgotten" in entry["text"] for entry in cell["timeline"]), cell["id"]


@needs_lab
def test_what_is_echoed_is_received_and_data_in_flight_is_retransmitted(tmp_path: Path) -> None:
    home = Home(tmp_path)
    done = home.record(ECHO)
    assert done.code == 0, done.out + done.err
    [path] = home.out.glob("*/20*/cells/*/events.jsonl")
    rows: list[dict[str, Any]] = list(map(json.loads, path.read_text().splitlines()))
    said = [row["data"]["id"] for row in rows if row["what"] == "call" and "id" in row["data"]]
    heard = [row["data"]["id"] for row in rows if row["what"] == "got"]
    assert len(heard) >= 3
    assert heard == said[: len(heard)]
    [cell] = home.cells().values()
    assert cell["noticed"]["errno"] == 110
    assert cell["packets"]["rto_retransmission"] >= 2


@pytest.mark.parametrize("phase", ["blocked", "reply_in_flight", "request_delivered"])
def test_phases_of_commands_are_refused_where_nobody_speaks_resp(phase: str) -> None:
    text = SILENT.replace("at: 1s", f"at: {phase}")
    with pytest.raises(ScenarioError, match=f"{phase} cannot be read: raw speaks no RESP; "
                                            "connecting, connected, closing remain"):
        loads(text)


@pytest.mark.parametrize("phase", ["connecting", "connected", "closing"])
def test_phases_of_the_connection_remain(phase: str) -> None:
    assert len(expand(loads(SILENT.replace("at: 1s", f"at: {phase}"))).cells) == 3


def test_a_pattern_and_a_client_must_fit() -> None:
    with pytest.raises(ScenarioError, match="a raw client cannot do 'brpop'; it knows raw"):
        loads("name: a\nclient: {kind: raw}\n")
    with pytest.raises(ScenarioError, match="a redis-py client cannot do 'raw'"):
        loads("name: a\nworkload: {pattern: raw}\n")
