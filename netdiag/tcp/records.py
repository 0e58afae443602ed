"""Where the compiled loop stands in a window of bytes: the record there, and the frame in it.

The rule: the same records as frames.py reads, over plain ints; whatever is no frame is left to
container.py, and whatever is missing is asked for. Formats: draft-ietf-opsawg-pcap,
draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.dissect import u32
from netdiag.tcp.moments import SECOND, ticks_ns

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

MORE: Final = 0  # what it returns: the window ends within a record that needs `NEED` bytes
CONTROL: Final = 1  # a pcapng block of `NEED` bytes without a frame stands at AT
BROKEN: Final = 2  # no record begins at AT
ROOM: Final = 3  # one more connection could not be entered
PAUSE: Final = 4  # as many frames as were asked for

AT: Final = 0  # places of `walk`
NEED: Final = 1
SCALE: Final = 2  # pcap: ns a unit of the fraction; 0: pcapng
BIG: Final = 3  # 1: big endian
NUMBER: Final = 4  # frames of the file so far
SECTION: Final = 5
WIRES: Final = 6
CONNECTIONS: Final = 7
ALL: Final = 8  # 1: no segment is filtered out
SINCE: Final = 9
UNTIL: Final = 10
FROM_FIRST: Final = 11  # 1: SINCE counts from the first frame; 2: UNTIL; 3: both
ANY_PORT: Final = 12
HOSTS: Final = 13  # how many
FRAMES: Final = 14
TCP: Final = 15
FILTERED: Final = 16
OTHER: Final = 17  # from here on in the order of dissect's answers: OTHER - answer
FRAGMENTS: Final = 18
CUTS: Final = 19
FOREIGNERS: Final = 20
HIDDEN_ONES: Final = 21
OTHER_VIEW: Final = 22
FIRST: Final = 23
LAST: Final = 24
BACKWARDS: Final = 25
BEFORE: Final = 26  # segments that are meant, but for the span of time
AFTER: Final = 27
WALK: Final = 28

F_WIRE: Final = WALK  # the frame under way: its wire, -1 when it has none
F_AT: Final = WALK + 1
F_SIZE: Final = WALK + 2
F_HIGH: Final = WALK + 3
F_LOW: Final = WALK + 4
F_NEXT: Final = WALK + 5
SIZE: Final = WALK + 6

WIRE: Final = 5  # ints of one wire: link, snap length, resolution, offset, chosen
PACKET_HEAD: Final = 28  # bytes of an enhanced packet block before its frame
ENHANCED: Final = 6
SIMPLE: Final = 3
MAX_FRAME: Final = 1 << 26
MAX_BLOCK: Final = 1 << 27


def u32_of(data: Sequence[int], at: int, big: int) -> int:
    """Four bytes in the file's order."""
    if big:
        return u32(data, at)
    low = data[at] + data[at + 1] * 0x100
    return low + data[at + 2] * 0x10000 + data[at + 3] * 0x1000000


def next_frame(walk: MutableSequence[int], data: Sequence[int], size: int) -> int:
    """The record at AT: MORE with NEED 0 when it is there, and the frame's places are filled."""
    return _pcap(walk, data, size) if walk[SCALE] else _block(walk, data, size)


def _pcap(walk: MutableSequence[int], data: Sequence[int], size: int) -> int:
    at = walk[AT]
    big = walk[BIG]
    walk[NEED] = 16
    if at + 16 > size:
        return MORE
    captured = u32_of(data, at + 8, big)
    if captured > MAX_FRAME:
        return BROKEN
    if at + 16 + captured > size:
        walk[NEED] = 16 + captured
        return MORE
    walk[NEED] = 0
    walk[F_WIRE] = 0
    walk[F_AT] = at + 16
    walk[F_SIZE] = captured
    walk[F_HIGH] = u32_of(data, at, big)
    walk[F_LOW] = u32_of(data, at + 4, big)
    walk[F_NEXT] = at + 16 + captured
    return MORE


def _block(walk: MutableSequence[int], data: Sequence[int], size: int) -> int:
    """Blocks without a frame are CONTROL."""
    at = walk[AT]
    walk[NEED] = 12
    if at + 12 > size:
        return MORE
    kind = u32_of(data, at, walk[BIG])
    if kind not in (ENHANCED, SIMPLE):
        return CONTROL
    total = u32_of(data, at + 4, walk[BIG])
    if total < 12 or total & 3 or total > MAX_BLOCK:
        return BROKEN
    walk[NEED] = total
    if at + total > size:
        return MORE
    walk[NEED] = 0
    walk[F_NEXT] = at + total
    walk[F_WIRE] = -1
    if kind == ENHANCED:
        _enhanced(walk, data, at, total)
    elif total >= 16 and walk[SECTION] < walk[WIRES]:
        walk[F_WIRE] = walk[SECTION]
        walk[F_AT] = at + 12
        walk[F_SIZE] = min(u32_of(data, at + 8, walk[BIG]), total - 16)
        walk[F_HIGH] = -1
    return MORE


def _enhanced(walk: MutableSequence[int], data: Sequence[int], at: int, total: int) -> None:
    if total < PACKET_HEAD + 4:
        return
    big = walk[BIG]
    wire = walk[SECTION] + u32_of(data, at + 8, big)
    captured = u32_of(data, at + 20, big)
    if captured > total - PACKET_HEAD - 4 or wire >= walk[WIRES]:
        return
    walk[F_WIRE] = wire
    walk[F_AT] = at + PACKET_HEAD
    walk[F_SIZE] = captured
    walk[F_HIGH] = u32_of(data, at + 12, big)
    walk[F_LOW] = u32_of(data, at + 16, big)


def saw_frame(walk: MutableSequence[int], wires: Sequence[int]) -> int:
    """Count a frame, and tell its time in ns since the epoch."""
    wire = walk[F_WIRE] * WIRE
    if walk[F_HIGH] < 0:  # a simple packet: no time, perhaps a snap length
        if wires[wire + 1]:
            walk[F_SIZE] = min(walk[F_SIZE], wires[wire + 1])
        t_ns = 0
    elif walk[SCALE]:
        t_ns = walk[F_HIGH] * SECOND + walk[F_LOW] * walk[SCALE]
    else:
        t_ns = ticks_ns(wires[wire + 2], walk[F_HIGH], walk[F_LOW], wires[wire + 3])
    if not walk[FRAMES]:
        walk[FIRST] = t_ns
        if walk[FROM_FIRST] & 1:
            walk[SINCE] += t_ns
        if walk[FROM_FIRST] & 2:
            walk[UNTIL] += t_ns
    walk[FRAMES] += 1
    if t_ns < walk[LAST]:
        walk[BACKWARDS] += 1
    walk[LAST] = t_ns
    return t_ns
