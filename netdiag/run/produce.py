"""The producer: numbered messages, pushed over the server's unix socket when their trigger is met.

Messages are called m1, m2, ... in the order of their pushing, over all entries of `produce`, so the
fate of each can be told from the recording alone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netdiag.run.loop import SECOND, Loop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdiag.run.recorder import Recorder
    from netdiag.scenario.workload import Produce
    from netdiag.servers.admin import Admin, Answer


class Producer:
    """Pushes what each entry asks for, from the moment its signal comes."""

    def __init__(
        self, admin: Admin, loop: Loop, recorder: Recorder, *, key: str, entries: Sequence[Produce]
    ) -> None:
        self._admin = admin
        self._loop = loop
        self._recorder = recorder
        self._key = key
        self._entries = entries
        self._made = 0
        self._started: set[int] = set()

    def start(self, entry: int) -> None:
        """Begin with entry number `entry` (from 0) of the scenario's `produce`, but only once."""
        if entry in self._started:
            return
        self._started.add(entry)
        wanted = self._entries[entry]
        if wanted.rate is None:
            for _ in range(wanted.count):
                self._push()
            return
        self._go_on(time.monotonic_ns(), round(SECOND / wanted.rate), wanted.count)

    def _go_on(self, t: int, gap: int, left: int) -> None:
        if left > 0:
            self._push()
            self._loop.at(t + gap, lambda: self._go_on(t + gap, gap, left - 1))

    def _push(self) -> None:
        self._made += 1
        message = f"m{self._made}"
        self._recorder.note("netdiag", "push", "start", id=message)
        if not self._admin.ask(self._pushed(message), "LPUSH", self._key, message):
            self._recorder.note(
                "netdiag", "push", "fail", id=message, reason="the server takes no more"
            )

    def _pushed(self, message: str) -> Callable[[Answer], None]:
        def answered(answer: Answer) -> None:
            ok = isinstance(answer, int)
            self._recorder.note(
                "netdiag",
                "push",
                "ok" if ok else "fail",
                id=message,
                answer=answer if isinstance(answer, int) else repr(answer),
            )

        return answered
