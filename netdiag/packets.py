"""scapy's one door: frames that netdiag makes itself.

Crafting wants scapy's knowledge of headers and checksums; the cable's own loop and tape do without it,
because its import alone costs a third of a second. Import this module before forking what needs it.
"""

from __future__ import annotations

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether


def reset_like(frame: bytes, *, seq: int, ack: int) -> bytes:
    """A RST in the name of a frame's sender, to the same receiver, with exactly that sequence number.

    `frame` is an Ethernet frame that carries TCP over IPv4 or IPv6; the answer is one too.
    """
    like = Ether(frame)
    layer = like[IPv6] if IPv6 in like else like[IP]
    network = (IPv6(src=layer.src, dst=layer.dst) if IPv6 in like
               else IP(src=layer.src, dst=layer.dst, id=0, flags="DF"))
    tcp = TCP(sport=like[TCP].sport, dport=like[TCP].dport, flags="RA", seq=seq, ack=ack, window=0)
    return bytes(Ether(src=like.src, dst=like.dst) / network / tcp)
