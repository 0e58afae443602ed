"""What `netdiag new` writes loads, whatever was answered, and expects what follows from it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.catalogue import PATTERNS, Keepalive
from netdiag.errors import ScenarioError
from netdiag.faults import FAULTS
from netdiag.faults.trigger import PHASES
from netdiag.scenario import Cell, expand, loads
from netdiag.scenario.draft import STORIES, Draft, draft

TIMES = st.none() | st.floats(0.01, 5000).map(lambda seconds: round(seconds, 2))
KEEPALIVES = st.none() | st.builds(
    Keepalive, idle=st.none() | st.integers(1, 32767), interval=st.none() | st.integers(1, 32767),
    count=st.none() | st.integers(1, 127))

PATTERNS_PUSHED = sorted(name for name, row in PATTERNS.items() if not row.own_messages)


def cell(answers: Draft) -> Cell:
    (one,) = expand(loads(draft(answers))).cells
    return one


@settings(deadline=None)
@given(st.sampled_from(PATTERNS_PUSHED), st.sampled_from(PHASES), st.sampled_from(sorted(FAULTS)),
       TIMES, KEEPALIVES, TIMES)
def test_every_draft_loads_as_what_was_answered(
    pattern: str, phase: str, fault: str, heal: float | None, keepalive: Keepalive | None,
    read: float | None
) -> None:
    if phase == "closing":
        read = read or 1.0
        pattern = "blpop" if pattern == "subscribe" else pattern
    text = draft(Draft(name="x", pattern=pattern, phase=phase, fault=fault, heal_after=heal,
                       keepalive=keepalive, read_timeout=read))
    scenario = loads(text)
    (one,) = expand(scenario).cells
    settings, (cut,) = one.client.settings, one.faults
    assert (cut.kind, cut.at.phase) == (fault, phase)  # type: ignore[union-attr]
    assert cut.for_ == (heal if FAULTS[fault].lasts else None)
    assert settings.read_timeout == read
    held = settings.keepalive
    assert (held.timings if isinstance(held, Keepalive) else None) == (
        keepalive.timings if keepalive else None)
    assert one.workload.pattern == pattern
    assert one.expect
    assert one.duration > (cut.for_ or 0)
    assert scenario.about
    assert max(map(len, text.splitlines())) <= 120
    assert text.isascii()


@pytest.mark.parametrize("name", ["null", "1", "on", "1e3", "a.b-c_d", "0x1f"])
def test_any_name_stays_text(name: str) -> None:
    assert loads(draft(Draft(name=name))).name == name


def expected(**answers: Any) -> dict[str, str]:
    return {one.kind: one.text for one in cell(Draft(name="x", **answers)).expect}


@pytest.mark.parametrize(("answers", "kind", "bound"), [
    param({}, "detected_within", "keepalive + 2s", id="keepalive"),
    param({"read_timeout": 3.0}, "detected_within", "read_timeout + 1s", id="the earlier one"),
    param({"keepalive": None}, "detected_within", "never", id="nothing tells"),
    param({"keepalive": None}, "lost", "0", id="and nothing is lost, after the healing"),
    param({"keepalive": Keepalive()}, "detected_within", "never", id="the kernel's own keepalive"),
    param({"phase": "request_in_flight"}, "detected_within", "never",
          id="keepalive has no say while data is unacknowledged"),
    param({"phase": "connecting"}, "detected_within", "connect_timeout + 1s", id="connecting"),
    param({"phase": "closing", "read_timeout": 2.0}, "detected_within", "any", id="closing"),
    param({"heal_after": 3.0}, "detected_within", "any", id="heals before anybody is told"),
    param({"heal_after": None}, "lost", "1", id="popped for a dead connection"),
    param({"phase": "reply_in_flight", "read_timeout": 3.0}, "lost", "1", id="a lost reply"),
    param({"phase": "reply_in_flight", "keepalive": None}, "lost", "0", id="a late reply"),
    param({"pattern": "blmove", "heal_after": None}, "lost", "0", id="kept until acknowledged"),
    param({"pattern": "blmove"}, "stuck", "0", id="and given back"),
    param({"fault": "reset"}, "detected_within", "1s", id="a reset"),
    param({"fault": "freeze"}, "detected_within", "never", id="its kernel answers keepalive"),
    param({"fault": "freeze", "read_timeout": 3.0}, "detected_within", "read_timeout + 1s",
          id="but no read"),
    param({"fault": "kill"}, "detected_within", "any", id="a dead server"),
    param({"fault": "restart"}, "lost", "0", id="a server that comes back"),
    param({"fault": "restart"}, "stuck", "0", id="and is dialled again"),
    param({"fault": "restart", "pattern": "xreadgroup"}, "stuck", "<= 3", id="without its group"),
    param({"fault": "restart", "pattern": "xreadgroup", "phase": "reply_in_flight"}, "stuck",
          "<= 4", id="which the first message may miss, too"),
    param({"fault": "signal"}, "lost", "0", id="a server that ends"),
    param({"pattern": "subscribe", "keepalive": None, "read_timeout": 3.0}, "detected_within",
          "never", id="a subscriber heeds no read timeout"),
    param({"pattern": "subscribe", "phase": "connected", "keepalive": None, "read_timeout": 3.0},
          "detected_within", "read_timeout + 1s", id="until it has subscribed"),
])
def test_expects_what_follows(answers: dict[str, Any], kind: str, bound: str) -> None:
    assert expected(**answers)[kind] == bound


def test_every_phase_has_its_story() -> None:
    assert set(STORIES) == set(PHASES)


def test_a_fault_of_no_time_is_refused() -> None:
    with pytest.raises(ScenarioError, match="--heal-after 10s"):
        Draft(name="x", heal_after=0.0)
    assert cell(Draft(name="x", fault="reset", heal_after=0.0)).faults[0].for_ is None


def test_closing_needs_a_read_timeout() -> None:
    with pytest.raises(ScenarioError, match="--read-timeout"):
        Draft(name="x", phase="closing")


def test_a_subscriber_never_closes_and_a_group_s_consumer_does() -> None:
    with pytest.raises(ScenarioError, match="a subscriber never closes"):
        Draft(name="x", phase="closing", pattern="subscribe", read_timeout=3.0)
    one = cell(Draft(name="x", phase="closing", pattern="xreadgroup", read_timeout=3.0))
    assert one.workload.block > 3.0
