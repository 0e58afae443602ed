"""What each receiver expects next, and the RST that it will accept.

Linux takes a RST only when its sequence number is exactly rcv_nxt (RFC 5961 as the kernel does it: in the
window but not exact draws a challenge ACK). What a host has received is what the cable delivered to it, in
order, and at least what it acknowledged itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.tcp.wire import FIN, RST, SYN

if TYPE_CHECKING:
    from netdiag.tcp.flows import Observation

_MASK = 0xFFFFFFFF
_HALF = 0x80000000
_HELD = 64


class _Direction:
    """One direction of one connection: what its receiver has, and a frame of it to take the header from."""

    __slots__ = ("acked", "ahead", "frame", "next")

    def __init__(self) -> None:
        self.next: int | None = None
        self.acked = 0
        self.ahead: list[tuple[int, int]] = []
        self.frame = b""

    def deliver(self, start: int, end: int) -> None:
        if self.next is None:
            self.next = end
            return
        self.ahead.append((start, end))
        self.ahead.sort(key=lambda span: (span[0] - (self.next or 0)) & _MASK)
        for left, right in list(self.ahead):
            if not _after(left, self.next):
                self.advance(right)
                self.ahead.remove((left, right))
        del self.ahead[_HELD:]

    def advance(self, end: int) -> None:
        if self.next is None or _after(end, self.next):
            self.next = end


def _after(a: int, b: int) -> bool:
    """Whether sequence number a lies behind b, modulo 2**32."""
    return 0 < ((a - b) & _MASK) < _HALF


class Receivers:
    """Both directions of every open connection, by flow; fed with each frame after its fate is known."""

    def __init__(self) -> None:
        self._flows: dict[int, tuple[_Direction, _Direction]] = {}

    def note(self, seen: Observation, frame: bytes, *, delivered: bool) -> None:
        """A frame passed; `delivered` tells whether its receiver got it."""
        segment = seen.segment
        if segment.flags & RST:
            if delivered:
                self._flows.pop(seen.flow, None)
            return
        pair = self._flows.setdefault(seen.flow, (_Direction(), _Direction()))
        own, back = pair[seen.side], pair[1 - seen.side]
        own.frame = frame
        if delivered:
            extra = bool(segment.flags & SYN) + bool(segment.flags & FIN)
            own.deliver(segment.seq, (segment.seq + segment.length + extra) & _MASK)
        if segment.ack and back.next is not None:
            back.advance(segment.ack)
        own.acked = segment.ack

    def resets(self, side: int) -> list[bytes]:
        """One RST for the host on `side` and each of its connections, in the peer's name."""
        from netdiag.packets import reset_like  # noqa: PLC0415 - scapy, only where a fault needs it

        made = []
        for pair in self._flows.values():
            direction = pair[1 - side]
            if direction.next is not None and direction.frame:
                made.append(reset_like(direction.frame, seq=direction.next, ack=direction.acked))
        return made
