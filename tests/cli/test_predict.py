"""`netdiag predict` and `netdiag advise`: arithmetic on the terminal and as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pytest import param

from .calling import call

NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "scenarios").glob("*.yaml"))
KERNEL = ("--kernel", "6.1.192", "--hz", "250")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("columns", [60, 120])
def test_every_scenario_that_ships_can_be_predicted(name: str, columns: int) -> None:
    called = call("predict", name, *KERNEL, columns=columns)
    assert called.code == 0
    lines = called.out.splitlines()
    assert all(line == line.rstrip() for line in lines)
    assert max(map(len, lines[1:])) <= columns


def test_the_formula_stands_beside_the_interval() -> None:
    out = " ".join(call("predict", "brpop-zombie", *KERNEL, columns=200).out.split())
    assert "brpop-zombie on Linux 6.1 at 250 Hz" in out
    assert ("the client notices 5.05 to 5.25 s TimeoutError ETIMEDOUT: Timeout reading from "
            "socket, by the kernel's keepalive timer - 2 + 3 x 1 = 5 s; wheel: 5.05 to 5.15 s") \
        in out
    assert "the client notices never nothing, for ever - nothing is unacknowledged" in out


@pytest.mark.parametrize(("python", "header"), [
    param("redis-py==5.0", "Linux 6.1 at 250 Hz, redis-py 5.0\n", id="the client's own"),
    param("[null, redis-py==5.0]", "redis-py 7.4, 5.0\n", id="one each, in a matrix"),
    param("null", "redis-py 7.4\n", id="the one that was asked for"),
])
def test_the_header_names_the_versions_that_are_predicted(
    tmp_path: Path, python: str, header: str
) -> None:
    where = f"matrix: {{client.python: {python}}}" if "[" in python else \
        f"client: {{kind: redis-py, python: {python}}}"
    scenario = tmp_path / "versions.yaml"
    scenario.write_text(f"name: versions\n{where}\n"
                        "faults: [{at: blocked, do: blackhole}]\n")
    asked = ("--library", "7.4") if "7.4" in header else ()
    called = call("predict", str(scenario), *KERNEL, *asked)
    assert called.code == 0, called.error
    assert header in called.out


def test_a_release_that_nobody_has_described_is_named_as_what_it_is_taken_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "9.2.0")
    for command in (("predict", "brpop-zombie"), ("advise", "--detect-within", "30s")):
        out = call(*command, *KERNEL, columns=200).out
        assert "9.2.0 (taken for 8.1, the newest that is described)" in out


def test_json_holds_every_interval() -> None:
    told = json.loads(call("predict", "brpop-zombie", *KERNEL, "--only", "keepalive",
                           "--json").out)
    assert told["kernel"] == {"release": "6.1", "hz": [250]}
    (cell,) = told["cells"]
    noticed = cell["faults"][0]["forecasts"][0]
    assert noticed["what"] == "noticed"
    assert 5.0 < noticed["when"]["low"] < noticed["when"]["high"] < 5.3


def test_a_kernel_whose_tick_nobody_knows_has_wider_intervals() -> None:
    told = json.loads(call("predict", "brpop-zombie", "--kernel", "4.19", "--json").out)
    assert told["kernel"] == {"release": "4.19", "hz": [100, 250, 300, 1000]}


@pytest.mark.parametrize(("arguments", "sentence"), [
    param(("predict", "brpop-zombie", "--kernel", "new"), "'new' is no kernel release; write one "
          "such as 6.1 or 6.18.44", id="no release"),
    param(("advise", "--detect-within", "soon"), "'soon'", id="no time"),
    param(("advise", "--detect-within", "0s"), "write a time from 1s to 24h", id="no time at all"),
    param(("advise", "--detect-within", "999ms"), "write a time from 1s to 24h", id="out of reach"),
    param(("advise", "--detect-within", "3s", "--library", "abc"), "'abc' is no version of "
          "redis-py; write one such as 8.1.0", id="no version to advise on"),
    param(("predict", "brpop-zombie", "--library", "abc"), "'abc' is no version of redis-py; write "
          "one such as 8.1.0", id="no version to predict"),
    param(("predict", "brpop-zombie", "--library", "8.\x1b[31m"), "is no version of redis-py",
          id="a version that would paint"),
    param(("advise", "--detect-within", "3s", "--library", "99"), "no redis-py 99 is described "
          "here; write a release from 3.5 to 8.1", id="a version that does not exist"),
    param(("predict", "brpop-zombie", "--library", "5.9"), "no redis-py 5.9 is described",
          id="a release that never came"),
    param(("advise", "--detect-within", "3s", "--client", "phpredis", "--library", "5.3"),
          "phpredis is no redis-py; leave --library out", id="another library's version"),
    param(("predict", "brpop-zombie", "--library", "8.1", "--set", "client.python=redis-py==5.0"),
          "no client of this scenario is a redis-py whose version is open", id="nobody heeds it"),
    param(("advise", "--detect-within", "9s", "--client", "phpredis", "--pattern", "raw"),
          "phpredis does not follow the pattern raw", id="a pattern it has not"),
])
def test_mistakes_are_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    called = call(*arguments)
    assert called.code == 64
    assert sentence in called.error


def test_advice_says_what_is_not_covered_and_what_it_costs() -> None:
    out = " ".join(call("advise", "--detect-within", "30s", "--library", "8.1.0", *KERNEL,
                        columns=200).out.split())
    assert "brpop with redis-py 8.1.0, to notice within 30 s, on Linux 6.1 at 250 Hz" in out
    assert "1. read_timeout: 29.8s, workload.block: 27s" in out
    assert re.search(r"2\. 29\.\d+ s 16 m \S+ s ! 29\.\d+ s 60\.\d+ s ! never ! never !", out)
    assert "keepalive probes an idle hour" in out


def test_the_set_to_take_comes_first() -> None:
    out = call("advise", "--detect-within", "30s", "--library", "8.1.0", *KERNEL, columns=200).out
    first = out.split("\n\n")[1]
    assert first.startswith("3. read_timeout: 29.8s, workload.block: 27s, connect_timeout: 2.2s")
    assert first.partition("\n")[0].endswith("(the smallest set that covers most)")
    assert "frozen, the server stands still: at most 29.9" in first
    assert "socket_connect_timeout=2.2" in first


def test_advice_as_json_names_the_recommended_set() -> None:
    told = json.loads(call("advise", "--detect-within", "30s", *KERNEL, "--json").out)
    best = told["sets"][told["recommended"]]
    assert {row["danger"] for row in best["coverage"] if row["within"]} == {
        "idle", "request", "reply", "dial", "frozen", "zero_window"}
