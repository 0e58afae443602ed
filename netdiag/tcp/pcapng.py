"""A pcapng file -> values: the tape read back, and what others write as well.

Both byte orders, any if_tsresol, several sections, simple packet blocks. The rule this file guards:
nothing is passed over silently. A file that ends inside a block (a crash leaves one) yields all
whole blocks and then Truncated; a block that cannot be what it says yields Damaged. What writes
blocks is blocks.py. Format: draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from netdiag.errors import RecordingError
from netdiag.tcp.blocks import ENHANCED, INTERFACE, MAGIC, SIMPLE, STATISTICS

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FRAME: Final = 1 << 26  # bytes; what claims more is damage, not a frame


class Interface(NamedTuple):
    """Where packets were captured. Numbers count through all sections of the file."""

    number: int
    name: str
    link: int  # pcap link type; 1 is Ethernet
    snaplen: int  # 0: no limit
    comment: str | None = None


class Packet(NamedTuple):
    """One captured frame."""

    number: int  # from 1, as tshark counts
    interface: int  # the number of its Interface
    t_ns: int  # wall clock
    frame: bytes
    length: int  # what it was on the wire
    comment: str | None
    link: int  # its interface's link type
    flags: int | None = None  # 1 inbound, 2 outbound, when the file tells


class Statistics(NamedTuple):
    """What an interface says of itself at the end; -1 where it does not tell."""

    interface: int
    t_ns: int
    received: int
    dropped: int
    comment: str | None


class Truncated(NamedTuple):
    """The file ends inside a block, or what follows is no block."""

    offset: int  # of the first byte that could not be read


class Damaged(NamedTuple):
    """A block of a known kind that does not hold what such a block must."""

    offset: int  # of the block


Item: TypeAlias = Packet | Interface | Statistics | Damaged | Truncated


def read_pcapng(path: Path | str) -> Iterator[Item]:
    """The contents of a pcapng file, in order; Truncated is last when it ends in mid-block.

    Raises RecordingError when the file cannot be read or is no pcapng.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as err:
        raise RecordingError(f"{path}: {err.strerror or err}") from err
    if data[:4] != MAGIC:
        raise RecordingError(f"{path}: not a pcapng file")
    return scan_pcapng(data)


def scan_pcapng(data: bytes) -> Iterator[Item]:
    """The contents of a pcapng held in memory; see `read_pcapng`."""
    return BlockScan(data).run()


class _Clock(NamedTuple):
    """How an interface counts time."""

    numerator: int  # ns = ticks * numerator // denominator + offset
    denominator: int
    offset: int
    resolution: int  # if_tsresol as written

    def ns(self, high: int, low: int) -> int:
        return ((high << 32) | low) * self.numerator // self.denominator + self.offset


