"""scapy's one door: frames that netdiag makes itself.

Crafting wants scapy's knowledge of headers and checksums; the cable's own loop and tape do without
it, because its import alone costs a third of a second. Import this module before forking what needs
it.
"""

from __future__ import annotations

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether


def reset_like(frame: bytes, *, reverse: bool, seq: int, ack: int) -> bytes:
    """A RST on a frame's connection and in its direction (or the other one), with exactly that
    sequence number.

    `frame` is an Ethernet frame that carries TCP over IPv4 or IPv6; the answer is one too.
    """
    like = Ether(frame)
    version = IPv6 if IPv6 in like else IP
    ends = ("dst", "src") if reverse else ("src", "dst")
    macs = [getattr(like, end) for end in ends]
    addresses = [getattr(like[version], end) for end in ends]
    ports = [
        getattr(like[TCP], end) for end in (("dport", "sport") if reverse else ("sport", "dport"))
    ]
    network = version(src=addresses[0], dst=addresses[1])
    tcp = TCP(sport=ports[0], dport=ports[1], flags="RA", seq=seq, ack=ack, window=0)
    return bytes(Ether(src=macs[0], dst=macs[1]) / network / tcp)
