"""The kernel's timer wheel: when timers that follow one another can fire; and Span, an interval.

The rule this file guards: a timer never fires early, and late by one bucket of its level at most,
because the wheel sorts timers into buckets of 1, 8, 64, 512 ... ticks and never moves them
(kernel/time/timer.c since Linux 4.8: calc_wheel_index, calc_index). Where in its bucket a timer
falls hangs on when it was set, which settings do not tell: hence an interval. But whoever is woken
by a bucket is woken at a multiple of its width, so the next timer of that width or less, set there
and then, fires at a time that is known: intervals don't grow with every step of a chain.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_BITS: Final = 3
_SIZE: Final = 64
_LEVELS: Final = 9
_JOINED: Final = 1 / 8
COUNTED: Final = 6
"""The level up to whose buckets the phase of a kernel's count of ticks may be known."""
ROUND: Final = 1 << _BITS * COUNTED
"""The width of such a bucket, ticks."""
KNOWN_HZ: Final = (100, 250, 300, 1000)
"""The tick rates that Linux distributions are built with."""


@dataclass(frozen=True, slots=True)
class Span:
    """An interval in seconds, both ends included; gaps: (from, to) inside it that are left out,
    because one of several timers fires, and which one hangs on the phase of the kernel's count."""

    low: float
    high: float
    gaps: tuple[tuple[float, float], ...] = ()

    def __add__(self, other: Span | float) -> Span:
        more = other if isinstance(other, Span) else exactly(other)
        if more.gaps:
            return either(self + piece for piece in more.pieces)
        return _with(self.low + more.low, self.high + more.high,
                     [(low + more.high, high + more.low) for low, high in self.gaps])

    def __sub__(self, other: Span) -> Span:
        gaps = tuple((-high, -low) for low, high in reversed(other.gaps))
        return self + Span(-other.high, -other.low, gaps)

    def __contains__(self, moment: float) -> bool:
        return any(piece.low <= moment <= piece.high for piece in self.pieces)

    @property
    def pieces(self) -> tuple[Span, ...]:
        """The intervals between the gaps."""
        lows = [self.low, *(high for _, high in self.gaps)]
        highs = [*(low for low, _ in self.gaps), self.high]
        return tuple(Span(low, high) for low, high in zip(lows, highs, strict=True))

    @property
    def width(self) -> float:
        """Seconds between the ends of its widest piece."""
        return max(piece.high - piece.low for piece in self.pieces)

    def times(self, factor: float) -> Span:
        """Both ends multiplied; gaps are forgotten."""
        return Span(self.low * factor, self.high * factor)

    def at_least(self, limit: float) -> Span:
        """Both ends raised to a limit."""
        return _with(max(self.low, limit), max(self.high, limit),
                     [(max(low, limit), high) for low, high in self.gaps])


def _with(low: float, high: float, gaps: list[tuple[float, float]]) -> Span:
    return Span(low, high, tuple(gap for gap in gaps if low < gap[0] < gap[1] < high))


ZERO: Final = Span(0.0, 0.0)


def exactly(seconds: float) -> Span:
    """An interval without width."""
    return Span(seconds, seconds)


def either(spans: Iterable[Span]) -> Span:
    """One of several intervals. Those that lie closer together than the wheel alone may move a
    timer become one. Raises ValueError when there are none."""
    pieces = sorted((piece for one in spans for piece in one.pieces), key=lambda one: one.low)
    joined = [pieces[0]] if pieces else []
    for piece in pieces[1:]:
        last = joined[-1]
        if piece.low <= last.high or piece.high - last.low <= last.low * _JOINED:
            joined[-1] = Span(last.low, max(last.high, piece.high))
        else:
            joined.append(piece)
    if not joined:
        raise ValueError("none of several intervals: there is none")
    gaps = [(one.high, other.low) for one, other in itertools.pairwise(joined)]
    return Span(joined[0].low, joined[-1].high, tuple(gaps))


