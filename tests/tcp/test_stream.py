"""Segments in any order -> bytes in one, each once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdiag.tcp.stream import HELD, SEGMENTS, Gap, Piece, Stream

MASK = 0xFFFFFFFF


def test_in_order_with_the_packet_that_brought_it() -> None:
    stream = Stream()
    stream.synchronise(99)
    assert stream.feed(100, b"ab", 2, 7) == [Piece(0, b"ab", 7)]
    assert stream.feed(102, b"cd", 2, 8) == [Piece(2, b"cd", 8)]
    assert (stream.end, stream.tag, stream.offset(103)) == (4, 8, 3)


def test_retransmissions_are_cut_and_only_what_is_new_comes() -> None:
    stream = Stream()
    stream.feed(100, b"abcd", 4, 1)
    assert stream.feed(100, b"abcd", 4, 2) == []
    assert stream.feed(102, b"cdef", 4, 3) == [Piece(4, b"ef", 3)]


def test_what_comes_early_waits() -> None:
    stream = Stream()
    stream.synchronise(99)
    assert stream.feed(104, b"ef", 2, 1) == []
    assert stream.feed(102, b"cd", 2, 2) == []
    assert stream.feed(100, b"ab", 2, 3) == [
        Piece(0, b"ab", 3),
        Piece(2, b"cd", 2),
        Piece(4, b"ef", 1),
    ]


def test_a_gap_that_the_peer_acknowledged_is_given_up() -> None:
    stream = Stream()
    stream.synchronise(99)
    stream.feed(104, b"ef", 2, 1)
    assert stream.acknowledged(102) == [Gap(0, 2)]
    assert stream.acknowledged(106) == [Gap(2, 4), Piece(4, b"ef", 1)]
    assert stream.feed(100, b"abcd", 4, 2) == []


def test_an_ack_of_bytes_that_may_still_pass_gives_up_nothing() -> None:
    stream = Stream()
    stream.synchronise(99)
    assert stream.acknowledged(106) == []
    assert stream.feed(100, b"ab", 2, 1) == [Piece(0, b"ab", 1)]


def test_a_short_capture_is_a_gap() -> None:
    stream = Stream()
    assert stream.feed(100, b"ab", 10, 1) == [Piece(0, b"ab", 1), Gap(2, 10)]
    assert stream.feed(110, b"cd", 2, 2) == [Piece(10, b"cd", 2)]


@pytest.mark.parametrize(("size", "count"), [(HELD // 4, 5), (1, SEGMENTS + 1)])
def test_no_more_is_held_than_the_bound(size: int, count: int) -> None:
    stream = Stream()
    stream.synchronise(99)
    found = []
    for index in range(count):
        found += stream.feed(200 + index * size, b"x" * size, size, index)
    assert found[0] == Gap(0, 100)
    assert sum(len(item.data) for item in found if isinstance(item, Piece)) == size * count


def test_what_no_window_reaches_is_passed_over() -> None:
    stream = Stream()
    stream.feed(100, b"ab", 2)
    assert stream.feed((102 + (1 << 30) + 1) & MASK, b"zz", 2) == []
    assert stream.feed(102, b"cd", 2) == [Piece(2, b"cd", 0)]


@given(
    st.integers(0, MASK),
    st.lists(st.tuples(st.integers(0, 59), st.integers(1, 20)), max_size=40),
)
def test_any_ranges_in_any_order_give_the_bytes_once_and_in_order(
    isn: int, ranges: list[tuple[int, int]]
) -> None:
    data = bytes(range(60))
    stream = Stream()
    stream.synchronise(isn)
    got = b""
    passed: set[int] = set()
    for tag, (start, size) in enumerate(ranges):
        part = data[start : start + size]
        new = stream.feed((isn + 1 + start) & MASK, part, len(part), tag)
        passed |= set(range(start, start + len(part)))
        for piece in new:
            assert isinstance(piece, Piece)
            assert piece.start == len(got)
            got += piece.data
            assert piece.tag <= tag
        contiguous = next(i for i in range(61) if i not in passed)
        assert got == data[:contiguous]
