"""What the client sent while the path was lost."""

from __future__ import annotations

import pytest

from netdiag.analysis.moments import Moments, faults_of
from netdiag.analysis.reach import reach
from netdiag.analysis.wire import Neighbour, WireLog, neighbour
from netdiag.report.reach import reach_rows

from .recorded import cell, event

ARP = bytes(12) + b"\x08\x06" + bytes.fromhex("000108000604")
SOLICITATION = bytes(12) + b"\x86\xdd" + bytes(6) + b"\x3a" + bytes(33)


@pytest.mark.parametrize(("frame", "asks"), [
    pytest.param(ARP + b"\0\1" + bytes(20), True, id="ARP request"),
    pytest.param(ARP + b"\0\2" + bytes(20), False, id="ARP reply"),
    pytest.param(SOLICITATION + b"\x87", True, id="neighbour solicitation"),
    pytest.param(SOLICITATION + b"\x88", False, id="neighbour advertisement"),
    pytest.param(SOLICITATION + b"\x80", None, id="echo request"),
    pytest.param(b"", None, id="nothing"),
    pytest.param(ARP[:15], None, id="cut short"),
])
def test_who_asks_where_its_neighbour_is(frame, asks):
    assert neighbour(frame) is asks


def test_probes_and_the_reset_count_on_the_connection_that_met_the_fault():
    keepalive = cell("brpop-zombie", "keepalive")
    held = keepalive.reach
    assert (held.probes, held.answered, held.rst, held.arp) == (3, 0, 1, 0)
    assert held.taken == held.probes + held.rst
    assert reach_rows((keepalive,)) == (), "no link was lost and nobody asked for one"


def test_a_fin_that_is_sent_again_is_a_retransmission():
    """A client that closed on its read timeout asks on, although nobody sent data."""
    closed = cell("brpop-zombie", "read-timeout")
    assert closed.reach.retransmissions == closed.packets["fin_retransmission"] > 3


def test_without_a_fault_there_is_nothing_to_say():
    assert reach(WireLog(), Moments((), 0), (None, None), None) is None


def test_a_lost_link_is_set_beside_a_lost_path():
    wire = WireLog(neighbours=[Neighbour(5, 0, asks=True), Neighbour(7, 0, asks=True),
                               Neighbour(99, 0, asks=True)])
    held = reach(wire, Moments((event(0, "server.app", "docker", "ok", verb="network_connect",
                                      state="a new link, 10.0.0.2 came back"),), 0), (0, 50), None)
    assert (held.arp, held.arp_answered) == (2, 0)
    assert held.addresses == ("server: a new link, 10.0.0.2 came back",)


def test_what_the_engine_did_is_the_proof_of_a_docker_fault():
    began = event(1, "cable", "fault", "start", fault="cut", verb="docker pause", edge="active")
    done = event(2, "server.app", "docker", "ok", fault="cut", verb="pause", state="paused")
    refused = event(2, "server.app", "docker", "fail", fault="cut", verb="pause", reason="gone")
    (effect,) = faults_of((began, done), 0)
    assert (effect.acts, effect.undone) == (("docker pause: paused",), None)
    (effect,) = faults_of((began, refused), 0)
    assert effect.undone == "docker pause: gone"


def test_a_fault_that_its_own_packet_did_not_wait_for_has_not_done_its_work():
    began = event(1, "cable", "fault", "start", fault="cut", verb="docker stop", edge="active")
    late = event(2, "cable", "late", "fail", fault="cut", reason="its packet had to go on")
    done = event(3, "server.app", "docker", "ok", fault="cut", verb="stop", state="exited")
    (effect,) = faults_of((began, late, done), 0)
    assert effect.acts == ("docker stop: exited",)
    assert effect.undone == "its packet had to go on"
