"""Questions to the events of a cell, asked once however many messages there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netdiag.analysis.messages import account
from netdiag.analysis.moments import Moments
from netdiag.analysis.replies import Reply
from netdiag.analysis.timeline import timeline
from netdiag.analysis.wire import WireLog
from netdiag.catalogue.patterns import PATTERNS
from netdiag.recording import Event

from .recorded import CLIENT, SECOND, event

if TYPE_CHECKING:
    from collections.abc import Iterator


class Counted(tuple[Event, ...]):
    """Events that count how often somebody goes through all of them."""

    readings = 0

    def __iter__(self) -> Iterator[Event]:
        self.readings += 1
        return super().__iter__()


def story(pattern: str, number: int) -> tuple[Counted, list[Reply]]:
    """So many messages, each popped and lost; or so many requests that failed."""
    events, replies = [], []
    for turn in range(1, number + 1):
        name = f"m{turn}"
        events += [event(turn, "client.app", "sleep", syscall="recvfrom", fd=3)]
        if pattern == "request":
            events += [event(turn, "client.app", "call", "start", command="RPUSH", id=name),
                       event(turn + 0.1, "client.app", "error", "fail")]
            continue
        events += [event(turn, "netdiag", "push", "start", id=name),
                   event(turn, "netdiag", "push", "ok", id=name, answer=1)]
        replies.append(Reply(CLIENT, (b"jobs", name.encode()), turn * SECOND, 1, turn,
                             arrived=turn * SECOND + 1))
    left = {"executed": []} if pattern == "request" else {"ids": []}
    return Counted([*events, event(number + 9, "server.app", "left", "ok", **left)]), replies


@pytest.mark.parametrize("pattern", ["brpop", "request", "subscribe"])
def test_ten_times_the_messages_are_as_many_readings_of_the_events(pattern: str) -> None:
    readings = []
    for number in (20, 200):
        events, replies = story(pattern, number)
        moments = Moments(events, 0)
        told = account(moments, replies, [], {}, PATTERNS[pattern])
        timeline(moments, WireLog(), ())
        assert [one.fate for one in told] == ["lost"] * number
        readings.append(events.readings)
    assert readings[0] == readings[1] > 0
