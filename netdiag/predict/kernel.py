"""What a kernel is set to, as numbers: its release, its tick, its sysctls of net.ipv4.

The rule this file guards: every difference between versions is a row of a table or a named
property; nobody else asks for a release.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from netdiag.predict.pace import REAL, VIRTUAL, Pace
from netdiag.predict.wheel import COUNTED, KNOWN_HZ, ROUND, Span, Ticks, Wheel, exactly

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RTO_MIN: Final = 0.2
RTO_MAX: Final = 120.0
SYN_RTO: Final = 1.0
ORPHAN_RETRIES: Final = 8
"""What tcp_orphan_retries 0 means while the timeout still doubles (tcp_orphan_retries())."""

DEFAULTS: Final[dict[str, int]] = {
    "tcp_keepalive_time": 7200,
    "tcp_keepalive_intvl": 75,
    "tcp_keepalive_probes": 9,
    "tcp_retries2": 15,
    "tcp_orphan_retries": 0,
    "tcp_syn_retries": 6,
    "tcp_synack_retries": 5,
    "tcp_fin_timeout": 60,
    "tcp_sack": 1,
    "tcp_early_retrans": 3,
}
SINCE: Final[dict[str, tuple[tuple[int, int], int]]] = {
    "tcp_syn_linear_timeouts": ((6, 5), 4),
    "tcp_rto_min_us": ((6, 11), 200_000),
    "tcp_rto_max_ms": ((6, 15), 120_000),
}
"""Settings that came later: name -> (first release, default)."""

_GAIN: Final = 1 / 8
"""What of each round trip enters the smoothed one (tcp_rtt_estimator)."""


RANGES: Final[dict[str, tuple[int, int]]] = {
    "tcp_retries2": (0, 255),
    "tcp_orphan_retries": (0, 255),
    "tcp_syn_retries": (1, 127),
    "tcp_synack_retries": (0, 255),
    "tcp_syn_linear_timeouts": (0, 127),
    "tcp_keepalive_time": (1, 2**21),
    "tcp_keepalive_intvl": (1, 2**21),
    "tcp_keepalive_probes": (1, 255),
    "tcp_fin_timeout": (0, 2**21),
    "tcp_rto_min_us": (1, 120_000_000),
    "tcp_rto_max_ms": (1000, 120_000),
}
"""What a kernel takes (net/ipv4/sysctl_net_ipv4.c); it refuses more."""
_FASTEST: Final = 10_000
_MOST_ORIGINS: Final = 32


def release_of(text: str) -> tuple[int, int]:
    """`6.18.44-generic` -> (6, 18). Raises ValueError when there are no two numbers."""
    found = re.match(r"(\d{1,3})\.(\d{1,4})", text)
    if found is None:
        raise ValueError(f"'{text[:40]}' is no kernel release; write one such as 6.1 or 6.18.44")
    return int(found[1]), int(found[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """One host's kernel.

    release: major, minor; wheels: one for each tick rate that it may have; sysctls: of net.ipv4,
    without that prefix, only what was changed; rtt: smoothed round trip time, seconds;
    rto_measured: the retransmission timeout in seconds, where somebody has measured it; virtual: it
    runs on a virtual clock; phase: its count of ticks when the client's first SYN leaves, as far as
    the wheel is concerned (modulo ROUND), None: nobody knows; began: when the timers that it is
    asked about begin, seconds after that SYN, None: nobody knows.
    """

    release: tuple[int, int] = (6, 18)
    wheels: tuple[Wheel, ...] = tuple(map(Wheel, KNOWN_HZ))
    sysctls: Mapping[str, int] = field(default_factory=dict)
    rtt: Span = REAL.rtt
    rto_measured: float | None = None
    virtual: bool = False
    phase: int | None = None
    began: Span | None = None

    @classmethod
    def of(cls, release: str, *, hz: int | None, virtual: bool = False, phase: int | None = None,
           ) -> Kernel:
        """A kernel by its release such as `6.18.44`; hz: its ticks a second, None when nobody
        knows; virtual: it runs on a virtual clock, on which phase is known: its count of ticks when
        the first SYN leaves. Raises ValueError for what no kernel is."""
        if hz is not None and not 1 <= hz <= _FASTEST:
            raise ValueError(f"no kernel ticks {hz} times a second; write one such as 250")
        rates = KNOWN_HZ if hz is None else (hz,)
        if virtual:
            return cls(release=release_of(release), rtt=VIRTUAL.rtt, virtual=True, phase=phase,
                       wheels=tuple(Wheel(rate, tardy=0.0, seen=VIRTUAL.waking.high)
                                    for rate in rates))
        return cls(release=release_of(release), wheels=tuple(map(Wheel, rates)))

    def setting(self, name: str) -> int:
        """A sysctl's value; the default of this release when it was not changed, and 0 where the
        release does not know it."""
        default = DEFAULTS.get(name, 0)
        if name in SINCE:
            since, default = SINCE[name]
            if self.release < since:
                return 0
        least, most = RANGES.get(name, (0, 2**31))
        return min(max(self.sysctls.get(name, default), least), most)

    @property
    def pace(self) -> Pace:
        """How long things take in a lab of this kernel."""
        return VIRTUAL if self.virtual else REAL

    def beside(self, peer: Kernel) -> Kernel:
        """The kernel, in a connection with another: what both must have, neither has alone."""
        sack = min(self.setting("tcp_sack"), peer.setting("tcp_sack"))
        return replace(self, sysctls={**self.sysctls, "tcp_sack": sack})

    def at(self, moment: Span) -> Kernel:
        """The kernel, asked about timers that begin so many seconds after the first SYN."""
        return replace(self, began=moment)

    def origins(self, wheel: Wheel) -> list[Ticks]:
        """Each tick at which a chain of its timers may begin; one of which nothing is known, where
        the phase is not, or where these are too many to be worth it."""
        if self.phase is None or self.began is None:
            return [Ticks()]
        low = math.floor(self.began.low * wheel.hz)
        high = math.floor((self.began.high + self.pace.waking.high) * wheel.hz)
        if high - low >= _MOST_ORIGINS:
            return [Ticks()]
        return [Ticks(0, 0, COUNTED, (self.phase + tick) % ROUND) for tick in range(low, high + 1)]

    @property
    def rto_min(self) -> float:
        """Seconds below which a retransmission timeout never is (above the round trip)."""
        return self.setting("tcp_rto_min_us") / 1e6 or RTO_MIN

    @property
    def rto_max(self) -> float:
        """Seconds at which the timeout stops doubling."""
        return self.setting("tcp_rto_max_ms") / 1e3 or RTO_MAX

    @property
    def rto(self) -> Span:
        """The first retransmission timeout: SRTT + 200 ms (tcp_set_rto), before it is rounded."""
        if self.rto_measured is not None:
            return exactly(self.rto_measured)
        return self.rtt + self.rto_min

    def after(self, delayed: Sequence[bool]) -> Kernel:
        """The kernel, once its segments have been acknowledged, each with delay or at once."""
        rtt = self.rtt
        for late in delayed:
            sample = self.pace.delayed if late else self.pace.rtt
            rtt = rtt.times(1 - _GAIN) + sample.times(_GAIN)
        return replace(self, rtt=rtt)

    @property
    def tail_loss_probe(self) -> bool:
        """Whether one probe precedes the first timeout (tcp_schedule_loss_probe)."""
        return self.setting("tcp_sack") != 0 and self.setting("tcp_early_retrans") in (3, 4)

    def model(self, retries: int, base: float = RTO_MIN) -> float:
        """T(N) in seconds: how long N retries would take with the base timeout, whatever the real
        one is (tcp_model_timeout)."""
        linear = math.floor(math.log2(self.rto_max / base))
        if retries <= linear:
            return ((2 << retries) - 1) * base
        return ((2 << linear) - 1) * base + (retries - linear) * self.rto_max
