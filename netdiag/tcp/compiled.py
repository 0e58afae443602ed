"""Frames -> connections, by the compiled loop: for large captures.

The rule: the same answers as interpreted.py. The arrays lie in anonymous memory that is touched
only as far as it is used, and grow when the loop asks for room; nothing is made per frame.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, overload

from netdiag.tcp import records as s
from netdiag.tcp.book import BOOK, ROW
from netdiag.tcp.copies import SIZE as COPIES_SIZE
from netdiag.tcp.dissect import FIELDS
from netdiag.tcp.entry import ARGUMENTS, PORTS, REFILL, SCAN
from netdiag.tcp.fields import SIZE as STATE
from netdiag.tcp.native import kernel
from netdiag.tcp.rows import POOL
from netdiag.tcp.scan import HOST
from netdiag.tcp.tally import Tally

if TYPE_CHECKING:
    from netdiag.tcp.choice import Choice
    from netdiag.tcp.container import Container

FIRST_ROOM: Final = 1024  # connections
GROWTH: Final = 4
FOREVER: Final = 1 << 62
FULL: Final = (1 << 64) - 1


class Ints(Sequence[int]):
    """An array of 64-bit ints in memory of its own."""

    def __init__(self, count: int) -> None:
        self.length = max(count, 1)
        self._memory = mmap.mmap(-1, self.length * 8, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.view = memoryview(self._memory).cast("q")
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._let_go = 0  # bytes

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> list[int]: ...
    def __getitem__(self, place: int | slice) -> int | list[int]:
        if isinstance(place, slice):
            return self.view[place].tolist()
        return self.view[place]

    def __setitem__(self, place: int, value: int) -> None:
        self.view[place] = value

    def let_go(self, count: int) -> None:
        """Give the memory of the first `count` ints back; they read as 0 from now on."""
        end = count * 8 // mmap.PAGESIZE * mmap.PAGESIZE
        if end > self._let_go:
            self._memory.madvise(mmap.MADV_DONTNEED, self._let_go, end - self._let_go)
            self._let_go = end

    def grown(self, count: int, used: int) -> Ints:
        """A longer one that begins with the first `used` ints of this one."""
        longer = Ints(count)
        longer.view[:used] = self.view[:used]
        return longer


class Lines(Sequence[list[int]]):
    """Ints as lines of one width, of which the first `count` are in use."""

    def __init__(self, ints: Ints, width: int, count: int) -> None:
        self._ints, self._width, self._count = ints, width, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> list[int]: ...
    @overload
    def __getitem__(self, place: slice) -> list[list[int]]: ...
    def __getitem__(self, place: int | slice) -> list[int] | list[list[int]]:
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(self._count))]
        if not 0 <= place < self._count:
            raise IndexError(place)
        return self._ints[place * self._width : (place + 1) * self._width]


class Compiled:
    """The whole of what is known about a capture while it is read.

    Raises LabError when there is no compiler.
    """

    def __init__(self, container: Container, choice: Choice) -> None:
        self.container = container
        self._kernel = kernel()
        self._walk = Ints(s.SIZE)
        self._wires = Ints(1)
        self._ports = (ctypes.c_uint8 * PORTS)()
        self._hosts = Ints(len(choice.hosts) * HOST)
        self._table = Ints(4 * FIRST_ROOM)
        self._states = Ints(FIRST_ROOM * STATE)
        self._books = Ints(FIRST_ROOM * BOOK)
        self._room = FIRST_ROOM
        self._row = Ints(FIELDS)
        self._copies = Ints(COPIES_SIZE)
        self.rows = Ints(POOL * ROW)
        self.rows_used = Ints(2)
        self._choose(choice)
        self._walk[s.AT] = container.at
        self._walk[s.SCALE] = container.scale
        self._know_wires()

    @property
    def tally(self) -> Tally:
        """The counts so far."""
        places = (
            s.FRAMES, s.TCP, s.FILTERED, s.OTHER, s.FRAGMENTS, s.CUTS, s.OTHER_VIEW,
            s.FOREIGNERS, s.HIDDEN_ONES, s.FIRST, s.LAST, s.BACKWARDS, s.BEFORE, s.AFTER,
        )  # fmt: skip
        return Tally(*(self._walk[place] for place in places))

    @property
    def states(self) -> Lines:
        """The tracker's states, by connection."""
        return Lines(self._states, STATE, self._walk[s.CONNECTIONS])

    @property
    def books(self) -> Lines:
        """The accounts, by connection."""
        return Lines(self._books, BOOK, self._walk[s.CONNECTIONS])

    def let_go(self, count: int) -> None:
        """The states and accounts of the first `count` connections are not asked for any more."""
        self._states.let_go(count * STATE)
        self._books.let_go(count * BOOK)

    def run(self, every: int = 0) -> bool:
        """Read up to `every` frames (all of them: 0); False when there are no more."""
        container, walk = self.container, self._walk
        budget = every or FOREVER
        while container.truncated < 0:
            status = self._call(SCAN, budget)
            container.number = walk[s.NUMBER]
            if status == s.PAUSE:
                return True
            if status == s.ROOM:
                self._grow()
            elif status == s.CONTROL:
                if not self._control():
                    return False
            elif status == s.BROKEN:
                container.broken(walk[s.AT])
                return False
            elif not self._more(walk[s.NEED]):
                return False
        return False

    def _call(self, work: int, budget: int) -> int:
        window = self.container.window
        values = {
            "work": work,
            "walk": self._walk.address,
            "walks": len(self._walk),
            "wires": self._wires.address,
            "wires_size": len(self._wires),
            "ports": ctypes.addressof(self._ports),
            "hosts": self._hosts.address,
            "hosts_size": len(self._hosts),
            "table": self._table.address,
            "slots": len(self._table),
            "states": self._states.address,
            "books": self._books.address,
            "most": self._room,
            "rows": self.rows.address,
            "rows_size": len(self.rows),
            "rows_used": self.rows_used.address,
            "copies": self._copies.address,
            "copies_size": len(self._copies),
            "row": self._row.address,
            "data": ctypes.addressof(ctypes.c_char.from_buffer(window.data)),
            "size": window.size,
            "budget": budget,
        }
        result = ctypes.c_int64()
        trouble = ctypes.c_void_p()
        status = self._kernel(
            ctypes.byref(result), ctypes.byref(trouble), *(values[name] for name in ARGUMENTS)
        )
        if status:
            raise RuntimeError(f"the compiled tracker failed with status {status}")
        return result.value

    def _more(self, wanted: int) -> bool:
        """Move the window on; False at the end of the file."""
        container = self.container
        more = container.window.more(self._walk[s.AT], wanted)
        self._walk[s.AT] = 0
        if not more and container.window.size:
            container.ends_inside(0)
        return more

    def _control(self) -> bool:
        """Let the container read a block without a frame; False when there is none."""
        container, at = self.container, self._walk[s.AT]
        total = container.block_size(at)
        if total < 0:
            container.broken(at)
            return False
        if total == 0 or at + total > container.window.size:
            return self._more(total)
        container.control(at, total)
        self._walk[s.AT] = at + total
        self._know_wires()
        return True

    def _know_wires(self) -> None:
        """Tell the loop what the container knows of byte order and interfaces."""
        container, walk = self.container, self._walk
        walk[s.BIG] = int(container.order == ">")
        walk[s.SECTION] = container.section
        walk[s.WIRES] = len(container.wires)
        if len(container.wires) * s.WIRE > len(self._wires):
            self._wires = Ints(2 * len(container.wires) * s.WIRE)
        for index, wire in enumerate(container.wires):
            values = (wire.link, wire.snaplen, wire.resolution, wire.offset_s, int(wire.chosen))
            for place, value in enumerate(values):
                self._wires[index * s.WIRE + place] = min(max(value, -FOREVER), FOREVER)

    def _choose(self, choice: Choice) -> None:
        walk = self._walk
        relative = isinstance(choice.since, float) + 2 * isinstance(choice.until, float)
        walk[s.ALL] = int(choice.all)
        walk[s.SINCE], walk[s.UNTIL] = choice.span(0)
        walk[s.FROM_FIRST] = relative
        walk[s.ANY_PORT] = int(not choice.ports)
        walk[s.HOSTS] = len(choice.hosts)
        for port in choice.ports:
            if 0 <= port < PORTS:
                self._ports[port] = 1
        for index, (family, network, mask) in enumerate(choice.hosts):
            values = (family, *_halves(network, family), *_halves(mask, family))
            for place, value in enumerate(values):
                self._hosts[index * HOST + place] = value

    def _grow(self) -> None:
        """Room for more connections."""
        used = self._walk[s.CONNECTIONS]
        self._room *= GROWTH
        self._states = self._states.grown(self._room * STATE, used * STATE)
        self._books = self._books.grown(self._room * BOOK, used * BOOK)
        self._table = Ints(4 * self._room)
        self._call(REFILL, used)


def _halves(value: int, family: int) -> tuple[int, int]:
    """An address or mask as dissect.py writes addresses."""
    if family == 4:
        return 0, value
    return _signed(value >> 64), _signed(value & FULL)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
