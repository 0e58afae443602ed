"""The RST that a host will accept: in its peer's name, with exactly the sequence number it expects
next.

Linux takes a RST only when its sequence number is rcv_nxt (RFC 5961 as the kernel does it: inside
the window but not exact draws a challenge ACK). What a host expects is known from its own end of
the cable alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netdiag.tcp.ends import BothEnds, Pair
    from netdiag.tcp.wire import Segment


class Resets:
    """Remembers the hardware addresses of each connection, so that a RST can be made for it."""

    def __init__(self, ends: BothEnds) -> None:
        self._ends = ends
        self._macs: dict[Pair, tuple[bytes, bytes]] = {}

    def note(self, side: int, segment: Segment, frame: bytes) -> None:
        """A frame that the host on `side` sent."""
        own, peer = (segment.src, segment.sport), (segment.dst, segment.dport)
        receiver, sender = frame[:6], frame[6:12]
        if side == 0:
            self._macs[(*own, *peer)] = sender, receiver
        else:
            self._macs[(*peer, *own)] = receiver, sender

    def towards(self, side: int) -> list[bytes]:
        """One RST for the host on `side` and each connection that it believes in."""
        from netdiag.packets import reset  # noqa: PLC0415 - scapy, only where a fault needs it

        made = []
        for pair, flow in self._ends.open_at(side):
            if pair in self._macs:
                macs = self._macs[pair]
                ends = pair[:2], pair[2:]
                made.append(
                    reset(
                        (macs[1 - side], macs[side]),
                        (ends[1 - side], ends[side]),
                        seq=flow.received_next(side),
                        ack=flow.next_seq(side),
                    )
                )
        return made
