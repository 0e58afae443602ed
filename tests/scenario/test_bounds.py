"""Bounds and formulas: read by a grammar, checked for units, evaluated over a cell's settings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdiag.scenario.bounds import parse_bound
from netdiag.scenario.expectation import KINDS, Anything, Between, Compare, Expectation, Never
from netdiag.scenario.formula import NAMES, Number, Setting, evaluate, names
from netdiag.scenario.grammar import parse_formula

VALUES = {"read_timeout": 3.0, "retry": 2.0, "keepalive": 5.0, "block": 0.0, "user_timeout": None}


@pytest.mark.parametrize(("text", "number"), [
    ("3", 3), ("3s", 3), ("1h30m", 5400), ("500ms + 1s", 1.5), ("read_timeout + 1s", 4),
    ("read_timeout*2 - 1", 5), ("2 * (read_timeout + 1s)", 8), ("min(read_timeout, keepalive)", 3),
    ("max(1s, 2s, keepalive)", 5), ("(1 + retry) * read_timeout", 9), ("keepalive / 2", 2.5),
    ("keepalive / read_timeout * 1s", 5 / 3), ("10 - 2 - 3", 5), ("8 / 2 / 2", 2), ("1+2*3", 7),
])
def test_formulas_mean_what_arithmetic_says(text: str, number: float) -> None:
    assert evaluate(parse_formula(text), VALUES) == pytest.approx(number)


@pytest.mark.parametrize(("text", "what"), [
    ("read_timeot + 1s", "did you mean 'read_timeout'?"),
    ("__import__(os)", "no setting that a formula can use"), ("f('x')", "cannot be read"),
    ("read_timeout.real", "no setting that a formula can use"),
    ("open(1)", "no setting that a formula can use"),
    ("1 +", "the end stands in '1 +' where a value should be"),
    ("(1", "where ')' should be"), ("1 2", "'2' is left over"), ("", "the end stands in ''"),
    ("1 ** 2", "'*' stands in"), ("-1", "'-' stands in"), ("1; 2", "cannot be read"),
    ("3 parsecs", "is left over"), ("min()", "where a value should be"),
    ("read_timeout + retry", "'+' between seconds and a count has no meaning"),
    ("min(retry, 1s)", "'min' of seconds and a count"),
    ("block * block", "seconds times seconds"), ("1 / block", "divided by seconds"),
    ("(" * 30 + "1" + ")" * 30, "nested deeper than 20"), ("1+" * 150 + "1", "at most 200"),
])
def test_other_formulas_are_refused_with_a_cure(text: str, what: str) -> None:
    with pytest.raises(ValueError, match="; ") as refusal:
        parse_formula(text)
    assert what in str(refusal.value)


@pytest.mark.parametrize(("text", "what"), [
    ("user_timeout + 1s", "user_timeout has no value"), ("connect_timeout", "has no value"),
    ("1s / 0", "divides by zero"), ("read_timeout / block * 1", "divides by zero"),
])
def test_a_formula_without_a_value_says_so(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        evaluate(parse_formula(text), VALUES)


def test_a_formula_tells_which_settings_it_needs() -> None:
    assert names(parse_formula("min(read_timeout, 3s) * (1 + retry)")) == {"read_timeout", "retry"}


LIMIT = Setting("read_timeout")


@pytest.mark.parametrize(("kind", "written", "bound"), [
    ("detected_within", 3, Compare("<=", Number(3.0))),
    ("detected_within", "3s", Compare("<=", Number(3.0, "seconds"))),
    ("detected_within", "read_timeout", Compare("<=", LIMIT)),
    ("detected_within", "> read_timeout", Compare(">", LIMIT)),
    ("detected_within", "never", Never()),
    ("detected_within", "any", Anything()),
    ("detected_within", "2s .. read_timeout", Between(Number(2.0, "seconds"), LIMIT)),
    ("detected_within", ["2s", "read_timeout"], Between(Number(2.0, "seconds"), LIMIT)),
    ("lost", 0, Compare("==", Number(0.0))),
    ("lost", "retry + 1", Compare("==", parse_formula("retry + 1"))),
    ("packets", ">= 3", Compare(">=", Number(3.0))),
    ("packets", "= 3", Compare("==", Number(3.0))),
    ("packets", "!= 0", Compare("!=", Number(0.0))),
    ("reconnects_per_minute", 10, Compare("<=", Number(10.0))),
])
def test_bounds_are_read(kind: str, written: object, bound: object) -> None:
    assert parse_bound(written, KINDS[kind]) == bound


@pytest.mark.parametrize(("kind", "written", "what"), [
    ("lost", "never", "'never' belongs to times"), ("lost", "3s", "in seconds, but counts"),
    ("detected_within", "retry", "in counts, but seconds"), ("lost", -1, "less than nothing"),
    ("lost", True, "true is no bound"), ("lost", None, "null is no bound"),
    ("lost", [1], "a range has two ends and this one 1"), ("lost", "1..2..3", "two ends"),
    ("detected_within", "4s..2s", "ends before it begins"), ("lost", [[1], 2], "a list is no bou"),
])
def test_other_bounds_are_refused(kind: str, written: object, what: str) -> None:
    with pytest.raises(ValueError, match="; ") as refusal:
        parse_bound(written, KINDS[kind])
    assert what in str(refusal.value)


def test_an_expectation_reads_as_it_was_written() -> None:
    bound = parse_bound(">= 3", KINDS["packets"])
    one = Expectation(kind="packets", of="rst", bound=bound, text=">= 3")
    assert str(one) == "packets.rst: >= 3"
    assert one.formula_names == frozenset()


@given(st.text(alphabet="0123456789 .+-*/(),mshretyadoinmx_<>=", max_size=60) | st.text())
def test_any_text_is_a_bound_or_a_sentence(text: str) -> None:
    for kind in ("detected_within", "lost"):
        try:
            parse_bound(text, KINDS[kind])
        except ValueError as refusal:
            assert "; " in str(refusal)


def test_every_name_has_a_meaning() -> None:
    assert all(about and dimension in ("seconds", "count") for dimension, about in NAMES.values())
