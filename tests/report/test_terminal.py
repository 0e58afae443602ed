"""View -> terminal: complete at any width, never more than words."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest import param
from rich.cells import cell_len
from rich.console import Console

from netdiag.report import print_report, view_of
from netdiag.report.ink import NARROW
from netdiag.report.words import ascii_only, plain

from .specimens import HOSTILE, everything, hostile, run, zombie

if TYPE_CHECKING:
    from netdiag.analysis.model import Analysis

GOLDEN = Path(__file__).parent / "golden"


def printed(analysis: Analysis, width: int, encoding: str = "utf-8", *,
            colour: bool = False) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(file=file, width=width, force_terminal=colour,
                      color_system="truecolor" if colour else None, _environ={})
    print_report(view_of(analysis), console)
    file.flush()
    return file.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize(("name", "width", "encoding"), [
    param("80.txt", 80, "utf-8", id="80 columns"),
    param("100.txt", 100, "utf-8", id="100 columns"),
    param("160.txt", 160, "utf-8", id="160 columns"),
    param("80-ascii.txt", 80, "ascii", id="80 columns of ASCII"),
])
def test_the_report_is_the_golden_one(name: str, width: int, encoding: str) -> None:
    """NETDIAG_UPDATE_GOLDEN=1 rewrites the files; read what changed before you commit it."""
    text = printed(everything(), width, encoding)
    golden = GOLDEN / name
    if os.environ.get("NETDIAG_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def letters(text: str) -> str:
    """A text without what wrapping and drawing add to it."""
    return re.sub(r"[^A-Za-z0-9]", "", text)


@pytest.mark.parametrize("width", [50, 64, 80, 100, 110, 160, 250])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_nothing_is_cut_at_any_width(width: int, encoding: str) -> None:
    lines = printed(everything(), width, encoding).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert not any("\u2026" in line for line in lines)
    assert not any(line != line.rstrip() for line in lines)
    told = letters("".join(lines))
    for cell in view_of(everything()).cells:
        for words in (cell.headline, *cell.unknown, *(fault.text for fault in cell.faults)):
            assert letters(words) in told


@pytest.mark.parametrize("width", [40, 50, 64, 80, 100, 160])
def test_every_row_of_a_timeline_is_there_whole(width: int) -> None:
    lines = printed(run(zombie()), width).splitlines()
    begin = next(at for at, line in enumerate(lines) if "calls" in line)
    column = lines[begin].index("client" if width < NARROW else "calls")
    end = lines.index("", begin)
    told = letters("".join(line[column:] for line in lines[begin:end]))
    for row in view_of(run(zombie())).cells[0].rows:
        assert letters(row.text + row.reason) in told
        assert any(line.lstrip().startswith(row.time) for line in lines[begin:end])


def test_words_have_room_on_a_narrow_console() -> None:
    """Beside the other columns eleven would be left for them, and no long word would be whole."""
    shown = printed(run(zombie()), 40)
    assert "probe #1" in shown
    for word in ("ESTABLISHED", "unacknowledged", "keepalive", "10.0.0.1:38630"):
        assert word in shown.partition("Timeline")[2].partition("Expectations")[0]


def test_colour_repeats_what_words_say() -> None:
    coloured = printed(everything(), 100, colour=True)
    assert "\x1b[" in coloured
    bare = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", coloured).splitlines())
    assert bare.strip() == printed(everything(), 100).strip()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_hostile_words_stay_words(text: str, encoding: str, width: int) -> None:
    shown = printed(hostile(text), width, encoding)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert max(map(cell_len, shown.splitlines())) <= width
    assert letters(ascii_only(plain(text))) in letters(ascii_only(shown))


def test_markup_is_shown_and_not_obeyed() -> None:
    assert "[red]markup[/red]" in printed(hostile(HOSTILE[0]), 120)
    assert ":bomb:" in printed(hostile(HOSTILE[3]), 120)


def test_a_single_cell_is_compared_with_nothing() -> None:
    assert "Comparison" not in printed(run(zombie()), 80)
    assert printed(run(zombie()), 80).splitlines()[-1] == "brpop-zombie: PASS (1 cell: 1 PASS)"
