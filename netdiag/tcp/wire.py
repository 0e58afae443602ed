"""One frame's bytes -> one Segment, or None for whatever is not a whole TCP header.

It runs for every frame of the cable, so it unpacks with struct and makes nothing but the result.
It never raises on any bytes. Lengths come from the IP header, not from what was captured: padding
is no payload, and a short snap length loses payload but not its length.
"""

from __future__ import annotations

import socket
from struct import Struct
from typing import Final, NamedTuple

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10

ETHERNET: Final = 1  # link types, as pcap and pcapng number them
RAW_IP: Final = 101
LINUX_SLL: Final = 113
LINUX_SLL2: Final = 276
NULL: Final = 0
LOOP: Final = 108
IPV4: Final = 228
IPV6: Final = 229

_TCP: Final = 6
_VLAN: Final = frozenset({0x8100, 0x88A8, 0x9100})
_IP_TYPES: Final = frozenset({0x0800, 0x86DD})
_FLAG_LETTERS: Final = "FSRPAUEW"

_u16: Final = Struct("!H").unpack_from
_ipv4: Final = Struct("!BxHHHxB2x4s4s").unpack_from
_tcp: Final = Struct("!HHIIBBH").unpack_from
_timestamps: Final = Struct("!II").unpack
_plain: Final = Struct("!BxHHHxBxx4s4sHHIIBBHxxxxIII").unpack_from  # 20 bytes of IP, 32 of TCP
_PLAIN: Final = 52
_plain_options: Final = Struct("!III").unpack_from
_edges: Final = Struct("!II").unpack_from
_NOP_NOP_TS: Final = 0x0101080A
_new: Final = tuple.__new__  # half the time that a named tuple's own takes


class Segment(NamedTuple):
    """One TCP segment; `length` is by the IP header, `payload` is what was captured of it."""

    src: bytes  # 4 or 16 bytes
    dst: bytes
    sport: int
    dport: int
    seq: int
    ack: int  # the field as sent, also when the ACK flag is off
    flags: int
    window: int  # as sent, not scaled
    length: int  # bytes
    payload: bytes
    mss: int = -1  # options: -1 when absent
    wscale: int = -1
    sack_permitted: bool = False
    tsval: int = -1
    tsecr: int = -1
    sack: tuple[tuple[int, int], ...] = ()
    ip_id: int = -1  # -1 for IPv6 without a fragment header


def flag_text(flags: int) -> str:
    """`S`, `SA`, `FA`, `R`; a lone ACK is `.` and no flag at all is `-`."""
    if flags == ACK:
        return "."
    letters = "".join(
        letter for bit, letter in enumerate(_FLAG_LETTERS) if flags >> bit & 1 and letter != "A"
    )
    return letters + ("A" if flags & ACK else "") or "-"


def has_options(segment: Segment) -> bool:
    """Whether it carries an option that a SYN of connect() carries."""
    return segment.mss >= 0 or segment.wscale >= 0 or segment.sack_permitted or segment.tsval >= 0


def endpoint_text(addr: bytes, port: int) -> str:
    """`10.0.0.1:6379` or `[fd00::1]:6379`; an address of another size is written in hex."""
    if len(addr) == 4:
        return f"{addr[0]}.{addr[1]}.{addr[2]}.{addr[3]}:{port}"
    if len(addr) == 16:
        return f"[{socket.inet_ntop(socket.AF_INET6, addr)}]:{port}"
    return f"{addr.hex()}:{port}"


def parse_ethernet(frame: bytes) -> Segment | None:
    """The segment in an Ethernet frame, behind up to two VLAN tags."""
    size = len(frame)
    if size < 34:
        return None
    if frame[12] == 8 and not frame[13]:
        return _parse_ipv4(frame, 14)
    (kind,) = _u16(frame, 12)
    start = 14
    while kind in _VLAN and start <= 18 and size >= start + 4:
        (kind,) = _u16(frame, start + 2)
        start += 4
    if kind == 0x0800:
        return _parse_ipv4(frame, start)
    if kind == 0x86DD:
        return _parse_ipv6(frame, start)
    return None


def parse_frame(frame: bytes, link: int = ETHERNET) -> Segment | None:
    """The segment in a captured frame of the given pcap link type; unknown types give None."""
    if link == ETHERNET:
        return parse_ethernet(frame)
    start = _LINK_HEADERS.get(link)
    if start is None or len(frame) <= start:
        return None
    if link in (LINUX_SLL, LINUX_SLL2):
        (kind,) = _u16(frame, 14 if link == LINUX_SLL else 0)
        if kind not in _IP_TYPES:
            return None
    return parse_ip(frame, start)


_LINK_HEADERS: Final = {
    RAW_IP: 0,
    12: 0,
    14: 0,
    IPV4: 0,
    IPV6: 0,
    LINUX_SLL: 16,
    LINUX_SLL2: 20,
    NULL: 4,
    LOOP: 4,
}


