"""A window of a capture's bytes -> connections, in one loop that makes no objects.

The rule: this is the source that is compiled (compiled.py), so everything is flat ints in arrays
that others own; it returns where it stands whenever it needs more bytes, more room, or someone
who can read a block that carries no frame. What it says of a segment is what interpreted.py says.
"""

# ruff: noqa: PLR0913, PLR0917 -- plain ints, one flat argument list: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp import dissect as d
from netdiag.tcp.advance import advance
from netdiag.tcp.book import (
    CLIENT_HIGH,
    CLIENT_LOW,
    OLDER_WAITS,
    PORTS,
    SERVER_HIGH,
    SERVER_LOW,
    begin_book,
)
from netdiag.tcp.dissect import (
    CUT,
    DPORT,
    DST_HIGH,
    DST_LOW,
    FAMILY,
    FLAGS,
    FRAGMENT,
    SEGMENT,
    SEQ,
    SPORT,
    SRC_HIGH,
    SRC_LOW,
    dissect,
)
from netdiag.tcp.fields import begin_state
from netdiag.tcp.lives import from_server, is_reborn
from netdiag.tcp.moments import SECOND, on_clock, ticks_ns
from netdiag.tcp.pools import follow, name_ends, whose

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

MORE: Final = 0  # what it returns: the window ends within a record that needs `NEED` bytes
CONTROL: Final = 1  # a pcapng block of `NEED` bytes without a frame stands at AT
BROKEN: Final = 2  # no record begins at AT
ROOM: Final = 3  # one more connection could not be entered
PAUSE: Final = 4  # as many frames as were asked for

AT: Final = 0  # places of `walk`
NEED: Final = 1
SCALE: Final = 2  # pcap: ns a unit of the fraction; 0: pcapng
BIG: Final = 3  # 1: big endian
NUMBER: Final = 4  # frames of the file so far
SECTION: Final = 5
WIRES: Final = 6
CONNECTIONS: Final = 7
ALL: Final = 8  # 1: no segment is filtered out
SINCE: Final = 9
UNTIL: Final = 10
FROM_FIRST: Final = 11  # 1: SINCE counts from the first frame; 2: UNTIL; 3: both
ANY_PORT: Final = 12
HOSTS: Final = 13  # how many
FRAMES: Final = 14
TCP: Final = 15
FILTERED: Final = 16
OTHER: Final = 17
FRAGMENTS: Final = 18
CUTS: Final = 19
OTHER_VIEW: Final = 20
FIRST: Final = 21
LAST: Final = 22
BACKWARDS: Final = 23
WALK: Final = 24

WIRE: Final = 5  # ints of one wire: link, snap length, resolution, offset, chosen
HOST: Final = 5  # ints of one host: family, network, mask
PACKET_HEAD: Final = 28  # bytes of an enhanced packet block before its frame
ENHANCED: Final = 6
SIMPLE: Final = 3
MAX_FRAME: Final = 1 << 26
MAX_BLOCK: Final = 1 << 27


def u32_of(data: Sequence[int], at: int, big: int) -> int:
    """Four bytes in the file's order."""
    first, second, third, fourth = (
        int(data[at]),
        int(data[at + 1]),
        int(data[at + 2]),
        int(data[at + 3]),
    )
    if big:
        return first << 24 | second << 16 | third << 8 | fourth
    return fourth << 24 | third << 16 | second << 8 | first


