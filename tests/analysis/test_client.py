"""When and how a client noticed, and when it worked again."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from pytest import param

from netdiag.analysis.client import asleep, false_timeouts, notice, recovered
from netdiag.analysis.wire import Frame
from netdiag.tcp.wire import ACK, FIN, RST, Segment

from .recorded import CLIENT, SECOND, analysed, cell, event, moments, seen

if TYPE_CHECKING:
    from netdiag.recording import Event

CUT = 10 * SECOND


def app(t: float, what: str, outcome: str = "info", **data: object) -> Event:
    return event(t, "client.app", what, outcome, **data)


def error(t: float, kind: str = "TimeoutError", number: int | None = None, message: str = ""
          ) -> Event:
    return app(t, "error", "fail", type=kind, errno=number, message=message)


@pytest.mark.parametrize(("events", "expected"), [
    param([], None, id="nothing"),
    param([error(9)], None, id="an error before the fault"),
    param([app(11, "connect", "ok")], None, id="a connection that was made"),
    param([app(11, "got", "ok", id="m1")], None, id="a message is no notice"),
    param([error(13)], (3.0, "the application got an error", "TimeoutError"), id="an error"),
    param([app(13, "exit", "fail", code=3)], (3.0, "the client ended with code 3", None),
          id="exit"),
    param([app(13, "connect", "fail", type="ConnectionError")],
          (3.0, "the library could not connect", "ConnectionError"), id="could not connect"),
    param([app(13, "disconnect"), app(13.01, "connect", "start")],
          (3.0, "the library dropped the connection and dialled again by itself", None),
          id="dials again by itself"),
    param([app(13, "disconnect"), error(13.02)],
          (3.0, "the application got an error", "TimeoutError"), id="drops, and tells"),
    param([app(13, "disconnect"), error(13.5)],
          (3.0, "the library dropped the connection and dialled again by itself", None),
          id="tells much later"),
])
def test_notices(events: list[Event], expected: tuple[float, str, str | None] | None) -> None:
    found = notice(moments(*events), CUT)
    assert (found and (found.t, found.how, found.type)) == expected


def test_without_a_fault_there_is_nothing_to_notice() -> None:
    assert notice(moments(error(11)), None) is None


@pytest.mark.parametrize(("number", "timer", "by"), [
    param(errno.ETIMEDOUT, "keepalive", "the kernel's keepalive timer", id="keepalive"),
    param(errno.ETIMEDOUT, "retransmission", "the kernel's retransmission timer", id="data"),
    param(errno.ETIMEDOUT, "persist", "the kernel's persist timer", id="zero window"),
    param(errno.ETIMEDOUT, "none", "a timer of the kernel", id="unseen"),
    param(errno.ECONNRESET, "keepalive", "a RST from the peer", id="reset"),
    param(errno.ECONNREFUSED, "none", "a RST to its SYN (refused)", id="refused"),
    param(errno.EHOSTUNREACH, "none", "an unreachable host (ARP or ICMP)", id="unreachable"),
    param(None, "keepalive", "the client's own timeout", id="its own"),
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
    param({"timer": "keepalive", "probes": 9, "retransmits": 9}, 14, "the client's own timeout",
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


def frame(t: float, side: int, flags: int, *, taken: str | None = None,
          injected: str | None = None) -> Frame:
    segment = Segment(b"", b"", 1, 2, 0, 0, flags, 0, 0, b"")
    return Frame(1, round(t * SECOND), side, CLIENT, None, segment, taken, injected)


@pytest.mark.parametrize(("frames", "by"), [
    param([], "the client's own timeout", id="nothing came"),
    param([frame(12.99, 1, ACK)], "the client's own timeout", id="no end"),
    param([frame(12.99, 1, FIN | ACK)], "a FIN from the peer", id="a FIN"),
    param([frame(12.99, 1, RST)], "a RST from the peer", id="a RST"),
    param([frame(12.99, 0, RST, injected="injected by reset")], "a RST from the peer",
          id="a RST that the cable made"),
    param([frame(12.99, 1, RST, injected="injected by reset")], "the client's own timeout",
          id="a RST that the cable made for the server"),
    param([frame(12.99, 1, FIN | ACK, taken="taken by cut")], "the client's own timeout",
          id="a FIN that never came through"),
    param([frame(13.01, 1, FIN | ACK)], "the client's own timeout", id="a FIN that came later"),
    param([frame(12.98, 0, FIN | ACK), frame(12.99, 1, FIN | ACK)], "the client's own timeout",
          id="an answer to its own FIN"),
])
@pytest.mark.parametrize("what", ["disconnect", "connect"])
def test_who_dials_again_by_itself_was_told_by_what_came_and_by_no_pending_timer(
    what: str, frames: list[Frame], by: str
) -> None:
    """redis-py retries by itself; keepalive is on by default, so its timer is always pending."""
    story = moments(seen(9, "client", "ESTABLISHED", "keepalive"), app(13, what, "start"))
    found = notice(story, CUT, frames=frames)
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


def test_a_fin_of_the_peer_is_named() -> None:
    closed = error(13, "ConnectionError", message="Connection closed by server.")
    found = notice(moments(closed), CUT)
    assert found is not None
    assert found.by == "a FIN from the peer"


def test_what_a_program_says_is_kept_short() -> None:
    found = notice(moments(error(13, message="x" * 10_000)), CUT)
    assert found is not None
    assert len(found.message) == 300


def got(t: float) -> Event:
    return app(t, "got", "ok", id="m1")


@pytest.mark.parametrize(("events", "healed", "expected"), [
    param([got(12)], None, None, id="nothing healed"),
    param([], 11, None, id="no message"),
    param([got(10.5)], 11, None, id="only before"),
    param([got(10.5), got(12.5), got(13)], 11, 1.5, id="the first one after"),
    param([app(11.5, "connect", "ok")], 11, None, id="a connection is not work"),
])
def test_recovers_when_a_message_is_consumed(
    events: list[Event], healed: int | None, expected: float | None
) -> None:
    assert recovered(moments(*events), None if healed is None else healed * SECOND) == expected


@pytest.mark.parametrize(("events", "expected"), [
    param([], None, id="never looked at"),
    param([app(5, "sleep", syscall="recvfrom", fd=24)], ("recvfrom(fd 24)", 5 * SECOND), id="fd"),
    param([app(5, "sleep", syscall="poll")], ("poll()", 5 * SECOND), id="no fd"),
    param([app(5, "sleep", syscall="poll"), app(6, "sleep", syscall=None)], None, id="woke up"),
    param([app(5, "sleep", syscall="poll"), app(6, "exit", code=0)], None, id="ended"),
])
def test_asleep(events: list[Event], expected: tuple[str, int] | None) -> None:
    assert asleep(moments(*events)) == expected


def test_of_two_looks_at_one_moment_the_later_counts() -> None:
    both = moments(app(5, "sleep", syscall="poll"), app(5, "sleep", syscall=None))
    assert asleep(both) is None


@pytest.mark.parametrize(("began", "expected"), [
    param(None, 3, id="no fault: all of them"),
    param(CUT, 1, id="before the fault"),
])
def test_false_timeouts(began: int | None, expected: int) -> None:
    story = moments(error(9), error(11), error(12), event(20, "netdiag", "end"))
    assert false_timeouts(story, began) == expected


def test_on_stored_recordings() -> None:
    zombie, keepalive, read_timeout = analysed("brpop-zombie").cells
    assert zombie.noticed is None
    assert keepalive.noticed is not None
    assert read_timeout.noticed is not None
    assert (keepalive.noticed.by, keepalive.noticed.errno) == (
        "the kernel's keepalive timer", errno.ETIMEDOUT)
    assert keepalive.noticed.t == pytest.approx(5, abs=0.7)
    assert (read_timeout.noticed.by, read_timeout.noticed.errno) == (
        "the client's own timeout", None)
    assert read_timeout.noticed.t == pytest.approx(3, abs=0.2)
    assert zombie.recovered is None
    assert keepalive.recovered is not None
    assert cell("healthy", "hasty").noticed is None
