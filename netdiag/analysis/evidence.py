"""The files of a cell -> all that was recorded of it, read once for every one of its clients.

The rule this file guards: a cell is one experiment. What its clients share (the server's events,
the messages, what was lost of the recording) is the same for each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.analysis.moments import faults_of
from netdiag.analysis.watched import read
from netdiag.analysis.wire import read_tape
from netdiag.recording import read_told
from netdiag.tcp.resp import KEEP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdiag.analysis.replies import Reply
    from netdiag.analysis.wire import WireLog
    from netdiag.recording import CellFiles, Event
    from netdiag.scenario import Cell

_ELEMENT: Final = 64 << 10
"""Bytes that are kept of each value where others fill the queue: theirs are longer than ours."""


@dataclass(frozen=True)
class Evidence:
    """What a cell left. events: everybody's, in the order of time; damage: line of events.jsonl ->
    what is wrong with it; wires: what was on the wire, by client ("" for an only one);
    tapes: the files that say so; mute: a client is a service, which says nothing of itself.
    """

    events: tuple[Event, ...]
    damage: Mapping[int, str]
    wires: Mapping[str, WireLog]
    tapes: Mapping[str, Path]
    mute: bool

    def of(self, who: str) -> tuple[Event, ...]:
        """The events of one client, and those that belong to nobody or to all."""
        return tuple(event for event in self.events if event.who in ("", who))

    def origin(self, who: str) -> int:
        """Where the clock of this client's story begins (ns): the cell's first fault, or its own
        first frame, or the first event.
        """
        began = [one.began_ns for one in faults_of(self.events, 0) if one.began_ns is not None]
        frames = self.wires[who].frames
        return min(began, default=frames[0].t if frames else self.events[0].t)

    @property
    def replies(self) -> list[Reply]:
        """The server's messages to all clients."""
        return [reply for wire in self.wires.values() for reply in wire.replies]


def clients_of(cell: Cell) -> tuple[str, ...]:
    """The clients that a cell is told of one by one; of a cell with a single client just ""."""
    return ("",) if len(cell.clients) == 1 else tuple(cell.clients)


def gather(cell: Cell, files: CellFiles) -> Evidence:
    """Read a cell's files. Raises RecordingError when one cannot be read."""
    told = read_told(files.events)
    offset, commands = _wall_offset(told.events), cell.workload.commands
    mute = any(client.kind == "service" for client in cell.clients.values())
    keep = _ELEMENT if mute else KEEP
    tapes = {who: files.tape_of(who) for who in clients_of(cell)}
    wires = {who: read_tape(tape, offset, commands, keep=keep) for who, tape in tapes.items()}
    for wire in wires.values() if mute else ():
        read(wire, cell.workload.key)
    return Evidence(told.events, told.damage, wires, tapes, mute)


def _wall_offset(events: Sequence[Event]) -> int:
    for event in events:
        offset = event.data.get("wall_offset")
        if event.lane == "netdiag" and isinstance(offset, int):
            return offset
    return 0
