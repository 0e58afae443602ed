"""The tape -> what was on the wire: every frame as it came to the cable, its label and its fate.

Each frame's label is the one its sender's end of the cable gives, and the phases are read as the
cable read them; what was handed on is the other end's copy and tells that it was delivered.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netdiag.analysis.replies import Replies
from netdiag.errors import RecordingError
from netdiag.recording import printable
from netdiag.tcp.blocks import INBOUND, MAGIC
from netdiag.tcp.ends import BothEnds
from netdiag.tcp.pcapng import Damaged, Packet, Statistics, Truncated, read_pcapng
from netdiag.tcp.phases import Occurrence, PhaseReader
from netdiag.tcp.resp import KEEP
from netdiag.tcp.wire import RST, SYN, endpoint_text, parse_ethernet

if TYPE_CHECKING:
    from pathlib import Path

    from netdiag.analysis.replies import Reply
    from netdiag.tcp.flows import Observation
    from netdiag.tcp.wire import Segment

_SIDES = ("client", "server")
_MAKER = "injected"


@dataclass(frozen=True)
class Frame:
    """One TCP frame at the cable; `t` in ns of CLOCK_MONOTONIC, `client` the connection's client
    endpoint.

    `taken` says why it went no further; `injected`, that the cable made it (for the host on side
    `side`).
    """

    number: int
    t: int
    side: int
    client: str
    seen: Observation | None
    segment: Segment
    taken: str | None = None
    injected: str | None = None
    phases: tuple[Occurrence, ...] = ()

    @property
    def label(self) -> str:
        return self.seen.label.text if self.seen is not None else "rst"

    @property
    def sender(self) -> str:
        return _SIDES[self.side]


@dataclass(frozen=True)
class Neighbour:
    """A host of one side asks where its peer is, or tells where it is itself."""

    t: int
    side: int
    asks: bool


@dataclass
class WireLog:
    """All that a tape holds. frames: as the cable got or made them; handed: as they were given to
    the client's host, which a cable that had to wait for its turn does later; trouble: why frames
    may be missing, in words.
    """

    frames: list[Frame] = field(default_factory=list)
    handed: list[Frame] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    neighbours: list[Neighbour] = field(default_factory=list)
    strangers: int = 0
    dropped: int | None = None
    trouble: str = ""

    def counts(self) -> Counter[str]:
        """Frames by label, as their senders sent them."""
        return Counter(frame.label for frame in self.frames if frame.injected is None)

    def connections(self) -> int:
        """How many connections the client had: of each it sent more than a SYN or a RST."""
        return len(
            {
                frame.seen.flow
                for frame in self.frames
                if frame.seen is not None
                and frame.side == 0
                and not frame.segment.flags & (SYN | RST)
            }
        )


def neighbour(frame: bytes) -> bool | None:
    """Whether a frame asks where a host is (true), or tells it (false): ARP (RFC 826), neighbour
    discovery (RFC 4861); None: neither.
    """
    if frame[12:14] == b"\x08\x06":
        return {b"\0\1": True, b"\0\2": False}.get(frame[20:22])
    if frame[12:14] == b"\x86\xdd" and frame[20:21] == b"\x3a":
        return {b"\x87": True, b"\x88": False}.get(frame[54:55])
    return None


def read_tape(
    path: Path, wall_offset: int, commands: frozenset[str], *, keep: int = KEEP
) -> WireLog:
    """Read a cell's tape; a tape that a crash cut short gives what it holds, a missing one nothing.

    `wall_offset` (ns) is what the run added to CLOCK_MONOTONIC; `commands` are the workload's own;
    `keep` bytes of a value are kept. Raises RecordingError when the file cannot be read.
    """
    log = WireLog()
    try:
        empty = path.stat().st_size < len(MAGIC)
    except FileNotFoundError:
        log.trouble = "there is none"
        return log
    except OSError as err:
        raise RecordingError(f"{printable(path)}: cannot be read: {err.strerror}") from err
    if empty:
        log.trouble = "it is empty"
        return log
    reader = _TapeReader(log, commands, keep)
    for block in read_pcapng(path):
        if isinstance(block, Packet):
            reader.packet(block, block.t_ns - wall_offset)
        elif isinstance(block, Statistics):
            log.dropped = (log.dropped or 0) + max(0, block.dropped)
        elif isinstance(block, Damaged):
            log.trouble = log.trouble or f"the block at its byte {block.offset} is damaged"
        elif isinstance(block, Truncated):
            log.trouble = log.trouble or f"what stands at its byte {block.offset} is no whole block"
    if log.dropped is None:
        log.trouble = log.trouble or "its last block, which counts what was lost, is not there"
    return log


class _TapeReader:
    """Takes the packets of a tape in their order and fills the log."""

    def __init__(self, log: WireLog, commands: frozenset[str], keep: int) -> None:
        self._log = log
        self._ends = BothEnds()
        self._phases = PhaseReader(commands)
        self._replies = Replies(log.replies, keep)

    def packet(self, packet: Packet, t: int) -> None:
        segment = parse_ethernet(packet.frame)
        arrived = packet.flags == INBOUND
        if segment is None:
            self._log.strangers += arrived
            asks = neighbour(packet.frame) if arrived else None
            if asks is not None:
                self._log.neighbours.append(Neighbour(t, packet.interface, asks))
            return
        comment = packet.comment
        if arrived:
            seen = self._ends.sent(t, packet.interface, segment)
            client = self._name(seen)
            phases = self._phases.observe(seen)
            frame = Frame(
                packet.number, t, seen.side, client, seen, segment, taken=comment, phases=phases
            )
            self._log.frames.append(frame)
            if seen.side == 1:
                self._replies.sent(frame)
            elif seen.new_bytes:
                self._replies.followed(frame)
            return
        self._ends.received(t, packet.interface, segment)
        if comment is not None and comment.startswith(_MAKER):
            side = packet.interface
            client = (
                endpoint_text(segment.dst, segment.dport)
                if side == 0
                else endpoint_text(segment.src, segment.sport)
            )
            made = Frame(packet.number, t, side, client, None, segment, injected=comment)
            self._log.frames.append(made)
            if side == 0:
                self._log.handed.append(made)
        elif packet.interface == 0:
            client = endpoint_text(segment.dst, segment.dport)
            handed = Frame(packet.number, t, 1, client, None, segment)
            self._log.handed.append(handed)
            self._replies.delivered(handed)

    def _name(self, seen: Observation) -> str:
        segment = seen.segment
        if seen.side == 0:
            return endpoint_text(segment.src, segment.sport)
        return endpoint_text(segment.dst, segment.dport)
