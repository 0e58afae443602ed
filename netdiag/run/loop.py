"""One thread, many descriptors, no polling: what a cell waits for.

Turns readable descriptors and moments (CLOCK_MONOTONIC, ns) into calls, in the order of time.
"""

from __future__ import annotations

import heapq
import itertools
import select
import time
from typing import TYPE_CHECKING

from netdiag.units import MILLISECOND

if TYPE_CHECKING:
    from collections.abc import Callable


class Loop:
    """Calls back when a descriptor is readable or a moment has come, until `stop`."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._readable: dict[int, Callable[[], None]] = {}
        self._moments: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._going = True

    def on_readable(self, fd: int, call: Callable[[], None]) -> None:
        """Call whenever the descriptor is readable (or its other end is gone)."""
        self._poll.register(fd, select.POLLIN)
        self._readable[fd] = call

    def forget(self, fd: int) -> None:
        """Watch the descriptor no more."""
        if self._readable.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def at(self, t: int, call: Callable[[], None]) -> None:
        """Call once at `t` (or as soon after as possible)."""
        heapq.heappush(self._moments, (t, next(self._order), call))

    def every(self, period: int, call: Callable[[], None]) -> None:
        """Call now and then every `period` ns, never twice to catch up."""

        def again() -> None:
            call()
            self.at(time.monotonic_ns() + period, again)

        again()

    def stop(self) -> None:
        """Make `run` return after the call that is under way."""
        self._going = False

    def run(self, *, until: int | None = None) -> bool:
        """Serve until `stop` (true) or until the moment `until` has come (false)."""
        self._going = True
        while self._going:
            now = time.monotonic_ns()
            if until is not None and now >= until:
                return False
            while self._moments and self._moments[0][0] <= now and self._going:
                heapq.heappop(self._moments)[2]()
            next_moment = min(
                (
                    t
                    for t in (until, self._moments[0][0] if self._moments else None)
                    if t is not None
                ),
                default=None,
            )
            if not self._going:
                break
            for fd, _ in self._poll.poll(_patience(next_moment)):
                call = self._readable.get(fd)
                if call is not None and self._going:
                    call()
        return True


def _patience(until: int | None) -> float | None:
    return None if until is None else max(0.0, (until - time.monotonic_ns()) / MILLISECOND)
