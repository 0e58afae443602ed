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
from netdiag.tcp.book import OLDER_WAITS, begin_book
from netdiag.tcp.dissect import (
    DPORT,
    DST_HIGH,
    DST_LOW,
    FAMILY,
    FLAGS,
    SEGMENT,
    SEQ,
    SPORT,
    SRC_HIGH,
    SRC_LOW,
    dissect,
)
from netdiag.tcp.fields import begin_state
from netdiag.tcp.lives import from_server, is_reborn
from netdiag.tcp.moments import on_clock
from netdiag.tcp.places import is_client, slot_of
from netdiag.tcp.pools import follow, name_ends, whose
from netdiag.tcp.records import (
    AFTER,
    ALL,
    ANY_PORT,
    AT,
    BEFORE,
    CONNECTIONS,
    F_AT,
    F_NEXT,
    F_SIZE,
    F_WIRE,
    FILTERED,
    FIRST,
    HOSTS,
    MORE,
    NEED,
    NUMBER,
    OTHER,
    OTHER_VIEW,
    PAUSE,
    ROOM,
    SINCE,
    TCP,
    UNTIL,
    WIRE,
    next_frame,
    saw_frame,
)

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

HOST: Final = 5  # ints of one host: family, network, mask


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
        status = next_frame(walk, data, size)
        if status != MORE or walk[NEED]:
            return status
        walk[NUMBER] += 1
        wire = walk[F_WIRE]
        if wire >= 0:
            t_ns = saw_frame(walk, wires)
            if not wires[wire * WIRE + 4]:
                walk[OTHER_VIEW] += 1
            else:
                kind = dissect(row, data, walk[F_AT], walk[F_SIZE], wires[wire * WIRE])
                if kind == SEGMENT:
                    if not (walk[ALL] or _meant(walk, ports, hosts, row)):
                        walk[FILTERED] += 1
                    elif walk[SINCE] <= t_ns <= walk[UNTIL]:
                        walk[TCP] += 1
                        _feed(walk, table, states, books, rows, rows_used, copies, row, data, t_ns)
                    else:
                        walk[FILTERED] += 1
                        walk[BEFORE if t_ns < walk[SINCE] else AFTER] += 1
                else:
                    walk[OTHER - kind] += 1
        walk[AT] = walk[F_NEXT]
    return PAUSE


def _meant(
    walk: Sequence[int], ports: Sequence[int], hosts: Sequence[int], row: Sequence[int]
) -> bool:
    """As choice.Choice.means."""
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
    slot = slot_of(table, books, row)
    place = table[slot] - 1
    flags = row[FLAGS]
    if place >= 0:
        place = place * 2 + (0 if is_client(books[place], row) else 1)
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
