"""A frame in a buffer -> the segment's fields in a flat row of ints, or why there are none.

The rule: the same answers as wire.py, which makes objects of them; this one makes nothing, so that
it can be compiled, and it alone says why a frame is no segment.
"""

# ruff: noqa: PLR0911 -- plain ints: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.fields import HALF, MASK
from netdiag.tcp.wire import ETHERNET, IPV4, IPV6, LINUX_SLL, LINUX_SLL2, LOOP, NULL, RAW_IP

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

SEGMENT: Final = 1  # what a frame is
OTHER: Final = 0
FRAGMENT: Final = -1
CUT: Final = -2
FOREIGN: Final = -3  # of a link type that is not read
HIDDEN: Final = -4  # in a tunnel, or behind a header that is not read

SRC_HIGH: Final = 0  # addresses are two ints of 64 bits with a sign; IPv4 ones have no high part
SRC_LOW: Final = 1
DST_HIGH: Final = 2
DST_LOW: Final = 3
FAMILY: Final = 4  # 4 or 6
SPORT: Final = 5
DPORT: Final = 6
SEQ: Final = 7
ACK: Final = 8
FLAGS: Final = 9
WINDOW: Final = 10
LENGTH: Final = 11
WSCALE: Final = 12
SACK_PERMITTED: Final = 13
TSVAL: Final = 14
TSECR: Final = 15
SACK_LEFT: Final = 16
SACK_RIGHT: Final = 17
SACK_TOP: Final = 18
IP_ID: Final = 19
MSS: Final = 20
DATA_AT: Final = 21
DATA_SIZE: Final = 22
FIELDS: Final = 23

TCP: Final = 6
VLAN: Final = (0x8100, 0x88A8, 0x9100)
RAW_LINKS: Final = (RAW_IP, 12, 14, IPV4, IPV6)
READ_LINKS: Final = frozenset({ETHERNET, LINUX_SLL, LINUX_SLL2, NULL, LOOP, *RAW_LINKS})
EXTENSIONS: Final = (0, 43, 60, 135, 139, 140)
UDP: Final = 17
HIDING_TYPES: Final = (*VLAN, 0x8847, 0x8848, 0x8864)  # a third tag, MPLS, PPPoE
TUNNELS: Final = (4, 41, 47, 97)  # IP in IP, IPv6 in IP, GRE, Ethernet in IP
TUNNEL_PORTS: Final = (4789, 6081, 8472)  # VXLAN, Geneve, VXLAN's old number


def u16(data: Sequence[int], at: int) -> int:
    """Big endian. Not shifted: what a compiler makes of a shifted byte has no sign."""
    return data[at] * 256 + data[at + 1]


def u32(data: Sequence[int], at: int) -> int:
    """Big endian."""
    return u16(data, at) << 16 | u16(data, at + 2)


def s64(data: Sequence[int], at: int) -> int:
    """Eight bytes as an int with a sign."""
    high = u32(data, at)
    return (high - (1 << 32) if high >= HALF else high) * (1 << 32) + u32(data, at + 4)


def dissect(row: MutableSequence[int], data: Sequence[int], at: int, size: int, link: int) -> int:
    """SEGMENT, and `row` is filled; or OTHER, FRAGMENT, CUT, FOREIGN, HIDDEN. The frame: `size`
    bytes from `at`.
    """
    end = at + size
    if link == ETHERNET:
        if size < 34:
            return OTHER
        kind = u16(data, at + 12)
        start = at + 14
        while kind in VLAN and start <= at + 18 and end >= start + 4:
            kind = u16(data, start + 2)
            start += 4
        if kind == 0x0800:
            return _ipv4(row, data, start, end)
        if kind == 0x86DD:
            return _ipv6(row, data, start, end)
        return HIDDEN if kind in HIDING_TYPES else OTHER
    if link in (LINUX_SLL, LINUX_SLL2):
        start = at + (16 if link == LINUX_SLL else 20)
        if end <= start or u16(data, at + (14 if link == LINUX_SLL else 0)) not in (0x0800, 0x86DD):
            return OTHER
    elif link in (NULL, LOOP):
        start = at + 4
    elif link in RAW_LINKS:
        start = at
    else:
        return FOREIGN
    if end <= start:
        return OTHER
    version = data[start] >> 4
    if version == 4:
        return _ipv4(row, data, start, end)
    return _ipv6(row, data, start, end) if version == 6 else OTHER


