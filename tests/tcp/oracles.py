"""Every frame of a capture as the engine labels it, beside what is needed to judge others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netdiag.tcp import fields as f
from netdiag.tcp.choice import choose
from netdiag.tcp.container import Container
from netdiag.tcp.interpreted import Interpreted
from netdiag.tcp.labels import LABELS, Label
from netdiag.tcp.source import Source
from netdiag.tcp.table import RecordedRows
from netdiag.tcp.window import Window
from netdiag.tcp.wire import FIN

if TYPE_CHECKING:
    from netdiag.tcp.wire import Segment

PUBLIC = Path(__file__).parents[3] / "shared/captures/public"
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass
class Frame:
    """One segment: the engine's word, and what its connection looked like before it."""

    number: int
    t_ns: int
    segment: Segment
    label: Label | None  # None: a copy
    spurious: bool = False
    peer_window: int = -1  # bytes, before it
    una: int = 0  # of its sender
    fin_before: bool = False  # a FIN of its sender had passed
    newest_id: int = -1  # the IP-ID of its sender's segment before
    sacked: bool = False  # the peer's SACK blocks or duplicate ACKs ask for something
    seen: bool = False  # the very same header had passed

    @property
    def header(self) -> tuple[object, ...]:
        """What a copy has in common with its original."""
        it = self.segment
        return it.src, it.sport, it.ip_id, it.seq, it.ack, it.length, it.flags, it.tsval


class Watched(Interpreted):
    """The engine, remembering every frame."""

    def __init__(self, path: Path) -> None:
        self.frames: list[Frame] = []
        self._ids: dict[tuple[bytes, int], int] = {}
        self._seen: set[tuple[object, ...]] = set()
        self._finished: set[tuple[bytes, int]] = set()
        with Source(path) as source:
            super().__init__(Container(Window(source)), choose(None, None, None, None))
            self.run()
        recorded = RecordedRows(self.rows, self.rows_used, self.tally.first_at)
        marks = {row.number: row.marks for row in recorded.rows}
        for frame in self.frames:
            frame.spurious = bool(marks.get(frame.number, 0) & 1)

    def feed(self, number: int, clock: int, segment: Segment) -> int:
        frame = Frame(number, clock, segment, None)
        self._before(frame)
        label = super().feed(number, clock, segment)
        frame.label = LABELS[label] if label < len(LABELS) else None
        self.frames.append(frame)
        self._ids[segment.src, segment.sport] = segment.ip_id
        return label

    def _before(self, frame: Frame) -> None:
        it = frame.segment
        place = self._places.get((it.src, it.dst, it.sport, it.dport), -1)
        if place >= 0:
            state = self.states[place >> 1]
            own, peer = (f.SIDE, 0) if place & 1 else (0, f.SIDE)
            frame.peer_window = state[peer + f.WINDOW]
            frame.una = state[own + f.UNA]
            frame.sacked = state[own + f.SACKED] == 1 or state[own + f.DUPLICATES] >= 3
        frame.newest_id = self._ids.get((it.src, it.sport), -1)
        frame.seen = frame.header in self._seen
        frame.fin_before = (it.src, it.sport) in self._finished
        if it.flags & FIN:
            self._finished.add((it.src, it.sport))
        self._seen.add(frame.header)
