"""Faults of the link beside faults of the path: what the client sent, and what the others knew.

The rule this file guards: it speaks only where the difference matters, which is where a host lost
its link or asked where its peer is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table

from netdiag.report.words import count, errno_name, plain, span

if TYPE_CHECKING:
    from netdiag.analysis.model import CellAnalysis, Reach
    from netdiag.report.ink import Ink

_HEADS: Final = ("cell", "its probes", "ARP", "the application", "the server", "the address")


@dataclass(frozen=True)
class ReachRow:
    """One cell in short."""

    cell: str
    probes: str
    arp: str
    application: str
    server: str
    address: str


def reach_rows(cells: tuple[CellAnalysis, ...]) -> tuple[ReachRow, ...]:
    """A row for each cell with a fault; none at all where no link was lost and nobody asked."""
    told = [(cell, cell.reach) for cell in cells if cell.reach is not None]
    if not any(reach.arp or reach.addresses for _, reach in told):
        return ()
    return tuple(_row(cell, reach) for cell, reach in told)


def _row(cell: CellAnalysis, reach: Reach) -> ReachRow:
    return ReachRow(
        plain(cell.id), _probes(reach), _arp(reach), _application(cell), _server(cell),
        plain(reach.addresses[-1]) if reach.addresses else "never lost its link",
    )  # fmt: skip


def _probes(reach: Reach) -> str:
    """`3 probes, 2 retransmissions, RST; none came through`."""
    sent = [
        count(number, word)
        for number, word in ((reach.probes, "probe"), (reach.retransmissions, "retransmission"))
        if number
    ]
    sent += ["RST"] if reach.rst else []
    if not sent:
        return "none sent"
    if reach.answered:
        return f"{', '.join(sent)}; {reach.answered} answered"
    return f"{', '.join(sent)}; {'taken by the cut' if reach.taken else 'sent to nobody'}"


def _arp(reach: Reach) -> str:
    if not reach.arp:
        return "not asked"
    return f"{count(reach.arp, 'request')}, {reach.arp_answered or 'none'} answered"


def _application(cell: CellAnalysis) -> str:
    if cell.noticed is None:
        return "never noticed"
    number = errno_name(cell.noticed.errno)
    what = number or plain(cell.noticed.type or cell.noticed.how)
    return f"{what} after {span(cell.noticed.t)}"


def _server(cell: CellAnalysis) -> str:
    held = next((one for one in cell.beliefs if one.who == "the server"), None)
    if held is None:
        return "-"
    since = f" since {held.since:+.2f} s" if held.since is not None else ""
    return f"{plain(held.text.partition(' (')[0])}{since}"


def reach_table(rows: tuple[ReachRow, ...], ink: Ink) -> Table:
    """The rows, one a cell."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="none", show_edge=False)
    for head in _HEADS:
        table.add_column(ink.text(head, "bold"), overflow="fold", ratio=1)
    for row in rows:
        texts = (row.cell, row.probes, row.arp, row.application, row.server, row.address)
        table.add_row(*map(ink.text, texts))
    return table
