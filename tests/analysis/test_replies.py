"""The server's messages, read out of a tape: each connection has streams of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.analysis.wire import read_tape
from netdiag.cable.tape import Tape
from tests.cable.play import ACK, PSH, SYN, frame

if TYPE_CHECKING:
    from pathlib import Path

BRPOP = b"*3\r\n$5\r\nBRPOP\r\n$4\r\njobs\r\n$1\r\n0\r\n"
REPLY = b"*2\r\n$4\r\njobs\r\n$2\r\nm%d\r\n"


def talk(isn: int, number: int, *, reset: bool = True) -> list[tuple[int, bytes]]:
    """A connection from the port that all of these have: one BRPOP, its reply, and a RST."""
    client, server = isn, isn + 77
    asked = client + 1 + len(BRPOP)
    said = [
        (0, frame(0, SYN, client, 0)),
        (1, frame(1, SYN | ACK, server, client + 1)),
        (0, frame(0, ACK, client + 1, server + 1)),
        (0, frame(0, ACK | PSH, client + 1, server + 1, BRPOP)),
        (1, frame(1, ACK | PSH, server + 1, asked, REPLY % number)),
    ]
    end = frame(0, 0x04, asked, 0)
    return [*said, (0, end)] if reset else said


def taped(path: Path, *frames: tuple[int, bytes]) -> Path:
    tape = Tape(path, wall_offset=0, about="")
    for t, (side, made) in enumerate(frames, 1):
        tape.arrived(side, t * 1_000_000, made)
        tape.left(1 - side, t * 1_000_000 + 1000, made)
    tape.close(1_000_000_000, (0, 0))
    return path


def test_a_port_that_is_used_again_has_replies_of_its_own(tmp_path: Path) -> None:
    path = taped(tmp_path / "tape.pcapng", *talk(1000, 1), *talk(3_000_000_000, 2))
    replies = read_tape(path, 0, frozenset({"BRPOP"})).replies
    assert [one.value for one in replies] == [(b"jobs", b"m1"), (b"jobs", b"m2")]
    assert [(one.began, one.left, one.arrived) for one in replies] == [
        (2_000_000, 5_000_000, 5_001_000), (8_000_000, 11_000_000, 11_001_000)]


def test_a_reply_was_followed_by_what_its_own_connection_sent_next(tmp_path: Path) -> None:
    first, second = talk(1000, 1), talk(3_000_000_000, 2, reset=False)
    more = frame(0, ACK | PSH, 3_000_000_001 + len(BRPOP), 3_000_000_078 + len(REPLY % 2), BRPOP)
    path = taped(tmp_path / "tape.pcapng", *first, *second, (0, more))
    replies = read_tape(path, 0, frozenset({"BRPOP"})).replies
    assert [one.followed for one in replies] == [None, 12_000_000]
