"""Loading: extends, --set, the way back to YAML, and no traceback whatever the bytes are."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netdiag.catalogue import Keepalive, RedisPySettings
from netdiag.errors import ScenarioError
from netdiag.faults import FAULTS
from netdiag.scenario import dump, expand, find, load, loads, shipped
from netdiag.tcp.labels import NAMES as LABELS
from netdiag.tcp.phases import PHASES

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = [name for name, _ in shipped()]
TEXTS = [find(name).read_bytes() for name in SHIPPED]

duration = st.one_of(st.integers(0, 10**6), st.integers(1, 99).map("{}s".format),
                     st.integers(1, 999).map("{}ms".format), st.just("1h30m"))
name = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
text = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["C", "Z"])
               | st.just(" "), min_size=1, max_size=30)
scalar = st.one_of(text, st.integers(-10**9, 10**9), st.booleans(),
                   st.floats(allow_nan=False, allow_infinity=False, width=32))


def mapping(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({}, optional=fields)


trigger = st.one_of(
    st.sampled_from(PHASES), st.integers(0, 20).map("{}s".format),
    st.builds(dict, phase=st.sampled_from(PHASES), nth=st.integers(1, 9), after=duration),
    st.builds(lambda who, label: {"from": who, "label": label},
              st.sampled_from(["client", "server"]), st.sampled_from(LABELS)),
    st.builds(dict, event=st.sampled_from(["got", "call", "reconnect"]), after=duration))
verb = st.sampled_from([*FAULTS, {"reset": {"to": "client"}}, {"blackhole": {}}])
settings_ = mapping(
    read_timeout=st.none() | duration, connect_timeout=st.none() | duration,
    keepalive=st.sampled_from(["off", "on", None, {"idle": "2s", "count": 3}]),
    retry=st.integers(0, 9), options=st.dictionaries(st.sampled_from(["db", "protocol"]), scalar))
scenario = mapping(
    about=text, lab=mapping(ip=st.sampled_from([4, 6])),
    server=mapping(binary=st.none() | text, config=st.dictionaries(
        st.sampled_from(["save", "timeout", "tcp-keepalive"]), scalar)),
    client=mapping(settings=settings_),
    workload=mapping(block=duration, key=text, after_error=st.just("exit"),
                     produce=st.lists(mapping(at=trigger, count=st.integers(1, 9)), max_size=2)),
    faults=st.lists(mapping(at=trigger, do=verb).map(
        lambda one: {"at": "blocked", "do": "reset", **one}), max_size=3),
    matrix=mapping(**{"client.settings.retry": st.lists(st.integers(0, 9), min_size=1, max_size=3,
                                                        unique=True)}),
    expect=st.lists(mapping(lost=st.just("any")), max_size=1),
    duration=st.just("90s"), seed=st.integers(0, 99),
).map(lambda one: {"name": "n", **one})


@given(scenario, name)
@settings(max_examples=60, deadline=None)
def test_load_dump_load_is_the_identity(document: dict[str, object], called: str) -> None:
    once = loads(json.dumps({**document, "name": called}))
    again = loads(dump(once))
    assert again == once
    assert expand(again).cells == expand(once).cells


@given(st.sampled_from(TEXTS), st.data())
@settings(max_examples=150, deadline=None)
def test_a_random_change_gives_a_scenario_or_its_mistakes(raw: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(raw)))
    gone = data.draw(st.integers(0, 8))
    new = data.draw(st.binary(max_size=4) | st.text("{}[]:-*&,'\"|>#\n\t 09", max_size=4).map(
        str.encode))
    try:
        expand(loads(raw[:at] + new + raw[at + gone:], name="f"))
    except ScenarioError as refusal:
        assert refusal.mistakes
        assert all(line.startswith("f:") or "\n" not in line for line in refusal.mistakes)


HEALTHY = ("idle-day", "short-read-timeout")  # what a client does to itself


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_scenario_loads(name: str) -> None:
    ready = load(find(name))
    assert ready.name == name
    assert len(ready.about) > 80
    assert all(cell.expect for cell in expand(ready).cells)
    assert all(cell.faults for cell in expand(ready).cells) or name in HEALTHY


def test_the_shelf_answers_names_paths_and_near_misses(tmp_path: Path) -> None:
    assert {"brpop-zombie", "reply-lost", "request-in-flight", "heal-before-retry-ends",
            "heal-after-fin"} <= set(SHIPPED)
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\n")
    assert find(mine) == mine
    assert find("brpop-zombie.yaml") == find("brpop-zombie")
    with pytest.raises(ScenarioError, match="did you mean 'brpop-zombie'"):
        find("brpop-zombi")
    assert all(about and "\n" not in about for _, about in shipped())


def test_a_scenario_takes_from_the_one_it_extends_what_it_does_not_say(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "name: base\nclient: {settings: {retry: 3, keepalive: on}}\nduration: 9s\n"
        "matrix: {seed: [1, 2]}\nworkload: {produce: [{at: 1s}]}\n"
        "faults: [{name: cut, at: blocked, do: blackhole}]\n")
    child = tmp_path / "child.yaml"
    child.write_text("extends: base.yaml\nname: child\nclient: {settings: {retry: 0}}\n"
                     "matrix: {workload.block: [1s]}\nfaults: []\n")
    ready = load(child)
    cell, = expand(ready).cells
    assert (ready.name, cell.id, cell.duration, cell.faults) == ("child", "block=1s", 9.0, ())
    assert cell.client.settings == RedisPySettings(retry=0, keepalive=Keepalive())
    assert cell.workload.produce[0].at.time == 1.0
    digest = ready.digest
    (tmp_path / "base.yaml").write_text("name: other\n")
    assert load(child).digest != digest


def test_a_mistake_in_an_extended_file_is_told_there(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("name: base\nduration: long\n")
    (tmp_path / "child.yaml").write_text("extends: base.yaml\n")
    with pytest.raises(ScenarioError, match=r"base\.yaml:2:11: 'long' is not a duration"):
        load(tmp_path / "child.yaml")


@pytest.mark.parametrize(("text", "what"), [
    ("extends: f.yaml", "extends this file in turn; break the ring"),
    ("extends: nowhere.yaml", "cannot extend 'nowhere.yaml': no file and no shipped scenario"),
    ("extends: 3", "'extends' names one file"),
    ("extends: \"a\\tb\"", "cannot extend"),
])
def test_what_cannot_be_extended_is_one_line(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "f.yaml").write_text(f"name: a\n{text}\n")
    with pytest.raises(ScenarioError) as refusal:
        load(tmp_path / "f.yaml")
    assert len(refusal.value.mistakes) == 1
    assert what in str(refusal.value)


def test_a_shipped_scenario_can_be_extended_by_name() -> None:
    ready = loads("extends: brpop-zombie\nname: mine\nduration: 40s\n")
    assert [cell.duration for cell in expand(ready).cells] == [40.0] * 3


def test_set_changes_one_value() -> None:
    ready = loads("name: a\nmatrix: {seed: [1]}\n",
                  settings=["client.settings.read_timeout=3s", "workload.after_error={pause: 1s}"])
    cell, = expand(ready).cells
    assert (cell.client.settings.read_timeout, cell.workload.after_error.pause) == (3.0, 1.0)
    assert loads("name: a\n").digest != loads("name: a\n", settings=["duration=9s"]).digest


@pytest.mark.parametrize(("setting", "what"), [
    ("client.settings.read_timeout=3 sec",
     "--set client.settings.read_timeout=3 sec:1:1: '3 sec' is not a duration"),
    ("client.setings.retry=3", "unknown key 'setings' in 'client'; did you mean 'settings'?"),
    ("about=x", "path 'about' leads nowhere"), ("seed", "no '='; write path=value"),
    ("seed=3", "the matrix varies seed, and that axis decides it"), ("lab.ip={", "not YAML"),
    ("faults.x.at=3s", "a mapping stands where 'faults' should be a list"),
])
def test_a_wrong_set_is_told_as_such(setting: str, what: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        loads("name: a\nmatrix: {seed: [1]}\n", settings=[setting])
    assert what in str(refusal.value)
    assert "--set" in str(refusal.value)


def test_a_large_matrix_loads_in_time() -> None:
    axes = "".join(f"  {path}: [{', '.join(map(str, range(10)))}]\n" for path in (
        "client.settings.retry", "workload.block", "client.settings.read_timeout"))
    start = time.process_time()
    assert len(expand(loads(f"name: a\nmatrix:\n{axes}")).cells) == 1000
    assert time.process_time() - start < 4
