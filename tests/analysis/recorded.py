"""The stored recordings, and a small language for cells that were never run."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

from netdiag.analysis import Analysis, CellAnalysis, analyse
from netdiag.analysis.cause import Wire
from netdiag.analysis.moments import Moments
from netdiag.analysis.wire import Frame
from netdiag.recording import CellFiles, Event, Recording
from netdiag.scenario import Plan, expand, load
from netdiag.scenario.repeat import repeated
from netdiag.tcp.wire import Segment

RECORDINGS = Path(__file__).parent.parent / "recordings"
REPEATS = {"repeats": 5}
SECOND = 1_000_000_000
CLIENT = "10.0.0.1:40000"
SERVER = "10.0.0.2:6379"


def plan_of(name: str) -> Plan:
    return repeated(expand(load(RECORDINGS / name / "scenario.yaml")), REPEATS.get(name, 1))


@cache
def analysed(name: str) -> Analysis:
    return analyse(Recording(RECORDINGS / name), plan_of(name))


def cell(name: str, cell_id: str) -> CellAnalysis:
    return next(cell for cell in analysed(name).cells if cell.id == cell_id)


def files(name: str, cell_id: str) -> CellFiles:
    return Recording(RECORDINGS / name).cell(cell_id)


def copy(name: str, root: Path) -> Recording:
    """A recording as `netdiag run` leaves it, to be changed by a test."""
    shutil.copytree(RECORDINGS / name / "cells", root / "cells")
    recording = Recording(root)
    recording.save_plan(plan_of(name).to_json())
    return recording


def event(t: float, lane: str, what: str, outcome: str = "info", **data: object) -> Event:
    """An event; t in seconds."""
    return Event(round(t * SECOND), lane, what, outcome, data)  # type: ignore[arg-type]


def moments(*events: Event, origin: float = 0.0) -> Moments:
    return Moments(tuple(sorted(events, key=lambda one: one.t)), round(origin * SECOND))


def seen(t: float, side: str, state: str, timer: str = "none", *, orphan: bool = False,
         client: str = CLIENT) -> Event:
    """What a probe saw of a socket."""
    return event(t, f"{side}.kernel", "socket", client=client, server=SERVER, state=state,
                 timer=timer, orphan=orphan, send_queue=0)


def gone(t: float, side: str, *, client: str = CLIENT) -> Event:
    return event(t, f"{side}.kernel", "socket_gone", client=client, server=SERVER)


def frame(t: float, side: int, flags: int, *, taken: str | None = None,
          injected: str | None = None, client: str = CLIENT) -> Frame:
    segment = Segment(b"", b"", 1, 2, 0, 0, flags, 0, 0, b"")
    return Frame(1, round(t * SECOND), side, client, None, segment, taken, injected)


def wire(frames: list[Frame]) -> Wire:
    """As a tape is read: what was not taken from the server reached the client's host."""
    to_client = [one for one in frames if (one.injected is None) is (one.side == 1)]
    return Wire(frames, [one for one in to_client if one.taken is None])
