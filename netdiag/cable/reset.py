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
    """Remembers a frame of each connection, so that a RST can be made after its likeness."""

    def __init__(self, ends: BothEnds) -> None:
        self._ends = ends
        self._frames: dict[Pair, tuple[int, bytes]] = {}

    def note(self, side: int, segment: Segment, frame: bytes) -> None:
        """A frame that the host on `side` sent."""
        own, peer = (segment.src, segment.sport), (segment.dst, segment.dport)
        self._frames[(*own, *peer) if side == 0 else (*peer, *own)] = side, frame

    def towards(self, side: int) -> list[bytes]:
        """One RST for the host on `side` and each connection that it believes in."""
        from netdiag.packets import reset_like  # noqa: PLC0415 - scapy, only where a fault needs it

        made = []
        for pair, flow in self._ends.open_at(side):
            if pair in self._frames:
                sender, frame = self._frames[pair]
                made.append(
                    reset_like(
                        frame,
                        reverse=sender == side,
                        seq=flow.received_next(side),
                        ack=flow.next_seq(side),
                    )
                )
        return made
