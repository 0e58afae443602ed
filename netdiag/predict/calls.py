"""A cell's messages -> when its client calls for which, and whether that call has to wait.

The rule this file guards: where a message and a call meet at about the same time, either may be
first, and then nothing that hangs on it is told.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from netdiag.catalogue.patterns import PATTERNS
from netdiag.faults.trigger import EventTrigger, PhaseTrigger, TimeTrigger
from netdiag.predict.acks import Acks, acks
from netdiag.predict.pushes import Unpredictable, early_pushes, spaced
from netdiag.predict.settings import own_timeout
from netdiag.predict.wheel import Span, exactly
from netdiag.units import ordinal

if TYPE_CHECKING:
    from netdiag.faults.trigger import Trigger
    from netdiag.predict.pace import Pace
    from netdiag.scenario.plan import Cell

EVERY: Final = 1.0
"""How long a client waits between two requests where nobody says (netdiag.clients), s."""
_BLOCKED: Final = 100
"""Calls of which it is followed whether they block."""
_MOST: Final = 1000
"""Messages that are followed one by one."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One call: when it begins, and whether it has to wait; None: either may be first."""

    called: Span
    waits: bool | None


@dataclass(frozen=True)
class Calls:
    """The calls of a cell's client, numbered from 1; greets: commands precede the first; read: how
    long each may wait for its reply, seconds, None: for ever."""

    cell: Cell
    pace: Pace
    greets: bool
    read: float | None = None

    @property
    def own(self) -> bool:
        """Whether it makes its requests at times of its own."""
        return PATTERNS[self.cell.workload.pattern].own_messages

    @cached_property
    def times(self) -> list[Span]:
        """When its messages are pushed, as far as that is known; nobody keeps them for a
        subscriber that has not subscribed yet. Raises Unpredictable."""
        times = [exactly(at) for at in early_pushes(self.cell)]
        for produce in self.cell.workload.produce:
            after = self._first_call(produce.at)
            if after is not None:
                times += [after + later for later in spaced(produce)]
        times.sort(key=lambda one: one.low)
        if PATTERNS[self.cell.workload.pattern].keeps:
            return times
        heard = self.pace.dialling.high + self.pace.acked.high
        if any(at.high > 0 and at.low < heard for at in times):
            raise Unpredictable("a message is published while the client may not listen yet; "
                                "publish it later")
        return [at for at in times if at.high > 0]

    def timed(self) -> None:
        """All its messages are pushed at times that are known. Raises Unpredictable."""
        for produce in self.cell.workload.produce:
            at = produce.at
            if not isinstance(at, TimeTrigger) and self._first_call(at) is None:
                raise Unpredictable(f"a message is pushed at '{at}', and whether that is before "
                                    "the fault does not follow from the settings")

    def _first_call(self, at: Trigger) -> Span | None:
        """When a trigger comes that follows the client's first call, or its blocking; None: it
        follows something else. Raises Unpredictable."""
        if len(self.cell.clients) > 1 or getattr(at, "nth", 0) != 1:
            return None
        if isinstance(at, EventTrigger) and at.event == "call":
            return self.pace.dialling + at.after
        if not isinstance(at, PhaseTrigger) or at.command is not None:
            return None
        if at.phase in ("request_in_flight", "request_delivered"):
            return self.pace.dialling + at.after
        if at.phase != "blocked":
            return None
        known = tuple(one for one in self.cell.workload.produce if isinstance(one.at, TimeTrigger))
        first = replace(self, cell=replace(self.cell, workload=replace(
            self.cell.workload, produce=known)))
        number = first.that_blocks(1) if PATTERNS[self.cell.workload.pattern].keeps else 1
        return first.called(number) + self.pace.acked + at.after

    def called(self, nth: int) -> Span:
        """When it calls for the nth time, seconds since its SYN: after what it got before, and the
        work on it. Raises Unpredictable."""
        if self.own:
            return self._asked(nth)
        if nth <= len(self._followed):
            return self._followed[nth - 1].called
        raise Unpredictable(f"when call number {nth} comes does not follow from the settings, "
                            "because what ends the one before does not")

    def waits(self, nth: int) -> bool:
        """Whether the nth call has to wait for its message. Raises Unpredictable."""
        if self.own:
            return False
        if nth > len(self._followed):
            return True
        waits = self._followed[nth - 1].waits
        if waits is None:
            raise Unpredictable(f"the message of {self.times[nth - 1].low:g} s may come before or "
                                "after the client waits; push it "
                                + ("at 0 s, or later" if self.greets else "later"))
        return waits

    def that_blocks(self, nth: int) -> int:
        """The number of the nth call that the server acknowledges before it replies: it has to
        wait, or the server does not delay its ACK. Raises Unpredictable."""
        if self.own:
            raise Unpredictable("a request is answered at once, so the client is never blocked")
        blocks = (number for number in range(1, min(len(self._followed), _BLOCKED) + 1)
                  if self.waits(number)
                  or not self.acks(calls=number - 1, replies=number - 1).talking)
        number = next(itertools.islice(blocks, nth - 1, None), None)
        if number is None:
            raise Unpredictable(f"when it waits for the {ordinal(nth)} time does not follow from "
                                "the settings")
        return number

    def got(self, nth: int) -> Span:
        """When it gets its nth message, or the reply to its nth request. Raises Unpredictable."""
        if self.own:
            return self._asked(nth) + self.pace.pushing
        if len(self.times) < nth:
            raise Unpredictable(f"when message number {nth} comes does not follow from the "
                                "settings")
        called = self.called(nth)
        if not self.waits(nth):
            return called + self.pace.pushing
        return self.times[nth - 1] + self.pace.pushing

    def acks(self, *, calls: int, replies: int) -> Acks:
        """The ACKs so far: of so many calls, of so many replies to them. Raises Unpredictable."""
        known = min(calls, _MOST)
        waited = tuple(self.waits(number) for number in range(1, known + 1))
        return acks(self.cell.workload, greets=self.greets, waited=waited, replies=replies)

    def _asked(self, nth: int) -> Span:
        """When it makes its nth request; each follows a reply that came at once, and a pause."""
        pauses = (nth - 1) * (self.cell.workload.every or EVERY)
        late = self.pace.calling.times(nth - 1)
        return exactly(pauses) + self.pace.dialling + late

    @cached_property
    def _followed(self) -> tuple[_Call, ...]:
        """Call after call, for as long as it is known when the next one comes."""
        found = [_Call(self.pace.dialling, self._meets(1, self.pace.dialling))]
        limits = [limit for limit in (own_timeout(self.cell), self.read) if limit]
        keeps = PATTERNS[self.cell.workload.pattern].keeps
        for nth, at in enumerate(self.times[:_MOST], 2):
            before = found[-1].called
            if limits and at.high >= before.low + min(limits):  # it may end without a message
                break
            got = at
            if keeps and at.low <= before.high:  # it was there already
                got = Span(max(at.low, before.low), max(at.high, before.high))
            called = got + self.cell.workload.work + self.pace.calling
            found.append(_Call(called, self._meets(nth, called)))
        return tuple(found)

    def _meets(self, nth: int, called: Span) -> bool | None:
        """Whether the nth call has to wait; None: either may be first."""
        if len(self.times) < nth:
            return True
        at = self.times[nth - 1]
        if at.high <= called.low and (at.high > 0 or nth > 1 or self.greets):
            return False
        return True if at.low >= called.high + self.pace.acked.high else None
