"""Where the compiled loop keeps which connection a four-tuple is: a hash table of numbers.

The rule: `table` holds connection + 1, or 0, at one of the slots from the four-tuple's hash on; its
length is a power of two, and at most half of it is used. Both directions have one slot, and of a
four-tuple's lives the last one stands there. interpreted.py has a dict instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.tcp.book import CLIENT_HIGH, CLIENT_LOW, PORTS, SERVER_HIGH, SERVER_LOW
from netdiag.tcp.dissect import DPORT, DST_HIGH, DST_LOW, FAMILY, SPORT, SRC_HIGH, SRC_LOW

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence


def slot_of(
    table: Sequence[int], books: Sequence[MutableSequence[int]], row: MutableSequence[int]
) -> int:
    """Where the four-tuple stands in the table, or belongs; the same for both directions."""
    mask = len(table) - 1
    slot = _mixed(
        row[SRC_HIGH] ^ row[DST_HIGH], row[SRC_LOW] ^ row[DST_LOW], row[SPORT] ^ row[DPORT]
    )
    slot &= mask
    while table[slot]:
        book = books[table[slot] - 1]
        if is_client(book, row) or _from_server(book, row):
            return slot
        slot = (slot + 1) & mask
    return slot


def _mixed(high: int, low: int, ports: int) -> int:
    """A hash of a four-tuple, not negative."""
    value = (low ^ low >> 32) & 0xFFFFFFFF
    value ^= (high ^ high >> 32) & 0xFFFFFFFF
    value = (value * 0x9E3779B1 + ports * 0x85EBCA6B) & 0xFFFFFFFFFFFF
    value ^= value >> 15
    value = (value & 0xFFFFFFFF) * 0x2C1B3C6D & 0xFFFFFFFFFFFF
    return value ^ value >> 21


def is_client(book: Sequence[int], row: Sequence[int]) -> bool:
    """Whether the segment in `row` was sent by the connection's client."""
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


def refill(
    table: MutableSequence[int], books: Sequence[MutableSequence[int]], connections: int
) -> None:
    """Enter all connections into an empty table; of a four-tuple's lives the last one stays."""
    mask = len(table) - 1
    for conn in range(connections):
        book = books[conn]
        ports = book[PORTS]
        slot = mask & _mixed(
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
