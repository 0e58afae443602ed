"""Counts of a capture's frames, kept while it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from netdiag.tcp.moments import ANCHOR, SPAN, on_clock

EARLIEST: Final = ANCHOR - SPAN
LATEST: Final = ANCHOR + SPAN


@dataclass
class Tally:
    """See facts.Totals; the clock counts from `first_at`, the moment of the first frame."""

    frames: int = 0
    tcp: int = 0
    filtered: int = 0
    other: int = 0
    fragments: int = 0
    cut: int = 0
    other_view: int = 0
    foreign: int = 0
    hidden: int = 0
    first_at: int = 0
    last_at: int = 0
    backwards: int = 0
    before: int = 0
    after: int = 0

    def saw(self, t_ns: int) -> int:
        """A frame, whatever it carries; what the engine's clock shows then."""
        if t_ns < self.last_at:
            self.backwards += 1
        elif not self.frames:
            self.first_at = t_ns
        self.frames += 1
        self.last_at = t_ns
        clock = ANCHOR + t_ns - self.first_at
        return clock if EARLIEST <= clock <= LATEST else on_clock(t_ns, self.first_at)
