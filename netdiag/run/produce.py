"""The producer: numbered messages, pushed over the server's unix socket when their trigger is met,
and what is left of them there at the end.

Messages are called m1, m2, ... in the order of their pushing, over all entries of `produce`, so the
fate of each can be told from the recording alone.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from netdiag.errors import LabError
from netdiag.servers.queues import QUEUES, Refused, text, watched, words
from netdiag.tcp.resp import ErrorReply
from netdiag.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdiag.recording import Json
    from netdiag.run.loop import Loop
    from netdiag.run.makers import Makers
    from netdiag.run.recorder import Recorder
    from netdiag.scenario.workload import Workload
    from netdiag.servers.admin import Admin, Answer

_PATIENCE = 5 * SECOND


class Producer:
    """Pushes what each entry asks for, from the moment its signal comes."""

    def __init__(
        self,
        admin: Admin,
        loop: Loop,
        recorder: Recorder,
        *,
        workload: Workload,
        makers: Makers,
        others: bool = False,
    ) -> None:
        """`others`: the queue is filled and emptied by programs that we only watch."""
        self._admin = admin
        self._makers = makers
        self._loop = loop
        self._recorder = recorder
        queue = QUEUES[workload.pattern]
        self._queue = watched(queue) if others else queue
        self._names = workload.names
        self._entries = workload.produce
        self._made = 0
        self._started: set[int] = set()
        self._going: set[int] = set()
        self._stopped = False
        self._left: dict[str, Answer] = {}

    def prepare(self) -> None:
        """Make on the server what the pattern needs before its first consumer comes. Raises
        LabError when the server refuses.
        """
        if self._queue.prepare is None:
            return
        refused: list[str] = []

        def prepared(answer: Answer) -> None:
            if isinstance(answer, ErrorReply):
                refused.append(text(answer))
            self._loop.stop()

        asked = self._admin.ask(prepared, *words(self._queue.prepare, **self._names))
        if not asked or not self._loop.run(until=time.monotonic_ns() + _PATIENCE):
            raise LabError(f"the server did not answer {self._queue.prepare.split()[0]} within 5 s")
        if refused:
            raise LabError(f"the server refused {self._queue.prepare.split()[0]}: {refused[0]}")

    def start(self, entry: int) -> None:
        """Begin with entry number `entry` (from 0) of the scenario's `produce`, but only once."""
        if entry in self._started or self._stopped:
            return
        self._started.add(entry)
        wanted = self._entries[entry]
        one = self._push if wanted.by is None else partial(self._makers.make, wanted.by)
        if wanted.rate is None:
            for _ in range(wanted.count):
                one()
            return
        self._going.add(entry)
        gap = round(SECOND / wanted.rate)

        def go_on(t: int, left: int) -> None:
            if left == 0:
                self._going.discard(entry)
            elif not self._stopped:
                one()
                self._loop.at(t + gap, lambda: go_on(t + gap, left - 1))

        go_on(time.monotonic_ns(), wanted.count)

    def stop(self) -> bool:
        """Push no more, so that what is left can be told; whether pushes are still to come."""
        self._stopped = True
        return bool(self._going)

    def _push(self) -> None:
        self._made += 1
        message = f"m{self._made}"
        self._recorder.note("netdiag", "push", "start", id=message)
        assert self._queue.push is not None, "checks.py lets nothing be produced then"
        push = words(self._queue.push, **self._names, id=message, number=str(self._made))
        if not self._admin.ask(self._pushed(message), *push):
            why = "the server takes no more" if self._admin.open else "the server does not run"
            self._recorder.note("netdiag", "push", "fail", id=message, reason=why)

    def _pushed(self, message: str) -> Callable[[Answer], None]:
        def answered(answer: Answer) -> None:
            refused = isinstance(answer, ErrorReply)
            self._recorder.note(
                "netdiag",
                "push",
                "fail" if refused else "ok",
                id=message,
                answer=answer if isinstance(answer, int) else text(answer),
            )

        return answered

    def look_for_what_is_left(self) -> bool:
        """Ask for the messages that are still at the server; the loop stops when they are
        recorded. False when the server takes no more questions.
        """
        asked = [
            self._admin.ask(self._told(place), *words(template, **self._names))
            for place, template in self._queue.places.items()
        ]
        if not self._queue.places:
            self._recorder.note("server.app", "left", "ok", ids=[])
        return bool(asked) and all(asked)

    def _told(self, place: str) -> Callable[[Answer], None]:
        def told(answer: Answer) -> None:
            self._left[place] = answer
            if len(self._left) == len(self._queue.places):
                self._record_left()
                self._loop.stop()

        return told

    def _record_left(self) -> None:
        try:
            left = self._queue.read(self._left, self._names).items()
        except Refused as err:
            self._recorder.note("server.app", "refused", "fail", asked="left", reason=str(err))
            return
        found: dict[str, Json] = {place: [*ids] for place, ids in left}
        self._recorder.record("server.app", "left", "ok", found)
