"""A service that says nothing of itself: its tasks, its queue, what it noticed."""

from __future__ import annotations

import json

import pytest

from netdiag.analysis.messages import account
from netdiag.analysis.model import Backlog
from netdiag.analysis.moments import Moments
from netdiag.analysis.replies import Reply
from netdiag.analysis.service import notice, recovered, subject
from netdiag.analysis.watched import backlog, read
from netdiag.analysis.wire import Frame, WireLog
from netdiag.catalogue.patterns import PATTERNS
from netdiag.tcp.ends import BothEnds
from netdiag.tcp.tasks import name_of
from netdiag.tcp.wire import ACK, FIN, RST, Segment

from .recorded import CLIENT, SECOND, event, moments, seen
from .test_messages import END, cut
from .test_wire import tape

POOL = "10.0.0.1:50000"


def element(number: str) -> bytes:
    """As Celery's producer puts it into the list."""
    return json.dumps({"body": "W10=", "headers": {"task": "add", "id": number}}).encode()


def popped(t: float, number: str, *, arrived: bool = True, followed: float | None = None,
           taken: int = 0) -> Reply:
    return Reply(CLIENT, (b"celery", element(number)), round(t * SECOND), 1, 1000, 1 + taken,
                 taken, round(t * SECOND) if arrived else None,
                 None if followed is None else round(followed * SECOND))


def says(t: float, payload: bytes, client: str = CLIENT, flags: int = ACK) -> Frame:
    """A frame of the service."""
    ends = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    segment = Segment(*ends, 40000, 6379, 0, 0, flags, 0, len(payload), payload)
    seen = BothEnds().sent(round(t * SECOND), 0, segment)
    return Frame(1, round(t * SECOND), 0, client, seen, segment)


def length(t: float, many: int):
    return event(t, "server.app", "backlog", length=many, key="celery")


def fates(replies, frames=(), events=(), faults=()) -> dict[str, tuple[str, str]]:
    wire = WireLog(frames=list(frames), replies=list(replies))
    read(wire, "celery")
    made = account(moments(*events, END), wire.replies, list(faults), {}, PATTERNS["brpop"],
                   mute="celery")
    return {one.id: (one.fate, one.text) for one in made}


@pytest.mark.parametrize(("replies", "frames", "fate"), [
    pytest.param([popped(1, "a", followed=2)], [], "delivered", id="asked for more"),
    pytest.param([popped(1, "a")], [says(2, b"HSET unacked 1 a", POOL)], "delivered",
                 id="noted it elsewhere, and is busy"),
    pytest.param([popped(1, "a")], [says(2, b"", flags=FIN | ACK)], "delivered",
                 id="read it and closed: with data unread its kernel sends a RST"),
    pytest.param([popped(1, "a")], [says(2, b"", flags=RST)], "unknown",
                 id="closed without having read it"),
    pytest.param([popped(1, "a")], [says(2, b"", POOL, FIN | ACK)], "unknown",
                 id="closed another connection"),
    pytest.param([popped(1, "a")], [says(2, b"PING", POOL)], "unknown",
                 id="reached the host, and nobody spoke of it"),
    pytest.param([popped(1, "a", arrived=False, taken=3)], [says(2, b"x")], "lost",
                 id="never arrived"),
    pytest.param([popped(1, "a", followed=2), popped(5, "a", followed=6)], [], "duplicated",
                 id="given back and taken again"),
])
def test_a_task_is_received_when_the_service_has_shown_it(replies, frames, fate):
    assert fates(replies, frames)["add[a]"][0] == fate


def test_what_lies_in_the_queue_at_the_end_is_stuck_and_what_is_unacknowledged_is_told():
    left = event(30, "server.app", "left", "ok", ids=["add[b]"], unacked=["add[a]", "add[c]"])
    told = fates([popped(1, "a", followed=2)], [], [left])
    assert told["add[b]"] == ("stuck", "still in the queue: nobody asked for it")
    assert told["add[a]"][0] == "delivered"
    assert told["add[a]"][1].endswith("has not acknowledged it at the end")
    assert set(told) == {"add[a]", "add[b]"}, "another worker's are none of ours"


def test_celerys_priorities_are_the_same_queue():
    low = popped(1, "a", followed=2)
    low.value = (b"celery\x06\x163", low.value[1])
    other = popped(1, "b", followed=2)
    other.value = (b"celeryev", other.value[1])
    assert set(fates([low, other])) == {"add[a]"}


