"""Every pattern in the real lab: what a cut consumer loses, keeps, and leaves where."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.run.running import Home, needs_lab

pytestmark = needs_lab

# one consumer is cut off while it waits, the message comes, and the other consumer comes later
CUT_OFF = """
name: patterns
clients:
  cut-off: {kind: redis-py, settings: &deaf {keepalive: off, read_timeout: null, retry: 0}}
  healthy: {kind: redis-py, settings: *deaf}
workload:
  key: jobs
  produce:
    - {at: {event: active, after: 100ms}, count: 2}
faults:
  - {name: cut, client: cut-off, at: {phase: blocked, after: 300ms}, do: blackhole}
matrix:
  workload:
    blpop: {pattern: blpop}
    bzpopmin: {pattern: bzpopmin}
    blmove: {pattern: blmove}
    blmove-reaper: {pattern: blmove, reaper: {idle: 600ms, every: 200ms}}
    xreadgroup: {pattern: xreadgroup}
    subscribe: {pattern: subscribe}
    xreadgroup-claim: {pattern: xreadgroup, block: 400ms, reaper: {idle: 600ms}, work: 10ms}
duration: 2500ms
"""
SEVERAL = """
name: several
clients:
  a: {kind: redis-py, settings: {keepalive: off, read_timeout: 2s, retry: 0}}
  b: {kind: redis-py, mode: asyncio, settings: {keepalive: off, read_timeout: 2s, retry: 0}}
workload: {pattern: request, key: jobs, pool: 2, every: 50ms}
faults: [{name: again, client: a, at: {from: client, label: data, nth: 20}, do: {restart: client}}]
duration: 2s
"""
GROUP = """
name: group
client: {kind: redis-py, settings: {keepalive: off, read_timeout: null, retry: 0}}
workload:
  pattern: xreadgroup
  key: jobs
  after_error: {pause: 300ms}
  produce: [{at: 300ms, count: 1}, {at: {event: active, after: 1s}, count: 2}]
faults: [{name: again, at: 800ms, do: restart}]
duration: 3s
"""
OTHERS = """
name: others
client: {kind: redis-py, settings: {keepalive: off, read_timeout: null, retry: 0}}
workload: {key: jobs}
matrix:
  workload:
    heard: {pattern: subscribe, produce: [{at: 500ms, count: 2}]}
    request: {pattern: request, pool: 2, every: 50ms}
duration: 1s
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """cell -> its events, of both scenarios."""
    found: dict[str, list[dict[str, Any]]] = {}
    for number, scenario in enumerate((CUT_OFF, OTHERS, SEVERAL, GROUP)):
        home = Home(tmp_path_factory.mktemp(f"patterns{number}"))
        done = home.record(scenario, "--jobs", "6")
        assert done.code == 0, done.out + done.err
        for path in home.out.glob("*/20*/cells/*/events.jsonl"):
            rows = map(json.loads, path.read_text().splitlines())
            found[path.parent.name] = sorted(rows, key=lambda row: row["t"])
        for path in home.out.glob("*/20*/analysis.json"):
            for cell in json.loads(path.read_text())["cells"]:
                found[f"{cell['id']}: fates"] = cell["messages"]
    return found


def ids(events: list[dict[str, Any]], what: str, who: str | None = None) -> list[str]:
    return [one["data"]["id"] for one in events
            if one["what"] == what and "id" in one["data"] and who in (None, one.get("who"))]


def left(events: list[dict[str, Any]]) -> dict[str, list[str]]:
    [found] = [one["data"] for one in events if one["what"] == "left"]
    return found


def answered_before_the_look(events: list[dict[str, Any]]) -> set[str]:
    """Clients go on while the server is asked what is left, for a second at most."""
    (looked,) = [one["t"] for one in events if one["what"] == "left"]
    return set(ids([one for one in events if one["t"] < looked - 1_000_000_000], "got"))


@pytest.mark.parametrize("cell", ["blpop", "bzpopmin"])
def test_a_pop_for_the_one_that_is_cut_off_is_lost(told, cell):
    events = told[cell]
    assert len(ids(events, "got", "healthy")) == 1, "the other of the two"
    assert ids(events, "processed") == ids(events, "got")
    assert left(events) == {"ids": []}
    assert ids(events, "acknowledged") == []


@pytest.mark.parametrize(("cell", "place"), [("blmove", "processing"), ("xreadgroup", "pending")])
def test_what_must_be_acknowledged_is_found_where_it_was_left(told, cell, place):
    events = told[cell]
    assert ids(events, "acknowledged") == ids(events, "processed") == ids(events, "got")
    assert sorted([*left(events)[place], *ids(events, "got")]) == ["m1", "m2"]
    assert left(events)["ids"] == []


@pytest.mark.parametrize("cell", ["blmove-reaper", "xreadgroup-claim"])
def test_with_a_reaper_the_healthy_consumer_gets_both(told, cell):
    events = told[cell]
    assert sorted(set(ids(events, "got", "healthy"))) == ["m1", "m2"]
    assert ids(events, "got", "cut-off") == []
    if cell == "blmove-reaper":
        assert ids(events, "requeue"), "it was the reaper that gave it back"


def test_a_subscriber_hears_what_is_published_and_the_server_keeps_nothing(told):
    assert ids(told["heard"], "got") == ["m1", "m2"]
    assert left(told["heard"]) == {"ids": []}


def test_a_subscriber_that_is_cut_off_while_it_waits_hears_nothing_more(told):
    assert ids(told["subscribe"], "got", "healthy") == ["m1", "m2"]
    assert ids(told["subscribe"], "got", "cut-off") == []


def test_each_user_of_a_pool_makes_its_requests_and_the_server_knows_which(told):
    events = told["request"]
    asked, executed = ids(events, "call"), left(events)["executed"]
    assert len(asked) > 10
    assert len(set(asked)) == len(asked)
    assert answered_before_the_look(events) <= set(executed) <= set(asked)
    connected = [one for one in events if (one["what"], one["outcome"]) == ("connect", "ok")]
    assert len(connected) == 2


def test_several_clients_and_their_lives_make_requests_that_nobody_takes_for_anothers(told):
    events = told["several"]
    asked, executed = ids(events, "call"), left(events)["executed"]
    assert len(set(asked)) == len(asked)
    assert {name.rpartition("r")[0] for name in asked} == {"a:", "a:2:", "b:"}
    assert answered_before_the_look(events) <= set(executed) <= set(asked)
    assert len(set(executed)) == len(executed)
    for who in ("a", "b"):
        fates = told[f"several.{who}: fates"]
        assert sorted(one["id"] for one in fates) == sorted(ids(events, "call", who))
        answered = set(ids(events, "got", who))
        assert answered
        assert answered == {one["id"] for one in fates if one["fate"] in ("delivered", "late")}


def test_a_group_that_died_with_the_server_is_told_and_its_consumer_does_not_loop_hot(told):
    events = told["group"]
    errors = [one["t"] for one in events if one["what"] == "error"
              and one["data"]["message"].startswith("NOGROUP")]
    assert 2 <= len(errors) <= 10
    assert all(later - sooner >= 300_000_000
               for sooner, later in itertools.pairwise(errors))
    assert ids(events, "got") == ["m1"]
    assert left(events) == {"ids": [], "ungrouped": ["m2", "m3"]}
    first, *others = told["group: fates"]
    assert first["fate"] == "delivered"
    for one in others:
        assert (one["fate"], one["text"]) == (
            "stuck", "in the stream, but the group is gone: who reads for it gets NOGROUP")
