"""Captures made of recorded ones: other containers, link types and compressions, same packets."""

from __future__ import annotations

import gzip
from struct import pack
from typing import TYPE_CHECKING, NamedTuple

import pytest

from netdiag.tcp.blocks import interface_block, packet_block, section_header

from .recorded import packets

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdiag.tcp.pcapng import Packet

ETHERNET = 1
IP = 0x0800
MACS = bytes.fromhex("020000000001020000000002")


class Bare(NamedTuple):
    """A packet from its IP header on."""

    t_ns: int
    data: bytes


def bare(name: str) -> list[Bare]:
    """The IP packets of a recorded capture."""
    return [
        Bare(item.t_ns, item.frame[14:] if item.link == ETHERNET else item.frame)
        for item in packets(name)
    ]


def ipv6(data: bytes, extensions: bytes = b"", first: int = 6) -> bytes:
    """The same segment in IPv6; `extensions` are whole headers, `first` the number of the first."""
    header = (data[0] & 15) * 4
    body = extensions + data[header : int.from_bytes(data[2:4], "big")]
    source, target = (bytes(12) + data[at : at + 4] for at in (12, 16))
    return pack("!IHBB", 6 << 28, len(body), first, 64) + source + target + body


HOP_BY_HOP = bytes([60, 0, 1, 4, 0, 0, 0, 0])  # then destination options
DESTINATION = bytes([44, 1]) + bytes(14)  # sixteen bytes, then a fragment header
ATOMIC = bytes([6, 0, 0, 0, 0, 0, 0, 9])  # the only fragment, then TCP

# link type -> what stands before an IP packet of that EtherType
LINKS: dict[str, tuple[int, Callable[[int], bytes]]] = {
    "ethernet": (1, lambda kind: MACS + pack("!H", kind)),
    "vlan": (1, lambda kind: MACS + pack("!HHH", 0x8100, 7, kind)),
    "qinq": (1, lambda kind: MACS + pack("!HHHHH", 0x88A8, 7, 0x8100, 8, kind)),
    "cooked v1": (113, lambda kind: pack("!HHH8sH", 0, 1, 6, MACS[:8], kind)),
    "cooked v2": (276, lambda kind: pack("!HHIHBB8s", kind, 0, 2, 1, 0, 6, MACS[:8])),
    "raw": (101, lambda _: b""),
    "raw, old number": (12, lambda _: b""),
    "null": (0, lambda kind: pack("<I", 2 if kind == IP else 10)),
    "loop": (108, lambda kind: pack(">I", 2 if kind == IP else 24)),
}


def framed(link: str, data: bytes) -> bytes:
    """A frame of that link type around an IP packet."""
    return LINKS[link][1](IP if data[0] >> 4 == 4 else 0x86DD) + data


def pcap(
    found: list[Bare],
    link: str = "ethernet",
    *,
    order: str = "<",
    nanoseconds: bool = False,
    snaplen: int = 262144,
) -> bytes:
    """A classic pcap file."""
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    out = [pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, LINKS[link][0])]
    for t_ns, data in found:
        frame = framed(link, data)
        seconds, rest = divmod(t_ns, 1_000_000_000)
        kept = frame[:snaplen]
        fraction = rest if nanoseconds else rest // 1000
        out.append(pack(order + "IIII", seconds, fraction, len(kept), len(frame)) + kept)
    return b"".join(out)


def pcapng(found: list[Bare], link: str = "ethernet", **_: object) -> bytes:
    """A pcapng file, little endian, nanoseconds."""
    out = [section_header("made for a test"), interface_block("eth0", linktype=LINKS[link][0])]
    out += [packet_block(0, t_ns, framed(link, data)) for t_ns, data in found]
    return b"".join(out)


def _block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return pack(order + "II", kind, len(body) + 12) + body + pack(order + "I", len(body) + 12)


def big_endian_pcapng(found: list[Bare], link: str = "ethernet", **_: object) -> bytes:
    """Big endian, two sections, two interfaces; ticks of 2^-20 s in one, of 1 us in the other."""
    section = _block(">", 0x0A0D0D0A, pack(">IHHq", 0x1A2B3C4D, 1, 0, -1))
    wire = pack(">HHI", LINKS[link][0], 0, 0)
    binary = _block(">", 1, wire + pack(">HHB3xHH", 9, 1, 0x80 | 20, 0, 0))
    plain = _block(">", 1, wire)
    out = []
    for index, (t_ns, data) in enumerate(found):
        if index in (0, len(found) // 2):
            out.append(section + binary + plain + _block(">", 99, b"unknown"))
        which = index % 2
        ticks = t_ns // 1000 if which else -(-t_ns << 20) // 1_000_000_000
        frame = framed(link, data)
        head = pack(">IIIII", which, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
        out.append(_block(">", 6, head + frame))
    return b"".join(out)


def simple_pcapng(found: list[Bare], link: str = "ethernet", **_: object) -> bytes:
    """Simple packet blocks, which have no time."""
    out = [section_header(""), interface_block("eth0", linktype=LINKS[link][0])]
    for _t, data in found:
        frame = framed(link, data)
        out.append(_block("<", 3, pack("<I", len(frame)) + frame))
    return b"".join(out)


def bzstd(data: bytes) -> bytes:
    """Compressed with zstd."""
    return pytest.importorskip("zstandard").compress(data)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "gzip, two members": lambda data: gzip.compress(data[:500]) + gzip.compress(data[500:]),
    "zstd": bzstd,
}


def recorded_pcap(name: str) -> bytes:
    """A recorded capture as classic pcap of IP packets on Ethernet, nanoseconds."""
    return pcap(bare(name), nanoseconds=True)


def frames_of(name: str) -> list[Packet]:
    """The frames of a recorded capture as they are."""
    return packets(name)
