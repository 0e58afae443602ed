"""Triggers: what is written becomes one of four shapes, and each knows its packet's fate."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError
from pytest import param

from netdiag.faults import (
    TAKES_OWN_PACKET,
    EventTrigger,
    PacketTrigger,
    PhaseTrigger,
    TimeTrigger,
    Trigger,
)
from netdiag.tcp.phases import PHASES

read = TypeAdapter(Trigger).validate_python


@pytest.mark.parametrize(("written", "trigger", "shown"), [
    ("3s", TimeTrigger(time=3.0), "3 s"),
    (0.5, TimeTrigger(time=0.5), "500 ms"),
    ({"time": "1m"}, TimeTrigger(time=60.0), "1 m"),
    ("blocked", PhaseTrigger(phase="blocked"), "blocked"),
    ({"phase": "blocked", "nth": 2}, PhaseTrigger(phase="blocked", nth=2), "blocked (2nd)"),
    ({"phase": "reply_in_flight", "after": "1s", "command": "blmove"},
     PhaseTrigger(phase="reply_in_flight", after=1.0, command="BLMOVE"),
     "reply_in_flight of BLMOVE + 1 s"),
    ({"from": "client", "label": "fin", "nth": 2}, PacketTrigger(from_="client", label="fin",
                                                                 nth=2), "2nd fin from client"),
    ({"from": "server", "label": "rst", "packet": "delivered", "nth": 11},
     PacketTrigger(from_="server", label="rst", packet="delivered", nth=11),
     "11th rst from server, delivered"),
    ({"event": "healed", "after": "1s"}, EventTrigger(event="healed", after=1.0), "healed + 1 s"),
    ({"event": "healed", "fault": "cut", "nth": 3},
     EventTrigger(event="healed", fault="cut", nth=3), "3rd healed of cut"),
])
def test_each_shape_is_read_and_shown(written: object, trigger: object, shown: str) -> None:
    assert read(written) == trigger
    assert str(trigger) == shown


@pytest.mark.parametrize(("written", "what"), [
    ("bloked", "neither a time nor a phase; did you mean 'blocked'?"),
    ("3 parsecs", "not a trigger; write a time such as 3s"),
    (-1, "out of range for a duration"),
    (None, "null is not a trigger"),
    ({}, "not a trigger"),
    ({"phase": "blocked", "event": "got"}, "not a trigger"),
    ({"phase": "blocked", "command": "BR POP"}, "not a command's name"),
    ({"event": "got", "fault": "cut"}, "'fault' belongs to the events active and healed"),
    ({"event": "gto"}, "did you mean 'got'?"),
    ({"from": "client", "label": "keepalive"}, "did you mean 'keepalive_"),
    ({"from": "client", "label": "fin", "nth": 0}, "not a whole number from 1"),
])
def test_everything_else_is_refused(written: object, what: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        read(written)
    assert what in str(refusal.value)


def test_the_table_of_fates_covers_the_phases_in_their_order() -> None:
    assert tuple(TAKES_OWN_PACKET) == PHASES


@pytest.mark.parametrize(("written", "taken"), [
    param("connecting", True, id="the SYN is lost"),
    param("connected", False, id="the handshake is whole"),
    param("request_in_flight", True, id="the request is lost"),
    param("request_delivered", False, id="the request arrives"),
    param("blocked", False, id="the ACK arrives"),
    param("reply_in_flight", True, id="the reply is lost"),
    param("reply_delivered", False, id="the reply arrives"),
    param("closing", True, id="the FIN is lost"),
    param({"phase": "closing", "after": "1s"}, False, id="a later cut spares the packet"),
    param({"from": "client", "label": "fin"}, True, id="a packet is taken unless"),
    param({"from": "client", "label": "fin", "packet": "delivered"}, False, id="it is delivered"),
    param({"from": "client", "label": "fin", "after": 1}, False, id="or the fault comes later"),
    param({"event": "got"}, False, id="events have no packet"),
    param("3s", False, id="times have no packet"),
])
def test_a_trigger_takes_or_delivers_its_own_packet(written: object, taken: bool) -> None:
    assert read(written).takes_own_packet is taken
