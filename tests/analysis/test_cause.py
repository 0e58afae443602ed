"""What told the client: what can be shown decides, and no library's text."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from pytest import param

from netdiag.analysis.cause import Wire
from netdiag.analysis.client import notice
from netdiag.analysis.replies import Reply
from netdiag.tcp.resp import ErrorReply
from netdiag.tcp.wire import ACK, FIN, RST, SYN

from .recorded import CLIENT, SECOND, event, frame, moments, seen, wire
from .test_client import CUT, app, error

if TYPE_CHECKING:
    from netdiag.analysis.wire import Frame
    from netdiag.recording import Event

OWN = "the client's own timeout"


@pytest.mark.parametrize(("number", "timer", "by"), [
    param(errno.ETIMEDOUT, "keepalive", "the kernel's keepalive timer", id="keepalive"),
    param(errno.ETIMEDOUT, "retransmission", "the kernel's retransmission timer", id="data"),
    param(errno.ETIMEDOUT, "persist", "the kernel's persist timer", id="zero window"),
    param(errno.ETIMEDOUT, "none", "a timer of the kernel", id="unseen"),
    param(errno.ECONNRESET, "keepalive", "a RST from the peer", id="reset"),
    param(errno.ECONNREFUSED, "none", "a RST to its SYN (refused)", id="refused"),
    param(errno.EHOSTUNREACH, "none", "an unreachable host (ARP or ICMP)", id="unreachable"),
    param(None, "keepalive", OWN, id="its own"),
])
def test_names_what_told_it(number: int | None, timer: str, by: str) -> None:
    story = moments(seen(9, "client", "ESTABLISHED"), seen(12, "client", "ESTABLISHED", timer),
                    error(13, number=number), seen(14, "client", "CLOSE"))
    found = notice(story, CUT)
    assert found is not None
    assert (found.by, found.errno) == (by, number)


@pytest.mark.parametrize(("last", "told", "by"), [
    param({"timer": "keepalive", "probes": 9, "retransmits": 9}, 13.01,
          "the kernel's keepalive timer", id="keepalive"),
    param({"timer": "retransmission", "probes": 0, "retransmits": 15}, 13.01,
          "the kernel's retransmission timer", id="data"),
    param({"timer": "keepalive", "probes": 0, "retransmits": 0}, 13.01, "a RST", id="reset"),
    param({"timer": "keepalive", "probes": 9, "retransmits": 9}, 14, OWN,
          id="the socket lived on"),
])
def test_who_tells_no_errno_is_seen_at_its_socket(
    last: dict[str, object], told: float, by: str
) -> None:
    """phpredis says `read error on connection`, whatever it was."""
    story = moments(
        event(12, "client.kernel", "socket", state="ESTABLISHED", **last),
        error(13, "RedisException", message="read error on connection"),
        event(told, "client.kernel", "socket_gone", last_state="ESTABLISHED", orphan=False),
    )
    found = notice(story, CUT)
    assert found is not None
    assert found.by == by


def test_a_rst_of_its_own_told_the_client_nothing() -> None:
    """It closes a socket in which something unread lies; here while it was frozen."""
    story = moments(
        app(9, "call", "start", command="BRPOP"),
        event(12, "client.kernel", "socket", state="ESTABLISHED", timer="none"),
        app(13, "signal", signal="SIGCONT"),
        error(13.001, "TimeoutError"),
        event(13.002, "client.kernel", "socket_gone", last_state="ESTABLISHED", orphan=False,
              client=CLIENT),
    )
    for sender, told in ((0, OWN), (1, "a RST from the peer")):
        found = notice(story, CUT, wire([frame(13.0005, sender, RST)]))
        assert found is not None
        assert found.by == told


def by(seen_there: Wire, *events: Event) -> str:
    found = notice(moments(*events), CUT, seen_there)
    assert found is not None
    return found.by


@pytest.mark.parametrize(("frames", "by"), [
    param([], OWN, id="nothing came"),
    param([frame(12.99, 1, ACK)], OWN, id="no end"),
    param([frame(12.99, 1, FIN | ACK)], "a FIN from the peer", id="a FIN"),
    param([frame(12.99, 1, RST)], "a RST from the peer", id="a RST"),
    param([frame(12.99, 0, RST, injected="injected by reset")], "a RST from the peer",
          id="a RST that the cable made"),
    param([frame(12.99, 1, RST, injected="injected by reset")], OWN,
          id="a RST that the cable made for the server"),
    param([frame(12.99, 1, FIN | ACK, taken="taken by cut")], OWN,
          id="a FIN that never came through"),
    param([frame(13.01, 1, FIN | ACK)], OWN, id="a FIN that came later"),
    param([frame(12.98, 0, FIN | ACK), frame(12.99, 1, FIN | ACK)], OWN,
          id="an answer to its own FIN"),
])
@pytest.mark.parametrize("what", ["disconnect", "connect"])
def test_who_dials_again_by_itself_was_told_by_what_came_and_by_no_pending_timer(
    what: str, frames: list[Frame], by: str
) -> None:
    """redis-py retries by itself; keepalive is on by default, so its timer is always pending."""
    story = moments(seen(9, "client", "ESTABLISHED", "keepalive"), app(8, "connect", "ok"),
                    app(9, "call", "start"), app(13, what, "start"))
    found = notice(story, CUT, wire(frames))
    assert found is not None
    assert found.by == by


def test_who_dials_again_after_its_kernel_gave_up_was_told_by_that_timer() -> None:
    story = moments(
        event(12, "client.kernel", "socket", state="ESTABLISHED", timer="keepalive", probes=9),
        app(13, "disconnect"), app(13.01, "connect", "start"),
        event(13.0, "client.kernel", "socket_gone", last_state="ESTABLISHED", orphan=False))
    found = notice(story, CUT)
    assert found is not None
    assert found.by == "the kernel's keepalive timer"


READ_ERROR = error(13, "RedisException", message="read error on connection")
SERVER_CLOSED = error(13, "ConnectionError", message="Connection closed by server.")
CALL = app(9, "call", "start", command="BRPOP")


@pytest.mark.parametrize("said", [READ_ERROR, SERVER_CLOSED])
@pytest.mark.parametrize(("frames", "events", "told"), [
    param([frame(12.99, 1, FIN | ACK)], [CALL], "a FIN from the peer", id="a FIN"),
    param([frame(12.99, 1, RST)], [CALL], "a RST from the peer", id="a RST"),
    param([], [CALL], OWN, id="nothing"),
    param([frame(12.99, 1, FIN | ACK, taken="taken by cut")], [CALL], OWN, id="a FIN was taken"),
    param([frame(10.5, 1, FIN | ACK)], [CALL], OWN, id="who waits is told at once"),
    param([frame(10.5, 1, FIN | ACK)], [app(12.99, "call", "start")], "a FIN from the peer",
          id="it came before the call"),
    param([frame(10.5, 1, FIN | ACK)], [CALL, app(12.9, "signal", "ok", signal="SIGCONT")],
          "a FIN from the peer", id="it came while the program was frozen"),
    param([frame(9.9, 1, FIN | ACK)], [CALL], OWN, id="it came before the fault"),
    param([frame(12.8, 0, FIN | ACK), frame(12.99, 1, FIN | ACK)], [CALL], OWN,
          id="it answers the client's own"),
    param([frame(8, 0, FIN | ACK), frame(8.1, 1, FIN | ACK),
           frame(12.9, 1, FIN | ACK, client="10.0.0.1:2")], [CALL], "a FIN from the peer",
          id="another connection of the client"),
    param([frame(12.98, 0, SYN), frame(12.99, 1, RST | ACK)],
          [app(8, "start"), app(12.97, "connect", "start")],
          "a RST to its SYN (refused)", id="a closed port"),
    param([frame(12.97, 0, SYN), frame(12.98, 1, SYN | ACK), frame(12.99, 1, RST)],
          [app(8, "start"), app(12.96, "connect", "start")], "a RST from the peer",
          id="accepted, then reset"),
])
def test_the_wire_tells_and_not_the_text(
    said: Event, frames: list[Frame], events: list[Event], told: str
) -> None:
    assert by(wire(frames), *events, said) == told


def answer(t: float, value: object) -> Reply:
    return Reply(CLIENT, value, 0, 1, 1, arrived=round(t * SECOND))  # type: ignore[arg-type]


@pytest.mark.parametrize(("replies", "told"), [
    param([answer(12.99, ErrorReply(b"NOGROUP no such key"))], "an error that the server answered",
          id="an error reply"),
    param([answer(12.99, ErrorReply(b"ERR")), answer(12.995, b"OK")], OWN,
          id="a later reply is none"),
    param([answer(9, ErrorReply(b"ERR"))], OWN, id="an error reply long ago"),
    param([answer(12.99, b"OK")], OWN, id="no error"),
])
def test_an_error_reply_is_named(replies: list[Reply], told: str) -> None:
    assert by(Wire(replies=replies), app(12.5, "call", "start"), error(13, "ResponseError")) == told


def test_what_fails_at_once_with_nothing_on_the_wire_is_no_timeout() -> None:
    started = app(12.999, "call", "start")
    assert by(Wire(), started, READ_ERROR) == "the client's own doing"


def test_of_several_sockets_the_one_that_died_tells_its_timer() -> None:
    """The leftover of an earlier connection is looked at, too."""
    def socket(t: float, client: str, **told: object) -> Event:
        return event(t, "client.kernel", "socket", client=client, **told)

    gone = event(13, "client.kernel", "socket_gone", client=CLIENT, last_state="ESTABLISHED")
    events = [socket(12, CLIENT, timer="keepalive", probes=3),
              socket(12.5, "10.0.0.1:2", timer="retransmission", retransmits=4), gone]
    assert by(Wire(), *events, READ_ERROR) == "the kernel's keepalive timer"
    assert by(Wire(), *events, error(13, number=errno.ETIMEDOUT)) == "the kernel's keepalive timer"
