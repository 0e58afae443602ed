"""A kernel's settings -> when it sends unacknowledged data again, and when it gives up.

Everything is an interval (see `wheel`), counted in seconds from the event that the docstring names.
The rule this file guards: a socket dies at a timeout and never between two, so that what is known
of the timeouts is all there is to know (tcp_retransmit_timer in net/ipv4/tcp_timer.c).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.predict.kernel import ORPHAN_RETRIES
from netdiag.predict.wheel import Span, Ticks, either, level_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netdiag.predict.kernel import Kernel
    from netdiag.predict.wheel import Wheel

_MOST_COPIES: Final = 64
STAMP: Final = 0.001
"""tcp_time_stamp counts whole milliseconds, so a difference of two may be one off."""


@dataclass(frozen=True, slots=True)
class Clock:
    """One tick rate, one first timeout (in ticks) and one moment to begin at (of a chain of timers)
    of a kernel; the others are alternatives."""

    kernel: Kernel
    wheel: Wheel
    rto: int
    origin: Ticks

    def first_timeout(self) -> Ticks:
        """From sending a segment until the first timeout, with the tail loss probe before it.

        Both wait for one RTO: PTO is 2 SRTT + 200 ms for one segment, and RTO if that is less.
        """
        late = self.wheel.late
        sent = self.origin.after(self.rto, woken=False)
        return sent.after(self.rto, late=late) if self.kernel.tail_loss_probe else sent

    def steps(self) -> Iterator[int]:
        """The timeouts after the first, in ticks: doubling up to rto_max."""
        longest, step = self.wheel.ticks(self.kernel.rto_max), self.rto
        while True:
            step = min(step * 2, longest)
            yield step

    def seconds(self, since: Ticks) -> Span:
        """A length that begins at a timer's end, seconds."""
        return Span(since.low * self.wheel.tick, since.high * self.wheel.tick + self.wheel.lag)


def clocks(kernel: Kernel) -> Iterator[Clock]:
    """Every clock that a kernel may have."""
    for wheel in kernel.wheels:
        shortest, longest = wheel.ticks(kernel.rto.low), wheel.ticks(kernel.rto.high)
        for origin in kernel.origins(wheel):
            for rto in range(shortest, longest + 1):
                yield Clock(kernel, wheel, rto, origin)


def copies(kernel: Kernel) -> list[Span]:
    """When an unacknowledged segment is sent again, from its first transmission on: the tail loss
    probe if there is one, then every timeout."""
    return alternatives(_copies(clock) for clock in clocks(kernel))


def _copies(clock: Clock) -> list[Span]:
    found = []
    if clock.kernel.tail_loss_probe:
        found.append(clock.wheel.sent(clock.origin.after(clock.rto, woken=False)))
    first = clock.first_timeout()
    stamp, since = clock.wheel.sent(first), first.from_here()
    found.append(stamp)
    for step in clock.steps():
        since = since.after(step, late=clock.wheel.late)
        found.append(stamp + clock.seconds(since))
        if len(found) == _MOST_COPIES:
            return found
    raise AssertionError("timeouts have no end")


def data_dies(kernel: Kernel, user_timeout: float | None = None, *, closed: Span | None = None,
              ) -> Span:
    """From sending data that nobody acknowledges until its socket is dead: the first timeout at
    which T(N), or TCP_USER_TIMEOUT in its place, has passed since the first retransmission.

    user_timeout: seconds; closed: when the program closed the socket, None: it does not. Only
    timeouts after that count, because what came before is the owner's (tcp_write_timeout,
    retransmits_timed_out).
    """
    return either(one for clock in clocks(kernel) for one in _deaths(clock, user_timeout, closed))


def _deaths(clock: Clock, user_timeout: float | None, closed: Span | None) -> Iterator[Span]:
    """Every moment at which the socket may die, until it surely has."""
    kernel, wheel = clock.kernel, clock.wheel
    first = clock.first_timeout()
    stamp, since = clock.wheel.sent(first), first.from_here()
    longest = wheel.ticks(kernel.rto_max)
    for step in clock.steps():
        limit = user_timeout or _limit(kernel, owned=closed is None, alive=step < longest)
        since = following(clock, first, since, step, user_timeout)
        passed = clock.seconds(since)
        at = stamp + passed
        early = closed is not None and at.high < closed.low
        if early and passed.low >= _owners(kernel, user_timeout):
            yield at  # it did not live to be closed
            return
        if early or passed.high + STAMP < limit:
            continue
        least = max(stamp.low + limit - STAMP, at.low, closed.low if closed else 0.0)
        yield Span(least, max(at.high, least))
        if passed.low - STAMP >= limit and (closed is None or at.low >= closed.high):
            return
        if passed.low < limit <= passed.high:  # whoever goes on had not reached the limit
            since = since.within(since.low, max(since.low, math.ceil(limit * wheel.hz)))


def _owners(kernel: Kernel, user_timeout: float | None) -> float:
    """How long a socket that is not closed goes on."""
    return user_timeout or _limit(kernel, owned=True, alive=True)


def _limit(kernel: Kernel, *, owned: bool, alive: bool) -> float:
    """T(N) of the retries that count: the owner's, or an orphan's (tcp_orphan_retries)."""
    if owned:
        return kernel.model(kernel.setting("tcp_retries2"))
    retries = kernel.setting("tcp_orphan_retries")
    return kernel.model(retries or (ORPHAN_RETRIES if alive else 0))


def following(clock: Clock, stamp: Ticks, since: Ticks, step: int, user_timeout: float | None,
          ) -> Ticks:
    """The next timeout; TCP_USER_TIMEOUT cuts it short (tcp_clamp_rto_to_user_timeout).

    stamp: the first retransmission, from which `since` counts.
    """
    wheel = clock.wheel
    after = since.after(step, late=wheel.late)
    if not user_timeout:
        return after
    limit = wheel.ticks(user_timeout)
    uneven = STAMP if 1000 % wheel.hz else 0.0  # else a tick is a whole number of milliseconds
    least = wheel.ticks(user_timeout - uneven)
    if since.high + wheel.late + step < least:
        return after
    clamped = _clamped(stamp, since, (least, limit), step, wheel)
    if since.low + step >= limit:
        return clamped
    return after.either(clamped)


def _clamped(stamp: Ticks, since: Ticks, limits: tuple[int, int], step: int, wheel: Wheel,
             ) -> Ticks:
    """A timeout that ends when the limit is reached, and a tick later when it has been.

    limits: in ticks, the least when what has passed is counted a millisecond too long.

    It is set for a moment that counts from the stamp, so what is known of the stamp's phase counts.
    """
    least, limit = limits
    if since.low >= limit:
        return since.after(1, late=wheel.late)
    left = (min(step, max(1, least - since.high - wheel.late)), min(step, limit - since.low + 1))
    ends = [stamp.from_here().over(end, level_of(some - 1), late=wheel.late)
            for some in left for end in range(least, limit + 2)]
    merged = functools.reduce(Ticks.either, ends)
    return merged.within(since.low + 1, merged.high)


def alternatives(chains: Iterable[list[Span]]) -> list[Span]:
    """Several possible lists of moments -> one, each moment either of its alternatives."""
    return [either(list(same)) for same in zip(*chains, strict=False)]
