"""A cell's messages -> when its client calls for which, and whether that call has to wait.

The rule this file guards: where a message and a call meet at about the same time, either may be
first, and then nothing that hangs on it is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.predict.acks import Acks, acks
from netdiag.predict.pushes import Unpredictable, early_pushes
from netdiag.predict.settings import own_timeout
from netdiag.predict.wheel import Span, exactly

if TYPE_CHECKING:
    from netdiag.predict.pace import Pace
    from netdiag.scenario.plan import Cell

_MOST: Final = 1000
"""Messages that are followed one by one."""


@dataclass(frozen=True)
class Calls:
    """The calls of a cell's client, numbered from 1; greets: commands precede the first."""

    cell: Cell
    pace: Pace
    greets: bool

    def called(self, nth: int) -> Span:
        """When it calls for the nth time, seconds since its SYN: after what it got before, and the
        work on it. Raises Unpredictable."""
        if nth == 1:
            return self.pace.dialling
        times = early_pushes(self.cell)
        if len(times) < nth - 1 or own_timeout(self.cell) or nth > _MOST:
            raise Unpredictable(f"when call number {nth} comes does not follow from the settings, "
                                "because what ends the one before does not")
        got = exactly(times[nth - 2])
        before = self.called(nth - 1)
        if times[nth - 2] <= before.high:  # it was there already
            got = Span(max(got.low, before.low), before.high)
        return got + self.cell.workload.work + self.pace.calling

    def waits(self, nth: int) -> bool:
        """Whether the nth call has to wait for its message. Raises Unpredictable."""
        times = early_pushes(self.cell)
        if len(times) < nth:
            return True
        at, called = times[nth - 1], self.called(nth)
        if at <= called.low and (at > 0 or nth > 1 or self.greets):
            return False
        if at >= called.high + self.pace.acked.high:
            return True
        raise Unpredictable(f"the message of {at:g} s may come before or after the client waits; "
                            + ("push it at 0 s, or later" if self.greets else "push it later"))

    def that_waits(self, nth: int) -> int:
        """The number of the nth call that has to wait. Raises Unpredictable."""
        number = 0
        for _ in range(nth):
            number += 1
            while not self.waits(number):
                number += 1
        return number

    def acks(self, *, calls: int, replies: int) -> Acks:
        """The ACKs so far: of so many calls, of so many replies to them. Raises Unpredictable."""
        known = min(calls, _MOST)
        waited = tuple(self.waits(number) for number in range(1, known + 1))
        return acks(self.cell.workload, greets=self.greets, waited=waited, replies=replies)
