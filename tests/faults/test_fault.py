"""Faults: what each decides about a frame, what it does once, and how it is written."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError
from pytest import param

from netdiag.faults import (
    FAULTS,
    PASS,
    AskEngine,
    Drop,
    Fault,
    HostFault,
    InjectReset,
    SendSignal,
    StartAgain,
)

read = TypeAdapter(Fault).validate_python
GONE = Drop("blackhole")
TO_CLIENT, TO_SERVER = InjectReset("client"), InjectReset("server")


@pytest.mark.parametrize(("do", "once", "to_server", "to_client", "shown"), [
    param("blackhole", (), GONE, GONE, "blackhole", id="both ways"),
    param({"blackhole": {"direction": "to_server"}}, (), GONE, PASS, "blackhole to_server",
          id="requests only"),
    param({"blackhole": {"direction": "to_client"}}, (), PASS, GONE, "blackhole to_client",
          id="replies only"),
    param("reset", (TO_CLIENT, TO_SERVER), PASS, PASS, "reset", id="both are told"),
    param({"reset": {"to": "client"}}, (TO_CLIENT,), PASS, PASS, "reset to client",
          id="the client alone"),
    param({"reset": {"to": "server"}}, (TO_SERVER,), PASS, PASS, "reset to server",
          id="the server alone"),
    param("freeze", (), PASS, PASS, "freeze the server", id="a program, not its packets"),
    param({"kill": "client"}, (), PASS, PASS, "kill the client", id="a bare value"),
    param({"signal": "usr1"}, (), PASS, PASS, "SIGUSR1 to the server", id="a signal"),
    param({"reset": None}, (TO_CLIENT, TO_SERVER), PASS, PASS, "reset", id="no parameters"),
])
def test_each_fault_decides(do, once, to_server, to_client, shown) -> None:
    fault = read({"at": "blocked", "do": do})
    assert fault.verb.on_start() == once
    assert fault.verb.fate("server") == to_server
    assert fault.verb.fate("client") == to_client
    assert FAULTS[fault.kind].decide(fault.verb, "server") == to_server
    assert str(fault) == f"{shown} at blocked"


@pytest.mark.parametrize(("more", "shown", "heals"), [
    ({"for": "8s"}, "blackhole at blocked for 8 s", True),
    ({"heal": {"event": "got"}}, "blackhole at blocked until got", True),
    ({"heal": "20s"}, "blackhole at blocked until 20 s", True),
    ({}, "blackhole at blocked", False),
])
def test_a_fault_ends_by_a_trigger_or_after_a_time(more, shown, heals) -> None:
    fault = read({"at": "blocked", "do": "blackhole", **more})
    assert (str(fault), fault.heals) == (shown, heals)


@pytest.mark.parametrize(("written", "what"), [
    ({"do": "blackhole", "for": 1, "heal": "3s"}, "'heal' and 'for' exclude each other"),
    ({"do": "reset", "for": 1}, "reset is over at once"),
    ({"do": "blackhoel"}, "did you mean 'blackhole'?"),
    ({"do": {"blackhole": {}, "reset": {}}}, "a mapping is not a fault"),
    ({"do": 3}, "3 is not a fault; write one of blackhole, reset"),
    ({"do": {"signal": "KILL"}}, "'KILL' has a fault of its own"),
    ({"do": {"signal": "SIGFOO"}}, "'SIGFOO' is not a signal"),
    ({"do": {"freeze": "nobody"}}, "write one of: client, server"),
    ({"do": "restart", "for": 1}, "restart is over at once"),
    ({"do": {"reset": {"to": "nobody"}}}, "write one of: both, client, server"),
    ({"do": {"reset": 3}}, "should be a dictionary"),
    ({"do": {"docker": "explode"}}, "write one of: network_disconnect"),
    ({"do": {"docker": "restart"}, "for": "3s"}, "it cannot heal"),
    ({"do": "reset", "name": "a b"}, "not a name"),
])
def test_what_makes_no_sense_is_refused(written: dict[str, object], what: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        read({"at": "blocked", **written})
    assert what in str(refusal.value)


STOP, CONT, KILL = SendSignal("SIGSTOP"), SendSignal("SIGCONT"), SendSignal("SIGKILL")


@pytest.mark.parametrize(("do", "host", "begins", "heals"), [
    param("freeze", "server", (STOP,), (CONT,), id="freeze and thaw"),
    param({"kill": "client"}, "client", (KILL,), (StartAgain(),), id="dead for a time"),
    param("restart", "server", (KILL, StartAgain()), (), id="dead for a moment"),
    param({"signal": {"name": "HUP", "host": "client"}}, "client", (SendSignal("SIGHUP"),), (),
          id="any signal"),
    param({"docker": "pause"}, "server", (AskEngine("pause"),), (AskEngine("unpause"),),
          id="the engine does it, and its opposite"),
    param({"docker": {"verb": "network_connect", "host": "client"}}, "client",
          (AskEngine("network_connect"),), (), id="the engine does it, once"),
    param("blackhole", None, (), (), id="no program is meant"),
])
def test_what_a_fault_orders_at_a_host(do, host, begins, heals) -> None:
    fault = read({"at": "blocked", "do": do})
    assert (fault.host, fault.orders("active"), fault.orders("healed")) == (host, begins, heals)


def test_every_kind_of_fault_can_be_written_by_its_name_alone() -> None:
    for name, row in FAULTS.items():
        fault = read({"at": "1s", "do": name})
        assert (fault.kind, fault.lasts) == (name, row.lasts)
        assert fault.verb == row.params()


def test_a_fault_of_a_host_without_orders_cannot_be_made() -> None:
    class Idle(HostFault):
        pass

    with pytest.raises(TypeError, match="orders"):
        Idle(host="server")
