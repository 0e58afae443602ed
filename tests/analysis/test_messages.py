"""The fate of every message; and whatever is recorded, the fates add up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.analysis.kernel import SocketState, last_states
from netdiag.analysis.messages import account
from netdiag.analysis.model import FATES, FaultEffect, Message
from netdiag.analysis.replies import Reply
from netdiag.catalogue.patterns import PATTERNS

from .recorded import CLIENT, SECOND, analysed, cell, event, gone, moments, seen

if TYPE_CHECKING:
    from netdiag.recording import Event

def push(t: float, name: str = "m1", outcome: str = "ok", answer: object = 1) -> list[Event]:
    return [event(t, "netdiag", "push", "start", id=name),
            event(t + 0.001, "netdiag", "push", outcome, id=name, answer=answer)]


def got(t: float, name: str = "m1", what: str = "got", who: str = "") -> Event:
    return replace(event(t, "client.app", what, "ok", id=name), who=who)


def done(t: float, name: str = "m1", who: str = "") -> list[Event]:
    return [got(t, name, who=who), got(t + 0.1, name, "processed", who)]


def left(*names: str, **places: list[str]) -> Event:
    return event(30, "server.app", "left", "ok", ids=list(names), **places)


def end(t: float, who: str = "") -> Event:
    return replace(event(t, "client.app", "exit", "fail", code=-9), who=who)


def call(t: float, name: str) -> Event:
    return event(t, "client.app", "call", "start", command="RPUSH", id=name)


END = event(30.1, "netdiag", "end")
REFUSED = event(30, "server.app", "refused", "fail", asked="left", reason="BUSY")


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
         sockets: dict[tuple[str, str], SocketState] | None = None,
         pattern: str = "brpop") -> Message:
    (message,) = accounted([*events, END], replies or [], faults or [], sockets or {}, pattern)
    return message


def accounted(events: list[Event], replies: list[Reply], faults: list[FaultEffect],
              sockets: dict[tuple[str, str], SocketState],
              pattern: str = "brpop") -> tuple[Message, ...]:
    return account(moments(*events), replies, faults, sockets, PATTERNS[pattern])


SERVER_SIDE = SocketState("server", CLIENT, "ESTABLISHED", "retransmission", 0, False, None)


@pytest.mark.parametrize(("events", "replies", "faults", "expected", "text"), [
    param([*push(1), got(1.01), left()], [reply(1.005, arrived=1.006)], [], "delivered",
          "received at +1.010 s", id="delivered"),
    param([*push(1), left("m1")], [], [], "stuck", "still in the queue", id="stuck"),
    param([*push(1), got(1.1), got(2), left()], [], [], "duplicated", "received 2 times",
          id="duplicated"),
    param([*push(1), left()], [reply(1, "m0")], [], "lost",
          "no reply that holds it was ever on the wire", id="lost in the server's host"),
    param([*push(1), left()], [], [], "lost", "popped; what is on the wire cannot be read",
          id="lost under TLS"),
    param([*push(1), left()], [reply(1.1, sent=5, taken=5)], [cut(0, None)], "zombie",
          "popped at +1.100 s for client 10.0.0.1:40000; taken by the cable 5 times, reply "
          "retransmitted 4 times, the server's socket is gone: taken by a zombie",
          id="for a connection that was cut before"),
    param([*push(1), left()], [reply(1.1, sent=5, taken=5)], [cut(1.1, None)], "lost",
          "the server's socket is gone: lost", id="the reply itself was cut"),
    param([*push(1), left()], [reply(1.1, sent=2, taken=1)], [cut(1.2, None)], "lost",
          "taken by the cable once, reply retransmitted once", id="lost on the way"),
    param([*push(1), left()], [reply(1.1)], [cut(1.1, None)], "lost",
          "not all of it reached the client's host, the server's socket is gone: lost",
          id="lost in part"),
    param(push(1, outcome="fail", answer="OOM"), [], [], "refused", "did not take it: OOM",
          id="refused"),
    param(push(1)[:1], [], [], "unknown", "never said whether it took it", id="no answer"),
    param([*push(1)[:1], got(2), left()], [], [], "delivered", "received", id="taken in silence"),
    param([*push(1), event(2, "server.app", "exit", "fail", code=-9, fault="f"), left()], [], [],
          "lost", "in the server's memory, which was gone at +2.000 s", id="died with the server"),
    param([*push(1), *done(2), got(3), got(4), end(5), left()], [], [], "delivered", "received",
          id="received again by a program that died with it"),
    param([*push(1), left()], [reply(1.1, arrived=1.2)], [], "lost",
          "reached the client's host at +1.200 s", id="lost in the client's host"),
    param([*push(1), left()], [reply(29.9, arrived=29.95)], [], "unknown",
          "just before the cell ended", id="on its way at the end"),
    param([*push(1), got(8), left()], [reply(1.1, sent=4, taken=3, arrived=7.9)], [cut(0.5, 6)],
          "late", "received 7.00 s after its pushing; its reply was sent 4 times, and was under "
          "way for 6.80 s", id="late"),
    param([*push(1), got(8), left()], [reply(7.5, arrived=7.6)], [cut(0.5, 6)], "late",
          "received 7.00 s after its pushing; it waited in the queue for 6.50 s",
          id="late in the queue, and sent at last"),
    param([*push(1), got(8), left()], [reply(1.1, arrived=1.2)], [cut(0.5, 6)], "late",
          "received 7.00 s after its pushing; it lay in its client's host for 6.80 s",
          id="late in a program that was frozen"),
    param([*push(1), got(8), left()], [], [cut(0.5, 6)], "late",
          "received 7.00 s after its pushing", id="late under TLS"),
    param([*push(1), got(8), left()], [], [cut(0.2, 0.5)], "delivered", "received",
          id="slow, but not because of the fault"),
    param([*push(1), got(8), left()], [], [replace(cut(0.5, None), lasts=False)], "delivered",
          "received", id="slow, long after a reset"),
    param([*push(1), got(8), left()], [], [replace(cut(2, None), lasts=False)], "late",
          "received 7.00 s after its pushing", id="late because of a reset"),
    param([*push(1), left()], [reply(1.1, sent=5, taken=5)],
          [replace(cut(0, None), lasts=False), cut(1.1, None)], "lost",
          "the server's socket is gone: lost", id="cut after a reset was over"),
    param([*push(7), got(7.1), left()], [], [cut(0.5, 6)], "delivered", "received",
          id="after the healing"),
    param([*push(1)], [], [], "unknown", "the recording ends before", id="cut short"),
    param([*push(1), REFUSED], [], [], "unknown", "the server did not say what is left: BUSY",
          id="an error instead of a list"),
    param([*push(1), REFUSED], [reply(1.1, arrived=1.2)], [], "lost",
          "reached the client's host at +1.200 s", id="an error, but it had left the list"),
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


@pytest.mark.parametrize(("pattern", "events", "replies", "faults", "expected", "text"), [
    param("blmove", [*push(1), left(processing=["m1"])], [reply(1.1, sent=3, taken=3)],
          [cut(0, None)], "stuck", "popped at +1.100 s for client 10.0.0.1:40000; in the "
          "processing list", id="a processing list keeps it"),
    param("xreadgroup", [*push(1), left(pending=["m1"])], [reply(1.1, sent=3, taken=3)],
          [cut(0, None)], "stuck", "in the pending list", id="a pending list keeps it"),
    param("xreadgroup", [*push(1), left(ungrouped=["m1"])], [], [], "stuck",
          "in the stream, but the group is gone: who reads for it gets NOGROUP", id="no group"),
    param("xreadgroup", [*push(1), event(4, "server.app", "exit", "fail", code=-9), left()],
          [reply(1.1, sent=3, taken=3)], [cut(1, None)], "lost", "the server's socket is gone; "
          "kept in the server's memory, which was gone at +4.000 s: lost", id="kept in vain"),
    param("blmove", [*push(1), event(1.05, "server.app", "exit", "fail", code=-9), left()],
          [reply(1.1, arrived=1.2)], [], "lost", "reached the client's host",
          id="popped after the server had come back with it"),
    param("blmove", [*push(1), *done(1.1), left(processing=["m1"])], [], [], "delivered",
          "its acknowledgement never came, so it is in the processing list", id="lost its ACK"),
    param("blmove", [*push(1), event(5, "netdiag", "requeue", "ok", id="m1"), *done(5.1), left()],
          [], [cut(0, None)], "late", "it was given back at +5.000 s", id="a reaper mends it"),
    param("xreadgroup", [*push(1), *done(11.1), left()],
          [reply(1.5, sent=8, taken=7, arrived=15), reply(11, arrived=11.01)], [cut(0, 10)], "late",
          "popped at +1.500 s for client 10.0.0.1:40000; its reply, sent 8 times, had not arrived "
          "when it was given out again at +11.000 s for client 10.0.0.1:40000", id="claimed"),
    param("xreadgroup", [*push(1), *done(11.1), left()],
          [reply(1.5, arrived=1.6), reply(11, arrived=11.01)], [cut(0, 10)], "late",
          "reached the client's host at +1.600 s, but no consumer read it; given out again at "
          "+11.000 s", id="claimed from one that never read it"),
    param("blmove", [*push(1), *done(1.1), event(5, "netdiag", "requeue", "ok", id="m1"),
                     *done(5.1), left()],
          [], [], "duplicated", "given back at +5.000 s", id="done, not acknowledged, done again"),
    param("xreadgroup", [*push(1), got(2), end(3), *done(4, "m0"), left(pending=["m1"])], [], [],
          "stuck", "ended before it had done its work on it; in the pending list",
          id="its consumer died with it, and it is kept"),
    param("blmove", [*push(1), REFUSED], [reply(1.1, taken=1)], [cut(1, None)], "unknown",
          "did not say what is left", id="an error: it may be in the processing list"),
    param("subscribe", [call(0.5, "x"), *push(1, answer=0), left()], [], [], "lost",
          "the server counted 0 listeners; not listening", id="nobody listens"),
    param("subscribe", [call(0.5, "x"), *push(1), left()], [], [], "lost", "the server counted 1 "
          "listener; nothing of it was ever on the wire there: lost", id="dropped by the server"),
    param("subscribe", [call(0.5, "x"), *push(1), left()], [reply(1.1, sent=3, taken=3)],
          [cut(0, None)], "zombie", "counted 1 listener; sent at +1.100 s for client",
          id="a zombie is counted"),
    param("subscribe", [got(1.1, who="a"), got(1.1, who="b"), *push(1, answer=2), left()], [], [],
          "delivered", "at +1.100 s by a, at +1.100 s by b", id="every listener heard it"),
    param("request", [call(1, "m1"), got(1.1), left(executed=["m1"])], [], [], "delivered",
          "received", id="answered"),
    param("request", [call(1, "m1"), got(1.1), left(executed=["m1", "m1"])], [], [], "duplicated",
          "executed 2 times", id="sent again by the library"),
    param("request", [call(1, "m1"), event(4, "client.app", "error", "fail"), left(executed=[])],
          [], [], "lost", "never executed, and the caller got an error", id="never executed"),
    param("request", [call(1, "m1"), left(executed=["m1"])],
          [Reply(CLIENT, 1, SECOND, 1, 1, 2, 2, None)], [], "lost",
          "executed, but its answer was not received; taken by the cable twice", id="no answer"),
    param("request", [call(1, "m1"), event(4, "client.app", "error", "fail", id="m0"),
                      left(executed=[])],
          [], [], "unknown", "not answered", id="another request's error"),
    param("request", [call(1, "m1"), replace(end(4), who="b"), left(executed=[])], [], [],
          "unknown", "not answered", id="another client's end"),
    param("request", [call(1, "m1"), end(4), left(executed=[])], [], [], "lost",
          "never executed, and the caller ended: lost", id="the caller's end"),
    param("request", [replace(call(1, "m1"), who="a"), replace(call(2, "m1"), who="b"),
                      left(executed=["m1", "m1"])],
          [], [], "unknown", "a and b made a message of this name", id="a name of two"),
    param("request", [call(1, "m1"), got(4), left(executed=["m1"])],
          [Reply(CLIENT, 1, 3 * SECOND, 1, 1, 1, 0, 3 * SECOND)], [cut(1, 3)], "late",
          "answered 3.00 s after it was made; the server did not answer for 2.00 s", id="late"),
    param("request", [event(4, "client.app", "error", "fail", id="m1"), left(executed=[])], [], [],
          "lost", "never sent: the caller got an error before its call: lost", id="nobody to dial"),
    param("request", [call(1, "m1"), event(4, "client.app", "error", "fail", id="m1"),
                      event(5, "server.app", "exit", "fail", code=-9), left(executed=[])], [], [],
          "lost", "not answered, and the caller got an error; the server ended at +5.000 s, so "
          "nobody knows whether it was executed: lost", id="a server that forgot"),
    param("raw", [call(1, "m1"), event(4, "client.app", "error", "fail"), left()], [], [],
          "lost", "nothing came back, and the caller got an error: lost", id="no protocol"),
    param("raw", [call(1, "m1"), got(4), left()], [], [cut(1, 3)], "late",
          "answered 3.00 s after it was made", id="late, without a protocol"),
    param("request", [call(29.9, "m1"), left(executed=[])], [], [], "unknown", "not answered",
          id="under way at the end"),
])
def test_fates_in_other_patterns(pattern: str, events: list[Event], replies: list[Reply],
                                 faults: list[FaultEffect], expected: str, text: str) -> None:
    told = accounted([*events, END], replies, faults, {}, pattern)
    (message,) = [one for one in told if one.id == "m1"]
    assert message.fate == expected
    assert text in message.text


def taken(t: float, arrived: float | None, followed: float | None = None) -> Reply:
    """A reply with m1, and when its service sent something new after it."""
    ns = None if followed is None else round(followed * SECOND)
    return replace(reply(t, arrived=arrived, taken=int(arrived is None)), followed=ns)


@pytest.mark.parametrize(("pattern", "pushed", "replies", "faults", "expected", "text"), [
    param("brpop", push(1), [taken(1.1, 1.1, 1.2)], [], "delivered",
          "reached the service at +1.100 s; the service went on at +1.200 s", id="it went on"),
    param("brpop", push(1), [taken(1.1, 7, 7.1)], [cut(1, 6)], "late",
          "reached the service 6.00 s after its pushing", id="late"),
    param("brpop", push(1), [taken(1.1, 1.2)], [], "unknown", "nobody can tell whether it was read",
          id="nothing came after it"),
    param("brpop", push(1), [taken(1.1, None)], [cut(1, None)], "zombie", "taken by a zombie",
          id="for a connection that was cut before"),
    param("brpop", push(1), [], [], "unknown", "another service may have it", id="over no cable"),
    param("xreadgroup", push(1), [taken(1.1, 1.1, 1.2), taken(9, 9, 9.1)], [], "duplicated",
          "taken by a service 2 times: at +1.100 s, at +9.000 s", id="twice"),
    param("subscribe", push(1, answer=0), [], [], "lost", "nobody listened", id="to nobody"),
    param("subscribe", push(1), [], [], "unknown", "another service may have it",
          id="to another subscriber"),
    param("subscribe", push(1), [taken(1.1, 1.2)], [], "unknown", "nobody can tell",
          id="to a subscriber"),
])
def test_fates_of_what_a_service_took(pattern: str, pushed: list[Event], replies: list[Reply],
                                      faults: list[FaultEffect], expected: str, text: str) -> None:
    """It says nothing of itself: that a message reached its host proves nothing."""
    (told,) = account(moments(*pushed, left(), END), replies, faults, {}, PATTERNS[pattern],
                      mute="jobs")
    assert told.fate == expected
    assert text in told.text


def test_what_a_dead_program_had_not_done_is_lost() -> None:
    events = [*push(0.5, "m0"), *done(0.6, "m0"), *push(1), got(3), end(4), left(), END]
    _, lost = accounted(events, [], [], {})
    assert lost.fate == "lost"
    assert lost.text == \
        "received at +3.000 s, which ended before it had done its work on it: lost"


def test_who_was_closed_by_its_client_before_the_reply_is_a_zombie() -> None:
    """The client gave up, and its FIN was lost: its kernel still answers, but nobody is there."""
    given_up = event(1, "client.kernel", "socket", client=CLIENT, state="FIN-WAIT-1", orphan=True)
    told = fate([given_up, *push(2), left()], [reply(2.1, arrived=2.2)], [cut(1, 2)])
    assert told.fate == "zombie"
    assert told.text.endswith("where its socket was closed by then: taken by a zombie")
    later = fate([*push(0.1), given_up, left()], [reply(0.5, arrived=2.2)], [cut(1, 2)])
    assert later.fate == "lost"


def test_what_is_behind_unacknowledged_messages_waits_in_the_servers_kernel() -> None:
    events = [call(0.5, "x"), *push(1), left()]
    full = replace(SERVER_SIDE, send_queue=70)
    told = fate(events, [], [cut(0, None)], {("server", CLIENT): full}, pattern="subscribe")
    assert told.text == ("the server counted 1 listener; it waits in the server's kernel behind "
                         "what nobody acknowledges: lost")


def test_a_subscriber_that_was_late_is_told_of_by_its_own_reply() -> None:
    """Both had it sent at once; the frozen one read it when it was thawed."""
    other = "10.0.1.1:40000"
    sockets = [replace(seen(0, "client", "ESTABLISHED", client=client), who=who)
               for client, who in ((CLIENT, "cut"), (other, "well"))]
    replies = [reply(1.1, arrived=5, sent=4), replace(reply(1.1, arrived=1.2), client=other)]
    story = [got(1.2, who="well"), got(5, who="cut")]
    events = [*sockets, *push(1), *story, left()]
    told = fate(events, replies, [cut(0.5, 4)], pattern="subscribe")
    backed_up = [replace(reply(4.8, arrived=4.9)), replies[1]]
    queued = fate(events, backed_up, [cut(0.5, 4)], pattern="subscribe")
    assert queued.text.endswith("; it waited at the server for 3.80 s")
    assert told.text == ("received by cut 4.00 s after its pushing; its reply was sent 4 times, "
                         "and was under way for 3.90 s")


def test_of_several_clients_each_accounts_for_the_requests_it_made() -> None:
    events = [replace(call(1, "a:r1"), who="a"), replace(call(1, "b:r1"), who="b"),
              got(2, "stranger", who="b"), left(executed=["a:r1"]), END]
    told = {who: [one.id for one in account(
                moments(*events), [], [], {}, PATTERNS["request"], who=who)]
            for who in ("", "a", "b")}
    assert told == {"": ["a:r1", "b:r1", "stranger"], "a": ["a:r1"], "b": ["b:r1", "stranger"]}
    pushed = [*push(1), got(2, who="a"), left(), END]
    (message,) = account(moments(*pushed), [], [], {}, PATTERNS["brpop"], who="b")
    assert message.id == "m1", "a queue's messages are everybody's"


def test_a_reply_was_for_the_socket_that_had_the_port_then() -> None:
    """The client of the first life was gone before the reply; the second one says nothing of it."""
    events = [seen(1, "client", "ESTABLISHED"), seen(1, "server", "ESTABLISHED"),
              gone(3, "client"), gone(6, "server"),
              seen(8, "client", "ESTABLISHED"), seen(8, "server", "ESTABLISHED")]
    replies = [replace(reply(5, arrived=5.1), began=SECOND),
               replace(reply(9, arrived=9.1), began=8 * SECOND),
               replace(reply(5, taken=1), began=SECOND),
               replace(reply(9, taken=1), began=8 * SECOND)]
    told = [fate([*push(2), *events, left()], [one], sockets=last_states(events))
            for one in replies]
    assert [one.fate for one in told] == ["zombie", "lost", "lost", "lost"]
    for one, where in zip(told, ("where its socket was closed by then", "but no consumer read it",
                                 "the server's socket is gone", "still retransmits it to nobody"),
                          strict=True):
        assert where in one.text


def test_a_socket_that_was_closed_after_the_reply_was_not_closed_by_then() -> None:
    events = [seen(1, "client", "ESTABLISHED"), gone(9, "client")]
    told = fate([*push(2), *events, left()], [reply(3, arrived=3.1)], sockets=last_states(events))
    assert "where its socket was closed at +9.000 s, before a consumer read it: lost" in told.text


def test_another_clients_frozen_program_explains_nothing() -> None:
    events = [replace(one, who=who) for who in ("a", "b") for one in (
        seen(0.1, "client", "ESTABLISHED", client=f"10.0.{who == 'b':d}.1:40000"),
        event(1, "client.app", "call", "start", command="BRPOP"))]
    frozen = replace(event(2, "client.app", "signal", "ok", signal="SIGSTOP"), who="b")
    texts = [accounted([*push(1), *events, frozen, left(), END],
                       [replace(reply(3, arrived=3.1), client=f"10.0.{number}.1:40000")], [], {}
                       )[0].text for number in (0, 1)]
    assert "but no consumer read it" in texts[0]
    assert "where its program was frozen" in texts[1]


def test_what_nobody_produced_is_unexpected() -> None:
    _, stranger = accounted([*push(1), got(2), got(3, "m7"), left(), END], [], [], {})
    assert (stranger.id, stranger.fate) == ("m7", "unexpected")
    assert stranger.text == "received at +3.000 s, but nobody produced it"


def test_a_client_is_called_as_the_server_calls_it() -> None:
    rows = [{"id": "8", "addr": CLIENT}]
    listed = event(0, "server.app", "client_list", clients=rows)
    named = replace(seen(0, "client", "ESTABLISHED"), who="c")
    told = accounted([listed, named, *push(1), left(), END], [reply(1.1, taken=1)], [], {})
    assert "popped at +1.100 s for c (client 8); taken by the cable once" in told[0].text


NAMES = ["m1", "m2", "m3", "m4"]
STORY = st.fixed_dictionaries({
    "pushed": st.dictionaries(st.sampled_from(NAMES), st.tuples(
        st.floats(0, 20), st.sampled_from(["ok", "fail", None])), max_size=4),
    "got": st.lists(st.tuples(st.floats(0, 29), st.sampled_from([*NAMES, "stranger"])), max_size=8),
    "said": st.lists(st.tuples(st.floats(0, 29), st.sampled_from([*NAMES, "stranger"]),
                               st.sampled_from(["processed", "acknowledged", "call", "error"]),
                               st.sampled_from(["", "a", "b"])), max_size=8),
    "ends": st.lists(st.floats(0, 29), max_size=2),
    "pattern": st.sampled_from(sorted(PATTERNS)),
    "place": st.sampled_from(["ids", "processing", "pending", "executed"]),
    "left": st.none() | st.lists(st.sampled_from([*NAMES, "stranger"]), max_size=4),
    "replies": st.lists(st.builds(reply, st.floats(0, 29), st.sampled_from(NAMES),
                                  arrived=st.none() | st.floats(0, 30)), max_size=5),
    "faults": st.lists(st.builds(cut, st.floats(0, 10), st.none() | st.floats(10, 20)),
                       max_size=2)})


def told_by(story: dict[str, Any]) -> tuple[list[Event], set[str]]:
    """A story's events, and the names of what is produced in it."""
    events = [END]
    for name, (t, outcome) in story["pushed"].items():
        events += push(t, name, outcome)[: 2 if outcome else 1]
    events += [got(t, name) for t, name in story["got"]]
    events += [got(t, name, what, who) for t, name, what, who in story["said"]]
    events += [end(t) for t in story["ends"]]
    if story["left"] is not None:
        events.append(event(30, "server.app", "left", "ok", **{story["place"]: story["left"]}))
    if PATTERNS[story["pattern"]].own_messages:
        return events, {name for _, name, what, _ in story["said"] if what in ("call", "error")}
    return events, set(story["pushed"])


