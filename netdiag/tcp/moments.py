"""A capture's ticks -> ns, and ns -> the engine's clock, without a number wider than 63 bits.

The rule: absurd times (they occur, and fuzzing finds them) are clamped, not wrapped, so that lists
and compiled arrays agree. Format: draft-ietf-opsawg-pcapng, if_tsresol.
"""

from __future__ import annotations

from typing import Final

SECOND: Final = 1_000_000_000
MOST_SECONDS: Final = 0xFFFFFFFF
LATEST: Final = (1 << 62) - 1
BINARY: Final = 0x80
ANCHOR: Final = 1 << 57  # what the first frame's clock shows; never 0
SPAN: Final = 1 << 56  # ns: more than two years on either side of the first frame


def ticks_ns(resolution: int, high: int, low: int, offset_s: int) -> int:
    """ns since the epoch; `resolution` as in if_tsresol, `offset_s` as in if_tsoffset."""
    ticks = (high & 0x7FFFFFFF) << 32 | low
    power = resolution & 0x7F
    if resolution & BINARY:
        power = min(power, 62)
        seconds = ticks >> power
        rest = ticks - (seconds << power)
        cut = max(power - 30, 0)
        fraction = (rest >> cut) * SECOND >> (power - cut)
    elif power <= 9:
        seconds = ticks // 10**power
        fraction = (ticks - seconds * 10**power) * 10 ** (9 - power)
    else:
        whole = ticks // 10 ** min(power - 9, 18)
        seconds = whole // SECOND
        fraction = whole - seconds * SECOND
    offset = min(max(offset_s, -MOST_SECONDS), MOST_SECONDS)
    t_ns = min(seconds, MOST_SECONDS) * SECOND + fraction + offset * SECOND
    return min(max(t_ns, 0), LATEST)


def on_clock(t_ns: int, first_ns: int) -> int:
    """The engine's clock at `t_ns`, when the first frame passed at `first_ns`."""
    since = t_ns - first_ns
    if -SPAN <= since <= SPAN:
        return ANCHOR + since
    return ANCHOR + SPAN if since > 0 else ANCHOR - SPAN


def off_clock(clock: int, first_ns: int) -> int:
    """The way back; 0, which means never, stays 0."""
    return clock - ANCHOR + first_ns if clock else 0
