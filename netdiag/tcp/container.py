"""The parts of a capture file that are no frames -> what is needed to read those that are.

The rule: frames are read by two loops (frames.py over bytes, scan.py compiled); everything else,
rare and rich, is read here once for both: the file's kind, interfaces, sections, statistics, and
which interfaces belong to the view.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from netdiag.errors import RecordingError
from netdiag.tcp.blocks import MAGIC
from netdiag.tcp.dissect import READ_LINKS
from netdiag.tcp.facts import Drops
from netdiag.tcp.pcapng import MAX_FRAME, BlockScan, Interface, Statistics

if TYPE_CHECKING:
    from netdiag.tcp.window import Window

MAGICS: Final = {  # of classic pcap -> byte order, ns a unit of the fraction
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
ENDS: Final = ("client", "server")  # the interfaces of our own tapes


class Wire(NamedTuple):
    """One interface, as the loops need it."""

    link: int
    snaplen: int
    resolution: int  # as if_tsresol
    offset_s: int
    chosen: bool  # it belongs to the view
    name: str


class Container:
    """Reads a file's beginning; raises RecordingError when it is no capture.

    `interface` chooses by name or number; by default all, but of our own tapes the client's end.
    """

    def __init__(self, window: Window, interface: str | int | None = None) -> None:
        self.window = window
        self.order = "<"
        self.scale = 0  # pcap: ns a unit of the fraction; pcapng: 0
        self.wires: list[Wire] = []  # of all sections
        self.section = 0  # where those of this section begin
        self.number = 0  # frames so far
        self.truncated = -1
        self.notes: list[str] = []
        self._interface = interface
        self._scan = BlockScan()
        self._drops: dict[int, Drops] = {}
        window.more(0)
        head = bytes(window.data[: min(4, window.size)])
        if head in MAGICS:
            self._begin_pcap(head)
        elif head == MAGIC:
            self.kind, self.at = "pcapng", 0
        else:
            begins = f"it begins with {head.hex()}" if head else "the file is empty"
            why = window.source.trouble or begins
            raise RecordingError(f"{window.source.name}: neither pcap nor pcapng: {why}")
        if window.source.compression:
            self.kind += "+" + window.source.compression

    @property
    def drops(self) -> tuple[Drops, ...]:
        """What the statistics blocks say."""
        return tuple(self._drops.values())

    def _begin_pcap(self, head: bytes) -> None:
        self.kind, self.at = "pcap", 24
        self.order, self.scale = MAGICS[head]
        if self.window.size < 24:
            self.at = self.window.size
            self.ends_inside(self.at)
            return
        snaplen, link = Struct(self.order + "II").unpack_from(self.window.data, 16)
        self.wires.append(Wire(link & 0xFFFF, snaplen, 6 if self.scale > 1 else 9, 0, True, ""))
        if self._interface not in (None, 0):
            raise RecordingError(f"{self.window.source.name}: a pcap file has one interface only")

    def block_size(self, at: int) -> int:
        """Of the pcapng block at `at` in the window: 0 not enough bytes to tell, -1 no block."""
        window = self.window
        if window.size < at + 12:
            return 0
        order = self.order
        if bytes(window.data[at : at + 4]) == MAGIC:
            mark = bytes(window.data[at + 8 : at + 12])
            order = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(mark, "")
            if not order:
                return -1
        (total,) = Struct(order + "I").unpack_from(window.data, at + 4)
        return total if total >= 12 and total & 3 == 0 and total <= MAX_FRAME * 2 else -1

    def control(self, at: int, total: int) -> None:
        """A whole block that carries no frame."""
        block = bytes(self.window.data[at : at + total])
        if block[:4] == MAGIC:
            self.section = len(self.wires)
        value = self._scan.take(block)
        self.order = self._scan.order
        if isinstance(value, Interface):
            _, clock = self._scan.interfaces[-1]
            offset_s = clock.offset // 1_000_000_000
            wire = Wire(
                value.link, value.snaplen, clock.resolution, offset_s, self._chosen(value),
                value.name,
            )  # fmt: skip
            self.wires.append(wire)
        elif isinstance(value, Statistics):
            self._drops[value.interface] = Drops(
                self._name(value.interface), value.received, value.dropped
            )

    def _chosen(self, value: Interface) -> bool:
        number = len(self.wires)
        if self._interface is not None:
            return self._interface in (number, value.name)
        tape = (
            value.name == ENDS[1]
            and number == self.section + 1
            and self.wires[self.section].name == ENDS[0]
        )
        if tape:
            self.notes.append(
                "a tape of netdiag has both ends of the cable: this is the client's; "
                "choose the interface `server` for the other"
            )
        return not tape

    def _name(self, number: int) -> str:
        name = self.wires[number].name if number < len(self.wires) else ""
        return name or f"interface {number}"

    def ends_inside(self, at: int) -> None:
        """The file ends in mid-record at `at` of the window: cut off, or still being written."""
        self.truncated = self.window.base + at
        if not self.window.source.trouble:
            self.notes.append(
                f"the file ends inside a record at byte {self.truncated}: "
                "cut off, or still being written; all before it was read"
            )

    def broken(self, at: int) -> None:
        """No record begins at `at` of the window."""
        self.truncated = self.window.base + at
        self.notes.append(
            f"what stands at byte {self.truncated}, behind frame {self.number}, is no record: "
            "damaged; nothing behind it was read"
        )

    def finish(self, backwards: int) -> None:
        """Say what the source itself had to say, and that `backwards` frames go back in time."""
        for link in sorted({wire.link for wire in self.wires if wire.chosen} - READ_LINKS):
            self.notes.append(
                f"link type {link} is not read: what its frames carry is not known (the names of "
                "link types: www.tcpdump.org/linktypes.html)"
            )
        if backwards:
            frames = "frame is" if backwards == 1 else "frames are"
            self.notes.append(
                f"{backwards} {frames} earlier than the one before: a clock that was set, or "
                "interfaces that were written one after another, which `reordercap` sorts"
            )
        trouble = self.window.source.trouble
        if trouble:
            self.notes.append(f"{trouble}; all before that was read")
            if self.truncated < 0:
                self.truncated = self.window.base + self.window.size
        if self._interface is not None and not any(wire.chosen for wire in self.wires):
            names = ", ".join(f"{i} {wire.name}".strip() for i, wire in enumerate(self.wires))
            raise RecordingError(
                f"{self.window.source.name}: no interface {self._interface!r}; it has {names}"
            )
