"""Durations, rates, sizes and shares are read as people write them, and refused with a cure."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import param

from netdiag import units, written


@pytest.mark.parametrize(("text", "seconds"), [
    ("500ms", 0.5), ("3s", 3), ("2m", 120), ("1h30m", 5400), ("1d", 86400), ("250us", 0.00025),
    ("2 h 11 m 15 s", 7875), (" 3 s ", 3), ("1.5s", 1.5), ("3", 3), (3, 3), (0, 0), (0.25, 0.25),
    ("1m500ms", 60.5),
])
def test_durations_are_read(text: object, seconds: float) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize("wrong", [
    "", "s", "3 sec", "3s2m", "1s1s", "-3s", -1, True, None, [], {}, math.nan, math.inf, "1e3s",
    "367d", "9" * 400 + "s", "3s!", "\u0663s", 10**400,
])
def test_other_durations_are_refused_with_an_example(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"; write a duration such as 500ms"):
        units.parse_duration(wrong)


@pytest.mark.parametrize(("seconds", "text"), [
    (3, "3 s"), (0.5, "500 ms"), (0.0402, "40.2 ms"), (125, "2 m 5 s"), (7875, "2 h 11 m 15 s"),
    (0, "0 s"), (0.00025, "250 us"), (86400, "1 d"), (3600, "1 h"), (10.4, "10.4 s"),
    (59.9999, "1 m"), (-3, "-3 s"), (math.inf, "never"), (0.9999996, "1 s"),
])
def test_durations_are_shown(seconds: float, text: str) -> None:
    assert units.format_duration(seconds) == text


@given(st.integers(0, 366 * 86_400_000))
def test_a_shown_duration_reads_as_the_same_milliseconds(millis: int) -> None:
    shown = units.format_duration(millis / 1000)
    assert round(units.parse_duration(shown) * 1000) == millis


@pytest.mark.parametrize(("text", "per_second", "shown"), [
    ("2/s", 2, "2/s"), ("30/m", 0.5, "30/m"), ("1/h", 1 / 3600, "1/h"), (4, 4, "4/s"),
    ("1.5 / s", 1.5, "1.5/s"),
])
def test_rates(text: object, per_second: float, shown: str) -> None:
    assert units.parse_rate(text) == pytest.approx(per_second)
    assert units.format_rate(units.parse_rate(text)) == shown


@pytest.mark.parametrize(("text", "count"), [
    (512, 512), ("64KiB", 65536), ("10MB", 10**7), ("1.5 MiB", 3 * 2**19), ("7b", 7),
    ("2 gib", 2**31),
])
def test_sizes(text: object, count: int) -> None:
    assert units.parse_size(text) == count


@pytest.mark.parametrize(("parse", "wrong", "what"), [
    param(units.parse_rate, "0/s", "never happens", id="rate of nothing"),
    param(units.parse_rate, "2/d", "not a rate; write a rate such as 2/s", id="rate a day"),
    param(units.parse_rate, "2", "not a rate", id="text without a unit"),
    param(units.parse_size, "1.5", "not a whole number of bytes", id="half a byte"),
    param(units.parse_size, "3 lb", "not a size; write a size such as", id="pounds"),
    param(units.parse_size, math.inf, "out of range for a size", id="endless"),
    param(units.parse_name, "a/b", "not a name", id="path separator"),
    param(units.parse_name, "..", "not a name", id="parent directory"),
    param(units.parse_name, "a\n", "not a name", id="line break"),
    param(written.whole(1, 5).parse, True, "true is not a whole number from 1 to 5", id="true"),
    param(written.whole(1, 5).parse, 3.0, "3.0 is not a whole number", id="three point nothing"),
    param(written.one_of("both", "ETIMEDOUT").parse, "Etimedot", "did you mean 'ETIMEDOUT'?",
          id="near word"),
    param(written.one_of("both", "none").parse, "qq", "write one of: both, none", id="far word"),
])
def test_what_is_refused_says_what_would_be_right(parse, wrong: object, what: str) -> None:
    with pytest.raises(ValueError, match="; ") as refusal:
        parse(wrong)
    assert what in str(refusal.value)


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.booleans()))
def test_parsers_raise_nothing_but_value_errors(raw: object) -> None:
    for parse in (units.parse_duration, units.parse_rate, units.parse_size, units.parse_name):
        try:
            parse(raw)
        except ValueError as refusal:
            assert "; " in str(refusal)
            assert str(refusal).isprintable()
