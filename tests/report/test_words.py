"""Numbers and text from outside, made fit for reports."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import param

from netdiag.report.words import ascii_only, count, errno_name, listed, moment, plain, span


@pytest.mark.parametrize(("seconds", "text"), [
    param(0.0, "0 s", id="zero"),
    param(0.00001, "0 s", id="ten microseconds are nothing"),
    param(0.0004, "0.4 ms", id="below a millisecond"),
    param(0.012, "12 ms", id="milliseconds"),
    param(0.9994, "999 ms", id="the last millisecond"),
    param(0.9996, "1.00 s", id="rounds up into seconds"),
    param(3.2149, "3.21 s", id="seconds"),
    param(119.99, "119.99 s", id="the last of the seconds"),
    param(119.999, "2 m 0.0 s", id="rounds up into minutes"),
    param(125.34, "2 m 5.3 s", id="minutes"),
    param(3599.96, "1 h 0 m 0 s", id="rounds up into hours"),
    param(7875.0, "2 h 11 m 15 s", id="the default keepalive"),
    param(7 * 86400 + 3 * 3600, "7 d 3 h", id="days"),
    param(float("inf"), "for ever", id="infinity"),
    param(float("nan"), "for ever", id="not a number"),
    param(-0.064, "-64 ms", id="negative"),
])
def test_a_span_has_the_precision_that_a_person_reads(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(("t", "text"), [
    param(0.0, "0 s", id="the origin"), param(3.21, "+3.21 s", id="after"),
    param(-0.064, "-64 ms", id="before"), param(-0.00001, "0 s", id="just before"),
])
def test_a_moment_has_its_sign(t: float, text: str) -> None:
    assert moment(t) == text


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@given(st.floats(0, 1e9))
def test_a_span_is_wrong_by_less_than_its_last_digit(seconds: float) -> None:
    words = span(seconds).split()
    value = sum(float(number) * _UNITS[unit]
                for number, unit in zip(words[::2], words[1::2], strict=True))
    assert abs(value - seconds) <= max(0.0006, 0.051 * seconds if seconds > 172800 else
                                       1e-3 * seconds + 0.0051 * (seconds > 0.99))


@pytest.mark.parametrize(("raw", "shown"), [
    param("a\nb\r\tc", "a b  c", id="blanks"),
    param("\x1b[31m", "\\x1b[31m", id="escape sequence"),
    param("\x9b2J", "\\x9b2J", id="C1 control"),
    param("\u202egnp", "\\u202egnp", id="bidi override"),
    param("\u200b", "\\u200b", id="zero width"),
    param("\ud800", "\\ud800", id="lone surrogate"),
    param("[red]\u05d0 \U0001f4a3", "[red]\u05d0 \U0001f4a3", id="letters and emoji stay"),
    param(110, "110", id="no text at all"),
])
def test_plain_text_keeps_what_prints_and_names_the_rest(raw: object, shown: str) -> None:
    assert plain(raw) == shown


@given(st.text())
def test_nothing_unprintable_is_left(text: str) -> None:
    assert plain(text).isprintable()
    assert not any(unicodedata.category(one) in ("Cc", "Cf", "Cs") for one in plain(text))
    assert ascii_only(plain(text)).isascii()


def test_small_words() -> None:
    assert [count(1, "message"), count(2, "message")] == ["1 message", "2 messages"]
    assert [errno_name(110), errno_name(4242), errno_name(None)] == ["ETIMEDOUT", "errno 4242", ""]
    assert [listed([]), listed(["a"]), listed(["a", "b", "c"])] == ["", "a", "a, b and c"]
