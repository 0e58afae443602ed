"""Incidents and healthy days as captures would show them: right findings, and no false ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netdiag.analysis.findings import find
from tests.analysis.talk import CLIENT, MS, NIL, OK, SERVER, VALUE, Talk, Wire, resp
from tests.tcp.making import Bare

if TYPE_CHECKING:
    from collections.abc import Callable

    Story = Callable[[Wire], object]

GET = resp("GET", "a")
BRPOP = resp("BRPOP", "jobs", "0")
TLS_HELLO = b"\x16\x03\x01\x00\x40" + bytes(64)
TLS_DATA = b"\x17\x03\x03\x00\x40" + bytes(64)
MESSAGE = b"*3\r\n$7\r\nmessage\r\n$1\r\nn\r\n$900\r\n" + bytes(900) + b"\r\n"
SUBSCRIBED = b"*3\r\n$9\r\nsubscribe\r\n$1\r\nn\r\n:1\r\n"


def polling(wire: Wire) -> None:
    """Workers whose BRPOP times out again and again, for half an hour."""
    for worker in range(4):
        talk = Talk(wire, worker, at=3.0 * worker).open()
        for _ in range(60):
            talk.ask(resp("BRPOP", "jobs", "30"), after=MS)
            talk.say(SERVER, "PA", NIL, after=30).say(CLIENT, "A", after=0.0002)


def blocked_for_ever(wire: Wire) -> None:
    """The capture begins and ends in the middle of BRPOP 0; the server's keepalive is answered."""
    talk = Talk(wire).ask(BRPOP)
    for _ in range(12):
        talk.probe(SERVER, after=300)


def closes(wire: Wire) -> None:
    """By either side, by RST from a pool, after QUIT."""
    for number in range(12):
        Talk(wire, number, at=0.4 * number).open().ask(GET, VALUE).close(number % 2)
        Talk(wire, 20 + number, at=7.0 + number).open().ask(GET, VALUE).say(CLIENT, "RA", after=0.5)
        Talk(wire, 40 + number, at=20.0).open().ask(resp("QUIT"), OK).close(SERVER, after=0.0001)


def requests(wire: Wire) -> None:
    """A connection for each request, thirty a second."""
    for number in range(150):
        talk = Talk(wire, number, at=0.03 * number).open()
        talk.ask(resp("AUTH", "x"), OK, after=MS).ask(GET, VALUE, after=MS).close()


def port_checks(wire: Wire) -> None:
    """A load balancer that looks whether the port is open: by FIN, and by RST."""
    for number in range(30):
        Talk(wire, number, at=2.0 * number, client="10.0.0.250").open().close()
        talk = Talk(wire, 100 + number, at=2.0 * number, client="10.0.0.251")
        talk.say(CLIENT, "S").say(SERVER, "SA").say(CLIENT, "R", after=0.0001)


def tls(wire: Wire) -> None:
    talk = Talk(wire, port=6380).open().ask(TLS_HELLO, TLS_HELLO).ask(TLS_DATA, TLS_DATA)
    talk.ask(TLS_DATA)  # a blocking call, for all that can be seen
    for _ in range(5):
        talk.probe(CLIENT, after=60)
    talk.say(SERVER, "PA", TLS_DATA, after=5).say(CLIENT, "A").close()


def replica(wire: Wire) -> None:
    talk = Talk(wire).open().ask(resp("PSYNC", "?", "-1"), b"+CONTINUE abc\r\n")
    for second in range(120):
        talk.ask(resp("REPLCONF", "ACK", str(second)), after=1)


def workers_stopped(wire: Wire) -> None:
    """Twenty consumers in BRPOP 0, stopped one after the other within a second."""
    for worker in range(20):
        talk = Talk(wire, worker, at=0.01 * worker).open().ask(BRPOP)
        talk.probe(SERVER, after=300).close(after=200 + 0.03 * worker)


def subscriber(wire: Wire) -> None:
    talk = Talk(wire).open().ask(resp("SUBSCRIBE", "n"), SUBSCRIBED)
    for _ in range(5):
        talk.say(SERVER, "PA", MESSAGE, after=1400).say(CLIENT, "A", after=0.0001)


def long_query(wire: Wire) -> None:
    """No RESP; the answer takes eight minutes, and keepalive is answered meanwhile."""
    talk = Talk(wire, port=5432).open().ask(b"Q\0\0\0\x0fSELECT 1;\0")
    for _ in range(8):
        talk.probe(CLIENT, after=60)
    talk.say(SERVER, "PA", b"T\0\0\0\x21xx", after=20).say(CLIENT, "A").close()


