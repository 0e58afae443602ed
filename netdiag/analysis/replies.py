"""Frames of a tape -> the server's messages: when each left, how often, when its receiver had it.

They are read out of the streams at both ends of the cable, so that a message that left the server
and one that reached the client's host are two facts. The rule this file guards: a port that is used
again begins another connection, with streams of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdiag.tcp.resp import RespReader, Value
from netdiag.tcp.stream import Piece, Stream
from netdiag.tcp.wire import SYN

if TYPE_CHECKING:
    from netdiag.analysis.wire import Frame
    from netdiag.tcp.wire import Segment


@dataclass
class Reply:
    """A message of the server: when its first byte left, how often it was sent, when it was there
    whole, and when its receiver sent something new after that. began: when the server was first
    heard on that connection.
    """

    client: str
    value: Value
    left: int
    packet: int
    seq: int
    sent: int = 1
    taken: int = 0
    arrived: int | None = None
    followed: int | None = None
    began: int = 0


class Replies:
    """Fills `found` with the server's messages; keep: how many bytes of one are kept."""

    def __init__(self, found: list[Reply], keep: int) -> None:
        self._found = found
        self._keep = keep
        self._ends: tuple[dict[str, _Connection], ...] = ({}, {})
        self._open: dict[str, list[Reply]] = {}
        self._there: dict[str, list[Reply]] = {}

    def sent(self, frame: Frame) -> None:
        """A frame of the server: the replies it makes whole, and those that it sends once more."""
        segment = frame.segment
        connection = self._connection(1, frame)
        if connection.first is frame:
            self._open.pop(frame.client, None)
            self._there.pop(frame.client, None)
        for reply in self._open.get(frame.client, ()):
            inside = (reply.seq - segment.seq) & 0xFFFFFFFF
            if segment.length and inside < segment.length:
                reply.sent += 1
                reply.taken += frame.taken is not None
        for value, first, seq in connection.feed(frame):
            reply = Reply(
                frame.client,
                value,
                first.t,
                first.number,
                seq,
                taken=int(frame.taken is not None),
                began=connection.first.t,
            )
            self._found.append(reply)
            self._open.setdefault(frame.client, []).append(reply)

    def delivered(self, frame: Frame) -> None:
        """A frame that was handed to the client's host: the replies that are there now."""
        for _, _, seq in self._connection(0, frame).feed(frame):
            for reply in self._open.get(frame.client, ()):
                if reply.seq == seq:
                    reply.arrived = frame.t
                    self._open[frame.client].remove(reply)
                    self._there.setdefault(frame.client, []).append(reply)
                    break

    def followed(self, frame: Frame) -> None:
        """New bytes of the client: it has gone on after the replies that are there."""
        for reply in self._there.pop(frame.client, ()):
            reply.followed = frame.t

    def _connection(self, end: int, frame: Frame) -> _Connection:
        """The connection of the server's frame at one end, which the frame may begin."""
        known = self._ends[end].get(frame.client)
        if known is None or known.is_another(frame.segment):
            known = self._ends[end][frame.client] = _Connection(frame, self._keep)
        return known


class _Connection:
    """The server's messages of one connection, read at one end of the cable."""

    def __init__(self, first: Frame, keep: int) -> None:
        self.first = first
        self._isn = first.segment.seq if first.segment.flags & SYN else None
        self._stream = Stream()
        self._reader = RespReader(commands=False, keep=keep)
        self._starts: list[tuple[int, Frame]] = []

    def is_another(self, segment: Segment) -> bool:
        """Whether a segment begins another connection between the same ports."""
        return bool(segment.flags & SYN) and segment.seq != self._isn

    def feed(self, frame: Frame) -> list[tuple[Value, Frame, int]]:
        """Messages that this frame makes whole: value, the frame of their first byte, their first
        seq.
        """
        segment = frame.segment
        if segment.flags & SYN:
            self._stream.synchronise(segment.seq)
        found = []
        for piece in self._stream.feed(segment.seq, segment.payload, segment.length, frame.number):
            if not isinstance(piece, Piece):
                self._reader.skip(piece.end - piece.start)
                continue
            self._starts.append((piece.start, frame))
            for message in self._reader.feed(piece.data):
                while len(self._starts) > 1 and self._starts[1][0] <= message.start:
                    self._starts.pop(0)
                start, first = self._starts[0]
                seq = (first.segment.seq + message.start - start) & 0xFFFFFFFF
                found.append((message.value, first, seq))
        return found