@dataclass(frozen=True, slots=True)
class Ticks:
    """A moment, in ticks since its chain of timers began: low to high, both included.

    level, rest: by the kernel's own count, whose phase nobody knows, the moment is `rest` more than
    a multiple of 8**level; level 0 says nothing.
    """

    low: int = 0
    high: int = 0
    level: int = 0
    rest: int = 0

    def from_here(self) -> Ticks:
        """The same moment as the beginning of a chain of its own; what is known of it is kept."""
        return Ticks(0, 0, self.level, self.rest)

    def after(self, ticks: int, *, late: int = 0, woken: bool = True) -> Ticks:
        """When a timer fires that is set here for so many ticks.

        late: how many ticks the kernel may need until it has set it; woken: a timer sets it, so
        that the wheel stands one tick further (base->clk in __run_timers).
        """
        return self.over(ticks, level_of(ticks - 1 if woken else ticks), late=late)

    def over(self, ticks: int, level: int, *, late: int = 0) -> Ticks:
        """The same, for a timer that lies on a given level."""
        bucket, known = 1 << _BITS * level, 1 << _BITS * self.level
        if level > self.level:
            low = _up(self.rest + ticks, known)
            high = (self.rest + ticks + late) // known * known + bucket
            return Ticks(self.low + low - self.rest, self.high + high - self.rest, level)
        low, high = _up(self.rest + ticks, bucket), _up(self.rest + ticks + late, bucket)
        kept = (self.level, low % known) if low == high else (level, 0)
        return Ticks(self.low + low - self.rest, self.high + high - self.rest, *kept)

    def either(self, other: Ticks) -> Ticks:
        """One of two moments of one chain."""
        known = (self.level, self.rest)
        kept = known if known == (other.level, other.rest) else (0, 0)
        return Ticks(min(self.low, other.low), max(self.high, other.high), *kept)

    def within(self, low: int, high: int) -> Ticks:
        """The same moment, cut to what is left of it; nothing of it is left: the nearer bound."""
        return Ticks(min(max(self.low, low), high), max(min(self.high, high), low), self.level,
                     self.rest)


def level_of(ticks: int) -> int:
    """The level of the wheel on which a timer of that many ticks lies (LVL_START)."""
    level = 0
    while level < _LEVELS - 1 and ticks >= (_SIZE - 1) << _BITS * level:
        level += 1
    return level


def _up(ticks: int, bucket: int) -> int:
    """The end of the bucket in which a moment lies (calc_index)."""
    return (ticks // bucket + 1) * bucket


@dataclass(frozen=True, slots=True)
class Wheel:
    """The wheel of a kernel that ticks `hz` times a second.

    tardy: seconds that a woken kernel may need until it has set the next timer; 0 on a virtual
    clock, where computing takes no time; seen: seconds until somebody has seen what it did.
    """

    hz: int
    tardy: float = 0.02
    seen: float = 0.002

    @property
    def tick(self) -> float:
        """Seconds between two ticks."""
        return 1 / self.hz

    @property
    def late(self) -> int:
        """`tardy` in ticks."""
        return math.ceil(self.tardy * self.hz - 1e-6)

    @property
    def lag(self) -> float:
        """From a timer's end until its effect has been seen, seconds."""
        return self.tardy + self.seen

    def ticks(self, seconds: float) -> int:
        """A length as the kernel counts it: rounded up to whole ticks (msecs_to_jiffies)."""
        return math.ceil(seconds * self.hz - 1e-6)

    def step(self, seconds: float) -> float:
        """The width, in seconds, of the buckets among which a timer of that length lies."""
        return float(1 << _BITS * level_of(self.ticks(seconds))) / self.hz

    def span(self, moment: Ticks) -> Span:
        """The moment in seconds since its chain began; that may have been late in its tick."""
        return Span(max(0, moment.low - 1) / self.hz, moment.high / self.hz + self.lag)

    def sent(self, moment: Ticks) -> Span:
        """The same in seconds since somebody saw the segment at which the chain began: its kernel
        had sent it by then."""
        since = self.span(moment)
        return Span(max(0.0, since.low - self.seen), since.high)

    def fires(self, seconds: float) -> Span:
        """When one timer of that length fires, counted from when it was set."""
        return self.span(Ticks().after(self.ticks(seconds), woken=False))
