"""Linux' own timers, step by step as their C does it, for one phase of the jiffies: the oracle.

Each function is a translation of the kernel function that it names (net/ipv4/tcp_timer.c of 6.1),
with whole jiffies and the wheel of kernel/time/timer.c; it knows nothing of netdiag.predict.
"""

from __future__ import annotations

from dataclasses import dataclass

RTO_MAX_S = 120


@dataclass
class Jiffies:
    """A kernel's count: `now` in ticks; in a timer's function the wheel stands a tick further."""

    hz: int
    now: int
    woken: bool = False

    def sleep(self, ticks: int) -> None:
        """mod_timer(jiffies + ticks), and the tick at which it runs (calc_wheel_index)."""
        delta = ticks - 1 if self.woken else ticks
        level = 0
        while level < 8 and delta >= 63 << 3 * level:
            level += 1
        self.now = ((self.now + ticks >> 3 * level) + 1) << 3 * level
        self.woken = True

    @property
    def ms(self) -> int:
        return self.now * 1000 // self.hz

    def of_ms(self, ms: int) -> int:
        """msecs_to_jiffies."""
        return -(-ms * self.hz // 1000)


def model_timeout(retries: int) -> int:
    """tcp_model_timeout, ms."""
    linear = (RTO_MAX_S * 5).bit_length() - 1  # ilog2(TCP_RTO_MAX / TCP_RTO_MIN)
    if retries <= linear:
        return ((2 << retries) - 1) * 200
    return ((2 << linear) - 1) * 200 + (retries - linear) * RTO_MAX_S * 1000


def data_dies(clock: Jiffies, rto: int, *, retries2: int, orphan: int | None = None,
              closed_ms: int | None = None, user_ms: int = 0, tlp: bool = True) -> int:
    """tcp_retransmit_timer from the sending of a segment on: the tick at which the socket dies.

    closed_ms: when the program closes it, after the sending (None: never).
    """
    began, longest = clock.now, RTO_MAX_S * clock.hz
    if tlp:
        clock.sleep(rto)  # tcp_send_loss_probe; tcp_rearm_rto begins anew
    wait, stamp = rto, None
    while True:
        clock.sleep(wait)
        dead = closed_ms is not None and (clock.now - began) * 1000 >= closed_ms * clock.hz
        retries = retries2
        if dead:  # tcp_orphan_retries
            retries = orphan or (8 if rto < longest else 0)
        limit = user_ms or model_timeout(retries)
        if stamp is not None and clock.ms - stamp >= limit and (dead or closed_ms is None):
            return clock.now - began
        if stamp is None:
            stamp = clock.ms
        rto = min(rto * 2, longest)
        wait = rto
        if user_ms:  # tcp_clamp_rto_to_user_timeout
            left = user_ms - (clock.ms - stamp)
            wait = 1 if left <= 0 else min(rto, clock.of_ms(left))


def keepalive_dies(clock: Jiffies, idle: int, interval: int, count: int, *, user_ms: int = 0,
                   heard_later: int = 0) -> int:
    """tcp_keepalive_timer from the peer's last segment on, `heard_later` ticks after the timer was
    set: the tick at which the socket dies. idle and interval in ticks."""
    heard, probes = clock.now + heard_later, 0
    clock.sleep(idle)
    while True:
        elapsed = clock.now - heard
        wait = idle - elapsed
        if elapsed >= idle:
            if user_ms and elapsed >= clock.of_ms(user_ms) and probes > 0:
                return clock.now - heard
            if not user_ms and probes >= count:
                return clock.now - heard
            probes += 1
            wait = interval
        clock.sleep(wait)