@settings(deadline=None)
@given(STORY)
def test_the_fates_add_up_to_what_was_produced(story: dict[str, Any]) -> None:
    """Each message that was produced has one fate; nothing else has one, but for what was received
    without having been produced, which is unexpected."""
    events, produced = told_by(story)
    found = accounted(events, story["replies"], story["faults"], {}, story["pattern"])
    expected = [message for message in found if message.fate != "unexpected"]
    assert sorted(message.id for message in expected) == sorted(produced)
    received = {name for _, name in story["got"]}
    assert {one.id for one in found if one.fate == "unexpected"} == received - produced
    assert {message.fate for message in found} <= set(FATES)
    for message in found:
        assert message.text
        assert (message.received is not None) == (message.id in received)
        if message.fate in ("delivered", "late"):
            assert message.id in received


@settings(deadline=None)
@given(STORY)
def test_a_queue_gives_each_message_once_or_says_so(story: dict[str, Any]) -> None:
    """Where programs do not die and say nothing of their work, receipts alone decide."""
    story = {**story, "said": [], "ends": [], "pattern": "brpop"}
    events, _ = told_by(story)
    for message in accounted(events, story["replies"], story["faults"], {}):
        times = sum(name == message.id for _, name in story["got"])
        if message.fate == "unexpected":
            continue
        assert (message.fate in ("delivered", "late")) == (times == 1)
        assert (message.fate == "duplicated") == (times > 1)
        if story["left"] is None and not story["replies"]:
            assert message.fate not in ("lost", "stuck", "zombie")


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
    assert lost.text.startswith("popped at +0.000 s for client ")
    assert lost.text.endswith("where its socket was closed by then: lost")
    assert lost.popped == pytest.approx(0, abs=0.01)


