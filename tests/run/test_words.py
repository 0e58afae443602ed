"""What an application is told, by real clients of each kind: as it was foretold, word for word.

On the virtual clock, which a busy machine does not disturb.
"""

from __future__ import annotations

import errno
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from netdiag.analysis import analyse
from netdiag.catalogue import PhpRedisClient
from netdiag.cli.show import load_plan
from netdiag.clients.phpredis import version
from netdiag.errors import LabError
from netdiag.recording import Recording
from tests.lab.uml.kernel import named, needs_kernel
from tests.run.running import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHY_NOT = ""
try:
    version(PhpRedisClient())
except LabError as missing:
    WHY_NOT = str(missing)

pytestmark = [needs_kernel, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT),
              pytest.mark.usefixtures("named")]

__all__ = ["named"]

SHORT = {"tcp_keepalive_time": 1, "tcp_keepalive_intvl": 1, "tcp_keepalive_probes": 1,
         "tcp_retries2": 1, "tcp_syn_retries": 1}
QUIET = {"read_timeout": None, "connect_timeout": None}
CLIENTS: dict[str, dict[str, Any]] = {
    "sync": {"kind": "redis-py", "settings": {**QUIET, "retry": 0, "keepalive": None}},
    "asyncio": {"kind": "redis-py", "mode": "asyncio",
                "settings": {**QUIET, "retry": 0, "keepalive": None}},
    "php": {"kind": "phpredis", "mode": "bare", "settings": {**QUIET, "keepalive": "off"}},
}
FAULTS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "read": ("blocked", "blackhole", {"read_timeout": "600ms"}),
    "keepalive": ("blocked", "blackhole", {"keepalive": "on"}),
    "request": ("request_delivered", "blackhole", {}),
    "dial": ("connecting", "blackhole", {"connect_timeout": "600ms"}),
    "reset": ("blocked", {"reset": {"to": "client"}}, {}),
    "kill": ("blocked", "kill", {}),
}
OTHERS = (("php", "blmove", "read"), ("sync", "subscribe", "keepalive"),
          ("sync", "subscribe", "kill"), ("php", "subscribe", "kill"))


def cells() -> Iterator[tuple[str, dict[str, Any]]]:
    every = ((name, "brpop", fault) for name in CLIENTS for fault in FAULTS)
    for name, pattern, fault in (*every, *OTHERS):
        (at, do, settings), client = FAULTS[fault], CLIENTS[name]
        told = {**client, "settings": {**client["settings"], **settings}}
        yield f"{name}-{pattern}-{fault}", {
            "client": told, "workload": {"pattern": pattern, "after_error": "exit"},
            "faults": [{"name": "cut", "at": at, "do": do}]}


def scenario() -> str:
    axes: dict[str, dict[str, Any]] = {}
    for name, cell in cells():
        for path, value in cell.items():
            axes.setdefault(path, {})[name] = value
    hosts = {"client": {f"net.ipv4.{name}": value for name, value in SHORT.items()}}
    return json.dumps({"name": "words", "hosts": hosts, "duration": "20s",
                       "faults": [{"name": "cut", "at": "blocked", "do": "blackhole"}],
                       "matrix": {"zip": axes}})


def foretold(text: str) -> tuple[str, str, str]:
    """`TYPE ERRNO: words` -> its parts; the server has an address."""
    found = re.fullmatch(r"(\w+)( E[A-Z]+)?: (.*)", text)
    assert found is not None, text
    return found[1], (found[2] or "").strip(), found[3].replace("the server", "10.0.0.2:6379")


def test_the_application_is_told_what_was_foretold(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.record(scenario(), "--warp", "--keep-going").code == 0
    recording = Recording(next(home.out.glob("words/20*")))
    analysis = analyse(recording, load_plan(recording))
    seen = {}
    for (name, _), cell in zip(cells(), analysis.cells, strict=True):
        assert cell.unknown == (), name
        row = next(one for one in cell.predicted if one.what == "error")
        path = recording.cell(cell.id).events
        error = next(event["data"] for event in map(json.loads, path.read_text().splitlines())
                     if (event["lane"], event["what"]) == ("client.app", "error"))
        kind, number, words = foretold(row.text)
        assert row.within, (name, row)
        seen[name] = error["message"]
        assert error["type"] == kind, (name, error)
        assert error["message"].startswith(words), (name, error)
        assert not number or error["errno"] == getattr(errno, number), (name, error)
    assert len(seen) == len(dict(cells()))
