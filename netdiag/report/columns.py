"""Observations and cells, each beside the others: more columns where there is room for them."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from rich import box
from rich.cells import cell_len
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, ConsoleOptions, RenderResult

    from netdiag.report.compare import ComparisonRow
    from netdiag.report.ink import Ink
    from netdiag.report.view import Observation

_SIDE_BY_SIDE: Final = 72
_THREE_COLUMNS: Final = 110
_LONGEST_WORD: Final = 18


@dataclass(frozen=True)
class SideBySide:
    """The observations as columns; one under the other on a narrow console."""

    observations: tuple[Observation, ...]
    ink: Ink

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= _SIDE_BY_SIDE
        table = Table(
            box=box.SQUARE, expand=True, show_header=wide, header_style="none", show_lines=not wide
        )
        whos = [self.ink.text(one.who, "bold") for one in self.observations]
        texts = [
            self.ink.text("\n".join(filter(None, (one.text, one.since))))
            for one in self.observations
        ]
        if wide:
            for who in whos:
                table.add_column(who, ratio=1, overflow="fold")
            table.add_row(*texts)
        else:
            table.add_column(overflow="fold")
            table.add_column(ratio=1, overflow="fold")
            for who, text in zip(whos, texts, strict=True):
                table.add_row(who, text)
        yield table


@dataclass(frozen=True)
class Compared:
    """The cells, one a row: how a cell noticed in one column, or in three where there is room."""

    rows: tuple[ComparisonRow, ...]
    ink: Ink

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= _THREE_COLUMNS
        columns = {"cell": _cell, **(_WIDE if wide else _NARROW), **_COMMON}
        table = Table(
            box=box.SIMPLE_HEAD,
            padding=(0, 2, 0, 0),
            pad_edge=False,
            header_style="none",
            show_edge=False,
        )
        for name, words in columns.items():
            table.add_column(
                self.ink.text(name, "bold"), overflow="fold", min_width=self._room(name, words)
            )
        table.add_column(self.ink.text("outcome", "bold"), min_width=len("UNKNOWN"))
        for row in self.rows:
            texts = (self.ink.text(words(row)) for words in columns.values())
            table.add_row(*texts, self.ink.outcome(row.outcome))
        yield table

    def _room(self, name: str, words: Callable[[ComparisonRow], str]) -> int:
        """As wide as the longest word, so that words stay whole; within reason."""
        lengths = (cell_len(word) for row in self.rows for word in words(row).split())
        return min(max((len(name), *lengths)), _LONGEST_WORD)


def _cell(row: ComparisonRow) -> str:
    return "\n".join((row.id, *(f"{axis}: {choice}" for axis, choice in row.choices)))


def _noticed(row: ComparisonRow) -> str:
    told = " ".join(word for word in (row.how, f"({row.timer})") if word not in ("-", "(-)"))
    return f"{row.noticed}: {told}" if told else row.noticed


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
