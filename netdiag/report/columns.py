"""Observations and cells, each beside the others: more columns where there is room for them."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from rich import box
from rich.cells import cell_len
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import Console, ConsoleOptions, RenderResult

    from netdiag.report.compare import ComparisonRow
    from netdiag.report.ink import Ink
    from netdiag.report.view import Observation

    _Words = Callable[[ComparisonRow], str]

_SIDE_BY_SIDE: Final = 72
_THREE_COLUMNS: Final = 110
_LONGEST_WORD: Final = 18
_GAP: Final = 3


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
            padding=(0, _GAP - 1, 0, 0),
            pad_edge=False,
            header_style="none",
            show_edge=False,
        )
        widths = self._widths(columns, options.max_width - len("UNKNOWN") - _GAP)
        for name, width in zip(columns, widths, strict=True):
            table.add_column(self.ink.text(name, "bold"), overflow="fold", width=width)
        table.add_column(self.ink.text("outcome", "bold"), min_width=len("UNKNOWN"))
        for row in self.rows:
            texts = (self.ink.text(words(row)) for words in columns.values())
            table.add_row(*texts, self.ink.outcome(row.outcome))
        yield table

    def _widths(self, columns: Mapping[str, _Words], room: int) -> list[int]:
        """How wide each column is: as its longest word at least, within reason, so that words stay
        whole; what room is left goes to those that would like to have more."""
        least, wanted = [], []
        for name, words in columns.items():
            cells = [name, *(words(row) for row in self.rows)]
            longest = max(cell_len(word) for cell in cells for word in cell.split() or [""])
            least.append(min(longest, _LONGEST_WORD))
            wanted.append(max(cell_len(line) for cell in cells for line in cell.split("\n")))
        spare = room - sum(least) - _GAP * len(least)
        if spare < 0:  # too narrow for whole words
            return [max(1, own + own * spare // sum(least)) for own in least]
        wishes = [max(0, wish - own) for wish, own in zip(wanted, least, strict=True)]
        share = min(1.0, spare / max(1, sum(wishes)))
        return [own + int(wish * share) for own, wish in zip(least, wishes, strict=True)]


def _cell(row: ComparisonRow) -> str:
    return "\n".join((row.id, *(f"{axis}: {choice}" for axis, choice in row.choices)))


def _noticed(row: ComparisonRow) -> str:
    told = " ".join(word for word in (row.how, f"({row.timer})") if word not in ("-", "(-)"))
    measured = f"{row.noticed}: {told}" if told else row.noticed
    return "\n".join(filter(None, (measured, row.noticed_predicted)))


def _noticed_wide(row: ComparisonRow) -> str:
    return "\n".join(filter(None, (row.noticed, row.noticed_predicted)))


def _fin_wait1(row: ComparisonRow) -> str:
    return "\n".join(filter(None, (row.fin_wait1, row.fin_wait1_predicted)))


_NARROW: Final[dict[str, _Words]] = {"noticed after": _noticed}
_WIDE: Final[dict[str, _Words]] = {
    "noticed after": _noticed_wide,
    "how": attrgetter("how"),
    "told by": attrgetter("timer"),
}
_COMMON: Final[dict[str, _Words]] = {
    "FIN-WAIT-1": _fin_wait1,
    "zombies": attrgetter("zombies"),
    "messages": attrgetter("messages"),
}
