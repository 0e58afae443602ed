"""Which bytes of a direction have passed: a bounded record of missing ranges and recent sends.

The rule: whether bytes are new is decided byte by byte, never by comparing (seq, length) of
segments, because senders cut and collapse at will when they send again. Plain ints over the
tracker's state; see fields.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.tcp.fields import (
    HALF,
    HOLE_BASE,
    HOLE_COUNT,
    HOLES,
    MASK,
    MISSED,
    RING,
    RING_AT,
    RING_BASE,
    UNSEEN_LEFT,
    UNSEEN_NS,
    UNSEEN_RIGHT,
)

if TYPE_CHECKING:
    from collections.abc import MutableSequence


def remember(
    state: MutableSequence[int], own: int, start: int, end: int, t_ns: int, tsval: int
) -> None:
    """Note that the bytes from `start` to `end` were first sent at `t_ns`."""
    at = state[own + RING_AT]
    state[own + RING_AT] = at + 1 if at + 1 < RING else 0
    place = own + RING_BASE + 4 * at
    state[place] = start
    state[place + 1] = end
    state[place + 2] = t_ns
    state[place + 3] = tsval


def recall(state: MutableSequence[int], own: int, seq: int) -> int:
    """Where the first sending of the byte `seq` is noted, or -1 when it is not (any more)."""
    for index in range(RING):
        place = own + RING_BASE + 4 * index
        start = state[place]
        if (seq - start) & MASK < (state[place + 1] - start) & MASK:
            return place
    return -1


def add_hole(state: MutableSequence[int], own: int, left: int, right: int, t_ns: int) -> None:
    """Bytes from left to right are missing; a full record forgets its oldest entry."""
    count = state[own + HOLE_COUNT]
    if count == HOLES:
        drop_hole(state, own, 0)
        count -= 1
    place = own + HOLE_BASE + 3 * count
    state[place] = left
    state[place + 1] = right
    state[place + 2] = t_ns
    state[own + HOLE_COUNT] = count + 1


def drop_hole(state: MutableSequence[int], own: int, index: int) -> None:
    """Forget one entry, keeping the others in the order of their age."""
    count = state[own + HOLE_COUNT] - 1
    for place in range(own + HOLE_BASE + 3 * index, own + HOLE_BASE + 3 * count):
        state[place] = state[place + 3]
    state[own + HOLE_COUNT] = count


def fill(state: MutableSequence[int], own: int, seq: int, end: int) -> int:
    """How many missing bytes the range brings; they are missing no more."""
    brought = 0
    index = 0
    while index < state[own + HOLE_COUNT]:
        place = own + HOLE_BASE + 3 * index
        left = state[place]
        right = state[place + 1]
        size = (right - left) & MASK
        first = max(((seq - left + HALF) & MASK) - HALF, 0)
        last = min(((end - left + HALF) & MASK) - HALF, size)
        if first >= last:
            index += 1
            continue
        brought += last - first
        if first > 0 and last < size:  # the middle: what remains on the right is a hole of its own
            state[place + 1] = (left + first) & MASK
            add_hole(state, own, (left + last) & MASK, right, state[place + 2])
            index += 1
        elif first > 0:
            state[place + 1] = (left + first) & MASK
            index += 1
        elif last < size:
            state[place] = (left + last) & MASK
            index += 1
        else:
            drop_hole(state, own, index)
    return brought


def missing_since(state: MutableSequence[int], own: int, seq: int, end: int) -> int:
    """When the youngest hole that the range touches was seen, in ns; -1 when it touches none."""
    latest = -1
    for index in range(state[own + HOLE_COUNT]):
        place = own + HOLE_BASE + 3 * index
        left = state[place]
        size = (state[place + 1] - left) & MASK
        first = ((seq - left + HALF) & MASK) - HALF
        last = ((end - left + HALF) & MASK) - HALF
        if first < size and last > 0:
            latest = max(latest, state[place + 2])
    return latest


def overtaken_by_ack(
    state: MutableSequence[int], own: int, seq: int, end: int, since_ns: int
) -> int:
    """How many of these bytes their ACK overtook since `since_ns`; they are noted as seen now."""
    left = state[own + UNSEEN_LEFT]
    right = state[own + UNSEEN_RIGHT]
    into = (seq - left) & MASK
    if left == right or state[own + UNSEEN_NS] < since_ns or into >= (right - left) & MASK:
        return 0
    last = end if (right - end) & MASK < HALF else right
    brought = (last - seq) & MASK
    state[own + UNSEEN_LEFT] = last
    state[own + MISSED] -= min(brought, state[own + MISSED])
    return brought


def first_missing(state: MutableSequence[int], own: int, nxt: int) -> int:
    """The lowest missing byte, or `nxt` when none is missing."""
    lowest = nxt
    for index in range(state[own + HOLE_COUNT]):
        left = state[own + HOLE_BASE + 3 * index]
        if (lowest - left) & MASK < HALF:
            lowest = left
    return lowest
