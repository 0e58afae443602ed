"""RESP, byte by byte: messages, what is open, and what is refused and why."""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import param

from netdiag.tcp.resp import DEPTH, ITEMS, KEEP, LINE, ErrorReply, Message, RespReader

if TYPE_CHECKING:
    from netdiag.tcp.resp import Value


def replies(data: bytes) -> list[Value]:
    reader = RespReader(commands=False)
    got = [message.value for message in reader.feed(data)]
    assert reader.unreadable is None
    return got


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"+OK\r\n", b"OK"),
        (b"-ERR no\r\n", b"ERR no"),
        (b":-17\r\n", -17),
        (b"$5\r\nhello\r\n", b"hello"),
        (b"$0\r\n\r\n", b""),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b"*0\r\n", ()),
        (b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", (b"a", (1,))),
        (b"_\r\n", None),
        (b"#t\r\n", 1),
        (b"#f\r\n", 0),
        (b",3.25\r\n", b"3.25"),
        (b"(34928903284092385093248509438\r\n", b"34928903284092385093248509438"),
        (b"!5\r\nERR x\r\n", b"ERR x"),
        (b"=6\r\ntxt:hi\r\n", b"hi"),
        (b"%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n", (b"a", 1, b"b", 2)),
        (b"~2\r\n+a\r\n+b\r\n", (b"a", b"b")),
        (b"|1\r\n+ttl\r\n:9\r\n+value\r\n", b"value"),
        (b"*2\r\n|1\r\n+ttl\r\n:9\r\n:1\r\n:2\r\n", (1, 2)),
        (b"$4\r\n\r\n\r\n\r\n", b"\r\n\r\n"),
    ],
)  # fmt: skip
def test_replies(data: bytes, value: Value) -> None:
    assert replies(data) == [value]


def test_errors_can_be_told_from_strings() -> None:
    error, text = replies(b"-ERR\r\n+ERR\r\n")
    assert isinstance(error, ErrorReply)
    assert not isinstance(text, ErrorReply)


def test_kinds_and_offsets() -> None:
    data = b"+OK\r\n>2\r\n$7\r\nmessage\r\n:1\r\n:5\r\n"
    assert RespReader(commands=False).feed(data) == [
        Message(0, 5, "reply", b"OK"),
        Message(5, 26, "push", (b"message", 1)),
        Message(26, 30, "reply", 5),
    ]


def test_commands_in_arrays_and_inline() -> None:
    data = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n\r\n*0\r\nget  k\n*1\r\n$4\r\nQUIT\r\n"
    got = RespReader(commands=True).feed(data)
    assert [m.value for m in got] == [(b"GET", b"k"), (b"PING",), (b"get", b"k"), (b"QUIT",)]
    assert {m.kind for m in got} == {"command"}
    assert [data[m.start : m.end][:1] for m in got] == [b"*", b"P", b"g", b"*"]


def test_what_is_open_is_known_before_it_is_whole() -> None:
    reader = RespReader(commands=True)
    seen = []
    for byte in b"*2\r\n$5\r\nBRPOP\r\n$1\r\nk\r\n*":
        reader.feed(bytes((byte,)))
        seen.append((reader.open_start, reader.open_name))
    assert seen[:14] == [(0, None)] * 14
    assert seen[14:21] == [(0, b"BRPOP")] * 7
    assert seen[21:] == [(None, None), (22, None)]


def test_a_push_is_known_by_its_first_byte() -> None:
    reader = RespReader(commands=False)
    reader.feed(b"+OK\r\n>")
    assert (reader.open_start, reader.open_push) == (5, True)


@pytest.mark.parametrize(
    ("commands", "data", "reason"),
    [
        param(True, b"\x16\x03\x01\x02", "byte 0x16 at 0 begins nothing in RESP (TLS?)", id="TLS"),
        param(True, b"*1\r\n:5\r\n", "byte 0x3a at 4", id="a number for a command's word"),
        param(True, b"*x\r\n", "no length in a header", id="no number"),
        param(True, b"*1\r\n$-5\r\n", "no length", id="negative"),
        param(False, b"HTTP/1.1 200 OK\r\n", "byte 0x48 at 0", id="HTTP"),
        param(False, b":1_000\r\n", "no number at byte 0", id="Python's own digits"),
        param(False, b"+OK\n", "without CR", id="no CR"),
        param(False, b"$3\r\nabcd\r\n", "no CRLF after a bulk string at 7", id="too long"),
        param(False, b"$99999999999999999999\r\n", "no length", id="an absurd length"),
        param(False, b"*1\r\n" * (DEPTH + 1), "more than 32 levels", id="too deep"),
        param(False, b"+" + b"x" * (LINE + 1), "a line of more than", id="an endless line"),
        param(False, b"%-1\r\n", "a negative length", id="a negative map"),
    ],
)  # fmt: skip
def test_what_is_refused_and_why(commands: bool, data: bytes, reason: str) -> None:
    reader = RespReader(commands=commands)
    reader.feed(data)
    assert reader.unreadable is not None
    assert reason in reader.unreadable
    assert reader.feed(b"+OK\r\n*1\r\n$4\r\nPING\r\n") == []


