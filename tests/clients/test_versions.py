"""The catalogue's defaults and the shipped consumer, with every version of redis-py that is here.

`netdiag clients add redis-py==VERSION` adds one; `.ci/run` adds the oldest and one between.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from netdiag.catalogue import REDIS_PY_BACKOFF, UNSET, known_major, redis_py_defaults
from netdiag.clients.environments import environments, interpreter
from tests.run.running import Home, needs_lab

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = {one.name: one.version for one in environments()}
needs_versions = pytest.mark.skipif(
    not VERSIONS, reason="no other version of redis-py; netdiag clients add redis-py==5.0.0")

# what a connection of redis.Redis() has by itself, in any version
LOOK = """
import json, redis, socket
pool = redis.Redis().connection_pool
made = pool.connection_class(**pool.connection_kwargs)
retry = getattr(made, "retry", None)
on = made.socket_keepalive
timings = getattr(made, "socket_keepalive_options", None) or {}
names = {socket.TCP_KEEPIDLE: "idle", socket.TCP_KEEPINTVL: "interval", socket.TCP_KEEPCNT: "count"}
print(json.dumps({
    "read_timeout": made.socket_timeout,
    "connect_timeout": made.socket_connect_timeout,
    "keepalive": {names[key]: value for key, value in timings.items()} if on else None,
    "retry": retry._retries if retry is not None else int(made.retry_on_timeout),
    "health_check_interval": made.health_check_interval or None,
    "pauses": [getattr(getattr(retry, "_backoff", None), name, 0) for name in ("_base", "_cap")],
}))
"""


@needs_versions
@pytest.mark.parametrize("name", VERSIONS)
def test_the_catalogue_says_what_the_library_does_by_itself(name: str) -> None:
    done = subprocess.run([interpreter(name), "-c", LOOK], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    pauses = found.pop("pauses")
    defaults = asdict(redis_py_defaults(VERSIONS[name]))
    assert defaults.pop("user_timeout") is None
    assert defaults.pop("options") == {}
    assert UNSET not in defaults.values()
    assert found == defaults
    backoff = REDIS_PY_BACKOFF[known_major(VERSIONS[name])]
    assert pauses == [backoff.base, backoff.cap]


HEALTHY = """
name: versions
client: {{kind: redis-py}}
workload: {{key: jobs}}
matrix:
  client.python: [{names}]
  client.mode: [sync, asyncio]
  workload:
    brpop: {{pattern: brpop, produce: [{{at: {{event: call, after: 500ms}}, count: 2}}]}}
    xreadgroup: {{pattern: xreadgroup, block: 1s, reaper: {{idle: 1s}},
                 produce: [{{at: {{event: call, after: 500ms}}, count: 2}}]}}
    subscribe: {{pattern: subscribe, produce: [{{at: {{event: call, after: 500ms}}, count: 2}}]}}
  exclude: [{exclude}]
expect: {{lost: 0, stuck: 0, no_false_timeout: true}}
duration: 1500ms
"""


@needs_lab
@needs_versions
def test_the_shipped_consumer_runs_under_every_version(tmp_path: Path) -> None:
    home = Home(tmp_path)
    pythons = {name: interpreter(name) for name in VERSIONS}  # HOME is another one in the run
    excluded = [f"{{client.python: {pythons[name]}, client.mode: asyncio}}"
                for name in VERSIONS if VERSIONS[name].startswith("3.")]
    text = HEALTHY.format(names=", ".join(pythons.values()), exclude=", ".join(excluded))
    done = home.record(text, "--jobs", "4")
    assert done.code == 0, done.out[-3000:] + done.err
    for cell in home.cells().values():
        assert [one["fate"] for one in cell["messages"]] == ["delivered"] * 2, cell["id"]


RETRIES = """
name: retries
client: {{kind: redis-py, settings: {{read_timeout: 400ms, keepalive: off, retry: 1}}}}
workload: {{key: jobs, after_error: exit}}
matrix:
  client.python: [null, {names}]
  client.mode: [sync, asyncio]
  exclude: [{exclude}]
duration: 3s
"""


@needs_lab
def test_every_dial_is_told_also_when_the_library_repeats_a_command_by_itself(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    pythons = {name: interpreter(name) for name in VERSIONS}
    excluded = [f"{{client.python: {pythons[name]}, client.mode: asyncio}}"
                for name in VERSIONS if VERSIONS[name].startswith("3.")]
    text = RETRIES.format(names=", ".join(pythons.values()), exclude=", ".join(excluded))
    done = home.record(text, "--jobs", "4")
    assert done.code == 0, done.out[-3000:] + done.err
    recorded = list(home.out.glob("*/20*/cells/*/events.jsonl"))
    assert len(recorded) >= 2
    for path in recorded:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        said = [(row["what"], row["outcome"]) for row in rows if row["lane"] == "client.app"]
        assert said.count(("call", "start")) == 1, path
        assert said.count(("connect", "start")) == said.count(("connect", "ok")) == 2, path
        assert said.count(("error", "fail")) == 1, path