def _ipv4(row: MutableSequence[int], data: Sequence[int], at: int, end: int) -> int:
    if end < at + 20 or data[at] >> 4 != 4:
        return OTHER
    header = (data[at] & 15) << 2
    if header < 20:
        return OTHER
    if data[at + 9] != TCP:
        return _no_tcp(data, data[at + 9], at + header, end)
    if u16(data, at + 6) & 0x1FFF:
        return FRAGMENT
    total = u16(data, at + 2)
    row[SRC_HIGH] = row[DST_HIGH] = 0
    row[SRC_LOW] = u32(data, at + 12)
    row[DST_LOW] = u32(data, at + 16)
    row[FAMILY] = 4
    row[IP_ID] = u16(data, at + 4)
    return _tcp(row, data, at + header, at + total if total else end, end)


def _ipv6(row: MutableSequence[int], data: Sequence[int], at: int, end: int) -> int:
    if end < at + 40 or data[at] >> 4 != 6:
        return OTHER
    length = u16(data, at + 4)
    protocol = data[at + 6]
    place = at + 40
    row[IP_ID] = -1
    while protocol != TCP:
        if end < place + 8:
            return OTHER
        if protocol in EXTENSIONS:
            step = (data[place + 1] + 1) << 3
        elif protocol == 44:
            if u16(data, place + 2) & 0xFFF8:
                return FRAGMENT if data[place] == TCP else OTHER
            row[IP_ID] = u32(data, place + 4)
            step = 8
        elif protocol == 51:
            step = (data[place + 1] + 2) << 2
        else:
            return _no_tcp(data, protocol, place, end)
        protocol = data[place]
        place += step
    row[SRC_HIGH] = s64(data, at + 8)
    row[SRC_LOW] = s64(data, at + 16)
    row[DST_HIGH] = s64(data, at + 24)
    row[DST_LOW] = s64(data, at + 32)
    row[FAMILY] = 6
    return _tcp(row, data, place, at + 40 + length if length else end, end)


def _no_tcp(data: Sequence[int], protocol: int, at: int, end: int) -> int:
    """OTHER, or HIDDEN for a tunnel; `at`: behind the IP header."""
    if protocol in TUNNELS:
        return HIDDEN
    tunnel = protocol == UDP and at + 4 <= end and u16(data, at + 2) in TUNNEL_PORTS
    return HIDDEN if tunnel else OTHER


def _tcp(row: MutableSequence[int], data: Sequence[int], at: int, stop: int, end: int) -> int:
    """`stop`: where the packet ends by the IP header; `end`: where what was captured ends."""
    if end < at + 20:
        return CUT
    begin = at + (data[at + 12] >> 4 << 2)
    if begin < at + 20 or stop < begin:
        return CUT
    row[SPORT] = u16(data, at)
    row[DPORT] = u16(data, at + 2)
    row[SEQ] = u32(data, at + 4)
    row[ACK] = u32(data, at + 8)
    row[FLAGS] = data[at + 13]
    row[WINDOW] = u16(data, at + 14)
    row[LENGTH] = stop - begin
    row[DATA_AT] = min(begin, end)
    row[DATA_SIZE] = max(min(stop, end) - begin, 0)
    row[MSS] = row[WSCALE] = row[TSVAL] = row[TSECR] = -1
    row[SACK_LEFT] = row[SACK_RIGHT] = row[SACK_TOP] = -1
    row[SACK_PERMITTED] = 0
    if begin == at + 32 <= end and u32(data, at + 20) == 0x0101080A:
        row[TSVAL] = u32(data, at + 24)
        row[TSECR] = u32(data, at + 28)
    elif begin > at + 20:
        _options(row, data, at + 20, min(begin, end))
    return SEGMENT


def _options(row: MutableSequence[int], data: Sequence[int], at: int, end: int) -> None:
    while at < end:
        kind = data[at]
        if kind == 1:
            at += 1
            continue
        if kind == 0 or at + 1 >= end:
            return
        length = data[at + 1]
        if length < 2 or at + length > end:
            return
        if kind == 8 and length == 10:
            row[TSVAL] = u32(data, at + 2)
            row[TSECR] = u32(data, at + 6)
        elif kind == 5 and length % 8 == 2:
            _sack(row, data, at + 2, at + length)
        elif kind == 2 and length == 4:
            row[MSS] = u16(data, at + 2)
        elif kind == 3 and length == 3:
            row[WSCALE] = min(data[at + 2], 14)
        elif kind == 4 and length == 2:
            row[SACK_PERMITTED] = 1
        at += length


def _sack(row: MutableSequence[int], data: Sequence[int], at: int, end: int) -> None:
    if at >= end:  # an option without blocks
        row[SACK_LEFT] = row[SACK_RIGHT] = row[SACK_TOP] = -1
        return
    row[SACK_LEFT] = u32(data, at)
    row[SACK_RIGHT] = top = u32(data, at + 4)
    for place in range(at + 8, end, 8):
        right = u32(data, place + 4)
        if 0 < (right - top) & MASK < HALF:
            top = right
    row[SACK_TOP] = top
