"""The fate of every message; and whatever is recorded, the fates add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.analysis.kernel import SocketState
from netdiag.analysis.messages import account
from netdiag.analysis.model import FaultEffect, Message
from netdiag.analysis.wire import Reply

from .recorded import CLIENT, SECOND, analysed, cell, event, moments

if TYPE_CHECKING:
    from netdiag.recording import Event

FATES = {"delivered", "late", "duplicated", "lost", "stuck", "unknown"}


def push(t: float, name: str = "m1", outcome: str = "ok") -> list[Event]:
    return [event(t, "netdiag", "push", "start", id=name),
            event(t + 0.001, "netdiag", "push", outcome, id=name)]


def got(t: float, name: str = "m1") -> Event:
    return event(t, "client.app", "got", "ok", id=name)


def left(*names: str) -> Event:
    return event(30, "server.app", "left", "ok", ids=list(names))


END = event(30.1, "netdiag", "end")


def reply(t: float, name: str = "m1", *, arrived: float | None = None, sent: int = 1,
          taken: int = 0) -> Reply:
    return Reply(CLIENT, (b"jobs", name.encode()), round(t * SECOND), 1, 1000, sent, taken,
                 None if arrived is None else round(arrived * SECOND))


def cut(began: float, healed: float | None) -> FaultEffect:
    return FaultEffect("cut", "blackhole", "blocked", round(began * SECOND),
                       None if healed is None else round(healed * SECOND), began, healed, 1,
                       {"server data": 1}, 0, None)


def fate(events: list[Event], replies: list[Reply] | None = None,
         faults: list[FaultEffect] | None = None,
         sockets: dict[tuple[str, str], SocketState] | None = None) -> Message:
    (message,) = accounted([*events, END], replies or [], faults or [], sockets or {})
    return message


def accounted(events: list[Event], replies: list[Reply], faults: list[FaultEffect],
              sockets: dict[tuple[str, str], SocketState]) -> tuple[Message, ...]:
    return account(moments(*events), replies, faults, sockets)


SERVER_SIDE = SocketState("server", CLIENT, "ESTABLISHED", "retransmission", 0, False, None)


@pytest.mark.parametrize(("events", "replies", "faults", "expected", "text"), [
    param([*push(1), got(1.01), left()], [reply(1.005, arrived=1.006)], [], "delivered",
          "received at +1.01 s", id="delivered"),
    param([*push(1), left("m1")], [], [], "stuck", "still in the queue", id="stuck"),
    param([*push(1), got(1.1), got(2), left()], [], [], "duplicated", "received 2 times",
          id="duplicated"),
    param([*push(1), left()], [], [], "lost", "no reply that holds it was ever on the wire",
          id="lost in the server's host"),
    param([*push(1), left()], [reply(1.1, sent=5, taken=5)], [cut(0, None)], "lost",
          "sent 5 times, taken by the cable 5 times; the server's socket is gone",
          id="lost on the way"),
    param([*push(1), left()], [reply(1.1, arrived=1.2)], [], "lost",
          "reached the client's host at +1.20 s", id="lost in the client's host"),
    param([*push(1), left()], [reply(29.9, arrived=29.95)], [], "unknown",
          "just before the cell ended", id="on its way at the end"),
    param([*push(1), got(8), left()], [reply(1.1, sent=4, taken=3, arrived=7.9)], [cut(0.5, 6)],
          "late", "received 7.00 s after its pushing; its reply was sent 4 times", id="late"),
    param([*push(1), got(8), left()], [], [cut(0.5, 6)], "late", "it waited in the queue",
          id="late in the queue"),
    param([*push(1), got(8), left()], [], [cut(0.2, 0.5)], "delivered", "received",
          id="slow, but not because of the fault"),
    param([*push(7), got(7.1), left()], [], [cut(0.5, 6)], "delivered", "received",
          id="after the healing"),
    param([*push(1)], [], [], "unknown", "the recording ends before", id="cut short"),
])
def test_fates(events: list[Event], replies: list[Reply], faults: list[FaultEffect],
               expected: str, text: str) -> None:
    message = fate(events, replies, faults)
    assert message.fate == expected
    assert text in message.text


def test_a_reply_that_the_server_still_sends_again_says_so() -> None:
    message = fate([*push(1), left()], [reply(1.1, sent=5, taken=5)], [cut(0, None)],
                   {("server", CLIENT): SERVER_SIDE})
    assert "the server's kernel still retransmits it to nobody" in message.text


def test_a_message_that_the_server_refused_was_never_there() -> None:
    assert accounted([*push(1, outcome="fail"), left(), END], [], [], {}) == ()


NAMES = ["m1", "m2", "m3", "m4"]
STORY = st.fixed_dictionaries({
    "pushed": st.dictionaries(st.sampled_from(NAMES), st.tuples(
        st.floats(0, 20), st.sampled_from(["ok", "fail", None])), max_size=4),
    "got": st.lists(st.tuples(st.floats(0, 29), st.sampled_from([*NAMES, "stranger"])), max_size=8),
    "left": st.none() | st.lists(st.sampled_from([*NAMES, "stranger"]), max_size=4),
    "replies": st.lists(st.builds(reply, st.floats(0, 29), st.sampled_from(NAMES),
                                  arrived=st.none() | st.floats(0, 30)), max_size=5),
    "faults": st.lists(st.builds(cut, st.floats(0, 10), st.none() | st.floats(10, 20)),
                       max_size=2)})


@settings(deadline=None)
@given(STORY)
def test_the_fates_add_up_to_what_was_pushed(story: dict[str, object]) -> None:
    """Each message that the server took has one fate; nothing is received that was never pushed;
    a message that was received is neither lost nor stuck."""
    pushed, received = story["pushed"], story["got"]
    assert isinstance(pushed, dict)
    assert isinstance(received, list)
    events = [END]
    for name, (t, outcome) in pushed.items():
        events += push(t, name, outcome)[: 2 if outcome else 1]
    events += [got(t, name) for t, name in received]
    if isinstance(story["left"], list):
        events.append(left(*story["left"]))
    found = accounted(events, story["replies"], story["faults"], {})  # type: ignore[arg-type]
    accepted = {name for name, (_, outcome) in pushed.items() if outcome == "ok"}
    assert {message.id for message in found} == accepted
    assert len(found) == len(accepted)
    assert {message.fate for message in found} <= FATES
    for message in found:
        times = sum(name == message.id for _, name in received)
        assert (message.received is not None) == (times > 0)
        assert (message.fate in ("delivered", "late")) == (times == 1)
        assert (message.fate == "duplicated") == (times > 1)
        assert message.text
    if story["left"] is None:
        assert not {"lost", "stuck"} & {message.fate for message in found}


@pytest.mark.parametrize(("name", "cell_id", "fates"), [
    param("brpop-zombie", "zombie", {"m1": "stuck"}, id="stuck"),
    param("brpop-zombie", "keepalive", {"m1": "delivered"}, id="delivered"),
    param("reply-lost", "reply-lost", {"m1": "lost", "m2": "delivered"}, id="lost"),
    param("request-in-flight", "default-retries", {"m1": "stuck"}, id="never asked for"),
    param("healthy", "patient", {"m1": "delivered", "m2": "delivered"}, id="healthy"),
])
def test_on_stored_recordings(name: str, cell_id: str, fates: dict[str, str]) -> None:
    assert {message.id: message.fate for message in cell(name, cell_id).messages} == fates


def test_a_lost_message_says_where_it_went() -> None:
    (lost,) = analysed("reply-lost").cells[0].fated("lost")
    assert lost.text.startswith("left the server at +0.00 s for client 10.0.0.1:")
    assert lost.text.endswith("where its socket was closed by then: lost")
    assert lost.popped == pytest.approx(0, abs=0.01)
