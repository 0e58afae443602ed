"""Counts of a capture's frames, kept while it is read."""

from __future__ import annotations

from dataclasses import dataclass


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
    first_at: int = 0
    last_at: int = 0
    backwards: int = 0

    def saw(self, t_ns: int) -> None:
        """A frame, whatever it carries."""
        if t_ns < self.last_at:
            self.backwards += 1
        elif not self.frames:
            self.first_at = t_ns
        self.frames += 1
        self.last_at = t_ns
