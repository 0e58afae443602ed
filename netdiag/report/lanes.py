"""Timeline rows and timers' intervals -> tables with one track a lane.

A track is one sign wide, so the five lanes fit beside the words at any width:

    client app, client kernel, the cable, server kernel, server app
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from netdiag.report.ink import Ink
    from netdiag.report.timeline import Row
    from netdiag.report.view import TimerRow

_TRACKS: Final = ("client.app", "client.kernel", "cable", "server.kernel", "server.app")
_LANES: Final = {
    "client.app": ("client app", "cyan"),
    "client.kernel": ("client kernel", "blue"),
    "cable": ("cable", "magenta"),
    "server.kernel": ("server kernel", "yellow"),
    "server.app": ("server app", "green"),
    "netdiag": ("netdiag", ""),
}
_KIND_STYLE: Final = {
    "fault": "bold",
    "error": "red",
    "rst": "red",
    "exit": "red",
    "crash": "red",
    "late": "red",
    "client_forgotten": "yellow",
    "socket_gone": "yellow",
    "got": "green",
    "more": "dim",
}


def timeline_table(rows: tuple[Row, ...], ink: Ink) -> Table:
    """Time, tracks, lane, packet number, words; a narrow console has the last three in one."""
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    if not ink.narrow:
        table.add_column(max_width=13, overflow="fold")
        table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for row in rows:
        told = ink.told(row.text, _KIND_STYLE.get(row.kind, ""), row.reason)
        where = _lane(row, ink), ink.text("" if row.packet is None else f"#{row.packet}", "dim")
        words = (_in_one(*where, told),) if ink.narrow else (*where, told)
        table.add_row(ink.text(row.time), _tracks(row, ink), *words)
    return table


def _in_one(lane: Text, packet: Text, told: Text) -> Text:
    """`server kernel #31: keepalive probe #1 ...`."""
    return Text.assemble(lane, " " if packet else "", packet, ": ", told, overflow="fold")


def _lane(row: Row, ink: Ink) -> Text:
    if len(row.lanes) != 1:
        return ink.text("several")
    name, style = _LANES.get(row.lanes[0], (row.lanes[0], ""))
    return ink.text(name, style)


def _tracks(row: Row, ink: Ink) -> Text:
    """One sign a lane: where this row happened, and whether the cable was whole."""
    text = Text()
    for lane in _TRACKS:
        here = lane in row.lanes
        text.append(_sign(row, lane, ink), _LANES[lane][1] if here else "dim")
    return text


def _sign(row: Row, lane: str, ink: Ink) -> str:
    if lane in row.lanes:
        return ink.marks.fault if row.kind == "fault" and row.broken else ink.marks.event
    return ink.marks.broken if lane == "cable" and row.broken else ink.marks.line


def timers_table(timers: tuple[TimerRow, ...], ink: Ink) -> Table:
    """From, to, whose socket, which timer and why; a narrow console has the last ones in one."""
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    if not ink.narrow:
        table.add_column(overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    for one in timers:
        text = f"{one.state}, {one.timer}"
        told = ink.told(text, "", one.reason)
        if one.more:
            told = ink.text(f"... {one.more} more: {text}", "dim")
        whose = ink.text(_whose(one))
        words = (_in_one(whose, Text(), told),) if ink.narrow else (whose, told)
        table.add_row(ink.text(one.begins), ink.text(f"to {one.ends}"), *words)
    return table


def _whose(one: TimerRow) -> str:
    """`client :38630`: a port tells the connections of a cell apart."""
    port = one.connection.rpartition(":")[2]
    return f"{one.side} :{port}" if port else one.side
