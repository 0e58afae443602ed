"""Frames -> connections, over lists: for small captures, and wherever there is no compiler.

The rule: it does what scan.py does and nothing else, so that both give the same answers.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from netdiag.tcp.advance import advance
from netdiag.tcp.book import OLDER_WAITS, ROW, new_book
from netdiag.tcp.copies import SIZE
from netdiag.tcp.dissect import CUT, FIELDS, FOREIGN, FRAGMENT, HIDDEN, dissect
from netdiag.tcp.fields import new_state
from netdiag.tcp.flows import highest_edge
from netdiag.tcp.frames import read_frames
from netdiag.tcp.lives import from_server, is_reborn
from netdiag.tcp.pools import follow, name_ends, whose
from netdiag.tcp.rows import USED
from netdiag.tcp.tally import Tally
from netdiag.tcp.wire import (
    ETHERNET,
    SYN,
    Segment,
    has_options,
    parse_ethernet,
    parse_frame,
)

if TYPE_CHECKING:
    from netdiag.tcp.choice import Choice
    from netdiag.tcp.container import Container

_COUNTS: Final = {FRAGMENT: "fragments", CUT: "cut", FOREIGN: "foreign", HIDDEN: "hidden"}
GROWTH: Final = 1024  # rows that their record grows by
ROWS_AT_ONCE: Final = 2  # that one segment can write


class Interpreted:
    """The whole of what is known about a capture while it is read."""

    def __init__(self, container: Container, choice: Choice) -> None:
        self.container = container
        self.choice = choice
        self.tally = Tally()
        self.states: list[list[int]] = []
        self.books: list[list[int]] = []
        self.rows: list[int] = [0] * (GROWTH * ROW)
        self._room = GROWTH  # rows
        self.rows_used = [0, 0]
        self._gone = 0
        self._places: dict[tuple[bytes, bytes, int, int], int] = {}
        self._copies = [0] * SIZE
        self._scratch = [0] * FIELDS

    def run(self, every: int = 0) -> bool:
        """Read up to `every` frames (all of them: 0); False when there are no more."""
        if not hasattr(self, "_frames"):
            self._frames = read_frames(self.container)
        tally, wires = self.tally, self.container.wires
        whole, saw, feed = self.choice.all, tally.saw, self.feed
        before, latest, link, chosen = tally.frames, -1, 0, False
        for number, wire, t_ns, data in islice(self._frames, every or None):
            clock = saw(t_ns)
            if wire != latest:
                latest, link, chosen = wire, wires[wire].link, wires[wire].chosen
            if not chosen:
                tally.other_view += 1
            elif (
                segment := parse_ethernet(data) if link == ETHERNET else parse_frame(data, link)
            ) is None:
                self._count(data, link)
            elif whole or self._takes(segment, t_ns):
                feed(number, clock, segment)
                tally.tcp += 1
            else:
                tally.filtered += 1
        return every > 0 and tally.frames - before == every

    def let_go(self, count: int) -> None:
        """The states and accounts of the first `count` connections are not asked for any more."""
        for conn in range(self._gone, count):
            self.states[conn] = self.books[conn] = []
        self._gone = count

    def _takes(self, segment: Segment, t_ns: int) -> bool:
        """Whether a segment is to be followed; what only the span of time leaves out is counted."""
        if not self.choice.means(segment):
            return False
        since, until = self.choice.span(self.tally.first_at)
        self.tally.before += t_ns < since
        self.tally.after += t_ns > until
        return since <= t_ns <= until

    def _count(self, data: bytes, link: int) -> None:
        """Why a frame is no segment."""
        name = _COUNTS.get(dissect(self._scratch, data, 0, len(data), link), "other")
        setattr(self.tally, name, getattr(self.tally, name) + 1)

    def feed(self, number: int, clock: int, segment: Segment) -> int:
        """One segment; its label or COPY."""
        (
            src, dst, sport, dport, seq, ack, flags, window, length, payload, _, wscale,
            sack_permitted, tsval, tsecr, sack, ip_id,
        ) = segment  # fmt: skip
        states, books = self.states, self.books
        place = self._places.get((src, dst, sport, dport), -1)
        if place < 0 or (
            flags & SYN
            and is_reborn(states[place >> 1], place & 1, flags, seq, has_options(segment))
        ):
            place = self._begin(segment, place >> 1)
        conn = place >> 1
        if books[conn][OLDER_WAITS]:
            place = whose(states, books, conn, place & 1, flags, seq, ack)
            conn = place >> 1
        left = right = top = -1
        if sack:
            left, right = sack[0]
            top = highest_edge(sack)
        if self.rows_used[USED] + ROWS_AT_ONCE > self._room:
            self._room += GROWTH
            self.rows += [0] * (GROWTH * ROW)
        return advance(
            states[conn], books[conn], self.rows, self.rows_used, self._copies, conn, place & 1,
            number, clock, seq, ack, flags, length, window, wscale, sack_permitted, tsval, tsecr,
            left, right, top, ip_id, payload, 0, len(payload),
        )  # fmt: skip

    def _begin(self, segment: Segment, older: int) -> int:
        """A new connection, entered for both directions; connection * 2 + the sender's side."""
        side = 1 if from_server(segment.flags, segment.sport, segment.dport) else 0
        conn = len(self.states)
        self.states.append(new_state())
        book = new_book()
        self.books.append(book)
        sender = (*_halves(segment.src), segment.sport)
        receiver = (*_halves(segment.dst), segment.dport)
        client, server = (receiver, sender) if side else (sender, receiver)
        name_ends(book, 4 if len(segment.src) == 4 else 6, *client, *server)
        if older >= 0:
            follow(self.states, self.books, conn, older)
        there = (segment.src, segment.dst, segment.sport, segment.dport)
        back = (segment.dst, segment.src, segment.dport, segment.sport)
        self._places[back] = conn * 2 + 1 - side
        self._places[there] = conn * 2 + side
        if there == back:
            self._places[there] = conn * 2
        return self._places[there]


def _halves(address: bytes) -> tuple[int, int]:
    """An address as two ints of 64 bits with a sign; see dissect.py."""
    if len(address) == 4:
        return 0, int.from_bytes(address, "big")
    return (
        int.from_bytes(address[:8], "big", signed=True),
        int.from_bytes(address[8:], "big", signed=True),
    )
