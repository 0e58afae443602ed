"""The reaper of a processing list: what nobody finishes goes back to the queue.

A list does not say how long its elements have been there, so the reaper remembers when it saw each
first, as every such reaper must (redis.io, "Pattern: Reliable queue"). It runs over the server's
unix socket, beside the server, so that no fault touches it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netdiag.servers.queues import texts
from netdiag.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netdiag.run.loop import Loop
    from netdiag.run.recorder import Recorder
    from netdiag.scenario.workload import Reaper
    from netdiag.servers.admin import Admin, Answer


class Requeue:
    """Looks at the processing list and gives back what has been there too long.

    `names` holds the keys `key` and `processing`.
    """

    def __init__(
        self, admin: Admin, loop: Loop, recorder: Recorder, *, names: Mapping[str, str]
    ) -> None:
        self._admin = admin
        self._loop = loop
        self._recorder = recorder
        self._key = names["key"]
        self._processing = names["processing"]
        self._seen: dict[str, int] = {}
        self._idle = 0

    def every(self, reaper: Reaper) -> None:
        """Begin, at the reaper's pace."""
        self._idle = round(reaper.idle * SECOND)
        self._loop.every(round(reaper.pace * SECOND), self._look)

    def _look(self) -> None:
        self._admin.ask(self._found, "LRANGE", self._processing, "0", "-1")

    def _found(self, answer: Answer) -> None:
        now = time.monotonic_ns()
        self._seen = {one: self._seen.get(one, now) for one in texts(answer)}
        for message, since in list(self._seen.items()):
            if now - since >= self._idle:
                taken = self._taken(message, now - since)
                self._admin.ask(taken, "LREM", self._processing, "1", message)

    def _taken(self, message: str, idle: int) -> Callable[[Answer], None]:
        def taken(answer: Answer) -> None:
            if answer == 1:  # else its consumer has finished it in the meantime
                self._seen.pop(message, None)  # whoever takes it next has all its time
                self._admin.ask(lambda _: None, "RPUSH", self._key, message)
                self._recorder.note(
                    "netdiag", "requeue", "ok", id=message, idle=round(idle / SECOND, 3)
                )

        return taken
