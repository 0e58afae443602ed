"""Frames -> segments; scapy, which parses by other code, builds and judges them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import param

from netdiag.tcp.wire import (
    RAW_IP,
    Segment,
    endpoint_text,
    flag_text,
    parse_ethernet,
    parse_frame,
    parse_ip,
)

scapy = pytest.importorskip("scapy.layers.inet")
inet6 = pytest.importorskip("scapy.layers.inet6")
l2 = pytest.importorskip("scapy.layers.l2")

MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
OPTIONS = [
    ("MSS", 1460),
    ("SAckOK", b""),
    ("Timestamp", (7, 9)),
    ("NOP", None),
    ("WScale", 10),
]


def ether(*layers: object) -> bytes:
    packet = l2.Ether(**MACS)
    for layer in layers:
        packet = packet / layer
    return bytes(packet)


def ipv4(**fields: object) -> object:
    return scapy.IP(src="10.0.0.1", dst="10.0.0.2", **{"id": 77, **fields})


def ipv6(**fields: object) -> object:
    return inet6.IPv6(src="fd00::1", dst="fd00::2", **fields)


def tcp(**fields: object) -> object:
    base = {"sport": 40000, "dport": 6379, "seq": 1, "ack": 2, "flags": "PA", "window": 64}
    return scapy.TCP(**{**base, **fields})


@pytest.mark.parametrize(
    "layers",
    [
        param((ipv4(), tcp(), b"hello"), id="plain"),
        param((l2.Dot1Q(vlan=5), ipv4(), tcp(), b"hello"), id="VLAN"),
        param((l2.Dot1AD(vlan=9), l2.Dot1Q(vlan=5), ipv4(), tcp(), b"hello"), id="two tags"),
        param((ipv4(options=[scapy.IPOption(b"\x94\x04\0\0")]), tcp(), b"hello"), id="IP options"),
        param((ipv4(flags="MF"), tcp(), b"hello"), id="a first fragment"),
        param((ipv6(), tcp(), b"hello"), id="IPv6"),
        param(
            (ipv6(), inet6.IPv6ExtHdrHopByHop(), inet6.IPv6ExtHdrDestOpt(), tcp(), b"hello"),
            id="IPv6 with extension headers",
        ),
        param((ipv6(), inet6.IPv6ExtHdrRouting(), tcp(), b"hello"), id="IPv6 routing header"),
        param((ipv6(), inet6.IPv6ExtHdrFragment(m=1, id=77), tcp(), b"hello"), id="IPv6 first"),
    ],
)
def test_where_tcp_can_be(layers: tuple[object, ...]) -> None:
    segment = parse_ethernet(ether(*layers))
    assert segment is not None
    assert (segment.sport, segment.dport, segment.seq, segment.ack) == (40000, 6379, 1, 2)
    assert (segment.payload, segment.length, segment.window) == (b"hello", 5, 64)
    assert endpoint_text(segment.src, segment.sport) in ("10.0.0.1:40000", "[fd00::1]:40000")


@pytest.mark.parametrize(
    "frame",
    [
        param(ether(l2.ARP()), id="ARP"),
        param(ether(ipv4(), scapy.UDP(), b"hello hello hello"), id="UDP"),
        param(ether(ipv4(frag=5), tcp(), b"hello"), id="a later fragment"),
        param(ether(ipv6(), inet6.IPv6ExtHdrFragment(offset=5), tcp(), b"hello"), id="IPv6 later"),
        param(ether(ipv4(), tcp())[:53], id="a TCP header cut short"),
        param(ether(ipv4(len=30), tcp(), b"hello"), id="an IP length inside the TCP header"),
        param(ether(ipv4(), tcp(dataofs=4), b"hello"), id="a TCP offset inside the TCP header"),
        param(b"", id="nothing"),
    ],
)
def test_what_is_no_whole_tcp_header(frame: bytes) -> None:
    assert parse_ethernet(frame) is None


def test_options() -> None:
    segment = parse_ethernet(ether(ipv4(), tcp(flags="S", options=OPTIONS)))
    assert segment is not None
    assert (segment.mss, segment.wscale, segment.sack_permitted) == (1460, 10, True)
    assert (segment.tsval, segment.tsecr, segment.ip_id, segment.flags) == (7, 9, 77, 2)
    blocks = [("NOP", None), ("NOP", None), ("SAck", (100, 200, 300, 400))]
    acked = parse_ethernet(ether(ipv4(), tcp(flags="A", options=blocks)))
    assert acked is not None
    assert acked.sack == ((100, 200), (300, 400))
    assert (acked.mss, acked.wscale, acked.sack_permitted, acked.tsval) == (-1, -1, False, -1)


def test_the_common_shape_of_timestamps_reads_like_any_other() -> None:
    usual = [("NOP", None), ("NOP", None), ("Timestamp", (7, 9))]
    odd = [("NOP", None), ("Timestamp", (7, 9)), ("NOP", None)]
    first, second = (parse_ethernet(ether(ipv4(), tcp(options=o), b"hi")) for o in (usual, odd))
    assert first == second
    assert first is not None
    assert (first.tsval, first.tsecr) == (7, 9)


def test_a_wider_scale_than_14_means_14() -> None:
    segment = parse_ethernet(ether(ipv4(), tcp(flags="S", options=[("WScale", 200)])))
    assert segment is not None
    assert segment.wscale == 14


def test_padding_is_no_payload_and_a_short_capture_keeps_the_length() -> None:
    padded = parse_ethernet(ether(ipv4(), tcp(flags="A")) + b"\0" * 6)
    assert padded is not None
    assert (padded.length, padded.payload) == (0, b"")
    cut = parse_ethernet(ether(ipv4(), tcp(), b"x" * 100)[:64])
    assert cut is not None
    assert (cut.length, cut.payload) == (100, b"x" * 10)


def test_other_link_types() -> None:
    packet = bytes(ipv4() / tcp() / b"hello")
    wanted = parse_ip(packet)
    assert wanted is not None
    assert parse_frame(packet, RAW_IP) == wanted
    assert parse_frame(b"\0" * 14 + b"\x08\x00" + packet, 113) == wanted
    assert parse_frame(b"\x08\x00" + b"\0" * 18 + packet, 276) == wanted
    assert parse_frame(b"\x02\0\0\0" + packet, 0) == wanted
    assert parse_frame(packet, 9999) is None


@pytest.mark.parametrize(
    ("flags", "text"),
    [(2, "S"), (18, "SA"), (16, "."), (17, "FA"), (25, "FPA"), (4, "R"), (20, "RA"), (0, "-")],
)
def test_flag_text(flags: int, text: str) -> None:
    assert flag_text(flags) == text


GOOD = [
    ether(ipv4(), tcp(options=OPTIONS), b"hello"),
    ether(l2.Dot1Q(), ipv6(), inet6.IPv6ExtHdrHopByHop(), tcp(options=OPTIONS), b"hello"),
]


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_do_not(frame: bytes) -> None:
    for link in (0, 1, 101, 113, 276):
        assert isinstance(parse_frame(frame, link), Segment | None)


@given(
    st.sampled_from(GOOD),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=6),
    st.integers(0, 120),
)
def test_damaged_frames_parse_or_do_not(
    frame: bytes, damage: list[tuple[int, int]], cut: int
) -> None:
    raw = bytearray(frame)
    for place, value in damage:
        raw[place % len(raw)] = value
    segment = parse_ethernet(bytes(raw[: len(raw) - cut % len(raw)]))
    if segment is not None:
        assert len(segment.payload) <= segment.length
        assert len(segment.src) in (4, 16)
