"""YAML is read by version 1.2, with places, and hostile text ends in one sentence, soon."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import param

from netdiag.scenario.composing import compose
from netdiag.scenario.nodes import Table, Unreadable, plain


def read(text: str) -> object:
    node, mistakes = compose(text.encode(), "f")
    assert mistakes == []
    return plain(node)


@pytest.mark.parametrize(("text", "value"), [
    ("off", "off"), ("yes", "yes"), ("22:22", "22:22"), ("2020-01-01", "2020-01-01"),
    ("true", True), ("FALSE", False), ("null", None), ("~", None), ("", None), ("12", 12),
    ("-3", -3), ("0o17", 15), ("0x1f", 31), ("017", 17), ("1.5", 1.5), ("1e3", 1000.0),
    (".inf", ".inf"), (".nan", ".nan"), ("1e999", "1e999"), ("'12'", "12"), ('"off"', "off"),
    ("!!str 3", "3"), ("1_000", "1_000"), ("9" * 30, "9" * 30), ("3s", "3s"),
])
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert read(f"a: {text}\n") == {"a": value}


def test_anchors_and_merges() -> None:
    assert read("x-a: &a {k: 1, l: 2}\nb: {<<: *a, k: 3}\nc: *a\nd: {<<: [{l: 5}, *a]}\n") == {
        "x-a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}, "c": {"k": 1, "l": 2},
        "d": {"k": 1, "l": 5}}


def test_every_node_knows_where_it_was_written() -> None:
    node, _ = compose(b"a: 1\nb:\n  - x\n  - {c: d}\n", "dir/f.yaml")
    assert isinstance(node, Table)
    entry = node.entries["b"]
    assert str(entry.key) == "dir/f.yaml:2:1"
    inner = entry.node.items[1].entries["c"]  # type: ignore[union-attr]
    assert (str(inner.key), str(inner.node.place)) == ("dir/f.yaml:4:6", "dir/f.yaml:4:9")


@pytest.mark.parametrize(("text", "line"), [
    ("a: 1\na: 2\n", "f:2:1: key 'a' is already in line 1; keep one"),
    ("a: !!python/object x\n", "f:1:4: tag 'tag:yaml.org,2002:python/object' has no meaning here; "
                               "write the plain value"),
])
def test_reading_goes_on_after_some_mistakes(text: str, line: str) -> None:
    node, mistakes = compose(text.encode(), "f")
    assert [str(one) for one in mistakes] == [line]
    assert isinstance(node, Table)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(("raw", "what"), [
    param(b"", "f:1:1: the file is empty", id="empty"),
    param(b"# only a comment", "f:1:1: the file is empty", id="comment"),
    param(b"a: b\n---\nc: d\n", "f:2:1: a second document begins", id="two documents"),
    param(b"a:\n\tb: 1\n", "f:2:1: not YAML: found character '\\t'", id="tab"),
    param(b"a: \xff\n", "f:1:4: byte 0xff is not UTF-8", id="not UTF-8"),
    param("\ufeffa: b".encode("utf-16"), "f:1:1: byte 0xff is not UTF-8", id="UTF-16"),
    param(b"ab: \x07\n", "f:1:5: control character U+0007", id="control character"),
    param(b'a: "\\0"\n', "f:1:4: the text holds a control character", id="escaped NUL"),
    param(b'a: "\\ud800"\n', "f:1:4: the text holds a control character", id="surrogate"),
    param(b"a: b: c\n", "f:1:5: not YAML: mapping values are not allowed", id="two colons"),
    param(b"a: 'b\n", "close the quote", id="open quote"),
    param(b"[a, b]: c\n", "f:1:1: a key is a list or a mapping", id="list as key"),
    param(b"a: *b\n", "f:1:4: alias '*b' has no anchor before it", id="alias of nothing"),
    param(b"a: &a [*a]\n", "f:1:8: alias '*a' stands inside its own anchor", id="ring"),
    param(b"a: {<<: 3}\n", "f:1:9: '<<' takes a mapping", id="merge of a number"),
    param(BOMB.encode(), "more than 20000 values", id="alias bomb"),
    param(BOMB.replace("[x,", "{k: 1}, [x,").encode(), "f:1:", id="broken bomb"),
    param(b"[" * 250_000, "nested deeper than 32 levels", id="brackets"),
    param(b"{a: " * 60_000, "nested deeper than 32 levels", id="braces"),
    param(b"- " * 100_000, "nested deeper than 32 levels", id="dashes"),
    param(b"? " * 100_000, "nested deeper than 32 levels", id="questions"),
    param(b"- a\n" * 60_000, "more than 20000 values", id="long list"),
    param(b"a: " + b"x" * 10_000_000, "f:1:1: the file has 10000003 bytes", id="10 MB"),
    param(b"'" + b"a" * 200_000, "close the quote", id="long quote"),
    param(b"a" * 250_000 + b": 1", "not YAML", id="long key"),
    param(b"%YAML 3.0\n---\na: 1\n", "not YAML", id="YAML 3"),
])
def test_hostile_text_ends_in_one_sentence_within_two_seconds(raw: bytes, what: str) -> None:
    start = time.process_time()
    with pytest.raises(Unreadable) as refusal:
        compose(raw, "f")
    assert time.process_time() - start < 2
    assert what in str(refusal.value)
    assert str(refusal.value).isprintable()


@given(st.one_of(st.binary(max_size=200), st.text(
    alphabet="ab:-[]{}&*!|>'\"%@`#,?\n\t \\x0u<~", max_size=80).map(str.encode)))
def test_any_bytes_give_a_tree_or_a_sentence(raw: bytes) -> None:
    try:
        node, mistakes = compose(raw, "f")
    except Unreadable as refusal:
        mistakes = [refusal.mistake]
    else:
        plain(node)
    for mistake in mistakes:
        assert str(mistake).startswith("f:")
        assert "; " in str(mistake)
