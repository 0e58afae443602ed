"""The cells of a run -> a table of one axis against another, one measured thing in each slot.

Any two axes of a matrix can be set against each other: `pattern` by `phase` shows at a glance what
each pattern loses where. The rule it guards: a slot says what all of its cells say, and where they
do not agree it says so with numbers.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from netdiag.errors import NetdiagError
from netdiag.report.compare import compared
from netdiag.report.words import plain
from netdiag.units import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdiag.analysis.model import Analysis
    from netdiag.report.compare import ComparisonRow

THINGS: Final[dict[str, Callable[[ComparisonRow], str]]] = {
    "messages": lambda row: row.messages,
    "noticed": lambda row: row.noticed if row.how == "-" else f"{row.noticed}: {row.how}",
    "timer": lambda row: row.timer,
    "fin_wait1": lambda row: row.fin_wait1,
    "zombies": lambda row: row.zombies,
    "outcome": lambda row: row.outcome.value,
}
"""What a slot can show: a column of the comparison of cells."""


def pivot(analysis: Analysis, wanted: str) -> str:
    """`ROWS,COLUMNS` or `ROWS,COLUMNS,THING` -> the table as Markdown, ready for a terminal too.

    An axis may be named by its end (`pattern` for `workload.pattern`). Raises NetdiagError for an
    axis or a thing that there is not.
    """
    axes = tuple(dict.fromkeys(axis for cell in analysis.cells for axis in cell.choices))
    rows, columns, thing = asked(axes, wanted)
    show = THINGS[thing]
    slots: dict[tuple[str, str], Counter[str]] = {}
    for cell, row in zip(analysis.cells, compared(analysis.cells).rows, strict=True):
        key = plain(cell.choices.get(rows, "-")), plain(cell.choices.get(columns, "-"))
        words = show(row) if not cell.unknown else "unknown"
        slots.setdefault(key, Counter())[words] += 1
    across = list(dict.fromkeys(column for _, column in slots))
    lines = [[f"{plain(rows)} \\ {plain(columns)}", *across]]
    for name in dict.fromkeys(row for row, _ in slots):
        lines.append([name, *(_slot(slots.get((name, column))) for column in across)])
    return _markdown(lines)


def asked(axes: Sequence[str], wanted: str) -> tuple[str, str, str]:
    """`ROWS,COLUMNS[,THING]` -> the two axes that are meant, and the thing.

    Raises NetdiagError (64) for what none of `axes` is, and for a thing that there is not.
    """
    parts = [part.strip() for part in wanted.split(",")]
    if not 2 <= len(parts) <= 3:
        raise _Refusal(f"{plain(wanted)!r} is no table; write two axes, such as pattern,at")
    rows, columns = (_axis(name, axes) for name in parts[:2])
    thing = parts[2] if len(parts) > 2 else "messages"
    if thing not in THINGS:
        raise _Refusal(f"a table cannot show {plain(thing)!r}; "
                       f"{did_you_mean(thing, tuple(THINGS))}")
    return rows, columns, thing


class _Refusal(NetdiagError):
    """A mistake in the arguments."""

    exit_code = 64


def _axis(name: str, axes: Sequence[str]) -> str:
    """The axis that is meant: its whole name, or an end of it that no other has."""
    if name in axes:
        return name
    found = [axis for axis in axes if axis.endswith(f".{name}")]
    if len(found) == 1:
        return found[0]
    if not axes:
        raise _Refusal("this run has no matrix, so there is nothing to set side by side")
    raise _Refusal(f"the matrix has no axis {plain(name)!r}; {did_you_mean(name, tuple(axes))}")


def _slot(told: Counter[str] | None) -> str:
    if told is None:
        return ""
    if len(told) == 1:
        return next(iter(told))
    return "; ".join(f"{words} ({number} of {told.total()})" for words, number in told.items())


def _markdown(lines: list[list[str]]) -> str:
    """Columns as wide as their widest word, so that it reads as it is, too."""
    cells = [[word.replace("|", "\\|") for word in line] for line in lines]
    wide = [max(len(line[at]) for line in cells) for at in range(len(cells[0]))]
    drawn = [
        "| " + " | ".join(f"{word:<{room}}" for word, room in zip(line, wide, strict=True)) + " |"
        for line in cells
    ]
    rule = "|" + "|".join("-" * (room + 2) for room in wide) + "|"
    return "\n".join([drawn[0], rule, *drawn[1:]]) + "\n"
