"""Every mistake of a file is one line: where it is, what is wrong, what would be right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netdiag.errors import ScenarioError
from netdiag.scenario import load, loads

HERE = Path(__file__).parent / "mistakes"


def lines(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as refusal:
        loads(text, name="f")
    assert refusal.value.exit_code == 64
    return list(refusal.value.mistakes)


@pytest.mark.parametrize("name", ["ten", "shapes", "together", "matrix"])
def test_all_mistakes_are_told_at_once_with_their_places(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(HERE)
    with pytest.raises(ScenarioError) as refusal:
        load(f"{name}.yaml")
    assert str(refusal.value) == (HERE / f"{name}.txt").read_text().rstrip("\n")


def test_ten_mistakes_are_ten_lines() -> None:
    told = (HERE / "ten.txt").read_text().splitlines()
    assert len(told) == 10
    assert all(re.fullmatch(r"ten\.yaml:\d+:\d+: .+; .+", line) or "did you mean" in line
               for line in told)


def test_a_mistake_in_an_anchor_is_told_where_the_anchor_stands() -> None:
    assert lines("x-s: &s {read_timeot: 3s}\nname: a\nclient: {settings: *s}\n") == [
        "f:1:10: unknown key 'read_timeot' in 'client.settings'; did you mean 'read_timeout'?"]


@pytest.mark.parametrize(("key", "meant"), [
    ("socket_timeout", "it is called 'read_timeout' here"),
    ("socket_connect_timeout", "it is called 'connect_timeout' here"),
    ("OPT_READ_TIMEOUT", "it is called 'read_timeout' here"),
    ("TCP_USER_TIMEOUT", "it is called 'user_timeout' here"),
    ("timeout", "did you mean 'user_timeout' or 'read_timeout'?"),
])
def test_what_a_library_calls_a_setting_is_told_in_our_words(key: str, meant: str) -> None:
    [line] = lines(f"name: a\nclient: {{settings: {{{key}: 3s}}}}\n")
    assert line == f"f:2:21: unknown key '{key}' in 'client.settings'; {meant}"


def test_a_word_where_a_number_is_wanted_is_no_setting() -> None:
    assert lines("name: a\nexpect: {lost: none}\n") == [
        "f:2:16: 'none' is no bound; write a number such as 0, '>= 3', 1 .. 3 or any"]


def test_a_mistake_in_a_matrix_value_is_told_in_the_matrix_and_once() -> None:
    text = ("name: a\nmatrix:\n  client.settings.retry: [0, 1, 2]\n"
            "  workload.block: {short: 1s, long: 2 parsecs}\n")
    told = lines(text)
    assert [line.partition(" is ")[0] for line in told] == ["f:4:37: '2 parsecs'"]


@pytest.mark.parametrize(("text", "line"), [
    ("[a]", "f:1:1: a scenario is a mapping; begin with 'name: my-scenario'"),
    ("about: x\n", "f:1:1: 'name' is missing in the scenario; write it"),
    ("name: a\nclient: redis-py\n", "f:2:9: 'redis-py' is not a mapping; write {kind: redis-py}"),
    ("name: a\nmatrix: [a]\n", "f:2:9: the matrix is not a mapping; write "
                               "client.settings.read_timeout: [null, 3s]"),
    ("name: a\nduration: 0\n", "f:2:11: a cell that lasts no time shows nothing; write 30s"),
    ("name: a\nextends: [b]\n", "f:2:10: 'extends' names one file; write extends: other.yaml"),
    ("name: a\nclients: {}\n", "f:2:10: no client is named; write {name: {kind: redis-py}}"),
    ("name: a\nclients: {" + ", ".join(f"c{n}: {{kind: redis-py}}" for n in range(251)) + "}\n",
     "f:2:10: 251 clients are more than the lab has nets for; name 250 at most"),
    ("name: a\nclient: {kind: exec, command: [x]}\nexpect: {detected_within: read_timeout}\n",
     "f:3:27: 'read_timeout' needs read_timeout, which nobody knows of a program; write it in "
     "client.settings"),
    ("name: a\nmatrix: {duration: [1s, 2s], exclude: [{duration: 1s}, {duration: 2s}]}\n",
     "f:2:40: every cell is excluded; leave one"),
    ("name: a\nmatrix: {seed: [1, 2], zip: {seed: [3, 4]}}\n",
     "f:2:30: axis 'seed' is already in the matrix; keep one"),
    ("name: a\nmatrix: {seed: [" + ", ".join(map(str, range(1001))) + "]}\n",
     "f:2:10: the matrix has 1001 cells; write at most 1000"),
    ("name: a\nmatrix: {duration.x: [1]}\nduration: 3s\n",
     "f:2:10: axis 'duration.x': '3s' stands above 'x'; only mappings and lists go on"),
])
def test_one_mistake_is_one_line(text: str, line: str) -> None:
    assert lines(text) == [line]


def test_a_flood_of_mistakes_is_cut() -> None:
    told = lines("name: a\n" + "".join(f"k{n}: 1\n" for n in range(80)))
    assert len(told) == 51
    assert told[-1] == "... and 30 more"


@pytest.mark.parametrize(("path", "what"), [
    ("missing.yaml", "is not there; give the path of a scenario file"),
    (".", "is a directory"), ("a\0b", "is not there"), ("x" * 5000, "cannot be read"),
])
def test_a_file_that_cannot_be_read_is_one_sentence(path: str, what: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        load(path)
    assert what in str(refusal.value)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(("workload", "told"), [
    ("{pattern: brpop, reaper: {idle: 5s}}",
     "the pattern brpop has no 'reaper'; it belongs to blmove and xreadgroup"),
    ("{pattern: brpop, pool: 2}", "the pattern brpop has no 'pool'; it belongs to request"),
    ("{pattern: xreadgroup, processing: p}",
     "the pattern xreadgroup has no 'processing'; it belongs to blmove"),
    ("{pattern: xreadgroup, reaper: {idle: 5s}}",
     "a consumer that waits for ever never claims what others left; give it 'block: 5s'"),
    ("{pattern: request, produce: [{count: 1}]}",
     "the pattern request makes its messages itself; leave 'produce' out"),
    ("{pattern: blmove, reaper: {idle: 0}}", "0 is no time to wait; write one such as 5s"),
])
def test_a_pattern_has_its_own_settings_and_no_others(workload: str, told: str) -> None:
    [line] = lines(f"name: a\nworkload: {workload}\n")
    assert line.endswith(told)
