"""A kernel's settings -> how long each of its TCP timers waits until it gives up.

Everything is an interval (see `wheel`), counted in seconds from the event that the docstring names.
The rule this file guards: the arithmetic is Linux's own, timer by timer (net/ipv4/tcp_timer.c,
tcp_output.c), so that what a chain of timers may do is what its intervals say, and no more.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.predict.kernel import ORPHAN_RETRIES, RTO_MAX, RTO_MIN, SYN_RTO
from netdiag.predict.wheel import Span, Ticks, either, level_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netdiag.predict.kernel import Kernel
    from netdiag.predict.wheel import Wheel

_TIME_WAIT: Final = 60
_MOST_COPIES: Final = 64
_STAMP: Final = 0.001
"""tcp_time_stamp counts whole milliseconds, so a difference of two may be one off."""


@dataclass(frozen=True, slots=True)
class _Clock:
    """One tick rate and one first timeout (in ticks) of a kernel; the others are alternatives."""

    kernel: Kernel
    wheel: Wheel
    rto: int

    def first_timeout(self) -> Ticks:
        """From sending a segment until the first timeout, with the tail loss probe before it.

        Both wait for one RTO: PTO is 2 SRTT + 200 ms for one segment, and RTO if that is less.
        """
        late = self.wheel.late
        sent = Ticks().after(self.rto, woken=False)
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


def _clocks(kernel: Kernel) -> Iterator[_Clock]:
    for wheel in kernel.wheels:
        shortest, longest = wheel.ticks(kernel.rto.low), wheel.ticks(kernel.rto.high)
        for rto in range(shortest, longest + 1):
            yield _Clock(kernel, wheel, rto)


def copies(kernel: Kernel) -> list[Span]:
    """When an unacknowledged segment is sent again, from its first transmission on: the tail loss
    probe if there is one, then every timeout."""
    return _alternatives(_copies(clock) for clock in _clocks(kernel))


def _copies(clock: _Clock) -> list[Span]:
    found = []
    if clock.kernel.tail_loss_probe:
        found.append(clock.wheel.span(Ticks().after(clock.rto, woken=False)))
    first = clock.first_timeout()
    stamp, since = clock.wheel.span(first), first.from_here()
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
    return either(one for clock in _clocks(kernel) for one in _deaths(clock, user_timeout, closed))


def _deaths(clock: _Clock, user_timeout: float | None, closed: Span | None) -> Iterator[Span]:
    """Every moment at which the socket may die, until it surely has."""
    kernel, wheel = clock.kernel, clock.wheel
    first = clock.first_timeout()
    stamp, since = wheel.span(first), first.from_here()
    longest = wheel.ticks(kernel.rto_max)
    for step in clock.steps():
        limit = user_timeout or _limit(kernel, owned=closed is None, alive=step < longest)
        since = _next(clock, first, since, step, user_timeout)
        passed = clock.seconds(since)
        at = stamp + passed
        early = closed is not None and at.high < closed.low
        if early and passed.low >= _owners(kernel, user_timeout):
            yield at  # it did not live to be closed
            return
        if early or passed.high + _STAMP < limit:
            continue
        least = max(stamp.low + limit - _STAMP, at.low, closed.low if closed else 0.0)
        yield Span(least, max(at.high, least))
        if passed.low - _STAMP >= limit and (closed is None or at.low >= closed.high):
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


def _next(clock: _Clock, stamp: Ticks, since: Ticks, step: int, user_timeout: float | None,
          ) -> Ticks:
    """The next timeout; TCP_USER_TIMEOUT cuts it short (tcp_clamp_rto_to_user_timeout).

    stamp: the first retransmission, from which `since` counts.
    """
    wheel = clock.wheel
    after = since.after(step, late=wheel.late)
    if not user_timeout:
        return after
    limit = wheel.ticks(user_timeout)
    uneven = _STAMP if 1000 % wheel.hz else 0.0  # else a tick is a whole number of milliseconds
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


def syn_steps(kernel: Kernel) -> Iterator[float]:
    """The timeouts of a SYN, seconds: since 6.5 the first few do not double."""
    step = SYN_RTO
    for _ in range(kernel.setting("tcp_syn_linear_timeouts")):
        yield step
    while True:
        yield step
        step = min(step * 2, kernel.rto_max)


def syn_dies(kernel: Kernel) -> Span:
    """From connect() until it fails with ETIMEDOUT, nobody answering (tcp_write_timeout)."""
    return either([_syn_dies(kernel, wheel) for wheel in kernel.wheels])


def _syn_dies(kernel: Kernel, wheel: Wheel) -> Span:
    retries = kernel.setting("tcp_syn_retries")
    most = retries + kernel.setting("tcp_syn_linear_timeouts")
    limit = kernel.model(retries, SYN_RTO)
    moment, low = Ticks(), None
    for sent, step in enumerate(syn_steps(kernel)):
        moment = moment.after(wheel.ticks(step), late=wheel.late, woken=sent > 0)
        at = wheel.span(moment)
        if low is None and (sent >= most or (sent and at.high + _STAMP >= limit)):
            low = at.low
        if low is not None and (sent >= most or (sent and at.low - _STAMP >= limit)):
            return Span(low, at.high)
    raise AssertionError("a SYN's timeouts have no end")


def syn_ack_dies(kernel: Kernel) -> Span:
    """From the SYN until a listener forgets a handshake whose third packet never comes."""
    count = kernel.setting("tcp_synack_retries") + 1
    steps = [min(SYN_RTO * 2**number, kernel.rto_max) for number in range(count)]
    return either([wheel.span(_chain(wheel, steps)) for wheel in kernel.wheels])


def probes(kernel: Kernel, idle: float, interval: float, count: int) -> list[Span]:
    """The keepalive timer's first firings since the peer's last segment: a probe each."""
    return _alternatives(_probes(wheel, idle, interval, count) for wheel in kernel.wheels)


def _probes(wheel: Wheel, idle: float, interval: float, count: int) -> list[Span]:
    moment, found = _idle(wheel, idle), []
    for _ in range(count):
        found.append(wheel.span(moment))
        moment = moment.after(wheel.ticks(interval), late=wheel.late)
    return found


def _idle(wheel: Wheel, idle: float) -> Ticks:
    """When the idle time is over. The timer may have been set before the last segment came; then
    it is set once more for the rest, and on which level it fires is not known."""
    fired = Ticks().after(wheel.ticks(idle), woken=False)
    return Ticks(fired.low, fired.high, 0)


def keepalive_dies(kernel: Kernel, timings: tuple[float, float, int],
                   user_timeout: float | None = None) -> Span:
    """From the peer's last segment until an idle socket is dead (tcp_keepalive_timer).

    timings: idle and interval in seconds, count. With TCP_USER_TIMEOUT the count does not matter:
    the first firing counts at which a probe has been sent and that much silence has passed.
    """
    ends = _silent if user_timeout else _counted
    limit = user_timeout or 0.0
    return either(one for wheel in kernel.wheels for one in ends(wheel, timings, limit))


def _counted(wheel: Wheel, timings: tuple[float, float, int], _: float) -> list[Span]:
    idle, interval, count = timings
    return _probes(wheel, idle, interval, count + 1)[-1:]


def _silent(wheel: Wheel, timings: tuple[float, float, int], limit: float) -> Iterator[Span]:
    idle, interval, _ = timings
    moment, wanted = _idle(wheel, idle), wheel.ticks(limit)
    while True:
        moment = moment.after(wheel.ticks(interval), late=wheel.late)
        if moment.high + wheel.late >= wanted:
            yield wheel.span(moment.within(min(wanted, moment.high), moment.high))
            if moment.low >= wanted:
                return
            moment = moment.within(moment.low, max(moment.low, wanted))


def zero_window_dies(kernel: Kernel, user_timeout: float | None = None) -> Span:
    """From arming the persist timer until a socket is dead whose peer's window stays closed and
    which nobody answers any more (tcp_probe_timer): firing tcp_retries2 + 1; TCP_USER_TIMEOUT
    counts from the first."""
    return either([_zero_window(clock, user_timeout) for clock in _clocks(kernel)])


def _zero_window(clock: _Clock, user_timeout: float | None) -> Span:
    kernel, wheel = clock.kernel, clock.wheel
    retries = kernel.setting("tcp_retries2")
    cap = min(math.floor(math.log2(RTO_MAX / RTO_MIN)) + 1, retries)
    longest = wheel.ticks(kernel.rto_max)
    steps = [min(clock.rto * 2 ** min(number, cap), longest) for number in range(retries + 1)]
    if not user_timeout:
        return wheel.span(_chain(wheel, [step * wheel.tick for step in steps]))
    first = Ticks().after(steps[0], woken=False)
    limit, since = wheel.ticks(user_timeout), first.from_here()
    for step in steps[1:]:
        since = _next(clock, first, since, step, user_timeout)
        if since.low >= limit:
            break
    return wheel.span(first) + clock.seconds(since)


def fin_wait2(kernel: Kernel) -> Span:
    """How long an orphan stays in FIN-WAIT-2: tcp_fin_timeout T up to 60 s, above it twice the
    part beyond (tcp_close, tcp_keepalive_timer); not below 3.5 RTO (tcp_fin_time)."""
    wanted = kernel.setting("tcp_fin_timeout")
    if wanted > _TIME_WAIT:
        return either([wheel.span(_chain(wheel, [wanted - _TIME_WAIT] * 2))
                     for wheel in kernel.wheels])
    floor = kernel.rto.times(3.5)
    return either([wheel.fires(max(wanted, least)) for wheel in kernel.wheels
                 for least in (floor.low, floor.high)])


def _chain(wheel: Wheel, steps: Iterable[float]) -> Ticks:
    """When the last of some timers fires, each set by the one before it."""
    moment = Ticks()
    for number, step in enumerate(steps):
        moment = moment.after(wheel.ticks(step), late=wheel.late, woken=number > 0)
    return moment


def _alternatives(chains: Iterable[list[Span]]) -> list[Span]:
    """Several possible lists of moments -> one, each moment either of its alternatives."""
    return [either(list(same)) for same in zip(*chains, strict=False)]


def first_after(moments: Iterable[Span], moment: Span) -> Span:
    """The first of some moments that is not before another, when either is only an interval."""
    low = None
    for at in moments:
        if low is None and at.high >= moment.low:
            low = max(at.low, moment.low)
        if low is not None and at.low >= moment.high:
            return Span(low, at.high)
    return Span(math.inf if low is None else low, math.inf)


