"""CaptureView and FlowView -> rich renderables -> a Console that is injected.

The rule is terminal.py's: complete at any width, with or without colour and Unicode; words wrap and
are never cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table
from rich.text import Text

from netdiag.report.ink import Ink
from netdiag.report.plainly import print_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from netdiag.report.capture import CaptureView, ConnectionRow, FindingView
    from netdiag.report.capture_flow import FlowView

_NARROW, _WIDE = 100, 130
_HARM: Final = {"high": "bold red", "medium": "bold yellow", "low": "bold cyan"}


def print_capture(view: CaptureView, console: Console, flow: FlowView | None = None) -> None:
    """Print a capture's report, or with `flow` one of its connections."""
    ink = Ink(console.options.ascii_only)
    print_parts(_capture(view, ink) if flow is None else _flow(view, flow, ink), console)


def _capture(view: CaptureView, ink: Ink) -> Iterator[RenderableType]:
    yield from _head(view, ink)
    yield Text()
    if view.findings:
        yield ink.text(f"Findings: {view.harms}", "bold")
        for finding in view.findings:
            yield Text()
            yield from _finding(finding, ink)
    else:
        yield ink.text("Findings: none", "bold")
    if view.rows:
        yield Text()
        yield ink.text("Connections", "bold")
        yield Connections(view.rows, ink)
    if view.left_out:
        yield ink.text(view.left_out, "dim")


def _head(view: CaptureView, ink: Ink) -> Iterator[RenderableType]:
    yield ink.text(view.title, "bold")
    yield ink.text(view.summary)
    for note in view.notes:
        yield ink.text(f"note: {note}", "yellow")


def _finding(finding: FindingView, ink: Ink) -> Iterator[RenderableType]:
    head = ink.text(finding.harm.upper(), _HARM[finding.harm])
    yield Text.assemble(
        head, ink.text(f"  {finding.rule}", "bold"), ink.text(f"  {finding.where}"), overflow="fold"
    )
    table = _named()
    rows = {
        "when": finding.when,
        "cause": finding.cause,
        "cure": finding.cure,
        "frames": finding.frames,
        "more": finding.more,
    }
    for name, words in rows.items():
        if words:
            table.add_row(ink.text(f"  {name}", "dim"), ink.text(words))
    yield table


def _named(columns: int = 1) -> Table:
    """A table whose first column names what stands beside it."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for _ in range(columns):
        table.add_column(ratio=1, overflow="fold")
    return table


@dataclass(frozen=True)
class Connections:
    """The table of connections; findings go below a connection's name where room is short."""

    rows: tuple[ConnectionRow, ...]
    ink: Ink

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        columns = _COLUMNS[(width >= _NARROW) + (width >= _WIDE)]
        table = Table(
            box=box.SIMPLE_HEAD,
            padding=(0, 2, 0, 0),
            pad_edge=False,
            header_style="none",
            show_edge=False,
        )
        for column in columns:
            table.add_column(
                self.ink.text(column.name, "bold"),
                justify="right" if column.number else "left",
                overflow="fold",
                no_wrap=column.number or column.name == _FINDINGS,
            )
        for row in self.rows:
            table.add_row(*(self.ink.text(column.words(row)) for column in columns))
        yield table


@dataclass(frozen=True)
class _Column:
    name: str
    words: Callable[[ConnectionRow], str]
    number: bool = False


def _ends(row: ConnectionRow) -> str:
    return f"{row.client}\n-> {row.server}"


def _ends_and_findings(row: ConnectionRow) -> str:
    return "\n".join((_ends(row), *filter(None, (row.findings,))))


_FIRST: Final = _Column("#", attrgetter("number"), True)
_FRAMES: Final = (
    _Column("frames", attrgetter("frames"), True),
    _Column("again", attrgetter("resent"), True),
)
_FINDINGS: Final = "findings"
_TOLD: Final = _Column(_FINDINGS, lambda row: row.findings.replace(", ", "\n"))
_ENDS: Final = _Column("client -> server", _ends)
_BEGAN: Final = _Column("began", attrgetter("began"), True)
_LASTED: Final = _Column("lasted", attrgetter("lasted"), True)
_SILENCE: Final = _Column("silence", attrgetter("silence"), True)
_HOW: Final = _Column("how", attrgetter("how"))
_COLUMNS: Final = (
    (_FIRST, _Column("client -> server", _ends_and_findings), _LASTED, *_FRAMES, _HOW),
    (_FIRST, _ENDS, _LASTED, *_FRAMES, _HOW, _TOLD),
    (_FIRST, _ENDS, _BEGAN, _LASTED, _SILENCE, *_FRAMES, _HOW, _TOLD),
)


def _flow(view: CaptureView, flow: FlowView, ink: Ink) -> Iterator[RenderableType]:
    yield from _head(view, ink)
    yield Text()
    yield ink.text(flow.title, "bold")
    facts = _named()
    for name, words in flow.facts:
        facts.add_row(ink.text(name, "dim"), ink.text(words))
    yield facts
    for finding in flow.findings:
        harm = finding.partition(" ")[0]
        yield ink.text(finding, _HARM[harm])
    yield Text()
    sides = _named(2)
    sides.add_row("", ink.text("client", "bold"), ink.text("server", "bold"))
    for line in flow.sides:
        sides.add_row(ink.text(line.name, "dim"), ink.text(line.client), ink.text(line.server))
    yield sides
    yield Text()
    yield ink.text("Timeline (times since the connection's first frame)", "bold")
    yield _rows(flow, ink)
    if flow.left_out:
        yield ink.text(flow.left_out, "dim")


def _rows(flow: FlowView, ink: Ink) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    styles = {"client": "cyan", "server": "green", "": "dim"}
    for row in flow.rows:
        style = styles[row.side]
        frame = f"#{row.frame}" if row.side else row.frame
        told = ink.told(row.text, "" if row.side else "dim", row.reason)
        table.add_row(ink.text(row.time), ink.text(frame, "dim"), ink.text(row.side, style), told)
    return table