def test_what_leaves_the_server_as_the_cell_ends_is_nobodys_concern():
    """Others' traffic goes on and on, so something always does."""
    assert set(fates([popped(1, "a", followed=2), popped(30.05, "b")])) == {"add[a]"}
    assert set(fates([popped(30.05, "b", followed=30.08)])) == {"add[b]"}


CUT = cut(2, 12)


def test_the_queues_length_tells_how_long_a_task_has_waited():
    """Two waited from 4 s on, and are taken first; the third came later."""
    replies = [popped(13, "a", followed=14), popped(13.1, "b", followed=14),
               popped(13.2, "c", followed=14)]
    told = fates(replies, [], [length(1, 0), length(4, 2), length(14, 0)], [CUT])
    assert told["add[a]"][0] == told["add[b]"][0] == "late"
    assert "9.00 s after it was first seen in the queue" in told["add[a]"][1]
    assert told["add[c]"][0] == "delivered"


def test_where_others_take_from_the_queue_its_length_tells_nothing():
    replies = [popped(13, "a", followed=14)]
    told = fates(replies, [], [length(4, 20), length(8, 3), length(14, 0)], [CUT])
    assert told["add[a]"][0] == "delivered"


def test_how_full_the_queue_was():
    told = moments(length(1, 2), length(3, 4), length(9, 27), length(15, 5), length(16, 0), END)
    full = backlog(told, "celery", 2 * SECOND, 12 * SECOND)
    assert full == Backlog("celery", 2, 27, 9.0, 0, 4.0)
    assert backlog(moments(END), "celery", 0, 1) is None


def test_a_service_has_given_up_when_its_side_of_the_connection_says_so():
    wire = tape("brpop-zombie", "keepalive")
    began = next(frame.t for frame in wire.frames if frame.taken)
    about = subject(wire, began)
    told = notice(wire, Moments((), 0), about, began - 1)
    assert told is not None
    assert told.how == "its host reset the connection"
    assert notice(wire, Moments((), 0), about, None) is None
    assert notice(wire, Moments((), 0), POOL, began) is None, "another connection of its pool"


def test_a_fin_that_never_left_is_seen_in_the_services_kernel():
    told = moments(seen(1, "client", "ESTABLISHED"), seen(7, "client", "FIN-WAIT-1"), END)
    given = notice(WireLog(), told, CLIENT, 2 * SECOND)
    assert given is not None
    assert (given.t, given.how) == (5.0, "the service closed its connection (FIN-WAIT-1)")


def test_a_message_that_only_reached_the_host_is_not_consumed():
    wire = WireLog(replies=[popped(10, "a")])
    assert recovered(wire, "celery", 5) is None
    assert recovered(wire, "other", 5) is None
    assert recovered(wire, "celery", None) is None


def test_a_service_that_takes_a_message_and_asks_for_more_consumes_again():
    wire = tape("brpop-zombie", "read-timeout")
    taken = [reply.arrived for reply in wire.replies if reply.value == (b"jobs", b"m1")]
    told = recovered(wire, "jobs", taken[0] - 1_000_000)
    assert told == pytest.approx(0.001)


@pytest.mark.parametrize(("raw", "name"), [
    pytest.param(element("3f2a9b1c-77"), "add[3f2a9b1c]", id="celery"),
    pytest.param(b'{"headers": {"task": "t", "id": "abc", "retries": 2}}', "t[abc] retry 2",
                 id="celery, tried again"),
    pytest.param(b'[{"headers": {"task": "t", "id": "abc"}}, "", "celery"]', "t[abc]",
                 id="what kombu keeps as unacknowledged"),
    pytest.param(b'{"class": "Mail", "jid": "b4a577edbccf1d805744efa9"}', "Mail[b4a577ed]",
                 id="sidekiq"),
    pytest.param(b"6f6d5d2e-0a4e-4d7e-8d2a-1f1f1f1f1f1f", "6f6d5d2e-0a4e-4d7e-8d2a-1f1f1f1f1f1f",
                 id="rq: the bare id"),
    pytest.param(b"m1", "m1", id="netdiag's own"),
    pytest.param(b"\x80\x04\x95", "element[f754e6bc]", id="pickle"),
    pytest.param(b'{"id": "a\\u001b[31m"}', None, id="an escape sequence is no name"),
    pytest.param(b"", "element[e3b0c442]", id="nothing"),
    pytest.param(b"[" * 5000, None, id="deep"),
])
def test_a_task_is_called_as_its_own_logs_call_it(raw, name):
    told = name_of(raw)
    assert told.isprintable()
    if name is not None:
        assert told == name
