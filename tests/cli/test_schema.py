"""`netdiag schema`: what is printed are the schemas themselves, and they are what editors need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from netdiag.analysis.schema import analysis_schema
from netdiag.scenario import json_schema

from .calling import call

SHIPPED = sorted((Path(__file__).parents[2] / "scenarios").glob("*.yaml"))


def test_prints_the_schema_of_scenarios() -> None:
    called = call("schema")
    assert (called.code, json.loads(called.out)) == (0, json.loads(json.dumps(json_schema())))
    Draft202012Validator.check_schema(json.loads(called.out))


def test_prints_the_schema_of_analyses() -> None:
    called = call("schema", "--analysis")
    assert (called.code, json.loads(called.out)) == (0, analysis_schema())
    assert "several scenarios `run --json` prints a list" in json.loads(called.out)["description"]


def test_its_help_says_how_editors_use_it() -> None:
    out = call("schema", "--help").out
    assert "# yaml-language-server: $schema=netdiag.schema.json" in out


def test_what_ships_is_valid_for_a_third_party(tmp_path: Path) -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    if not checker.exists():
        pytest.skip("check-jsonschema is not installed beside this Python")
    schema = tmp_path / "netdiag.schema.json"
    schema.write_text(call("schema").out)
    done = subprocess.run([checker, "--schemafile", schema, *SHIPPED], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
