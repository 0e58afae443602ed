"""A kernel's settings -> how long its TCP timers other than that of retransmission wait until they
give up: SYN, keepalive, persist, FIN-WAIT-2.

Everything is an interval (see `wheel`), counted in seconds from the event that the docstring names.
The rule this file guards: the arithmetic is Linux's own, timer by timer (net/ipv4/tcp_timer.c,
tcp_output.c), so that what a chain of timers may do is what its intervals say, and no more.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Final

from netdiag.predict.kernel import RTO_MAX, RTO_MIN, SYN_RTO
from netdiag.predict.retransmission import STAMP, Clock, alternatives, clocks, following
from netdiag.predict.wheel import Span, Ticks, either

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netdiag.predict.kernel import Kernel
    from netdiag.predict.wheel import Wheel

_TIME_WAIT: Final = 60


def syn_steps(kernel: Kernel) -> Iterator[float]:
    """The timeouts of a SYN, seconds: since 6.5 the first few do not double."""
    step = SYN_RTO
    for _ in range(kernel.setting("tcp_syn_linear_timeouts")):
        yield step
    while True:
        yield step
        step = min(step * 2, kernel.rto_max)


def syn_copies(kernel: Kernel) -> list[Span]:
    """When an unanswered SYN is sent again, from the first one on; the last of them is when it
    would be, if the kernel did not give up instead."""
    return alternatives(_syn_copies(kernel, wheel, origin) for wheel in kernel.wheels
                        for origin in kernel.origins(wheel))


def _syn_copies(kernel: Kernel, wheel: Wheel, moment: Ticks) -> list[Span]:
    count = kernel.setting("tcp_syn_retries") + kernel.setting("tcp_syn_linear_timeouts")
    found = []
    for sent, step in enumerate(itertools.islice(syn_steps(kernel), count)):
        moment = moment.after(wheel.ticks(step), late=wheel.late, woken=sent > 0)
        found.append(wheel.sent(moment))
    return found


def syn_dies(kernel: Kernel) -> Span:
    """From connect() until it fails with ETIMEDOUT, nobody answering (tcp_write_timeout)."""
    return either(_syn_dies(kernel, wheel, origin) for wheel in kernel.wheels
                  for origin in kernel.origins(wheel))


def _syn_dies(kernel: Kernel, wheel: Wheel, moment: Ticks) -> Span:
    retries = kernel.setting("tcp_syn_retries")
    most = retries + kernel.setting("tcp_syn_linear_timeouts")
    limit = kernel.model(retries, SYN_RTO)
    low = None
    for sent, step in enumerate(syn_steps(kernel)):
        moment = moment.after(wheel.ticks(step), late=wheel.late, woken=sent > 0)
        at = wheel.sent(moment)
        if low is None and (sent >= most or (sent and at.high + STAMP >= limit)):
            low = at.low
        if low is not None and (sent >= most or (sent and at.low - STAMP >= limit)):
            return Span(low, at.high)
    raise AssertionError("a SYN's timeouts have no end")


def syn_ack_dies(kernel: Kernel) -> Span:
    """From the SYN until a listener forgets a handshake whose third packet never comes."""
    count = kernel.setting("tcp_synack_retries") + 1
    steps = [min(SYN_RTO * 2**number, kernel.rto_max) for number in range(count)]
    return either([wheel.span(_chain(wheel, steps)) for wheel in kernel.wheels])


def probes(kernel: Kernel, idle: float, interval: float, count: int) -> list[Span]:
    """The keepalive timer's first firings since the peer's last segment: a probe each."""
    return alternatives(_probes(wheel, idle, interval, count) for wheel in kernel.wheels)


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
    return either([_zero_window(clock, user_timeout) for clock in clocks(kernel)])


def _zero_window(clock: Clock, user_timeout: float | None) -> Span:
    kernel, wheel = clock.kernel, clock.wheel
    retries = kernel.setting("tcp_retries2")
    cap = min(math.floor(math.log2(RTO_MAX / RTO_MIN)) + 1, retries)
    longest = wheel.ticks(kernel.rto_max)
    steps = [min(clock.rto * 2 ** min(number, cap), longest) for number in range(retries + 1)]
    if not user_timeout:
        return wheel.sent(_chain(wheel, [step * wheel.tick for step in steps]))
    first = clock.origin.after(steps[0], woken=False)
    limit, since = wheel.ticks(user_timeout), first.from_here()
    for step in steps[1:]:
        since = following(clock, first, since, step, user_timeout)
        if since.low >= limit:
            break
    return wheel.sent(first) + clock.seconds(since)


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


def first_after(moments: Iterable[Span], moment: Span) -> Span:
    """The first of some moments that is not before another, when either is only an interval."""
    low = None
    for at in moments:
        if low is None and at.high >= moment.low:
            low = max(at.low, moment.low)
        if low is not None and at.low >= moment.high:
            return Span(low, at.high)
    return Span(math.inf if low is None else low, math.inf)
