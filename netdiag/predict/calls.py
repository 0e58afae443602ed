"""A cell's messages -> when its client calls for which, and whether that call has to wait.

The rule this file guards: where a message and a call meet at about the same time, either may be
first, and then nothing that hangs on it is told.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from netdiag.catalogue.patterns import PATTERNS
from netdiag.predict.acks import Acks, acks
from netdiag.predict.pushes import Unpredictable, early_pushes
from netdiag.predict.settings import own_timeout
from netdiag.predict.wheel import Span, exactly
from netdiag.units import ordinal

if TYPE_CHECKING:
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
    """The calls of a cell's client, numbered from 1; greets: commands precede the first."""

    cell: Cell
    pace: Pace
    greets: bool

    @property
    def own(self) -> bool:
        """Whether it makes its requests at times of its own."""
        return PATTERNS[self.cell.workload.pattern].own_messages

    @cached_property
    def times(self) -> list[float]:
        """When its messages are pushed, as far as that is known; nobody keeps them for a
        subscriber that has not subscribed yet. Raises Unpredictable."""
        times = early_pushes(self.cell)
        if PATTERNS[self.cell.workload.pattern].keeps:
            return times
        heard = self.pace.dialling.high + self.pace.acked.high
        if any(0 < at < heard for at in times):
            raise Unpredictable("a message is published while the client may not listen yet; "
                                "publish it later")
        return [at for at in times if at > 0]

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
            raise Unpredictable(f"the message of {self.times[nth - 1]:g} s may come before or "
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
        return exactly(self.times[nth - 1]) + self.pace.pushing

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
        if own_timeout(self.cell):
            return tuple(found)
        keeps = PATTERNS[self.cell.workload.pattern].keeps
        for nth, at in enumerate(self.times[:_MOST], 2):
            before = found[-1].called
            got = exactly(at)
            if keeps and at <= before.high:  # it was there already
                got = Span(max(at, before.low), before.high)
            called = got + self.cell.workload.work + self.pace.calling
            found.append(_Call(called, self._meets(nth, called)))
        return tuple(found)

    def _meets(self, nth: int, called: Span) -> bool | None:
        """Whether the nth call has to wait; None: either may be first."""
        if len(self.times) < nth:
            return True
        at = self.times[nth - 1]
        if at <= called.low and (at > 0 or nth > 1 or self.greets):
            return False
        return True if at >= called.high + self.pace.acked.high else None
