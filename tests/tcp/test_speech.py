"""Payload -> commands without a reply; conversation.py, which keeps objects, is the judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.tcp import book as b
from netdiag.tcp.book import new_book
from netdiag.tcp.conversation import Conversation
from netdiag.tcp.sides import _application
from netdiag.tcp.speech import NEITHER, RESP, TLS, UNKNOWN, listen
from netdiag.tcp.waiting import outstanding
from netdiag.tcp.words import packed, unpacked

if TYPE_CHECKING:
    from netdiag.tcp.facts import Application, Outstanding

SECOND = 1_000_000_000
CLOCK = 1 << 57


def command(*words: str | bytes) -> bytes:
    parts = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


class Talk:
    """One connection: `talk(0, b"..")` is what the client says, in one segment."""

    def __init__(self) -> None:
        self.book = new_book()
        self.next = [100, 0xFFFFFFF0]  # the server's numbers wrap
        self.frame = 0

    def __call__(
        self, side: int, data: bytes, *, lost: bool = False, captured: int | None = None
    ) -> Talk:
        self.frame += 1
        if not lost:
            kept = data if captured is None else data[:captured]
            listen(
                self.book, side, self.frame, CLOCK + self.frame * SECOND, self.next[side],
                b"??" + kept, 2, len(kept), len(data),
            )  # fmt: skip
        self.next[side] = (self.next[side] + len(data)) & 0xFFFFFFFF
        return self

    def again(self, side: int, data: bytes, back: int) -> Talk:
        """Bytes that begin `back` bytes before the end of what was said."""
        self.frame += 1
        seq = (self.next[side] - back) & 0xFFFFFFFF
        listen(self.book, side, self.frame, CLOCK, seq, data, 0, len(data), len(data))
        return self

    @property
    def waiting(self) -> Outstanding | None:
        return outstanding(self.book, 0)

    @property
    def kinds(self) -> tuple[int, int]:
        return self.book[b.OWN + b.KIND], self.book[b.OWN + b.SIDE_BOOK + b.KIND]

    def told(self, side: int = 0) -> Application:
        return _application(self.book, b.OWN + side * b.SIDE_BOOK, side, 0)


@pytest.mark.parametrize(
    ("words", "name", "timeout", "blocking"),
    [
        param(("BRPOP", "jobs", "0"), "BRPOP", 0.0, True, id="for ever"),
        param(("blpop", "a", "b", "2.5"), "BLPOP", 2.5, True, id="lower case, two keys"),
        param(("BLMOVE", "a", "b", "LEFT", "RIGHT", "30"), "BLMOVE", 30.0, True, id="last"),
        param(("BLMPOP", "7", "1", "a", "LEFT"), "BLMPOP", 7.0, True, id="first argument"),
        param(
            ("XREADGROUP", "GROUP", "g", "c", "BLOCK", "5000", "STREAMS", "s", ">"),
            "XREADGROUP", 5.0, True, id="milliseconds",
        ),
        param(("XREAD", "STREAMS", "s", "$"), "XREAD", -1.0, False, id="does not wait"),
        param(("BRPOP", "jobs", "soon"), "BRPOP", -1.0, True, id="no number"),
        param(("WAIT", "1", "100"), "WAIT", 0.1, True, id="wait"),
        param(("SUBSCRIBE", "news"), "SUBSCRIBE", -1.0, True, id="subscribe"),
        param(("GET", "k"), "GET", -1.0, False, id="does not block"),
    ],
)  # fmt: skip
def test_the_command_that_waits(
    words: tuple[str, ...], name: str, timeout: float, blocking: bool
) -> None:
    talk = Talk()(0, command("CLIENT", "SETNAME", "me"))(1, b"+OK\r\n")(0, command(*words))
    waiting = talk.waiting
    assert waiting is not None
    assert (waiting.name, waiting.timeout_s, waiting.blocking) == (name, timeout, blocking)
    assert (waiting.count, waiting.frame) == (1, 3)
    assert (talk.told().first_command, talk.told().last_command) == ("CLIENT", name)


def test_a_reply_ends_the_waiting() -> None:
    talk = Talk()(0, command("BRPOP", "jobs", "0"))
    assert talk.waiting is not None
    assert talk(1, b"*2\r\n$4\r\njobs\r\n$1\r\nx").waiting is not None
    assert talk(1, b"\r\n").waiting is None
    assert (talk.told(0).messages, talk.told(1).messages) == (1, 1)


def test_of_many_without_a_reply_the_oldest_is_named() -> None:
    talk = Talk()(0, command("GET", "a") + command("INCR", "b"))(0, command("DEL", "c"))
    talk(1, b"$-1\r\n")
    waiting = talk.waiting
    assert waiting is not None
    assert (waiting.name, waiting.count, waiting.frame) == ("INCR", 2, 1)


def test_more_than_are_kept_are_counted() -> None:
    talk = Talk()
    for _ in range(100):
        talk(0, command("PING"))
    assert talk.waiting is not None
    assert talk.waiting.count == 100
    talk(1, b"+PONG\r\n" * 99)
    assert talk.waiting is not None
    assert (talk.waiting.name, talk.waiting.count) == ("PING", 1)
    assert talk(1, b"+PONG\r\n").waiting is None


@pytest.mark.parametrize(
    "replies",
    [
        b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n",
        b">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n",
    ],
    ids=["RESP2", "RESP3"],
)
def test_subscribers_hear_without_asking(replies: bytes) -> None:
    talk = Talk()(0, command("SUBSCRIBE", "a", "b"))(1, replies)
    assert talk.waiting is None
    talk(1, replies[:1] + b"3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n")
    assert talk.waiting is None
    talk(0, command("PING"))
    talk(1, replies[:1] + b"3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n")
    assert talk.waiting is not None
    assert talk.told().subscribed


def test_pushes_and_attributes_answer_nothing() -> None:
    talk = Talk()(0, command("GET", "k"))
    talk(1, b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n")
    assert talk.waiting is not None
    talk(1, b"|1\r\n+ttl\r\n:3600\r\n")
    assert talk.waiting is not None
    assert talk(1, b"$1\r\nv\r\n").waiting is None


def test_client_reply_off_and_skip() -> None:
    talk = Talk()(0, command("CLIENT", "REPLY", "SKIP") + command("SET", "a", "1"))
    assert talk.waiting is None
    talk(0, command("GET", "a"))
    assert talk.waiting is not None
    talk(1, b"$1\r\n1\r\n")
    talk(0, command("CLIENT", "REPLY", "OFF") + command("SET", "a", "1") * 3)
    assert talk.waiting is None
    talk(0, command("CLIENT", "REPLY", "ON"))(1, b"+OK\r\n")
    assert talk.waiting is None


@pytest.mark.parametrize(
    ("first", "second", "kinds"),
    [
        param(b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x03\x00\x7a", (TLS, TLS), id="TLS"),
        param(b"\x17\x03\x03\x00\x20", b"", (TLS, UNKNOWN), id="TLS from the middle"),
        param(b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n", (UNKNOWN, UNKNOWN), id="HTTP"),
        param(b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n", (RESP, RESP), id="RESP"),
        param(b"*1\r\n$4\r\nPING\r\n", b"HTTP/1.1", (RESP, UNKNOWN), id="half RESP"),
        param(b"USER me\r\n", b"+OK POP3 ready\r\n", (UNKNOWN, UNKNOWN), id="POP3 is not RESP"),
        param(b"*1\r\nPING\r\n", b"", (NEITHER, UNKNOWN), id="begins like RESP"),
    ],
)
def test_what_is_spoken(first: bytes, second: bytes, kinds: tuple[int, int]) -> None:
    talk = Talk()(0, first)
    if second:
        talk(1, second)
    assert talk.kinds == kinds


def test_after_many_strange_segments_it_is_not_listened_to_any_more() -> None:
    talk = Talk()
    for _ in range(40):
        talk(0, b"whatever it is")
    assert talk.kinds[0] == NEITHER


def test_bytes_sent_again_count_once() -> None:
    get = command("GET", "k")
    talk = Talk()(0, get).again(0, get, len(get)).again(0, get[3:], len(get) - 3)
    assert talk.waiting is not None
    assert talk.waiting.count == 1
    talk.again(0, get[10:] + command("PING"), len(get) - 10)
    talk.next[0] += len(command("PING"))
    assert talk.waiting.count == 2
    assert talk.told().messages == 2


def test_what_is_lost_inside_a_value_does_no_harm() -> None:
    value = b"x" * 3000
    whole = command("SET", "k", value)
    talk = Talk()(0, whole[:1000])(0, whole[1000:2000], lost=True)(0, whole[2000:])
    assert talk.waiting is not None
    assert talk.told().breaks == 0
    talk = Talk()(0, whole, captured=100)
    assert talk.waiting is None
    assert talk(0, command("PING")).told().messages == 2 - talk.told().breaks


def test_what_is_lost_between_values_forgets_what_was_pending() -> None:
    talk = Talk()(0, command("GET", "a"))(0, command("GET", "b"), lost=True)
    talk(0, command("GET", "c"))
    assert talk.waiting is not None
    assert (talk.waiting.count, talk.told().breaks) == (1, 1)


def test_a_short_snap_length_still_tells_the_last_command() -> None:
    talk = Talk()
    for _ in range(3):
        talk(0, command("BRPOP", "jobs", "30"), captured=20)
        talk(1, b"*2\r\n$4\r\njobs\r\n$1\r\nx\r\n", captured=20)
    assert talk.kinds == (RESP, RESP)
    assert talk.told().breaks == 3


WORDS = ["PING", "GET", "SET", "BRPOP", "SUBSCRIBE", "CLIENT", "XREAD"]
REPLIES = [
    b"+OK\r\n", b"-ERR no\r\n", b":12\r\n", b"$-1\r\n", b"$0\r\n\r\n", b"$5\r\nhello\r\n",
    b"*0\r\n", b"*-1\r\n", b"*2\r\n:1\r\n*1\r\n+a\r\n", b"%1\r\n+k\r\n:1\r\n", b"_\r\n", b"#t\r\n",
    b",1.5\r\n", b"~1\r\n+x\r\n", b">2\r\n+message\r\n+x\r\n", b"=7\r\ntxt:abc\r\n", b"(12345\r\n",
    b"|1\r\n+a\r\n:1\r\n+after\r\n", b"!5\r\nERR x\r\n",
]  # fmt: skip


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[int, bytes]]:
    """Both directions, cut into segments anywhere."""
    texts = st.lists(st.text("abcXYZ019 ", max_size=30), max_size=4)
    turns: list[tuple[int, bytes]] = []
    for _ in range(draw(st.integers(1, 8))):
        if draw(st.booleans()):
            said = command(draw(st.sampled_from(WORDS)), *draw(texts))
            turns.append((0, said))
        else:
            turns.append((1, b"".join(draw(st.lists(st.sampled_from(REPLIES), max_size=3)))))
    pieces = []
    for side, data in turns:
        at = 0
        while at < len(data):
            size = draw(st.integers(1, len(data)))
            pieces.append((side, data[at : at + size]))
            at += size
    return pieces


@settings(max_examples=300, deadline=None)
@given(pieces=streams())
def test_it_counts_what_conversation_counts(pieces: list[tuple[int, bytes]]) -> None:
    talk, judge = Talk(), Conversation()
    heard = False
    for side, data in pieces:
        heard = heard or side == 0
        if not heard:
            continue  # what a server says before any command is not RESP for certain
        at = talk.next[side]
        talk(side, data)
        judge.feed(side, at, data, len(data))
    if judge.unreadable is None and talk.kinds == (RESP, RESP):
        whole = [item for item in judge.pending if item.end is not None]
        assert talk.book[b.PENDING] == len(whole)
        if judge.pending and talk.waiting is not None:
            assert talk.waiting.name == judge.pending[0].name[:14]


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(
        st.tuples(st.integers(0, 1), st.binary(max_size=40) | st.sampled_from(REPLIES)),
        max_size=12,
    )
)
def test_no_bytes_make_it_stumble(pieces: list[tuple[int, bytes]]) -> None:
    talk = Talk()(0, command("PING"))
    for side, data in pieces:
        talk(side, data)
    assert talk.book[b.PENDING] >= 0
    assert talk.waiting is None or talk.waiting.count >= 1


@given(text=st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ|-0123456789", max_size=21))
def test_words_survive_being_ints(text: str) -> None:
    assert unpacked(packed(text)) == text
