"""How long an end has not heard of its peer, when probes may have been answered meanwhile.

The rule this file guards: an answered probe counts as hearing. So a long silence is folded into
what has passed since the last answer, with an alternative for each number of answers that may have
come; and after an answer the next probe is due when both the idle time and the interval have passed
(tcp_keepalive_timer sets itself for the interval, and once more for the rest of the idle time).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.predict import timers
from netdiag.predict.wheel import Span

if TYPE_CHECKING:
    from netdiag.predict.kernel import Kernel

_MOST: Final = 3
"""Of more alternatives than these nothing is known but that the last probe was answered."""
Timings = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Heard:
    """The peer was heard so long ago (seconds), and keepalive's timings from then on."""

    ago: Span
    timings: Timings


def heard(quiet: Span, timings: Timings, kernel: Kernel) -> tuple[Heard, ...]:
    """The alternatives, when nothing but probes and their answers came for `quiet` seconds."""
    idle, interval, count = timings
    if quiet.high < idle:
        return (Heard(quiet, timings),)
    after = (max(idle, interval), interval, count)
    first = timers.probes(kernel, idle, interval, 1)[0]
    period = timers.probes(kernel, after[0], interval, 1)[0]
    fewest = math.ceil((quiet.low - first.high) / period.high) if quiet.low > first.high else 0
    most = 1 + math.floor((quiet.high - first.low) / period.low) if quiet.high >= first.low else 0
    if most - fewest > _MOST:
        return (Heard(Span(0.0, period.high), after),)
    found = []
    for answered in range(fewest, most + 1):
        ago = quiet - first - period.times(answered - 1) if answered else quiet
        longest = period.high if answered else first.high
        if ago.high >= 0:
            found.append(Heard(Span(max(0.0, ago.low), min(ago.high, longest)),
                               after if answered else timings))
    return tuple(found)