def test_messages_before_the_refusal_are_kept() -> None:
    reader = RespReader(commands=False)
    assert [m.value for m in reader.feed(b"+OK\r\n?")] == [b"OK"]
    assert reader.unreadable is not None


def test_long_values_are_cut_and_many_are_left_out() -> None:
    (value,) = replies(b"$1000000\r\n" + b"x" * 1_000_000 + b"\r\n")
    assert value == b"x" * KEEP
    (many,) = replies(b"*100000\r\n" + b":1\r\n" * 100_000)
    assert many == (1,) * ITEMS


def test_a_loss_inside_a_long_value_does_no_harm() -> None:
    reader = RespReader(commands=False)
    reader.feed(b"$100\r\n" + b"x" * 10)
    reader.skip(80)
    assert [m.value for m in reader.feed(b"x" * 10 + b"\r\n+OK\r\n")] == [b"x" * 20, b"OK"]


def test_a_loss_elsewhere_ends_the_reading() -> None:
    reader = RespReader(commands=False)
    reader.feed(b"+OK\r\n*2\r\n")
    reader.skip(30)
    assert reader.unreadable == "bytes 9 to 39 were not captured"
    assert reader.feed(b":1\r\n") == []


LEAF = (
    st.binary(max_size=20).map(lambda b: b"$%d\r\n%s\r\n" % (len(b), b))
    | st.integers(-(2**63), 2**63).map(lambda n: b":%d\r\n" % n)
    | st.sampled_from([b"+OK\r\n", b"-ERR\r\n", b"_\r\n", b"$-1\r\n", b"#t\r\n", b"*0\r\n"])
)
TREE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, min_size=1, max_size=4).map(
        lambda parts: b"*%d\r\n" % len(parts) + b"".join(parts)
    ),
    max_leaves=12,
)
WORDS = st.lists(st.binary(max_size=12), min_size=1, max_size=4)


@given(st.lists(TREE, max_size=6).map(b"".join), st.lists(st.integers(1, 9), max_size=60))
def test_segmentation_makes_no_difference_to_replies(data: bytes, sizes: list[int]) -> None:
    _same_in_pieces(data, sizes, commands=False)


@given(st.lists(WORDS, max_size=6), st.lists(st.integers(1, 9), max_size=60))
def test_segmentation_makes_no_difference_to_commands(
    commands: list[list[bytes]], sizes: list[int]
) -> None:
    data = b"".join(
        b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
        for words in commands
    )
    whole = _same_in_pieces(data, sizes, commands=True)
    assert [m.value for m in whole] == [tuple(words) for words in commands]


@given(st.binary(max_size=80), st.lists(st.integers(1, 9), max_size=30), st.booleans())
def test_any_bytes_give_the_same_in_any_pieces(
    data: bytes, sizes: list[int], commands: bool
) -> None:
    _same_in_pieces(data, sizes, commands=commands)


def _same_in_pieces(data: bytes, sizes: list[int], *, commands: bool) -> list[Message]:
    whole, parts = RespReader(commands=commands), RespReader(commands=commands)
    once = whole.feed(data)
    pieces, at = [], 0
    for size in sizes:
        pieces += parts.feed(data[at : at + size])
        at += size
    pieces += parts.feed(data[at:])
    assert pieces == once
    state = [(r.unreadable, r.open_start, r.open_name, r.offset) for r in (whole, parts)]
    assert state[0] == state[1]
    return once


@pytest.mark.parametrize(
    "unit",
    [
        param(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n", id="many small commands"),
        param(b"*1\r\n$4\r\nPING\r\n", id="smaller ones"),
    ],
)
def test_time_grows_with_the_bytes_and_not_faster(unit: bytes) -> None:
    def seconds(count: int) -> float:
        data = unit * count
        reader = RespReader(commands=True)
        began = process_time()
        for at in range(0, len(data), 7):
            reader.feed(data[at : at + 7])
        return process_time() - began

    small = min(seconds(1000) for _ in range(3))
    assert seconds(16_000) < small * 16 * 4


def test_a_line_that_comes_byte_by_byte_is_not_searched_again() -> None:
    reader = RespReader(commands=False)
    reader.feed(b"+")
    began = process_time()
    for _ in range(LINE - 10):
        reader.feed(b"x")
    assert process_time() - began < 2
    assert [m.value for m in reader.feed(b"\r\n")] == [b"x" * KEEP]