class BlockScan:
    """One pass over a file: where it stands and what the section so far has declared."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data
        self.order = "<"
        self.packets = 0
        self.declared = 0
        self.interfaces: list[tuple[Interface, _Clock]] = []  # of this section

    def run(self) -> Iterator[Item]:
        at, size = 0, len(self.data)
        while at < size:
            total = self._block_size(at)
            if total == 0 or at + total > size:
                yield Truncated(at)
                return
            (kind,) = Struct(self.order + "I").unpack_from(self.data, at)
            read = _READERS.get(kind)
            if read is not None:
                value = read(self, at + 8, at + total - 4)
                yield Damaged(at) if value is None else value
            at += total

    def take(self, block: bytes) -> Interface | Statistics | Packet | None:
        """One whole block that others have cut out of a file; what it says, if anything."""
        self.data = block
        if self._block_size(0) != len(block):
            return None
        (kind,) = Struct(self.order + "I").unpack_from(block, 0)
        read = _READERS.get(kind)
        return None if read is None else read(self, 8, len(block) - 4)

    def _block_size(self, at: int) -> int:
        """The size of the block at `at`, 0 for none; a section header sets the byte order."""
        data = self.data
        if len(data) < at + 12:
            return 0
        if data[at : at + 4] == MAGIC:
            order = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(data[at + 8 : at + 12])
            if order is None:
                return 0
            self.order = order
            self.interfaces = []
        (total,) = Struct(self.order + "I").unpack_from(data, at + 4)
        return total if total >= 12 and total & 3 == 0 and total <= MAX_FRAME * 2 else 0

    def _interface(self, at: int, end: int) -> Interface | None:
        if end < at + 8:
            return None
        link, _, snaplen = Struct(self.order + "HHI").unpack_from(self.data, at)
        options = self._read_options(at + 8, end)
        resolution = options.get(9, b"\x06")[:1] or b"\x06"
        exponent = resolution[0] & 0x7F
        per_second = 1 << exponent if resolution[0] & 0x80 else 10 ** min(exponent, 30)
        offset = int.from_bytes(options.get(14, b"")[:8], _ORDER[self.order], signed=True)
        interface = Interface(
            self.declared, _text(options.get(2)) or "", link, snaplen, _text(options.get(1))
        )
        clock = _Clock(1_000_000_000, per_second, offset * 1_000_000_000, resolution[0])
        self.interfaces.append((interface, clock))
        self.declared += 1
        return interface

    def _packet(self, at: int, end: int) -> Packet | None:
        if end < at + 20:
            return None
        index, high, low, captured, length = Struct(self.order + "IIIII").unpack_from(self.data, at)
        data_end = at + 20 + captured
        self.packets += 1
        if data_end > end or index >= len(self.interfaces):
            return None
        interface, clock = self.interfaces[index]
        comment = flags = None
        if end > data_end + 3:
            options = self._read_options(data_end + (-captured & 3), end)
            comment = _text(options.get(1))
            if len(options.get(2, b"")) == 4:
                flags = int.from_bytes(options[2], _ORDER[self.order])
        return Packet(
            self.packets,
            interface.number,
            clock.ns(high, low),
            self.data[at + 20 : data_end],
            length,
            comment,
            interface.link,
            flags,
        )

    def _simple(self, at: int, end: int) -> Packet | None:
        if end < at + 4:
            return None
        self.packets += 1
        if not self.interfaces:
            return None
        (length,) = Struct(self.order + "I").unpack_from(self.data, at)
        interface, _ = self.interfaces[0]
        captured = min(length, interface.snaplen or length, end - at - 4)
        frame = self.data[at + 4 : at + 4 + captured]
        return Packet(self.packets, interface.number, 0, frame, length, None, interface.link)

    def _statistics(self, at: int, end: int) -> Statistics | None:
        if end < at + 12:
            return None
        index, high, low = Struct(self.order + "III").unpack_from(self.data, at)
        if index >= len(self.interfaces):
            return None
        interface, clock = self.interfaces[index]
        options = self._read_options(at + 12, end)
        received, dropped = (
            int.from_bytes(raw, _ORDER[self.order]) if (raw := options.get(code)) else -1
            for code in (4, 5)
        )
        return Statistics(
            interface.number, clock.ns(high, low), received, dropped, _text(options.get(1))
        )

    def _read_options(self, at: int, end: int) -> dict[int, bytes]:
        """Code -> bytes, the first of each; what is malformed ends the list."""
        options: dict[int, bytes] = {}
        head = Struct(self.order + "HH").unpack_from
        while at + 4 <= end:
            code, size = head(self.data, at)
            if code == 0 or at + 4 + size > end:
                break
            options.setdefault(code, self.data[at + 4 : at + 4 + size])
            at += 4 + size + (-size & 3)
        return options


_ORDER: Final[dict[str, Literal["little", "big"]]] = {"<": "little", ">": "big"}
_READERS: Final = {
    INTERFACE: BlockScan._interface,
    ENHANCED: BlockScan._packet,
    SIMPLE: BlockScan._simple,
    STATISTICS: BlockScan._statistics,
}


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "replace")
