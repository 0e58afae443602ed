"""Segments of one direction -> its bytes in order, each once, and which packet brought them first.

The rule: retransmitted bytes are cut away, early ones are held until the gap before them closes,
and a gap that cannot close any more (the peer acknowledged it, or too much is held) is reported
as a Gap, never silently joined. Memory is bounded. Offsets count from the first byte after the
SYN, or from the first byte seen.
"""

from __future__ import annotations

from typing import Final, NamedTuple

HELD: Final = 1 << 20  # bytes held behind a gap before it is given up
SEGMENTS: Final = 4096  # segments held likewise

_MASK: Final = 0xFFFFFFFF
_HALF: Final = 0x80000000
_REACH: Final = 1 << 30


class Piece(NamedTuple):
    """New bytes in order."""

    start: int  # offset in the stream
    data: bytes
    tag: int  # of the packet that brought them


class Gap(NamedTuple):
    """Bytes that are never to be seen."""

    start: int
    end: int


class _Held(NamedTuple):
    start: int
    end: int  # by the header's length, which can be more than was captured
    data: bytes
    tag: int


class Stream:
    """One direction of one connection."""

    def __init__(self) -> None:
        self.end = 0  # offset up to which all is delivered or given up
        self.tag = -1  # of the packet that brought the last piece
        self._base: int | None = None  # the sequence number of offset 0
        self._held: list[_Held] = []  # sorted by start
        self._bytes_held = 0

    def synchronise(self, isn: int) -> None:
        """The SYN passed: the first byte has the number behind it. Later calls change nothing."""
        if self._base is None:
            self._base = (isn + 1) & _MASK

    def offset(self, seq: int) -> int:
        """The offset of a sequence number near the end of the stream; negative before its start."""
        if self._base is None:
            return -1
        return self.end + (((seq - self._base - self.end + _HALF) & _MASK) - _HALF)

    def feed(self, seq: int, payload: bytes, length: int, tag: int = 0) -> list[Piece | Gap]:
        """What this segment adds in order; `length` is its true payload length in bytes."""
        if self._base is None:
            self._base = seq
        if not length:
            return []
        start = self.offset(seq)
        end = start + length
        if start == self.end and not self._held and len(payload) == length:  # nearly always
            self.end, self.tag = end, tag
            return [Piece(start, payload, tag)]
        if end <= self.end or start - self.end > _REACH:
            return []
        if start <= self.end and not self._held:
            found: list[Piece | Gap] = []
            self._deliver(_Held(start, end, payload, tag), found)
            return found
        self._hold(_Held(start, end, payload, tag))
        found = self._release()
        while self._bytes_held > HELD or len(self._held) > SEGMENTS:
            found.append(self._give_up(self._held[0].start))
            found += self._release()
        return found

    def acknowledged(self, ack: int) -> list[Piece | Gap]:
        """The peer has all bytes before `ack`: what is missing before it will not come any more."""
        if not self._held or self._base is None:
            return []
        upto = self.offset(ack)
        found: list[Piece | Gap] = []
        while self.end < upto and self._held and upto - self.end <= _REACH:
            found.append(self._give_up(min(upto, self._held[0].start)))
            found += self._release()
        return found

    def _hold(self, item: _Held) -> None:
        at = len(self._held)
        while at and self._held[at - 1].start > item.start:
            at -= 1
        if at and self._held[at - 1].end >= item.end:
            return  # held already
        self._held.insert(at, item)
        self._bytes_held += len(item.data)

    def _release(self) -> list[Piece | Gap]:
        found: list[Piece | Gap] = []
        count = 0
        while count < len(self._held) and self._held[count].start <= self.end:
            item = self._held[count]
            self._bytes_held -= len(item.data)
            self._deliver(item, found)
            count += 1
        del self._held[:count]
        return found

    def _deliver(self, item: _Held, found: list[Piece | Gap]) -> None:
        if item.end <= self.end:
            return
        data = item.data[self.end - item.start :] if item.start < self.end else item.data
        if data:
            data = data[: item.end - self.end]
            found.append(Piece(self.end, data, item.tag))
            self.end += len(data)
            self.tag = item.tag
        if self.end < item.end:
            found.append(self._give_up(item.end))

    def _give_up(self, end: int) -> Gap:
        gap = Gap(self.end, end)
        self.end = end
        return gap
