"""A recording that is being made -> what a person sees meanwhile, on standard error.

On a terminal one line a cell, drawn anew when something has happened; elsewhere one line when a
fault begins or heals and when a cell ends. The rule this file guards: the experiment has the
machine. What is drawn is cheap, and nothing that a file holds can stop a run.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from netdiag.cli.follow import ENDED, CellNow, State, told
from netdiag.cli.tail import Tail
from netdiag.report.words import ascii_only, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netdiag.recording import Recording
    from netdiag.scenario import Plan

_SECOND: Final = 1_000_000_000
_REDRAW: Final = _SECOND
_SOONEST: Final = _SECOND * 2 // 5
_LONG: Final = 100.0
_STYLES: Final = {
    State.WAITING: "dim",
    State.STARTING: "",
    State.BLOCKED: "cyan",
    State.CUT: "magenta",
    State.HEALED: "green",
    State.DONE: "dim",
    State.FAILED: "bold red",
}
_FIRST: Final = (
    State.FAILED,
    State.CUT,
    State.HEALED,
    State.BLOCKED,
    State.STARTING,
    State.WAITING,
    State.DONE,
)
_LINES_BESIDE: Final = 2


class Progress:
    """Follows the cells of a recording and remembers what each is doing."""

    def __init__(self, plan: Plan) -> None:
        self._cells = {cell.id: CellNow(cell.id) for cell in plan.cells}
        self._tails: dict[str, Tail] = {}

    @property
    def cells(self) -> tuple[CellNow, ...]:
        """The cells in the plan's order."""
        return tuple(self._cells.values())

    def follow(self, recording: Recording) -> list[tuple[str, str]]:
        """Read what is new of every cell that has not ended; returns the news, as (cell, words)."""
        news = []
        for name, cell in self._cells.items():
            if cell.state in ENDED:
                continue
            tail = self._tails.setdefault(name, Tail(recording.cell(name).events))
            lines = tail.lines()
            if lines:
                self._cells[name], said = told(cell, lines)
                news += [(name, words) for words in said]
        return news


@contextmanager
def progress(
    plan: Plan,
    *,
    quiet: bool,
    console: Console | None = None,
    clock: Callable[[], int] = time.monotonic_ns,
) -> Iterator[Callable[[Recording], None]]:
    """Give a callable that is to be called with the recording a few times a second.

    `quiet`: nothing is drawn. `console`: where to draw, by default standard error. `clock`: ns.
    """
    where = (
        console
        if console is not None
        else Console(stderr=True, markup=False, highlight=False, emoji=False)
    )
    seen = Progress(plan)
    if quiet:
        yield lambda recording: None
    elif where.is_terminal and not where.is_dumb_terminal:
        with _live(where) as live:
            yield _drawing(seen, live, clock)
    else:
        yield _telling(seen, where)


def _live(console: Console) -> Live:
    return Live(
        Text(),
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        vertical_overflow="crop",
    )


def _drawing(seen: Progress, live: Live, clock: Callable[[], int]) -> Callable[[Recording], None]:
    drawn, last = seen.cells, -_REDRAW

    def follow(recording: Recording) -> None:
        nonlocal drawn, last
        seen.follow(recording)
        now = clock()
        if now - last >= (_SOONEST if seen.cells != drawn else _REDRAW):
            drawn, last = seen.cells, now
            live.update(table(drawn, live.console, now), refresh=True)

    return follow


def _telling(seen: Progress, console: Console) -> Callable[[Recording], None]:
    def follow(recording: Recording) -> None:
        for name, words in seen.follow(recording):
            console.print(_text(f"{name}: {words}", console), soft_wrap=True)

    return follow


def table(cells: tuple[CellNow, ...], console: Console, now: int) -> Group:
    """One line a cell and a line of counts; of more cells than there are lines, the busiest."""
    room = max(1, console.height - _LINES_BESIDE)
    shown = cells
    if len(cells) > room:
        rank = {state: number for number, state in enumerate(_FIRST)}
        chosen = sorted(cells, key=lambda cell: rank[cell.state])[:room]
        shown = tuple(cell for cell in cells if cell in chosen)
    wide = max((len(cell.id) for cell in shown), default=0)
    lines = [_line(cell, min(wide, 32), console, now) for cell in shown]
    return Group(*lines, _counts(cells, console))


def _line(cell: CellNow, wide: int, console: Console, now: int) -> Text:
    text = _text(f"{cell.id:<{wide}}  ", console)
    text.append(f"{cell.state.value:<9}", _STYLES[cell.state])
    text.append(f"{_since(cell, now):>11}  ")
    text.append_text(_text(cell.last, console))
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _since(cell: CellNow, now: int) -> str:
    """The time since the fault; a cell with a clock of its own, or one that ended, tells it."""
    end = now if cell.real and cell.state not in ENDED else cell.latest
    if cell.fault is None or end is None:
        return ""
    seconds = (end - cell.fault) / _SECOND
    return f"{seconds:+.1f} s" if abs(seconds) < _LONG else moment(seconds)


def _counts(cells: tuple[CellNow, ...], console: Console) -> Text:
    numbers = {state: sum(cell.state is state for cell in cells) for state in _FIRST}
    parts = [f"{number} {state.value}" for state, number in numbers.items() if number]
    noun = "cell" if len(cells) == 1 else "cells"
    return _text(f"{len(cells)} {noun}: {', '.join(parts)}", console)


def _text(words: str, console: Console) -> Text:
    return Text(ascii_only(words) if console.options.ascii_only else words)
