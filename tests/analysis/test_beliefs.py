"""Who believes what, and which connections are zombies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pytest import param

from netdiag.analysis.beliefs import four_beliefs, subject, zombies
from netdiag.analysis.kernel import last_states
from netdiag.analysis.wire import WireLog

from .recorded import CLIENT, SECOND, analysed, cell, event, gone, moments, seen
from .test_wire import tape

if TYPE_CHECKING:
    from netdiag.recording import Event

SPIN = [event(2 + at / 1000, "client.app", "return", "ok") for at in range(3001)]
BOTH = [seen(1, "client", "ESTABLISHED"), seen(1, "server", "ESTABLISHED")]


@pytest.mark.parametrize(("events", "expected"), [
    param(BOTH, [], id="both believe"),
    param([*BOTH, gone(9, "server")], ["client"], id="the server forgot"),
    param([*BOTH, gone(9, "client")], ["server"], id="the client forgot"),
    param([*BOTH, gone(9, "client"), gone(9, "server")], [], id="both forgot"),
    param([*BOTH, seen(9, "client", "FIN-WAIT-1")], ["server"], id="the client closed"),
    param([*BOTH, seen(9, "client", "CLOSE-WAIT"), seen(9, "server", "FIN-WAIT-2")], ["client"],
          id="the client was told and did nothing"),
    param([seen(1, "client", "ESTABLISHED")], [], id="the other side was never seen"),
    param([seen(1, "client", "ESTABLISHED"), seen(1, "server", "SYN-RECEIVED")], [],
          id="the handshake's last ACK is missing"),
    param([seen(1, "client", "SYN-SENT"), gone(9, "client")], [], id="never connected"),
])
def test_zombies(events: list[Event], expected: list[str]) -> None:
    story = moments(*events)
    found = zombies(last_states(story.events), story)
    assert [one.side for one in found] == expected
    for one in found:
        assert (one.client, one.since) == (CLIENT, 9)
        told = any(event.data.get("state") == "CLOSE-WAIT" for event in events)
        holds = "has not closed its end of" if told else "still believes in"
        assert one.text.startswith(f"the {one.side} {holds} {CLIENT}")


def beliefs(*events: Event) -> dict[str, tuple[str, float | None]]:
    story = moments(*events)
    found = four_beliefs(CLIENT, last_states(story.events), WireLog(), story)
    assert [one.who for one in found] == ["client's kernel", "the wire", "the application",
                                          "the server"]
    return {one.who: (one.text, one.since) for one in found}


def listed(t: float, *clients: str) -> Event:
    return event(t, "server.app", "client_list",
                 clients=[{"addr": one, "id": 7, "flags": "b", "cmd": "brpop"} for one in clients])


def refused(t: float, asked: str = "client_list") -> Event:
    return event(t, "server.app", "refused", "fail", asked=asked, reason="BUSY")


@pytest.mark.parametrize(("who", "events", "expected"), [
    param("client's kernel", [], ("no socket was seen", None), id="no socket"),
    param("client's kernel", BOTH, ("ESTABLISHED, no timer running", 1), id="established"),
    param("client's kernel", [seen(2, "client", "FIN-WAIT-1", "retransmission", orphan=True)],
          ("FIN-WAIT-1, retransmission timer running, owned by no process", 2), id="orphan"),
    param("client's kernel", [*BOTH, gone(4, "client")],
          ("no such socket any more (it was ESTABLISHED)", 4), id="gone"),
    param("the wire", [], ("no packet of this connection", None), id="no packet"),
    param("the application", [], ("not seen asleep", None), id="not asleep"),
    param("the application", [event(3, "client.app", "sleep", syscall="recvfrom", fd=3), *BOTH],
          ("asleep in recvfrom(fd 3)", 3), id="asleep"),
    param("the application", [event(3, "client.app", "sleep", syscall="a system call"), *BOTH],
          ("asleep in a system call", 3), id="asleep where the kernel names no call"),
    param("the application", [event(1, "client.app", "got", "ok", id="m1"), *SPIN],
          ("spinning: 1000 calls a second end in vain", 2), id="a hot loop"),
    param("the application", [*SPIN, event(6, "client.app", "got", "ok", id="m1")],
          ("not seen asleep", None), id="a hot loop that ended"),
    param("the application", SPIN[::10], ("not seen asleep", None), id="many timeouts"),
    param("the application", [event(3, "client.app", "exit", "fail", code=1)],
          ("ended with code 1", 3), id="ended"),
    param("the server", [], ("never seen in CLIENT LIST", None), id="never listed"),
    param("the server", [listed(1, CLIENT)],
          ("CLIENT LIST still has it (id=7 flags=b cmd=brpop)", None), id="listed"),
    param("the server", [listed(1, CLIENT), listed(2), listed(3)],
          ("CLIENT LIST has forgotten it", 2), id="forgotten"),
    param("the server", [listed(1, CLIENT), listed(2), listed(3, CLIENT)],
          ("CLIENT LIST still has it (id=7 flags=b cmd=brpop)", None), id="listed again"),
    param("the server", [listed(1, CLIENT), refused(2), refused(3, "left")],
          ("CLIENT LIST is refused: BUSY", 2), id="refused"),
    param("the server", [refused(1), listed(2, CLIENT)],
          ("CLIENT LIST still has it (id=7 flags=b cmd=brpop)", None), id="refused before"),
    param("the server", [event(1, "server.app", "client_list", clients="?")],
          ("never seen in CLIENT LIST", None), id="nonsense"),
])
def test_each_observer(who: str, events: list[Event], expected: tuple[str, float | None]) -> None:
    assert beliefs(*events)[who] == expected


def test_the_four_beliefs_of_a_stored_zombie() -> None:
    zombie = cell("brpop-zombie", "zombie")
    kernel, wire, application, server = zombie.beliefs
    assert kernel.text == "ESTABLISHED, no timer running"
    assert wire.text == "silent; the last packet was rst from the server, taken"
    assert application.text.startswith("asleep in ")
    assert server.text == "CLIENT LIST has forgotten it"
    assert wire.since == pytest.approx(12, abs=1.5)
    (one,) = zombie.zombies
    assert (one.side, one.client) == ("client", zombie.beliefs_at)


@pytest.mark.parametrize(("after", "silent"), [(0.02, False), (0.9, False), (1.0, True)])
def test_the_wire_is_silent_when_nothing_passed_for_a_second(after: float, silent: bool) -> None:
    """A connection on which packets pass until the cell's end is not."""
    wire = tape("brpop-zombie", "zombie")
    (about,) = {frame.client for frame in wire.frames}
    last = wire.frames[-1].t / SECOND
    story = moments(event(last + after, "netdiag", "end"), origin=last)
    _, held, _, _ = four_beliefs(about, {}, wire, story)
    assert held.text == f"{'silent; ' * silent}the last packet was rst from the server, taken"


def test_the_subject_is_the_connection_that_was_cut() -> None:
    """Later connections of the same client do not take its place."""
    for one in analysed("brpop-zombie").cells:
        (cut,) = one.faults
        (hit,) = [entry for entry in one.timeline if entry.kind == "fault" and entry.t == 0]
        assert cut.packet is not None
        assert str(cut.packet) in hit.reason
        ports = [entry.text for entry in one.timeline if entry.text.startswith("connected from")]
        assert ports[0] == f"connected from port {one.beliefs_at.rpartition(':')[2]}"


def test_without_a_packet_there_is_no_subject() -> None:
    assert subject(WireLog(), None) is None
    assert subject(WireLog(), 3 * SECOND) is None