def scan(
    walk: MutableSequence[int],
    wires: Sequence[int],
    ports: Sequence[int],
    hosts: Sequence[int],
    table: MutableSequence[int],
    states: Sequence[MutableSequence[int]],
    books: Sequence[MutableSequence[int]],
    rows: MutableSequence[int],
    rows_used: MutableSequence[int],
    copies: MutableSequence[int],
    row: MutableSequence[int],
    data: Sequence[int],
    size: int,
    budget: int,
) -> int:
    """Read on from walk[AT], at most `budget` frames; MORE, CONTROL, BROKEN, ROOM or PAUSE."""
    most = min(len(states), len(table) // 2) - 1
    stop = walk[NUMBER] + budget
    while walk[NUMBER] < stop:
        if walk[CONNECTIONS] >= most:
            return ROOM
        status = _pcap(walk, data, size) if walk[SCALE] else _block(walk, data, size)
        if status != MORE or walk[NEED]:
            return status
        walk[NUMBER] += 1
        wire = walk[F_WIRE]
        if wire >= 0:
            t_ns = _saw(walk, wires)
            if not wires[wire * WIRE + 4]:
                walk[OTHER_VIEW] += 1
            else:
                kind = dissect(row, data, walk[F_AT], walk[F_SIZE], wires[wire * WIRE])
                if kind == SEGMENT:
                    if walk[ALL] or _takes(walk, ports, hosts, row, t_ns):
                        walk[TCP] += 1
                        _feed(walk, table, states, books, rows, rows_used, copies, row, data, t_ns)
                    else:
                        walk[FILTERED] += 1
                elif kind == FRAGMENT:
                    walk[FRAGMENTS] += 1
                elif kind == CUT:
                    walk[CUTS] += 1
                else:
                    walk[OTHER] += 1
        walk[AT] = walk[F_NEXT]
    return PAUSE


F_WIRE: Final = WALK  # the frame under way: its wire, -1 when it has none
F_AT: Final = WALK + 1
F_SIZE: Final = WALK + 2
F_HIGH: Final = WALK + 3
F_LOW: Final = WALK + 4
F_NEXT: Final = WALK + 5
SIZE: Final = WALK + 6


def _pcap(walk: MutableSequence[int], data: Sequence[int], size: int) -> int:
    """The record at AT: MORE with NEED 0 when it is there."""
    at = walk[AT]
    big = walk[BIG]
    walk[NEED] = 16
    if at + 16 > size:
        return MORE
    captured = u32_of(data, at + 8, big)
    if captured > MAX_FRAME:
        return BROKEN
    if at + 16 + captured > size:
        walk[NEED] = 16 + captured
        return MORE
    walk[NEED] = 0
    walk[F_WIRE] = 0
    walk[F_AT] = at + 16
    walk[F_SIZE] = captured
    walk[F_HIGH] = u32_of(data, at, big)
    walk[F_LOW] = u32_of(data, at + 4, big)
    walk[F_NEXT] = at + 16 + captured
    return MORE


def _block(walk: MutableSequence[int], data: Sequence[int], size: int) -> int:
    """The same of a pcapng block; those without a frame are CONTROL."""
    at = walk[AT]
    walk[NEED] = 12
    if at + 12 > size:
        return MORE
    kind = u32_of(data, at, walk[BIG])
    if kind not in (ENHANCED, SIMPLE):
        return CONTROL
    total = u32_of(data, at + 4, walk[BIG])
    if total < 12 or total & 3 or total > MAX_BLOCK:
        return BROKEN
    walk[NEED] = total
    if at + total > size:
        return MORE
    walk[NEED] = 0
    walk[F_NEXT] = at + total
    walk[F_WIRE] = -1
    if kind == ENHANCED:
        _enhanced(walk, data, at, total)
    elif total >= 16 and walk[SECTION] < walk[WIRES]:
        walk[F_WIRE] = walk[SECTION]
        walk[F_AT] = at + 12
        walk[F_SIZE] = min(u32_of(data, at + 8, walk[BIG]), total - 16)
        walk[F_HIGH] = -1
    return MORE


def _enhanced(walk: MutableSequence[int], data: Sequence[int], at: int, total: int) -> None:
    if total < PACKET_HEAD + 4:
        return
    big = walk[BIG]
    wire = walk[SECTION] + u32_of(data, at + 8, big)
    captured = u32_of(data, at + 20, big)
    if captured > total - PACKET_HEAD - 4 or wire >= walk[WIRES]:
        return
    walk[F_WIRE] = wire
    walk[F_AT] = at + PACKET_HEAD
    walk[F_SIZE] = captured
    walk[F_HIGH] = u32_of(data, at + 12, big)
    walk[F_LOW] = u32_of(data, at + 16, big)


def _saw(walk: MutableSequence[int], wires: Sequence[int]) -> int:
    """Count a frame, and tell its time in ns since the epoch."""
    wire = walk[F_WIRE] * WIRE
    if walk[F_HIGH] < 0:  # a simple packet: no time, perhaps a snap length
        if wires[wire + 1]:
            walk[F_SIZE] = min(walk[F_SIZE], wires[wire + 1])
        t_ns = 0
    elif walk[SCALE]:
        t_ns = walk[F_HIGH] * SECOND + walk[F_LOW] * walk[SCALE]
    else:
        t_ns = ticks_ns(wires[wire + 2], walk[F_HIGH], walk[F_LOW], wires[wire + 3])
    if not walk[FRAMES]:
        walk[FIRST] = t_ns
        if walk[FROM_FIRST] & 1:
            walk[SINCE] += t_ns
        if walk[FROM_FIRST] & 2:
            walk[UNTIL] += t_ns
    walk[FRAMES] += 1
    if t_ns < walk[LAST]:
        walk[BACKWARDS] += 1
    walk[LAST] = t_ns
    return t_ns


def _takes(
    walk: Sequence[int],
    ports: Sequence[int],
    hosts: Sequence[int],
    row: Sequence[int],
    t_ns: int,
) -> bool:
    """As choice.Choice.takes."""
    if not walk[SINCE] <= t_ns <= walk[UNTIL]:
        return False
    if not (walk[ANY_PORT] or ports[row[SPORT]] or ports[row[DPORT]]):
        return False
    if not walk[HOSTS]:
        return True
    for index in range(walk[HOSTS]):
        at = index * HOST
        if hosts[at] == row[FAMILY]:
            high, low = hosts[at + 3], hosts[at + 4]
            for place in (SRC_HIGH, DST_HIGH):
                if row[place] & high == hosts[at + 1] and row[place + 1] & low == hosts[at + 2]:
                    return True
    return False


def _feed(
    walk: MutableSequence[int],
    table: MutableSequence[int],
    states: Sequence[MutableSequence[int]],
    books: Sequence[MutableSequence[int]],
    rows: MutableSequence[int],
    rows_used: MutableSequence[int],
    copies: MutableSequence[int],
    row: MutableSequence[int],
    data: Sequence[int],
    t_ns: int,
) -> None:
    """As interpreted.Interpreted.feed."""
    slot = _slot(table, books, row)
    place = table[slot] - 1
    flags = row[FLAGS]
    if place >= 0:
        place = place * 2 + (0 if _from_client(books[place], row) else 1)
    options = row[d.MSS] >= 0 or row[d.WSCALE] >= 0 or row[d.SACK_PERMITTED] or row[d.TSVAL] >= 0
    if place < 0 or (
        flags & 2 and is_reborn(states[place >> 1], place & 1, flags, row[SEQ], options != 0)
    ):
        place = _begin(walk, table, slot, states, books, row, place >> 1)
    conn = place >> 1
    if books[conn][OLDER_WAITS]:
        place = whose(states, books, conn, place & 1, flags, row[SEQ], row[d.ACK])
        conn = place >> 1
    advance(
        states[conn],
        books[conn],
        rows,
        rows_used,
        copies,
        conn,
        place & 1,
        walk[NUMBER],
        on_clock(t_ns, walk[FIRST]),
        row[SEQ],
        row[d.ACK],
        flags,
        row[d.LENGTH],
        row[d.WINDOW],
        row[d.WSCALE],
        row[d.SACK_PERMITTED] != 0,
        row[d.TSVAL],
        row[d.TSECR],
        row[d.SACK_LEFT],
        row[d.SACK_RIGHT],
        row[d.SACK_TOP],
        row[d.IP_ID],
        data,
        row[d.DATA_AT],
        row[d.DATA_SIZE],
    )


def _slot(
    table: Sequence[int], books: Sequence[MutableSequence[int]], row: MutableSequence[int]
) -> int:
    """Where the four-tuple stands in the table, or belongs; the same for both directions."""
    mask = len(table) - 1
    slot = mixed(
        row[SRC_HIGH] ^ row[DST_HIGH], row[SRC_LOW] ^ row[DST_LOW], row[SPORT] ^ row[DPORT]
    )
    slot &= mask
    while table[slot]:
        book = books[table[slot] - 1]
        if _from_client(book, row) or _from_server(book, row):
            return slot
        slot = (slot + 1) & mask
    return slot


def mixed(high: int, low: int, ports: int) -> int:
    """A hash of a four-tuple, not negative."""
    value = (low ^ low >> 32) & 0xFFFFFFFF
    value ^= (high ^ high >> 32) & 0xFFFFFFFF
    value = (value * 0x9E3779B1 + ports * 0x85EBCA6B) & 0xFFFFFFFFFFFF
    value ^= value >> 15
    value = (value & 0xFFFFFFFF) * 0x2C1B3C6D & 0xFFFFFFFFFFFF
    return value ^ value >> 21


def _from_client(book: Sequence[int], row: Sequence[int]) -> bool:
    return (
        book[PORTS] == row[FAMILY] << 32 | row[SPORT] << 16 | row[DPORT]
        and book[CLIENT_LOW] == row[SRC_LOW]
        and book[SERVER_LOW] == row[DST_LOW]
        and book[CLIENT_HIGH] == row[SRC_HIGH]
        and book[SERVER_HIGH] == row[DST_HIGH]
    )


def _from_server(book: Sequence[int], row: Sequence[int]) -> bool:
    return (
        book[PORTS] == row[FAMILY] << 32 | row[DPORT] << 16 | row[SPORT]
        and book[CLIENT_LOW] == row[DST_LOW]
        and book[SERVER_LOW] == row[SRC_LOW]
        and book[CLIENT_HIGH] == row[DST_HIGH]
        and book[SERVER_HIGH] == row[SRC_HIGH]
    )


def _begin(
    walk: MutableSequence[int],
    table: MutableSequence[int],
    slot: int,
    states: Sequence[MutableSequence[int]],
    books: Sequence[MutableSequence[int]],
    row: Sequence[int],
    older: int,
) -> int:
    """A new connection; connection * 2 + the sender's side."""
    conn = walk[CONNECTIONS]
    walk[CONNECTIONS] = conn + 1
    table[slot] = conn + 1
    begin_state(states[conn])
    begin_book(books[conn])
    there = (row[SRC_HIGH], row[SRC_LOW], row[SPORT])
    back = (row[DST_HIGH], row[DST_LOW], row[DPORT])
    side = 1 if from_server(row[FLAGS], row[SPORT], row[DPORT]) else 0
    client = back if side else there
    server = there if side else back
    name_ends(
        books[conn],
        row[FAMILY],
        client[0],
        client[1],
        client[2],
        server[0],
        server[1],
        server[2],
    )
    if older >= 0:
        follow(states, books, conn, older)
    return conn * 2 + (0 if there == back else side)


def refill(
    table: MutableSequence[int], books: Sequence[MutableSequence[int]], connections: int
) -> None:
    """Enter all connections into an empty table; of a four-tuple's lives the last one stays."""
    mask = len(table) - 1
    for conn in range(connections):
        book = books[conn]
        ports = book[PORTS]
        slot = mask & mixed(
            book[CLIENT_HIGH] ^ book[SERVER_HIGH],
            book[CLIENT_LOW] ^ book[SERVER_LOW],
            (ports >> 16 ^ ports) & 0xFFFF,
        )
        while table[slot]:
            other = books[table[slot] - 1]
            if _same(book, other):
                break
            slot = (slot + 1) & mask
        table[slot] = conn + 1


def _same(book: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two connections are lives of one four-tuple, whoever is the client."""
    ports = book[PORTS]
    turned = ports >> 32 << 32 | (ports & 0xFFFF) << 16 | (ports >> 16 & 0xFFFF)
    straight = (
        other[PORTS] == ports
        and other[CLIENT_HIGH] == book[CLIENT_HIGH]
        and other[CLIENT_LOW] == book[CLIENT_LOW]
        and other[SERVER_HIGH] == book[SERVER_HIGH]
        and other[SERVER_LOW] == book[SERVER_LOW]
    )
    return straight or (
        other[PORTS] == turned
        and other[CLIENT_HIGH] == book[SERVER_HIGH]
        and other[CLIENT_LOW] == book[SERVER_LOW]
        and other[SERVER_HIGH] == book[CLIENT_HIGH]
        and other[SERVER_LOW] == book[CLIENT_LOW]
    )
