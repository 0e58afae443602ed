"""A scenario expands to cells in a fixed order, with stable readable ids, and survives JSON."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import param

from netdiag.catalogue import Keepalive
from netdiag.faults import EventTrigger
from netdiag.scenario import Plan, expand, loads
from netdiag.scenario.codec import CLASSES, pack, unpack
from netdiag.scenario.matrix import _shortened, same_value

BASE = """
name: base
client: {settings: {keepalive: off, retry: 0}}
faults:
  - {name: cut, at: blocked, do: blackhole, for: 3s}
  - {at: {event: healed}, do: reset}
"""


def plan(text: str, **more: object) -> Plan:
    return expand(loads(BASE + text, **more))  # type: ignore[arg-type]


def ids(text: str) -> list[str]:
    return [cell.id for cell in plan(text).cells]


@pytest.mark.parametrize(("matrix", "expected"), [
    param("", ["base"], id="no matrix"),
    param("client.settings.read_timeout: [null, 3s]", ["read_timeout=none", "read_timeout=3s"],
          id="a list"),
    param("client.settings: {zombie: {}, kept: {keepalive: on}}", ["zombie", "kept"], id="names"),
    param("client.settings: {a: {}, b: {}}\n  workload.block: [0s, 5s]",
          ["a.block=0s", "a.block=5s", "b.block=0s", "b.block=5s"], id="a product"),
    param("zip: {workload.block: [0s, 5s], duration: [10s, 20s]}",
          ["block=0s.duration=10s", "block=5s.duration=20s"], id="a zip"),
    param("zip:\n    - {workload.block: [0s, 5s], duration: [10s, 20s]}\n  seed: [1, 2]",
          ["block=0s.duration=10s.seed=1", "block=0s.duration=10s.seed=2",
           "block=5s.duration=20s.seed=1", "block=5s.duration=20s.seed=2"], id="a zip and an axis"),
    param("workload.block: [0s, 5s]\n  seed: [1, 2]\n  exclude: [{workload.block: 5, seed: 2}]",
          ["block=0s.seed=1", "block=0s.seed=2", "block=5s.seed=1"], id="exclude by value"),
    param("client.settings.keepalive: [off, {idle: 2s, interval: 1s, count: 3}]",
          ["keepalive=off", "keepalive=2s-1s-3"], id="mappings in a list"),
    param("faults.cut.at: [blocked, closing]", ["at=blocked", "at=closing"], id="fault by name"),
    param("faults.f2.at: {now: 1s, soon: 2s}", ["now", "soon"], id="fault by number"),
    param("faults.0.do.blackhole.direction: [both, to_client]",
          ["direction=both", "direction=to_client"], id="below a short form"),
    param("hosts.client.net.ipv4.tcp_retries2: [3, 8]",
          ["net.ipv4.tcp_retries2=3", "net.ipv4.tcp_retries2=8"], id="a sysctl"),
])
def test_cells_are_named_after_their_choices(matrix: str, expected: list[str]) -> None:
    assert ids(f"matrix:\n  {matrix}\n" if matrix else "") == expected


def test_choices_land_in_the_cells() -> None:
    cells = plan("matrix:\n  client.settings:\n    a: {keepalive: {idle: 2s}, read_timeout: 3s}\n"
                 "    b: {retry: 5}\n  faults.cut.heal: {later: {event: got, nth: 2}}\n"
                 "  faults.cut.for: [null]\n").cells
    one, two = (cell.client.settings for cell in cells)
    assert (one.keepalive, one.read_timeout, one.retry) == (Keepalive(idle=2), 3.0, 0)
    assert (two.keepalive, two.retry) == (None, 5)
    assert cells[0].faults[0].heal == EventTrigger(event="got", nth=2)
    assert dict(cells[1].choices) == {"client.settings": "b", "faults.cut.heal": "later",
                                      "faults.cut.for": "none"}
    assert [fault.name for fault in cells[0].faults] == ["cut", "f2"]


def test_an_id_and_a_seed_depend_on_the_cell_alone() -> None:
    few = plan("matrix: {workload.block: [0s, 5s]}\nseed: 7\n")
    many = plan("matrix: {workload.block: [1s, 5s, 0s]}\nseed: 7\n")
    by_id = {cell.id: cell.seed for cell in many.cells}
    assert {cell.id: by_id[cell.id] for cell in few.cells} == {c.id: c.seed for c in few.cells}
    assert len(set(by_id.values())) == 3
    assert expand(loads(BASE), seed=2).cells[0].seed != expand(loads(BASE)).cells[0].seed
    assert all(0 <= seed < 2**63 for seed in by_id.values())


@given(st.text(min_size=1))
def test_every_id_is_a_safe_directory_name(label: str) -> None:
    assert re.fullmatch(r"[a-z0-9_=][a-z0-9._=-]{0,39}", _shortened(label))


def test_ids_that_would_be_one_are_told_apart() -> None:
    found = ids("matrix: {client.settings: {A b: {}, a b: {}, a-b: {}, " + "x" * 60 + ": {}}}\n")
    assert len(set(found)) == 4
    assert max(map(len, found)) <= 40


@pytest.mark.parametrize(("one", "other", "same"), [
    ("3s", 3, True), ("3000ms", "3s", True), (True, 1, False), (None, None, True), ("a", "a", True),
    ("a", "b", False), (None, 0, False), ("off", False, False), ({"a": 1}, {"a": 1}, True),
])
def test_values_are_compared_as_a_person_means_it(one: object, other: object, same: bool) -> None:
    assert same_value(one, other) is same


WHEN = """
matrix: {client.settings: {zombie: {read_timeout: null}, timed: {read_timeout: 3s}}}
expect:
  - lost: 0
    stuck: any
  - when: {client.settings: zombie}
    detected_within: never
    lost: 1
  - when: {client.settings.read_timeout: 3000ms, client.settings: [timed, zombie]}
    detected_within: read_timeout + 1s
    zombies: {server: 0}
