"""One list of lines in the order of time; every line says who and what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.analysis.kernel import regimes
from netdiag.analysis.timeline import timeline
from netdiag.analysis.wire import WireLog
from netdiag.recording import LANES, OUTCOMES, Event

from .recorded import RECORDINGS, analysed, cell, event, moments, seen

if TYPE_CHECKING:
    from netdiag.analysis.model import Entry

NAMES = sorted(path.name for path in RECORDINGS.iterdir() if path.is_dir())


def lines(*events: Event) -> list[Entry]:
    story = moments(*events)
    return list(timeline(story, WireLog(), regimes(story)))


@pytest.mark.parametrize(("one", "lane", "text", "weight"), [
    param(event(1, "cable", "fault", "start", fault="cut", verb="blackhole", trigger="blocked",
                packet=7), "cable", "fault cut: blackhole", 0, id="a fault"),
    param(event(1, "cable", "fault", "ok", fault="cut", trigger="for 3 s"), "cable",
          "fault cut healed", 0, id="its end"),
    param(event(1, "client.app", "connect", "start"), "client.app", "the library connects", 0,
          id="connect"),
    param(event(1, "client.app", "connect", "ok", local=["10.0.0.1", 4711]), "client.app",
          "connected from port 4711", 0, id="connected"),
    param(event(1, "client.app", "connect", "fail", type="TimeoutError", errno=110, message="no"),
          "client.app", "could not connect: TimeoutError: no [errno 110]", 0, id="not connected"),
    param(event(1, "client.app", "error", "fail", type="E", message="x"), "client.app", "E: x", 0,
          id="an error"),
    param(event(1, "client.app", "got", "ok", id="m1"), "client.app", "received m1", 0, id="got"),
    param(event(1, "client.app", "exit", "fail", code=3), "client.app", "ended with code 3", 0,
          id="exit"),
    param(event(1, "netdiag", "push", "start", id="m1"), "netdiag", "m1 pushed", 0, id="push"),
    param(event(1, "netdiag", "push", "fail", id="m1", reason="full"), "netdiag",
          "m1 could not be pushed: full", 0, id="not pushed"),
    param(event(1, "client.kernel", "socket_gone", last_state="FIN-WAIT-1", orphan=True),
          "client.kernel", "socket gone (was FIN-WAIT-1, orphan)", 0, id="a socket that went"),
    param(event(1, "netdiag", "cell", "fail", reason="no room"), "netdiag",
          "the cell could not go on: no room", 0, id="a cell that broke"),
])
def test_tells(one: Event, lane: str, text: str, weight: int) -> None:
    (entry,) = lines(one)
    assert (entry.t, entry.lane, entry.text, entry.weight) == (1, lane, text, weight)


def test_a_sleep_is_told_when_it_lasts() -> None:
    short = event(1, "client.app", "sleep", syscall="recvfrom", fd=3)
    soon, late = event(1.5, "client.app", "call", "start"), event(9, "netdiag", "end")
    assert [one.text for one in lines(short, soon, late) if one.kind == "sleep"] == []
    assert [one.text for one in lines(short, late) if one.kind == "sleep"] == [
        "asleep in recvfrom(fd 3)"]


def test_a_regime_is_told_with_its_reason() -> None:
    (entry,) = lines(seen(1, "client", "FIN-WAIT-1", "retransmission", orphan=True))
    assert entry.text == "FIN-WAIT-1, retransmission timer, orphan"
    assert entry.reason == "closed, and the FIN is unacknowledged"


@pytest.mark.parametrize("name", NAMES)
def test_lines_of_a_recording_are_in_the_order_of_time(name: str) -> None:
    for one in analysed(name).cells:
        times = [entry.t for entry in one.timeline]
        assert times == sorted(times)
        assert {entry.lane for entry in one.timeline} <= set(LANES)
        assert all(entry.text and entry.weight in (0, 1, 2) for entry in one.timeline)
        packets = [entry.packet for entry in one.timeline if entry.packet is not None
                   and entry.lane != "cable"]
        assert len(packets) == len(set(packets)) == sum(one.packets.values())


def test_the_story_of_a_zombie_can_be_read() -> None:
    told = [entry.text for entry in cell("brpop-zombie", "zombie").timeline if not entry.weight]
    after = told[told.index("fault cut: blackhole"):]
    probes = [text for text in after if "probe" in text]
    assert [text[:18] for text in probes] == [f"keepalive probe #{step}" for step in (1, 2, 3)]
    assert any(text.startswith("CLIENT LIST has forgotten 10.0.0.1:") for text in after)
    assert after.index("fault cut healed") < after.index("m1 pushed")
    assert not any(text.startswith("received") for text in told)


WHATS = ["fault", "fault_summary", "connect", "error", "got", "exit", "sleep", "push", "cell",
         "end", "client_list", "socket", "socket_gone", "ready", "garbage", "crash", "left", "call"]
VALUES = st.none() | st.integers() | st.text(max_size=4) | st.lists(st.integers(), max_size=2)
KEYS = ["fault", "verb", "trigger", "packet", "id", "local", "clients", "client", "state", "timer",
        "type", "errno", "message", "syscall", "fd", "code", "edge", "ids", "reason"]


@settings(deadline=None)
@given(st.lists(st.builds(
    Event, st.integers(0, 10**10), st.sampled_from(LANES), st.sampled_from(WHATS),
    st.sampled_from(OUTCOMES), st.dictionaries(st.sampled_from(KEYS), VALUES)), max_size=12))
def test_any_events_make_a_timeline(events: list[Any]) -> None:
    """Events come from a program under test, too: whatever they hold, lines come out, in order."""
    found = lines(*events)
    assert [one.t for one in found] == sorted(one.t for one in found)
    assert all(one.lane in LANES for one in found)
