"""scapy's one door: frames that netdiag makes itself, and the sockets that hear others'.

Crafting wants scapy's knowledge of headers and checksums; the cable's own loop and tape do without
it, because its import alone costs a third of a second. Import this module before forking what needs
it.
"""

from __future__ import annotations

import socket
from typing import Protocol

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

Macs = tuple[bytes, bytes]
Endpoint = tuple[bytes, int]


def reset(macs: Macs, ends: tuple[Endpoint, Endpoint], *, seq: int, ack: int) -> bytes:
    """An Ethernet frame with a RST|ACK that says exactly `seq` and `ack`.

    `macs` and `ends` are the sender's and the receiver's: 6 bytes, and (4 or 16 bytes, port) each.
    """
    (src, sport), (dst, dport) = ends
    family, network = (socket.AF_INET6, IPv6) if len(src) == 16 else (socket.AF_INET, IP)
    ether = Ether(src=macs[0].hex(":"), dst=macs[1].hex(":"))
    ip = network(src=socket.inet_ntop(family, src), dst=socket.inet_ntop(family, dst))
    tcp = TCP(sport=sport, dport=dport, flags="RA", seq=seq, ack=ack, window=0)
    return bytes(ether / ip / tcp)


def listen(interface: str, *, promiscuous: bool) -> Listener:
    """A packet socket that hears an interface; VLAN tags are put back, times are the kernel's.

    Raises OSError when the interface is not there, PermissionError without CAP_NET_RAW.
    """
    from scapy.arch.linux import L2ListenSocket  # noqa: PLC0415 - what forges resets needs none

    made: Listener = L2ListenSocket(iface=interface, nofilter=1, promisc=promiscuous)
    return made


class Listener(Protocol):
    """What `listen` gives."""

    ins: socket.socket

    def recv_raw(self, x: int) -> tuple[object, bytes | None, float | None]:
        """Link layer, frame and time (s since 1970) of the next frame."""

    def close(self) -> None:
        """Hear no more."""
