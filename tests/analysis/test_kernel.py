"""Socket events -> the kernel timers' intervals, and FIN-WAIT-1."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.analysis.kernel import REASONS, fin_wait1, last_states, regimes
from netdiag.analysis.wire import WireLog

from .recorded import CLIENT, analysed, cell, event, gone, moments, seen

if TYPE_CHECKING:
    from netdiag.recording import Event

OTHER = "10.0.0.1:40001"


def told(*events: Event) -> list[tuple[str, str, float, float | None]]:
    return [(one.state, one.timer, one.start, one.end) for one in regimes(moments(*events))]


@pytest.mark.parametrize(("events", "expected"), [
    param([], [], id="nothing"),
    param([seen(1, "client", "ESTABLISHED")], [("ESTABLISHED", "none", 1, None)], id="open"),
    param([seen(1, "client", "ESTABLISHED"), gone(3, "client")], [("ESTABLISHED", "none", 1, 3)],
          id="gone"),
    param([seen(1, "client", "ESTABLISHED"), seen(2, "client", "ESTABLISHED", "retransmission")],
          [("ESTABLISHED", "none", 1, 2), ("ESTABLISHED", "retransmission", 2, None)],
          id="another timer"),
    param([seen(1, "client", "ESTABLISHED"), seen(2, "client", "ESTABLISHED")],
          [("ESTABLISHED", "none", 1, None)], id="the same again"),
    param([seen(1, "client", "ESTABLISHED"), seen(2, "client", "ESTABLISHED", "retransmission"),
           seen(2.001, "client", "ESTABLISHED")], [("ESTABLISHED", "none", 1, None)],
          id="one too brief to matter"),
    param([seen(1, "client", "FIN-WAIT-1", "retransmission"),
           seen(2, "client", "FIN-WAIT-1", "retransmission", orphan=True)],
          [("FIN-WAIT-1", "retransmission", 1, 2), ("FIN-WAIT-1", "retransmission", 2, None)],
          id="an owner that went"),
    param([gone(1, "client")], [], id="gone before it was seen"),
])
def test_intervals(events: list[Event], expected: list[tuple[str, str, float, float | None]]
                   ) -> None:
    assert told(*events) == expected


def test_a_port_that_is_used_again_is_another_socket() -> None:
    assert told(seen(1, "client", "ESTABLISHED"), gone(2, "client"), seen(3, "client", "SYN-SENT")
                ) == [("ESTABLISHED", "none", 1, 2), ("SYN-SENT", "none", 3, None)]


def test_sockets_do_not_end_one_another() -> None:
    found = regimes(moments(
        seen(1, "client", "ESTABLISHED"), seen(2, "server", "ESTABLISHED"),
        seen(3, "client", "ESTABLISHED", client=OTHER), gone(4, "server")))
    assert [(one.side, one.client, one.end) for one in found] == [
        ("client", CLIENT, None), ("server", CLIENT, 4), ("client", OTHER, None)]


LANES = st.sampled_from(["client", "server"])
STORY = st.lists(st.tuples(
    st.floats(0.001, 3), LANES, st.sampled_from([CLIENT, OTHER]),
    st.sampled_from([None, *sorted(REASONS)]), st.booleans()), max_size=30)


@settings(deadline=None)
@given(STORY)
def test_one_timer_owns_a_socket_at_a_time(
    story: list[tuple[float, str, str, tuple[str, str] | None, bool]]
) -> None:
    """Intervals of a socket never overlap, begin before they end, and the last open one is what
    the kernel said last."""
    now, events = 0.0, []
    for gap, side, client, state, orphan in story:
        now += gap
        events.append(gone(now, side, client=client) if state is None else
                      seen(now, side, *state, orphan=orphan, client=client))
    found = regimes(moments(*events))
    assert list(found) == sorted(found, key=lambda one: (one.start, one.side))
    last = last_states(events)
    for side, client in {(one.side, one.client) for one in found}:
        own = [one for one in found if (one.side, one.client) == (side, client)]
        for one, following in itertools.pairwise(own):
            assert one.end is not None
            assert one.start < one.end <= following.start
        if own[-1].end is None:
            state = last[side, client]
            assert (own[-1].state, own[-1].timer, state.gone) == (state.state, state.timer, None)
    assert {key for key, one in last.items() if one.gone is None} == {
        (one.side, one.client) for one in found if one.end is None}


def test_last_states_know_since_when() -> None:
    held = last_states([
        seen(1, "client", "ESTABLISHED"), seen(2, "client", "ESTABLISHED"),
        seen(1, "server", "ESTABLISHED"), gone(5, "server"), gone(6, "server", client=OTHER)])
    own, other = held["client", CLIENT], held["server", CLIENT]
    assert (own.since, own.gone) == (1_000_000_000, None)
    assert (other.state, other.gone) == ("ESTABLISHED", 5_000_000_000)
    assert ("server", OTHER) not in held


@pytest.mark.parametrize(("until", "seconds", "ended"), [
    param(gone(14, "client"), 13.0, True, id="gone"),
    param(seen(3, "client", "FIN-WAIT-2"), 2.0, True, id="acknowledged"),
    param(event(20, "netdiag", "end"), 19.0, False, id="to the end"),
])
def test_fin_wait1_lasts_until_it_is_left(until: Event, seconds: float, ended: bool) -> None:
    story = moments(seen(1, "client", "FIN-WAIT-1", "retransmission", orphan=True), until,
                    event(20, "netdiag", "end"))
    (held,) = fin_wait1(regimes(story), WireLog(), story)
    assert (held.start, held.seconds, held.ended, held.orphan) == (1, seconds, ended, True)


def test_fin_wait1_on_stored_recordings() -> None:
    (kept,) = cell("request-in-flight", "default-retries").fin_wait1[:1]
    (ended,) = cell("request-in-flight", "five-retries").fin_wait1[:1]
    assert not kept.ended
    assert ended.ended
    assert kept.orphan
    assert ended.orphan
    # the orphan's retries began with the command: 2 * RTO + T(5) after it, T(5) = 12.6 s
    assert ended.start + ended.seconds == pytest.approx(13.2, abs=1.0)
    assert kept.seconds > ended.seconds


def test_every_interval_of_a_recording_has_its_reason() -> None:
    without = {
        (one.state, one.timer)
        for name in ("brpop-zombie", "request-in-flight", "reply-lost", "healthy")
        for one_cell in analysed(name).cells for one in one_cell.regimes if not one.reason}
    assert without <= {("SYN-SENT", "none"), ("FIN-WAIT-1", "none"), ("CLOSE", "none")}
