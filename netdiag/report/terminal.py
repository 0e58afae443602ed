"""View -> rich renderables -> a Console that is injected.

The rule this file guards: what stands on the terminal is complete at any width, with or without
colour, with or without Unicode. Words wrap and are never cut; every word of a View goes through
`Ink.text`, so nothing in it is ever read as markup; colour only repeats what a word already says.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from rich import box
from rich.cells import cell_len
from rich.console import Group
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from netdiag.analysis.model import Outcome
from netdiag.report.words import ascii_only

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from netdiag.report.compare import ComparisonRow
    from netdiag.report.timeline import Row
    from netdiag.report.view import CellView, Observation, TimerRow, View

OUTCOME_STYLE: Final = {
    Outcome.PASS: "bold green",
    Outcome.UNKNOWN: "bold yellow",
    Outcome.FAIL: "bold red",
}

_TRACKS: Final = ("client.app", "client.kernel", "cable", "server.kernel", "server.app")
_LANES: Final = {
    "client.app": ("client app", "cyan"),
    "client.kernel": ("client kernel", "blue"),
    "cable": ("cable", "magenta"),
    "server.kernel": ("server kernel", "yellow"),
    "server.app": ("server app", "green"),
    "netdiag": ("netdiag", "default"),
}
_KIND_STYLE: Final = {
    "fault": "bold",
    "error": "red",
    "rst": "red",
    "exit": "red",
    "crash": "red",
    "client_forgotten": "yellow",
    "socket_gone": "yellow",
    "got": "green",
}
_BROKEN: Final = _TRACKS.index("cable")
_SIDE_BY_SIDE: Final = 72


@dataclass(frozen=True)
class Marks:
    """The signs of the timeline's tracks."""

    line: str
    event: str
    broken: str
    fault: str


_UNICODE: Final = Marks("\u2502", "\u25cf", "\u254e", "\u2716")
_ASCII: Final = Marks("|", "o", ":", "X")


@dataclass(frozen=True)
class Ink:
    """What a console can show."""

    ascii: bool

    @property
    def marks(self) -> Marks:
        return _ASCII if self.ascii else _UNICODE

    def text(self, words: str, style: str = "") -> Text:
        """Words as they are: no markup, no highlighting, folded where they do not fit."""
        return Text(ascii_only(words) if self.ascii else words, style=style, overflow="fold")


def print_report(view: View, console: Console) -> None:
    """Print a whole run: every cell, then the comparison, then the outcome.

    Lines of plain text end without blanks, so that a report in a file can be compared with another.
    """
    parts = Group(*report(view, Ink(console.options.ascii_only)))
    if console.color_system is not None:
        console.print(parts)
        return
    with console.capture() as captured:
        console.print(parts)
    console.out("\n".join(line.rstrip() for line in captured.get().splitlines()), highlight=False)


def report(view: View, ink: Ink) -> Iterator[RenderableType]:
    """The parts of a report, from top to bottom."""
    yield ink.text(view.scenario, "bold")
    if view.about:
        yield ink.text(view.about)
    for cell in view.cells:
        yield Text()
        yield from _cell(cell, ink)
    if len(view.cells) > 1:
        yield Text()
        yield Rule(ink.text("Comparison", "bold"), align="left", style="none")
        yield _Compared(view.comparison.rows, ink)
    yield Text()
    yield _outcome(view.outcome, ink, f"{view.scenario}: ", f" ({view.summary})")


def _outcome(outcome: Outcome, ink: Ink, before: str = "", after: str = "") -> Text:
    return Text.assemble(
        ink.text(before),
        ink.text(outcome.value, OUTCOME_STYLE[outcome]),
        ink.text(after),
        overflow="fold",
    )


def _cell(cell: CellView, ink: Ink) -> Iterator[RenderableType]:
    yield Rule(
        Text.assemble(ink.text(cell.id, "bold"), "  ", _outcome(cell.outcome, ink)),
        align="left",
        style="none",
    )
    yield ink.text(cell.headline, "bold")
    for axis, choice in cell.choices:
        yield ink.text(f"{axis}: {choice}", "dim")
    for why in cell.unknown:
        yield _outcome(Outcome.UNKNOWN, ink, after=f" because {why}")
    for fault in cell.faults:
        yield ink.text(f"fault {fault.name}: {fault.text}")
    yield from _beliefs(cell, ink)
    if cell.rows:
        left_out = f"; {cell.routine} routine lines left out" if cell.routine else ""
        since = "since the fault" if cell.faults else "since the client's first packet"
        yield from _block(f"Timeline (times {since}{left_out})", _timeline(cell.rows, ink), ink)
    if cell.timers:
        yield from _block("Which kernel timer owned each socket", _timers(cell.timers, ink), ink)
    yield from _facts(cell, ink)
    if cell.verdicts:
        yield from _block("Expectations", _verdicts(cell, ink), ink)


def _block(title: str, body: RenderableType, ink: Ink) -> Iterator[RenderableType]:
    yield Text()
    yield ink.text(title, "bold")
    yield body


def _beliefs(cell: CellView, ink: Ink) -> Iterator[RenderableType]:
    if not cell.observations:
        return
    about = f" of {cell.observed_at}" if cell.observed_at else ""
    yield from _block(
        f"What each side holds for true{about} at the end", _SideBySide(cell.observations, ink), ink
    )


