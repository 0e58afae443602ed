"""The printed JSON Schema: a third party's validator takes and refuses what we do."""

from __future__ import annotations

import json

import pytest

from netdiag.faults import FAULTS
from netdiag.scenario import find, json_schema, load, shipped
from netdiag.scenario.expectation import KINDS
from netdiag.tcp.labels import NAMES as LABELS
from netdiag.tcp.phases import PHASES

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def test_it_is_a_json_schema_and_plain_json() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert json.loads(json.dumps(json_schema(), allow_nan=False)) == json_schema()


@pytest.mark.parametrize("name", [name for name, _ in shipped()])
def test_every_shipped_scenario_fits(name: str) -> None:
    VALIDATOR.validate(load(find(name)).document)


@pytest.mark.parametrize("document", [
    {}, {"name": "a b"}, {"name": "a", "servr": {}}, {"name": "a", "duration": "3 parsecs"},
    {"name": "a", "faults": [{"do": "blackhole"}]}, {"name": "a", "expect": {"lots": 1}},
    {"name": "a", "expect": {"packets": {"keepalive": 1}}},
    {"name": "a", "faults": [{"at": "bloked", "do": "reset"}]}, {"name": "a", "lab": {"ip": 5}},
    {"name": "a", "client": {"kind": "redis-pi"}}, {"name": "a", "hosts": {"router": {}}},
    {"name": "a", "client": {"settings": {"keepalive": {"idle": "2s", "intervall": 3}}}},
    {"name": "a", "faults": [{"at": "1s", "do": {"reset": {}, "blackhole": {}}}]},
])
def test_an_editor_refuses_what_loading_refuses(document: dict[str, object]) -> None:
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize("document", [
    {"name": "a", "x-free": {"anything": [1]}}, {"name": "a", "expect": {"lost": 0}},
    {"name": "a", "expect": [{"zombies": 0}, {"zombies": {"server": "<= 1"}}]},
    {"name": "a", "client": {"settings": {"keepalive": "off", "read_timeout": None}}},
    {"name": "a", "faults": [{"at": {"from": "client", "label": "fin"}, "do": "reset"}]},
    {"name": "a", "matrix": {"zip": [{"seed": [1]}], "exclude": [{"seed": 1}]}},
])
def test_an_editor_takes_what_loading_takes(document: dict[str, object]) -> None:
    VALIDATOR.validate(document)


def test_it_names_every_kind_of_expectation_fault_phase_and_label() -> None:
    text = json.dumps(json_schema())
    for word in (*KINDS, *FAULTS, *PHASES, *LABELS):
        assert f'"{word}"' in text
