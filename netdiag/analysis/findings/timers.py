"""A row of retransmissions -> the kernel's RTO, and when it gives up. Arithmetic only.

Sources: Linux net/ipv4/tcp_timer.c (retransmits_timed_out, tcp_orphan_retries), tcp_ipv4.c,
RFC 6298. The RTO doubles up to 120 s. A connection dies at the first firing at which the time
since its first RTO retransmission has reached T(N), where T(N) = 0.2 s * (2^(N+1) - 1) up to N = 9
and 120 s more for each step above; the base is the constant TCP_RTO_MIN, not the connection's own
RTO. Nothing is sent at death, except when keepalive kills. Timers are never early and up to 12.5 %
late (the timer wheel), so every bound here is [0, +12.5 %].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from netdiag.analysis.findings.words import lasting
from netdiag.tcp.labels import Label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netdiag.tcp.facts import Chain

SECOND: Final = 1_000_000_000
RTO_MIN: Final = 0.2  # s, TCP_RTO_MIN
RTO_MAX: Final = 120.0  # s, TCP_RTO_MAX
LATE: Final = 1.125  # the most that the timer wheel adds
RETRIES2: Final = 15  # net.ipv4.tcp_retries2
ORPHAN_RETRIES: Final = 8  # what the default 0 of net.ipv4.tcp_orphan_retries means

_LAST_DOUBLING: Final = 9  # 0.2 s * 2^9 is the last below 120 s


def patience(retries: int) -> float:
    """T(N) in seconds: how long a kernel with N retries goes on; T(15) is 924.6 s."""
    doubled = min(retries, _LAST_DOUBLING)
    return RTO_MIN * ((2 << doubled) - 1) + max(0, retries - _LAST_DOUBLING) * RTO_MAX


def gap(rto: float, step: int) -> float:
    """Seconds from the firing number `step` (1 is the first) to the next one."""
    return min(rto * (1 << min(step, 32)), RTO_MAX)


def firings(rto: float) -> Iterator[float]:
    """When the timer fires, in seconds after the first firing: 0, 2 R, 6 R, ..; endless."""
    at, step = 0.0, 1
    while True:
        yield at
        at += gap(rto, step)
        step += 1


def death(rto: float, retries: int) -> float:
    """Seconds from the first firing to the one at which the kernel gives up."""
    bound = patience(retries)
    return next(at for at in firings(rto) if at >= bound)


class Forecast(NamedTuple):
    """What is to be expected of a row; times in ns on the capture's clock."""

    rto_s: float  # -1: its beginning was not seen, so `*_death_at` are the latest moments
    next_at: int  # the next firing is due
    latest_at: int  # and has to have come by then
    owned_death_at: int  # the kernel gives up: a socket with an owner (tcp_retries2)
    orphan_death_at: int  # a socket that was closed (tcp_orphan_retries)

    def stopped(self, now_ns: int) -> bool:
        """Whether a retransmission is overdue at this moment: the kernel has given up."""
        return now_ns > self.latest_at


def rto_of(row: Forecast, details: dict[str, float | str]) -> str:
    """A clause on the RTO, which is entered into the details where it is known."""
    if row.rto_s < 0:
        return "its timer had been running before the first frame seen here, so its RTO is unknown"
    details["rto_s"] = row.rto_s
    return f"its RTO was {lasting(row.rto_s * SECOND)}"


def rest_of(row: Forecast, death_at: int, now_ns: int) -> str:
    """A clause on how long the kernel goes on."""
    if death_at <= now_ns:
        return "with default settings the kernel has given up by now"
    most = "at most " if row.rto_s < 0 else ""
    left = lasting(death_at - now_ns)
    return f"with default settings the kernel goes on for {most}another {left}"


def forecast(chain: Chain) -> Forecast | None:
    """The forecast for a row that nobody answered; None without any gap of its timer."""
    if chain.steps < 1 or chain.label in (Label.SYN_RETRANSMISSION, Label.SYN_ACK_RETRANSMISSION):
        return None
    if not chain.begun and chain.last_gap_ns > 0:
        return _of_a_row_begun_before(chain)
    if chain.rto_ns <= 0:
        return None
    rto = chain.rto_ns / SECOND
    before = sum(gap(rto, step) for step in range(1, chain.steps))
    first = chain.last_at - before * SECOND
    return _forecast(
        chain, rto, gap(rto, chain.steps), first, (death(rto, RETRIES2), death(rto, ORPHAN_RETRIES))
    )


def _of_a_row_begun_before(chain: Chain) -> Forecast:
    """Its last gap tells the next one; it fired for the first time when it was first seen, or
    earlier.
    """
    due = gap(chain.last_gap_ns / SECOND, 1)
    latest = (patience(RETRIES2) + RTO_MAX, patience(ORPHAN_RETRIES) + RTO_MAX)
    return _forecast(chain, -1.0, due, chain.first_at, latest)


def _forecast(
    chain: Chain, rto: float, due: float, first_at: float, deaths: tuple[float, float]
) -> Forecast:
    """`due` seconds to the next firing; `deaths` in seconds after the first one at `first_at`."""
    return Forecast(
        rto,
        round(chain.last_at + due * SECOND),
        round(chain.last_at + due * LATE * SECOND),
        *(round(first_at + one * SECOND) for one in deaths),
    )
