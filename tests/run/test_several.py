"""Several clients in one cell: each has its own cable and tape, and they share the server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from netdiag.recording import Recording
from tests.run.running import Home, why_no_lab

if TYPE_CHECKING:
    from pathlib import Path

THIEF = """
name: thief
server: {config: {tcp-keepalive: 60}}
clients:
  cut-off: {kind: redis-py, settings: {keepalive: off, read_timeout: null, retry: 0}}
  healthy: {kind: redis-py, settings: {keepalive: off, read_timeout: null, retry: 0}}
workload:
  produce: [{at: {event: active, after: 100ms}, count: 2}]
faults:
  - {name: cut, client: cut-off, at: {phase: blocked, after: 500ms}, do: blackhole}
expect: {lost: 1, duplicated: 0}
duration: 1500ms
"""


@pytest.fixture(scope="module", autouse=True)
def _lab() -> None:
    reason = why_no_lab()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_the_consumer_that_is_cut_off_takes_a_message_from_the_healthy_one(home: Home) -> None:
    done = home.record(THIEF)
    assert done.code == 0, done.err
    root = (home.out / "thief" / "latest").resolve()
    analysis = json.loads((root / "analysis.json").read_text())
    cut, healthy = analysis["cells"]
    assert [cut["id"], healthy["id"]] == ["thief.cut-off", "thief.healthy"]
    assert cut["origin"] == "the fault"
    assert healthy["origin"] == "the fault at another client's cable"
    assert len(cut["faults"]) == 1
    assert healthy["faults"] == []
    for told in (cut, healthy):
        # who of the two waits longer is the machine's choice; who loses its message is not
        assert sorted(one["fate"] for one in told["messages"]) == ["delivered", "zombie"]
        [lost] = [one for one in told["messages"] if one["fate"] == "zombie"]
        assert "for cut-off (client " in lost["text"], "the one that is cut off"
    files = Recording(root).cell("thief")
    assert files.tape_of("cut-off").stat().st_size > 0
    assert files.tape_of("healthy").stat().st_size > 0
    assert not files.tape.exists()
