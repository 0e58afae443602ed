"""The short way through a plain command gives what the general way gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netdiag.tcp.resp import Message, RespReader

WORDS = st.lists(st.binary(max_size=130), min_size=1, max_size=12)


def encoded(words: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word) for word in words
    )


def read(pieces: list[bytes], keep: int = 1024) -> tuple[list[Message], str | None]:
    reader = RespReader(commands=True, keep=keep)
    messages = [message for piece in pieces for message in reader.feed(piece)]
    return messages, reader.unreadable


@given(st.lists(WORDS, max_size=4))
def test_whole_commands_read_the_same_as_byte_by_byte(commands):
    data = b"".join(map(encoded, commands))
    whole, slow = read([data]), read([data[at : at + 1] for at in range(len(data))])
    assert whole == slow
    assert [message.value for message in whole[0]] == [tuple(words) for words in commands]


@given(WORDS, st.data())
def test_damaged_commands_read_the_same_as_byte_by_byte(words, data):
    raw = bytearray(encoded(words))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.sampled_from(b"0123456789$*\r\n+-x"))
    assert read([bytes(raw)]) == read([raw[at : at + 1] for at in range(len(raw))])


REPLIES = st.one_of(
    st.binary(max_size=300).map(lambda text: b"+" + text.replace(b"\n", b"") + b"\r\n"),
    st.integers(-(10**21), 10**21).map(lambda number: b":%d\r\n" % number),
    st.sampled_from([b"+\r\n", b":\r\n", b":+5\r\n", b":x\r\n", b"+a\n", b"$1\r\na\r\n", b"_\r\n"]),
)


@given(st.lists(REPLIES, max_size=5))
def test_replies_read_the_same_as_byte_by_byte(replies):
    data = b"".join(replies)
    readers = RespReader(commands=False), RespReader(commands=False)
    whole = readers[0].feed(data)
    slow = [one for at in range(len(data)) for one in readers[1].feed(data[at : at + 1])]
    assert whole == slow
    assert readers[0].unreadable == readers[1].unreadable


@given(WORDS)
def test_no_more_is_kept_than_was_asked_for(words):
    ((message,), unreadable) = read([encoded(words)], keep=10)
    assert unreadable is None
    assert message.value == tuple(word[:10] for word in words)


def test_items_are_kept_as_many_as_asked_for():
    reply = b"*5\r\n" + b":1\r\n" * 5
    (message,) = RespReader(commands=False, items=3).feed(reply)
    assert message.value == (1, 1, 1)