def aborted_download(wire: Wire) -> None:
    """A browser closes with data unread, and what is still on its way gets an RST, too."""
    talk = Talk(wire, port=80).open().ask(b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n")
    talk.say(SERVER, "A", bytes(1448)).say(CLIENT, "RA", after=0.0005)
    talk.say(SERVER, "A", bytes(1448), after=0.0001).say(CLIENT, "R", after=0.0001)


def twice(wire: Wire) -> None:
    """Every frame captured on two interfaces, 30 us apart."""
    talk = Talk(wire).open()
    for _ in range(20):
        talk.ask(GET, VALUE)
    talk.close()
    wire.heard += [Bare(item.t_ns + 30_000, item.data) for item in wire.heard]


def one_direction_captured(wire: Wire) -> None:
    Talk(wire).open().ask(GET, VALUE).ask(GET, VALUE).ask(BRPOP)
    wire.heard = [item for item in wire.heard if item.data[16:20] == bytes([10, 0, 0, 9])]


def idle_limit_of_the_server(wire: Wire) -> None:
    """Redis' `timeout 300`: it closes, and the client's next command comes too late."""
    talk = Talk(wire).open().ask(GET, VALUE).say(SERVER, "FA", after=300).say(CLIENT, "A")
    talk.say(CLIENT, "PA", GET, after=20).say(SERVER, "R", after=0.0003)


def forged_far_away(wire: Wire) -> None:
    """An RST outside the window, which its receiver drops."""
    talk = Talk(wire).open().ask(GET, VALUE)
    talk.say(SERVER, "R", seq=talk.seq[SERVER] + 5_000_000, after=0.5)
    talk.ask(GET, VALUE).close()


@pytest.mark.parametrize(
    "story",
    [
        polling, blocked_for_ever, closes, requests, port_checks, tls, replica, workers_stopped,
        subscriber, long_query, aborted_download, twice, one_direction_captured,
        idle_limit_of_the_server, forged_far_away,
    ],
)  # fmt: skip
def test_a_healthy_day_has_no_findings(story: Story) -> None:
    wire = Wire()
    story(wire)
    assert wire.rules() == []


def dead_consumer(wire: Wire) -> None:
    """Redis' own keepalive (300 s) finds a client's host dead; nothing else is known of it."""
    talk = Talk(wire).open().ask(BRPOP)
    for number in range(9):
        talk.probe(SERVER, after=3 if number else 300, window=None)
    talk.say(SERVER, "RA", after=3)


def evicted_consumer(wire: Wire) -> None:
    """The same, but the client's host goes on talking on another connection."""
    dead_consumer(wire)
    talk = Talk(wire, 1).open()
    for _ in range(40):
        talk.ask(GET, VALUE, after=10)


def idle_then_lost(wire: Wire) -> None:
    for number in range(3):
        Talk(wire, number, at=7.0 * number).open().ask(GET, VALUE).insist(BRPOP, after=400)


def idle_then_reset(wire: Wire) -> None:
    talk = Talk(wire).open().ask(GET, VALUE).say(CLIENT, "PA", GET, after=420)
    talk.say(SERVER, "R", after=0.0006)


def another_port(wire: Wire) -> None:
    """At the server: a NAT forgot the client and gave it another port."""
    Talk(wire).open().ask(GET, VALUE)
    talk = Talk(wire, 9999, at=600)
    talk.say(CLIENT, "PA", GET).say(SERVER, "R", after=0.0001)


def restarted(wire: Wire) -> None:
    talk = Talk(wire).open().ask(BRPOP).probe(CLIENT, after=60, window=None)
    talk.say(SERVER, "R", after=0.0004)


def stopped_server(wire: Wire) -> None:
    for number in range(3):
        talk = Talk(wire, number).open().ask(GET, VALUE).ask(GET)
        for _ in range(6):
            talk.probe(CLIENT, after=15)


def stopped_reader(wire: Wire) -> None:
    talk = Talk(wire).open().ask(resp("SUBSCRIBE", "n"), SUBSCRIBED)
    for left in range(40, -1, -1):
        talk.say(SERVER, "PA", MESSAGE).say(CLIENT, "A", after=0.0001, window=left * 8)
    for step in range(8):
        talk.probe(SERVER, after=0.2 * 2**step, window=0)


def dead_server(wire: Wire) -> None:
    """Five clients in mid-work, and those who then try to connect."""
    for number in range(5):
        talk = Talk(wire, number).open()
        for _ in range(10):
            talk.ask(GET, VALUE)
        talk.insist(GET)
    for number in range(3):
        talk = Talk(wire, 50 + number, at=5.0)
        syn = talk.seq[CLIENT]
        talk.say(CLIENT, "S")
        for _ in range(4):
            talk.say(CLIENT, "S", seq=syn, after=1)


def refused_again_and_again(wire: Wire) -> None:
    for number in range(60):
        talk = Talk(wire, number, at=0.1 * number).say(CLIENT, "S")
        talk.say(SERVER, "RA", seq=0, after=0.0003)


def too_many_clients(wire: Wire) -> None:
    for number in range(40):
        talk = Talk(wire, number, at=0.05 * number).open()
        talk.say(SERVER, "PA", b"-ERR max number of clients reached\r\n").close(SERVER)


TOO_MANY = b"-ERR max number of clients reached\r\n"


def too_many_and_crossed(wire: Wire) -> None:
    """The client's first command crosses the error, and is answered by an RST."""
    for number in range(40):
        talk = Talk(wire, number, at=0.05 * number).open()
        talk.say(SERVER, "PA", TOO_MANY).ask(resp("HELLO", "3"), after=0.00001)
        talk.say(SERVER, "FA").say(SERVER, "R")


def too_many_and_asked(wire: Wire) -> None:
    """A server that reads first what it will not do."""
    for number in range(40):
        talk = Talk(wire, number, at=0.05 * number).open().ask(resp("HELLO", "3"))
        talk.say(SERVER, "PA", TOO_MANY).close(SERVER)


def without_password(wire: Wire) -> None:
    for number in range(40):
        talk = Talk(wire, number, at=0.05 * number).open().ask(resp("BRPOP", "q", "0"))
        talk.say(SERVER, "PA", b"-NOAUTH Authentication required.\r\n").close()


def one_error_among_replies(wire: Wire) -> None:
    """A script that the server does not know yet is sent, and works: forty healthy clients."""
    for number in range(40):
        talk = Talk(wire, number, at=0.05 * number).open().ask(resp("EVALSHA", "abc", "0"))
        talk.say(SERVER, "PA", b"-NOSCRIPT No matching script.\r\n")
        talk.ask(resp("EVAL", "return 1", "0")).say(SERVER, "PA", OK).close()


def impatient(wire: Wire) -> None:
    """A read timeout of 5 s below a block timeout of 30 s."""
    for number in range(5):
        Talk(wire, number, at=5.2 * number).open().ask(resp("BRPOP", "q", "30")).close(after=5)


@pytest.mark.parametrize(
    ("story", "rules"),
    [
        (dead_consumer, ["black-hole", "zombie-consumer"]),
        (evicted_consumer, ["keepalive-too-slow", "middlebox-eviction", "zombie-consumer"]),
        (idle_then_lost, ["middlebox-eviction"]),
        (idle_then_reset, ["middlebox-eviction"]),
        (another_port, ["half-open"]),
        (restarted, ["half-open"]),
        (stopped_server, ["frozen-peer"]),
        (stopped_reader, ["slow-reader"]),
        (dead_server, ["black-hole", "syn-black-hole"]),
        (refused_again_and_again, ["reconnect-storm", "refused"]),
        (too_many_clients, ["reconnect-storm"]),
        (too_many_and_crossed, ["reconnect-storm"]),
        (too_many_and_asked, ["reconnect-storm"]),
        (without_password, ["reconnect-storm"]),
        (one_error_among_replies, []),
        (impatient, ["read-timeout-below-block"]),
    ],
)
def test_an_incident_is_called_by_its_name(story: Story, rules: list[str]) -> None:
    wire = Wire()
    story(wire)
    assert wire.rules() == rules


@pytest.mark.parametrize("story", [too_many_clients, too_many_and_crossed, too_many_and_asked])
def test_a_storm_says_what_the_server_said(story: Story) -> None:
    wire = Wire()
    story(wire)
    (storm,) = (one for one in find(wire.facts()) if one.rule == "reconnect-storm")
    assert "(40 answered by nothing but an error (ERR MAX NUMBER OF CLI))" in storm.cause
