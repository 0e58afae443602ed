"""Comparison and spread -> a console: complete at any width, with or without colour."""

from __future__ import annotations

import io

import pytest
from pytest import param
from rich.console import Console

from netdiag.analysis.changes import Change
from netdiag.analysis.compare import CellChange, Comparison
from netdiag.analysis.spread import Span, Spread
from netdiag.report.comparison import print_comparison
from netdiag.report.ink import Ink
from netdiag.report.spread import spread_table, spread_words

SLOWER = ("noticed after 7.01 s instead of 5.06 s: 1.95 s more, and 680 ms would be the same "
          "(12.7 % for the kernel's timer wheel and 50 ms for scheduling)")
CHANGED = Comparison(
    "brpop-zombie", "brpop-zombie",
    (CellChange("better-one", Change.BETTER, ("messages lost: 0 instead of 1",)),
     CellChange("zombie", Change.SAME, ()),
     CellChange("keepalive", Change.WORSE, (SLOWER, "messages lost: 1 instead of 0")),
     CellChange("other", Change.DIFFERENT, ("the error is A instead of B",))),
    only_base=("gone",), only_new=("fresh", "new"))
HOSTILE = Comparison("s", "s", (CellChange(
    "cell", Change.WORSE, ("the error is \x1b[31m[bold]\u202eevil\n\u00e9[/bold] instead of X",)),))


def printed(comparison: Comparison, width: int = 80, encoding: str = "utf-8", *,
            colour: bool = False) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(file=file, width=width, force_terminal=colour, markup=False,
                      color_system="truecolor" if colour else None, _environ={})
    print_comparison(comparison, console)
    file.flush()
    return file.buffer.getvalue().decode(encoding)


EXPECTED = """\
worse  keepalive
  - noticed after 7.01 s instead of 5.06 s: 1.95 s more, and 680 ms would be the
    same (12.7 % for the kernel's timer wheel and 50 ms for scheduling)
  - messages lost: 1 instead of 0
different  other
  - the error is A instead of B
better  better-one
  - messages lost: 0 instead of 1
same: zombie
only in the base: gone
only in the new run: fresh, new

brpop-zombie against its base: worse (4 cells: 1 worse, 1 different, 1 better
and 1 same)
"""


def test_at_80_columns() -> None:
    assert printed(CHANGED) == EXPECTED


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_words_are_whole_at_any_width(width: int, encoding: str) -> None:
    lines = printed(CHANGED, width, encoding).splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(" ".join(lines).split())
    for cell in CHANGED.cells:
        assert cell.id in words
        for sentence in cell.sentences:
            assert "".join(sentence.split()) in "".join(words.split())


def test_colour_changes_no_word() -> None:
    import re  # noqa: PLC0415

    coloured = re.sub(r"\x1b\[[0-9;]*m", "", printed(CHANGED, colour=True))
    assert "\n".join(line.rstrip() for line in coloured.split("\n")) == EXPECTED


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_what_a_program_says_is_harmless(encoding: str) -> None:
    text = printed(HOSTILE, encoding=encoding)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold]" in text


def test_another_scenario_is_named() -> None:
    other = Comparison("old-name", "new-name", CHANGED.cells[1:2])
    assert printed(other).startswith("new-name is compared with another scenario, old-name\n")


SPREAD = Spread("kept", 5, {"PASS": 4, "FAIL": 1}, 4, 1, Span(3.01, 3.05, 3.2), (0, 2),
                {"TimeoutError": 3, "ConnectionError": 1})


@pytest.mark.parametrize(("spread", "words"), [
    param(SPREAD, ("kept", "4 PASS and 1 FAIL", "4 of 5", "3.01 s", "3.05 s", "3.20 s", "0 to 2",
                   "TimeoutError (3), ConnectionError"), id="all of it"),
    param(Spread("c", 2, {"PASS": 2}, 0, 2, None, (0, 0), {}),
          ("c", "2 PASS", "0 of 2", "-", "-", "-", "0", "-"), id="never"),
    param(Spread("c", 2, {"UNKNOWN": 2}, 0, 0, None, (0, 0), {}),
          ("c", "2 UNKNOWN", "-", "-", "-", "-", "0", "-"), id="unknown"),
    param(Spread("c", 2, {"PASS": 2}, 2, 0, Span(1, 1, 1), (1, 1), {"E": 2}),
          ("c", "2 PASS", "all 2", "1.00 s", "1.00 s", "1.00 s", "1", "E (2)"), id="always"),
])
def test_the_words_of_a_spread(spread: Spread, words: tuple[str, ...]) -> None:
    assert spread_words(spread) == words


def test_a_spread_is_a_table_at_80_columns() -> None:
    file = io.StringIO()
    table = spread_table([spread_words(SPREAD)], Ink(ascii=True))
    Console(file=file, width=80, _environ={}).print(table)
    head, _, *rows = file.getvalue().splitlines()
    assert head.split() == ["cell", "outcomes", "noticed", "min", "median", "max", "lost", "told",
                            "by"]
    assert all(len(line) <= 80 for line in rows)
    assert "3.05 s" in rows[0]