"""


def test_expectations_differ_by_cell_and_the_nearer_one_wins() -> None:
    zombie, timed = ([str(one) for one in cell.expect] for cell in plan(WHEN).cells)
    assert zombie == ["lost: 1", "stuck: any", "detected_within: never"]
    assert timed == ["lost: 0", "stuck: any", "detected_within: read_timeout + 1s",
                     "zombies.server: 0"]


def test_formulas_see_the_cells_settings() -> None:
    zombie, timed = plan(WHEN).cells
    assert (zombie.values()["read_timeout"], timed.values()["read_timeout"]) == (None, 3.0)
    assert "connect_timeout" not in timed.values()
    assert timed.values("8.1.0")["connect_timeout"] == 5.0
    assert (timed.values()["tcp_keepalive"], timed.values()["pause"]) == (300, 0.5)


SYSCTLS = """
name: sysctls
hosts:
  client: {net.ipv4.tcp_keepalive_time: 5, net.ipv4.tcp_keepalive_intvl: "1",
           net.ipv4.tcp_keepalive_probes: 3}
  server: {net.ipv4.tcp_keepalive_time: 60}
matrix:
  client:
    all: {kind: phpredis, settings: {keepalive: on}}
    some: {kind: redis-py, settings: {keepalive: {idle: 10s}}}
  server:
    redis: {kind: redis}
    own: {kind: tcp, keepalive: on}
expect: {detected_within: keepalive + 2s}
"""


def test_formulas_see_the_hosts_sysctls_where_the_settings_leave_a_timing_to_the_kernel() -> None:
    """On a host with 5/1/3 a keepalive is on after 8 s, not after two hours."""
    values = {cell.id: cell.values() for cell in expand(loads(SYSCTLS)).cells}
    told = {name: [one[f"keepalive{what}"] for what in ("", "_idle", "_interval", "_count")]
            for name, one in values.items()}
    assert told["all.redis"] == [8, 5, 1, 3]
    assert told["some.redis"] == [13, 10, 1, 3]
    assert [values[f"all.{name}"]["tcp_keepalive"] for name in ("redis", "own")] == [300, 60]


EVERYTHING = WHEN.replace("lost: 0", """lost: 0 .. 2
    zombies: 0
    duplicated: "!= 3"
    no_false_timeout: true
    error: {type: TimeoutError, errno: ETIMEDOUT}
    finding: [half-open]
    recovered_within: max(1s, block) + (1s)""") + """
lab: {ip: 6}
server: {binary: redis-server, config: {save: "", tcp-keepalive: 6}}
workload: {after_error: exit, produce: [{at: 1s, count: 3, rate: 2/s}, {at: {from: client,
  label: fin}}, {at: {phase: blocked, nth: 2}}]}
hosts: {client: {net.ipv4.tcp_retries2: 5}}
"""


def test_a_plan_survives_json() -> None:
    before = plan(EVERYTHING)
    text = json.dumps(before.to_json(), allow_nan=False)
    assert Plan.from_json(json.loads(text)) == before


def test_reading_a_plan_builds_only_what_a_plan_is_made_of() -> None:
    with pytest.raises(ValueError, match="is not a value of a plan"):
        unpack({"$is": "Popen", "args": "x"})
    with pytest.raises(ValueError, match="version 0"):
        Plan.from_json({"version": 0})
    assert "Popen" not in CLASSES
    assert unpack(pack({"a": (1, "b")})) == {"a": (1, "b")}


@pytest.mark.parametrize(("path", "wrong", "told"), [
    (("cells", 0, "duration"), "30s", "cells[0].duration is '30s'"),
    (("cells", 0, "faults", 0, "at", "nth"), -1, "cells[0].faults[0].at.nth is -1"),
    (("cells", 0, "workload", "nope"), 1, "cells[0].workload.nope: there is no such field"),
    (("cells", 0, "clients"), {}, "cells[0].clients: there are none"),
    (("cells",), [], "the plan holds no cells"),
    (("seed",), True, "plan.seed is True"),
])
def test_a_plan_that_is_damaged_says_where(
    path: tuple[str | int, ...], wrong: object, told: str
) -> None:
    plain = json.loads(json.dumps(plan("").to_json()))
    holder = plain
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = wrong
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        Plan.from_json(plain)


def test_a_runner_that_reads_a_plan_loads_neither_pydantic_nor_yaml() -> None:
    code = ("import sys, netdiag.scenario.plan\n"
            "print([name for name in sys.modules if name.split('.')[0] in ('pydantic', 'ruamel')])")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_several_clients_have_names() -> None:
    cell = expand(loads("name: a\nclients: {one: {}, two: {settings: {retry: 3}}}\nmatrix:\n"
                        "  clients.one.settings.retry: [1]\n")).cells[0]
    assert {name: client.settings.retry for name, client in cell.clients.items()} == {
        "one": 1, "two": 3}
    assert cell.client == cell.clients["one"]