@dataclass(frozen=True)
class _SideBySide:
    """The observations as columns where there is room for them, else one under the other."""

    observations: tuple[Observation, ...]
    ink: Ink

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        told = [
            (
                self.ink.text(one.who, "bold"),
                self.ink.text("\n".join(filter(None, (one.text, one.since)))),
            )
            for one in self.observations
        ]
        wide = options.max_width >= _SIDE_BY_SIDE
        table = Table(
            box=box.SQUARE, expand=True, show_header=wide, header_style="none", show_lines=not wide
        )
        if wide:
            for who, _ in told:
                table.add_column(who, ratio=1, overflow="fold")
            table.add_row(*(text for _, text in told))
        else:
            table.add_column(overflow="fold")
            table.add_column(ratio=1, overflow="fold")
            for row in told:
                table.add_row(*row)
        yield table


def _timeline(rows: tuple[Row, ...], ink: Ink) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for row in rows:
        packet = "" if row.packet is None else f"#{row.packet}"
        table.add_row(
            ink.text(row.time),
            _tracks(row, ink),
            _lane(row, ink),
            ink.text(packet, "dim"),
            _told(row, ink),
        )
    return table


def _lane(row: Row, ink: Ink) -> Text:
    if len(row.lanes) != 1:
        return ink.text("several")
    name, style = _LANES.get(row.lanes[0], (row.lanes[0], "default"))
    return ink.text(name, style)


def _told(row: Row, ink: Ink) -> Text:
    style = "dim" if row.more else _KIND_STYLE.get(row.kind, "")
    reason = ink.text(f" - {row.reason}", "dim") if row.reason else Text()
    return Text.assemble(ink.text(row.text, style), reason, overflow="fold")


def _tracks(row: Row, ink: Ink) -> Text:
    """One sign a lane: where this row happened, and whether the cable was whole."""
    marks, text = ink.marks, Text()
    for index, lane in enumerate(_TRACKS):
        here = lane in row.lanes
        if here:
            sign = marks.fault if row.kind == "fault" and row.broken else marks.event
        else:
            sign = marks.broken if index == _BROKEN and row.broken else marks.line
        text.append(sign, _LANES[lane][1] if here else "dim")
    return text


def _timers(timers: tuple[TimerRow, ...], ink: Ink) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    for one in timers:
        port = one.connection.rpartition(":")[2]
        who = f"{one.side} :{port}" if port else one.side
        text = f"{one.state}, {one.timer}"
        told = (
            ink.text(f"... {one.more} more like it: {text}", "dim")
            if one.more
            else Text.assemble(
                ink.text(text), ink.text(f" - {one.reason}" if one.reason else "", "dim")
            )
        )
        table.add_row(ink.text(one.begins), ink.text(f"to {one.ends}"), ink.text(who), told)
    return table


def _facts(cell: CellView, ink: Ink) -> Iterator[RenderableType]:
    """What is left of a cell: each fact with its name before it."""
    facts = [("FIN-WAIT-1", text) for text in cell.fin_wait1]
    facts += [("zombie", text) for text in cell.zombies]
    facts += [("messages", cell.messages)]
    facts += [(f"  {one.fate}", f"{one.id}: {one.text}") for one in cell.missing]
    facts += [("packets", cell.packets)] if cell.packets else []
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for name, text in facts:
        table.add_row(ink.text(name, "bold"), ink.text(text))
    yield Text()
    yield table


def _verdicts(cell: CellView, ink: Ink) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    for one in cell.verdicts:
        measured = f"measured: {one.measured}"
        table.add_row(
            _outcome(one.outcome, ink),
            ink.text(one.expectation),
            ink.text(f"{measured} - {one.why}" if one.why else measured),
        )
    return table


@dataclass(frozen=True)
class _Compared:
    """The comparison: how a cell noticed in one column, or in three where there is room."""

    rows: tuple[ComparisonRow, ...]
    ink: Ink

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= _THREE_COLUMNS
        columns = {"cell": self._cell, **(_WIDE if wide else _NARROW), **_COMMON}
        table = Table(
            box=box.SIMPLE_HEAD,
            padding=(0, 2, 0, 0),
            pad_edge=False,
            header_style="none",
            show_edge=False,
        )
        for name, words in columns.items():
            longest = max(
                (cell_len(word) for row in self.rows for word in words(row).split()), default=0
            )
            table.add_column(
                self.ink.text(name, "bold"),
                overflow="fold",
                min_width=min(max(longest, len(name)), _LONGEST_WORD),
            )
        table.add_column(self.ink.text("outcome", "bold"), min_width=len("UNKNOWN"))
        for row in self.rows:
            table.add_row(
                *(self.ink.text(words(row)) for words in columns.values()),
                _outcome(row.outcome, self.ink),
            )
        yield table

    @staticmethod
    def _cell(row: ComparisonRow) -> str:
        return "\n".join((row.id, *(f"{axis}: {choice}" for axis, choice in row.choices)))


def _noticed(row: ComparisonRow) -> str:
    told = " ".join(word for word in (row.how, f"({row.timer})") if word not in ("-", "(-)"))
    return f"{row.noticed}: {told}" if told else row.noticed


_THREE_COLUMNS: Final = 110
_LONGEST_WORD: Final = 18
_NARROW: Final[dict[str, Callable[[ComparisonRow], str]]] = {"noticed after": _noticed}
_WIDE: Final[dict[str, Callable[[ComparisonRow], str]]] = {
    "noticed after": attrgetter("noticed"),
    "how": attrgetter("how"),
    "told by": attrgetter("timer"),
}
_COMMON: Final[dict[str, Callable[[ComparisonRow], str]]] = {
    "FIN-WAIT-1": attrgetter("fin_wait1"),
    "zombies": attrgetter("zombies"),
    "messages": attrgetter("messages"),
}
