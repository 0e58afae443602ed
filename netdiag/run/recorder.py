"""Events into the cell's log, with the time of their making unless another is given."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netdiag.recording import Event, EventLog, Json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Recorder:
    """Writes one cell's events; of several clients, those of `who`. Only the cell's own process has
    any. Raises OSError when the disk is full.
    """

    def __init__(self, path: Path, *, who: str = "") -> None:
        self._log = EventLog(path)
        self._who = who

    def note(
        self, lane: str, what: str, outcome: str = "info", *, t: int | None = None, **data: Json
    ) -> None:
        """Record one event; see `recording.Event`."""
        self.record(lane, what, outcome, data, t=t)

    def record(
        self, lane: str, what: str, outcome: str, data: Mapping[str, Json], *, t: int | None = None
    ) -> None:
        """The same for data whose keys somebody else has chosen."""
        at = time.monotonic_ns() if t is None else t
        self._log.write(Event(at, lane, what, outcome, data, self._who))