def parse_ip(frame: bytes, start: int = 0) -> Segment | None:
    """The segment in the IP packet that begins at `start`; its first byte tells the version."""
    if len(frame) <= start:
        return None
    version = frame[start] >> 4
    if version == 4:
        return _parse_ipv4(frame, start)
    return _parse_ipv6(frame, start) if version == 6 else None


def _parse_ipv4(frame: bytes, start: int) -> Segment | None:
    size = len(frame)
    if size >= start + _PLAIN:  # nearly every segment: no IP options, two NOPs and timestamps
        (
            first, total, ip_id, fragment, protocol, src, dst, sport, dport, seq, ack, offset,
            flags, window, head, tsval, tsecr,
        ) = _plain(frame, start)  # fmt: skip
        if (
            head == _NOP_NOP_TS
            and offset >> 4 == 8
            and first == 0x45
            and protocol == _TCP
            and total >= _PLAIN
            and not fragment & 0x1FFF
        ):
            length = total - _PLAIN
            payload = frame[start + _PLAIN : start + total] if length else b""
            return _new(
                Segment,
                (
                    src, dst, sport, dport, seq, ack, flags, window, length, payload,
                    -1, -1, False, tsval, tsecr, (), ip_id,
                ),
            )  # fmt: skip
    if size < start + 20:
        return None
    first, total, ip_id, fragment, protocol, src, dst = _ipv4(frame, start)
    header = (first & 15) << 2
    if protocol != _TCP or first >> 4 != 4 or header < 20 or fragment & 0x1FFF:
        return None
    # total 0: an offloaded packet above 64 KB (BIG TCP); then what was captured has to do
    end = start + total if total else len(frame)
    return _parse_tcp(frame, start + header, end, src, dst, ip_id)


def _parse_ipv6(frame: bytes, start: int) -> Segment | None:
    if len(frame) < start + 40 or frame[start] >> 4 != 6:
        return None
    (length,) = _u16(frame, start + 4)
    protocol = frame[start + 6]
    at = start + 40
    end = at + length if length else len(frame)
    ip_id = -1
    while protocol != _TCP:
        if len(frame) < at + 8:
            return None
        if protocol in (0, 43, 60, 135, 139, 140):  # hop-by-hop, routing, options, mobility, HIP
            size = (frame[at + 1] + 1) << 3
        elif protocol == 44:
            if _u16(frame, at + 2)[0] & 0xFFF8:
                return None
            ip_id = int.from_bytes(frame[at + 4 : at + 8], "big")
            size = 8
        elif protocol == 51:
            size = (frame[at + 1] + 2) << 2
        else:
            return None
        protocol = frame[at]
        at += size
    return _parse_tcp(
        frame, at, end, frame[start + 8 : start + 24], frame[start + 24 : start + 40], ip_id
    )


def _parse_tcp(
    frame: bytes, at: int, end: int, src: bytes, dst: bytes, ip_id: int
) -> Segment | None:
    if len(frame) < at + 20:
        return None
    sport, dport, seq, ack, offset, flags, window = _tcp(frame, at)
    data = at + (offset >> 4 << 2)
    length = end - data
    if data < at + 20 or length < 0:
        return None
    payload = frame[data:end] if length else b""
    if data == at + 32 <= len(frame):
        head, tsval, tsecr = _plain_options(frame, at + 20)
        if head == _NOP_NOP_TS:
            return Segment(
                src, dst, sport, dport, seq, ack, flags, window, length, payload,
                -1, -1, False, tsval, tsecr, (), ip_id,
            )  # fmt: skip
    mss, wscale, permitted, tsval, tsecr, sack = _options(frame[at + 20 : data])
    return Segment(
        src, dst, sport, dport, seq, ack, flags, window, length, payload,
        mss, wscale, permitted, tsval, tsecr, sack, ip_id,
    )  # fmt: skip


def _options(raw: bytes) -> tuple[int, int, bool, int, int, tuple[tuple[int, int], ...]]:
    """mss, wscale, sack_permitted, tsval, tsecr, sack; what is malformed counts as absent."""
    mss = wscale = tsval = tsecr = -1
    permitted = False
    sack: tuple[tuple[int, int], ...] = ()
    at, size = 0, len(raw)
    while at < size:
        kind = raw[at]
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        if at + 1 >= size:
            break
        length = raw[at + 1]
        if length < 2 or at + length > size:
            break
        if kind == 8 and length == 10:
            tsval, tsecr = _timestamps(raw[at + 2 : at + 10])
        elif kind == 5 and length % 8 == 2:
            sack = tuple(_edges(raw, at + 2 + 8 * i) for i in range(length >> 3))
        elif kind == 2 and length == 4:
            (mss,) = _u16(raw, at + 2)
        elif kind == 3 and length == 3:
            wscale = min(raw[at + 2], 14)  # RFC 7323, 2.3: 14 is the most, larger means 14
        elif kind == 4 and length == 2:
            permitted = True
        at += length
    return mss, wscale, permitted, tsval, tsecr, sack