def placed(t: float, place: int, *, arrived: float | None = None) -> Reply:
    """The answer to a request: its place in the server's list."""
    return replace(reply(t, arrived=arrived), value=place)


def started(t: float) -> Event:
    return event(t, "server.app", "started", "ok", fault="cut", pid=2)


@pytest.mark.parametrize(("again", "executed", "places", "expected"), [
    param([started(4)], ["m3", "m4"], (1, 2), {"m1": None, "m2": None, "m3": 5.1, "m4": 6.1},
          id="a memory that was lost"),
    param([started(4)], ["m1", "m2", "m3", "m4"], (3, 4),
          {"m1": 1.1, "m2": 2.1, "m3": 5.1, "m4": 6.1}, id="a memory that was kept"),
    param([started(4)], ["m1", "m3", "m4"], (2, 3),
          {"m1": 1.1, "m2": None, "m3": 5.1, "m4": 6.1}, id="a memory that lost its end"),
    param([event(4, "server.app", "docker", "ok", verb="restart")], ["m2", "m3", "m4"], (2, 3),
          {"m1": None, "m2": None, "m3": 5.1, "m4": 6.1}, id="executed anew"),
    param([], ["m1", "m2", "m3", "m4"], (3, 4), {"m1": 1.1, "m2": 2.1, "m3": 5.1, "m4": 6.1},
          id="no start"),
])
def test_a_place_in_a_list_that_is_gone_answers_nothing(
    again: list[Event], executed: list[str], places: tuple[int, int],
    expected: dict[str, float | None],
) -> None:
    calls = [call(t, f"m{number}") for number, t in enumerate((1, 2, 5, 6), 1)]
    replies = [placed(1.1, 1), placed(2.1, 2), placed(5.1, places[0]), placed(6.1, places[1])]
    told = accounted([*calls, *again, left(executed=executed), END], replies, [], {}, "request")
    assert {one.id: one.popped for one in told} == expected


def test_no_request_is_answered_before_it_is_made() -> None:
    """The server's start was not recorded: what was answered sooner was another's all the same."""
    told = accounted([call(1, "m1"), call(5, "m2"), left(executed=["m2"]), END], [placed(1.1, 1)],
                     [], {}, "request")
    assert [one.popped for one in told] == [None, None]
