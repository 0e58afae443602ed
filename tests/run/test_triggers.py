"""Every kind of trigger over a connection whose commands cannot be read: TLS, and any program.

The server is a real redis-server with TLS; the client is the shipped script as a program of its
own, so phases of commands are all that netdiag cannot see.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import netdiag
from tests.run.running import Home, needs_lab

if TYPE_CHECKING:
    from collections.abc import Mapping

needs_tls = pytest.mark.skipif(
    shutil.which("redis-server") is None or shutil.which("openssl") is None,
    reason="needs redis-server and openssl; on Debian: apt-get install redis-server openssl")
pytestmark = [needs_lab, needs_tls]
SCRIPT = Path(netdiag.__file__).parent / "clients" / "programs" / "redis_py"

SCENARIO = """
name: tls
server:
  binary: redis-server
  config: {{port: 0, tls-port: 6379, tls-cert-file: {cert}, tls-key-file: {key},
           tls-auth-clients: "no", tcp-keepalive: 1}}
client:
  kind: exec
  command: [{python}, {script}]
  settings: {{read_timeout: 2s, retry: 0, options: {{ssl: true, ssl_cert_reqs: none}}}}
workload: {{key: jobs, after_error: exit}}
faults: [{{name: cut, at: 1s, do: blackhole}}]
matrix:
  faults.0.at:
    phase: blocked
    connected: {{phase: connected, after: 700ms}}
    packet: {{from: client, label: data, nth: 2, packet: delivered}}
    time: 1s
    event: {{event: call, after: 700ms}}
    state: {{state: ESTABLISHED, side: client, after: 700ms}}
    server-state: {{state: ESTABLISHED, side: server, after: 700ms}}
duration: 5s
"""
HEALED_BY_STATE = """
name: state
client: {kind: redis-py, settings: {read_timeout: 1s, retry: 0, keepalive: off}}
workload: {key: jobs, after_error: {pause: 300ms}}
faults:
  - {name: cut, at: {phase: blocked, after: 200ms}, do: blackhole,
     heal: {state: FIN-WAIT-1, side: client, after: 400ms}}
duration: 4s
"""


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, dict[str, Any]]:
    """cell -> what was made of it."""
    home = Home(tmp_path_factory.mktemp("tls"))
    cert, key = home.root / "cert.pem", home.root / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=lab", "-keyout", key, "-out", cert],
        check=True, capture_output=True)
    done = home.record(
        SCENARIO.format(cert=cert, key=key, python=sys.executable, script=SCRIPT), "--jobs", "7")
    assert done.code == 2, done.out[-2000:] + done.err
    return home.cells()


def test_the_phase_of_a_command_is_said_to_be_unreadable(cells):
    cell = cells["phase"]
    assert cell["outcome"] == "UNKNOWN"
    [why] = cell["unknown"]
    assert "fault cut never took effect: the bytes are not RESP" in why
    assert "(TLS?)" in why
    assert "connecting, connected and closing remain, and packets, times" in why


@pytest.mark.parametrize("name", ["connected", "packet", "time", "event", "state", "server-state"])
def test_what_remains_cuts_and_is_noticed(cells, name):
    cell = cells[name]
    assert cell["outcome"] == "PASS", cell["unknown"]
    [fault] = cell["faults"]
    assert sum(fault["taken"].values()) > 0
    assert cell["noticed"] is not None


def test_a_fault_heals_when_a_socket_is_in_a_state(tmp_path):
    home = Home(tmp_path)
    done = home.record(HEALED_BY_STATE)
    assert done.code == 0, done.out + done.err
    [path] = home.out.glob("*/20*/cells/*/events.jsonl")
    rows = list(map(json.loads, path.read_text().splitlines()))
    closed = next(row["t"] for row in rows
                  if row["lane"] == "client.kernel" and row["data"].get("state") == "FIN-WAIT-1")
    healed = next(row for row in rows if row["data"].get("edge") == "healed")
    assert healed["data"]["trigger"] == "FIN-WAIT-1 at the client + 400 ms"
    assert 0.4e9 <= healed["t"] - closed < 1e9
