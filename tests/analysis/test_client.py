"""When and how a client noticed, and when it worked again."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from pytest import param

from netdiag.analysis.cause import Wire
from netdiag.analysis.client import asleep, false_timeouts, notice, recovered, recovered_on
from netdiag.analysis.replies import Reply
from netdiag.tcp.resp import ErrorReply
from netdiag.tcp.wire import ACK, FIN, SYN

from .recorded import SECOND, analysed, cell, event, frame, moments, wire

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
    param([app(13, "disconnect"), app(13.01, "connect", "start"),
           app(13.02, "connect", "fail", type="ConnectionError", errno=111)],
          (3.0, "the library dropped the connection and dialled again by itself", None),
          id="drops, and meets nobody"),
    param([app(13, "disconnect"), error(13.5)],
          (3.0, "the library dropped the connection and dialled again by itself", None),
          id="tells much later"),
])
def test_notices(events: list[Event], expected: tuple[float, str, str | None] | None) -> None:
    found = notice(moments(*events), CUT)
    assert (found and (found.t, found.how, found.type)) == expected


def test_without_a_fault_there_is_nothing_to_notice() -> None:
    assert notice(moments(error(11)), None) is None


MADE, CALL = app(8, "connect", "ok"), app(9, "call", "start")


@pytest.mark.parametrize(("before", "noticed"), [
    param([app(7, "start")], None, id="its first dial"),
    param([MADE, CALL, app(9.1, "got")], None, id="a request was answered"),
    param([MADE, CALL], 3.0, id="in the middle of a call"),
    param([MADE, CALL, app(9.1, "error", "fail"), app(9.2, "reconnect"), app(9.3, "call")], None,
          id="after an error of before"),
    param([MADE, CALL, app(9.1, "disconnect")], None, id="it had dropped its connection before"),
    param([MADE, CALL, app(9.1, "call")], None, id="another user of a pool, which has one yet"),
    param([MADE, CALL, app(9.1, "start")], None, id="a new process"),
])
def test_a_dial_tells_where_there_was_a_connection_for_the_call(
    before: list[Event], noticed: float | None
) -> None:
    """A PHP request makes its own connection, and a loop dials after an error, fault or not."""
    found = notice(moments(*before, app(13, "connect", "start"), event(20, "netdiag", "end")), CUT)
    assert (found and found.t) == noticed


def test_what_a_program_says_is_kept_short() -> None:
    found = notice(moments(error(13, message="x" * 10_000)), CUT)
    assert found is not None
    assert len(found.message) == 300


def got(t: float) -> Event:
    return app(t, "got", "ok", id="m1")


@pytest.mark.parametrize(("connections", "words", "noticed"), [
    param(1, [got(12), error(15)], None, id="consumed on its only connection: it was well again"),
    param(1, [error(11.5), got(12)], 1.5, id="told before"),
    param(1, [got(10.5), error(15)], 5.0, id="consumed while the fault lasted"),
    param(2, [got(12), error(15)], 5.0, id="of two, the other one may have been dead"),
])
def test_what_comes_when_all_was_well_again_is_no_notice(
    connections: int, words: list[Event], noticed: float | None
) -> None:
    syns = [frame(9, 0, SYN, client=f"10.0.0.1:{port}") for port in range(connections)]
    ended = [frame(8, 0, SYN, client="old"), frame(9, 0, FIN, client="old"),
             frame(9, 0, ACK, client="old")]
    found = notice(moments(*words, event(20, "netdiag", "end")), CUT, wire([*ended, *syns]),
                   healed=11 * SECOND)
    assert (found and found.t) == noticed


def test_an_error_that_was_answered_before_the_fault_too_is_no_notice() -> None:
    """NOAUTH, before and after: the server is well, and the client is set up wrongly."""
    def denied(t: float, text: str = "NOAUTH") -> list[Event]:
        return [app(t - 0.1, "call", "start"), app(t - 0.01, "disconnect"), error(t, message=text)]

    replies = [Reply("c", ErrorReply(b"NOAUTH"), 0, 1, 1, arrived=round(t * SECOND))
               for t in (8.98, 12.98, 14.98)]
    story = moments(*denied(9), *denied(13), event(20, "netdiag", "end"))
    assert notice(story, CUT, Wire(replies=replies)) is None
    found = notice(moments(*denied(9), *denied(13), *denied(15, "LOADING"),
                           event(20, "netdiag", "end")), CUT, Wire(replies=replies))
    assert found is not None
    assert (found.t, found.message) == (pytest.approx(4.99), "LOADING")


def test_says_on_which_connection_it_consumed_again() -> None:
    replies = [Reply(client, b"", 0, 1, 1, arrived=arrived * SECOND)
               for client, arrived in (("old", 9), ("new", 12), ("later", 14))]
    assert recovered_on(moments(got(13)), 11 * SECOND, replies) == "new"
    assert recovered_on(moments(got(10)), 11 * SECOND, replies) == ""


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
