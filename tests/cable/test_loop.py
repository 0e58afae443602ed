"""The cable's process on the fake lab: frames through it, its tape, and what it tells its cell."""

from __future__ import annotations

import errno
import json
import resource
import signal
import socket
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from netdiag.cable import loop
from netdiag.cable.core import Core
from netdiag.cable.loop import CableLoop
from netdiag.cable.tape import Tape
from netdiag.faults import EventTrigger, Fault, PhaseTrigger, TimeTrigger
from netdiag.faults.blackhole import Blackhole
from netdiag.faults.host import Freeze
from netdiag.faults.reset import Reset
from netdiag.lab.fake import FakeLab, fake_lab
from netdiag.process import Child, fork
from netdiag.tcp.blocks import INBOUND
from netdiag.tcp.pcapng import Packet, Statistics, read_pcapng
from netdiag.tcp.wire import parse_ethernet

from .play import ARP, BRPOP, WORDS, cut, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SYN, ACK, RST = 2, 16, 4
SYN_FRAME = frame(0, SYN, 1000, 0)
SYN_ACK = frame(1, SYN | ACK, 5000, 1001)
HANDSHAKE_ACK = frame(0, ACK, 1001, 5001)
REQUEST = frame(0, ACK, 1001, 5001, WORDS["BRPOP"])


@dataclass
class Cable:
    """A running cable: the lab whose frames it carries, and its control socket."""

    lab: FakeLab
    control: socket.socket
    child: Child
    tape: Path
    said: list[dict[str, object]] = field(default_factory=list)

    def carry(self, side: int, sent: bytes) -> bytes | None:
        """What the other host gets of a frame; None when nothing comes."""
        self.lab.play(side, sent)
        return self.lab.delivered(1 - side, timeout=2.0)

    def take(self, side: int, sent: bytes) -> None:
        """A frame that must be taken: what is sent behind it the other way would overtake it."""
        self.lab.play(side, sent)

    def order(self, **order: object) -> None:
        self.control.send(json.dumps(order).encode())

    def hear(self, what: Callable[[dict[str, object]], bool]) -> dict[str, object]:
        """Wait for the message that is meant, and keep all that come before it."""
        while True:
            message = json.loads(self.control.recv(1 << 20))
            self.said.append(message)
            if what(message):
                return message

    def stop(self) -> int:
        self.order(stop=True)
        self.hear(lambda said: "done" in said)
        return self.child.wait()

    def packets(self) -> list[Packet]:
        return [one for one in read_pcapng(self.tape) if isinstance(one, Packet)]


@contextmanager
def cable(tmp_path: Path, *faults: Fault, limit: int = 0, **signals: object) -> Iterator[Cable]:
    """A cable in a process of its own; `limit` is the greatest size of its tape, bytes."""
    with ExitStack() as undo:
        lab = undo.enter_context(fake_lab())
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        undo.callback(ours.close)
        ours.settimeout(10)
        theirs.setblocking(False)
        path = tmp_path / "tape.pcapng"

        def forward() -> int:
            ours.close()
            if limit:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            core = Core(faults, BRPOP, signals)  # type: ignore[arg-type]
            tape = Tape(path, wall_offset=0, about="a test")
            try:
                return CableLoop(core, (lab.port(0), lab.port(1)), tape, theirs).run(lab.dropped)
            except OSError as err:
                theirs.send(json.dumps({"failed": err.errno}).encode())
                return 1

        child = fork(forward, "cable")
        undo.callback(child.wait)
        undo.callback(child.kill)
        theirs.close()
        yield Cable(lab, ours, child, path)


def is_fault(said: dict[str, object]) -> bool:
    return said.get("note") == "fault"


def test_every_frame_passes_unchanged_and_is_on_both_ends_of_the_tape(tmp_path):
    sent = [(0, SYN_FRAME), (1, SYN_ACK), (0, ARP), (1, bytes(range(60))), (0, b"x" * 1514)]
    with cable(tmp_path) as line:
        for side, one in sent:
            assert line.carry(side, one) == one
        assert line.stop() == 0
        rows = [(one.interface, one.flags == INBOUND, one.frame) for one in line.packets()]
    expected = []
    for side, one in sent:
        expected += [(side, True, one), (1 - side, False, one)]
    assert rows == expected


def test_times_on_the_tape_never_run_backwards_in_one_conversation(tmp_path):
    begun = time.monotonic_ns()
    with cable(tmp_path) as line:
        for number in range(50):
            line.carry(number & 1, frame(number & 1, ACK, 1, 1, b"x"))
        line.stop()
        stamps = [one.t_ns for one in line.packets()]
    assert stamps == sorted(stamps)
    assert begun <= stamps[0]
    assert stamps[-1] <= time.monotonic_ns()


def test_a_taken_frame_is_on_its_own_end_of_the_tape_only(tmp_path):
    with cable(tmp_path, cut("request_in_flight")) as line:
        for side, one in ((0, SYN_FRAME), (1, SYN_ACK), (0, HANDSHAKE_ACK)):
            line.carry(side, one)
        line.take(0, REQUEST)
        note = line.hear(is_fault)
        line.take(1, frame(1, ACK, 5001, 1001))
        line.take(0, ARP)
        line.stop()
        assert line.lab.delivered(0, timeout=0) is None
        assert line.lab.delivered(1, timeout=0) is None
        last = line.packets()[-3:]
    assert next((one.interface, one.frame) for one in last) == (0, REQUEST)
    assert sorted(one.interface for one in last) == [0, 0, 1]
    assert all(one.comment == "taken by fault cut: blackhole" for one in last)
    assert note["data"]["packet"] == 7  # type: ignore[index]


def test_the_tape_ends_with_what_was_received_and_what_was_dropped(tmp_path):
    with cable(tmp_path) as line:
        line.carry(0, SYN_FRAME)
        line.stop()
        statistics = [one for one in read_pcapng(line.tape) if isinstance(one, Statistics)]
    assert [(one.received, one.dropped) for one in statistics] == [(1, 0), (0, 0)]
    (told,) = [said for said in line.said if said.get("note") == "tape"]
    assert (told["outcome"], told["data"]) == ("ok", {"dropped": {"client": 0, "server": 0}})


def test_frames_that_the_kernel_dropped_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(FakeLab, "dropped", lambda _: (3, 0))
    with cable(tmp_path) as line:
        line.stop()
        statistics = [one for one in read_pcapng(line.tape) if isinstance(one, Statistics)]
    assert [one.dropped for one in statistics] == [3, 0]
    (told,) = [said for said in line.said if said.get("note") == "tape"]
    assert (told["outcome"], told["data"]) == ("fail", {"dropped": {"client": 3, "server": 0}})


def test_the_clients_events_reach_the_triggers(tmp_path):
    fault = cut(EventTrigger(event="error"))
    with cable(tmp_path, fault) as line:
        line.carry(0, SYN_FRAME)
        line.order(event="error")
        assert line.hear(is_fault)["data"]["trigger"] == "error"  # type: ignore[index]
        line.take(1, SYN_ACK)
        line.stop()
        assert line.packets()[-1].comment is not None


def test_a_time_comes_without_any_frame_and_a_signal_is_told(tmp_path):
    fault = Fault(name="rst", at=TimeTrigger(time=0.01), do=Reset(to="client"))
    with cable(tmp_path, fault, **{"0": TimeTrigger(time=0.02)}) as line:
        line.carry(0, SYN_FRAME)
        began = line.hear(is_fault)
        signalled = line.hear(lambda said: "signal" in said)
        raw = line.lab.delivered(0)
        line.stop()
        first, *_, last = line.packets()
    assert signalled["signal"] == "0"
    assert signalled["t"] - began["t"] == 10_000_000  # type: ignore[operator]
    assert began["t"] - first.t_ns == 10_000_000  # type: ignore[operator]
    segment = parse_ethernet(raw or b"")
    assert segment is not None
    assert (segment.flags & RST, segment.ack) == (RST, 1001)
    assert (last.interface, last.frame, last.comment) == (
        0,
        raw,
        "injected by fault rst: rst to client",
    )


def test_it_tells_which_connections_had_frames_and_what_they_were(tmp_path):
    with cable(tmp_path) as line:
        line.carry(0, SYN_FRAME)
        line.carry(1, SYN_ACK)
        rows = []
        while not any("syn_ack" in row for row in rows):
            rows += line.hear(lambda said: "seen" in said)["seen"]  # type: ignore[operator]
        line.stop()
    assert all(row[:4] == ["10.0.0.1", 40000, "10.0.0.2", 6379] for row in rows)
    assert {label for row in rows for label in row[4:]} == {"syn", "syn_ack"}


def test_thousands_of_connections_at_once_do_not_choke_it(tmp_path):
    with cable(tmp_path) as line:
        for port in range(20000, 21500):
            line.lab.play(0, frame(0, SYN, 1000, 0, port=port))
            line.lab.delivered(1)
        assert line.stop() == 0
        assert len(line.packets()) == 3000
    assert max((len(said["seen"]) for said in line.said if "seen" in said), default=0) <= 256  # type: ignore[arg-type]


@pytest.mark.parametrize("bytes_left", [400, 5000])
def test_a_tape_that_cannot_be_written_is_an_error_and_keeps_what_it_has(tmp_path, bytes_left):
    with cable(tmp_path, limit=bytes_left) as line:
        sent = frame(0, ACK, 1, 1, b"x" * 400)
        for _ in range(20):
            line.lab.play(0, sent)
        assert line.hear(lambda said: "failed" in said)["failed"] == errno.EFBIG
        assert line.child.wait() == 1
        assert line.tape.stat().st_size == bytes_left
        assert all(one.frame == sent for one in line.packets())


def test_it_ends_its_tape_when_the_cell_goes_away(tmp_path):
    with cable(tmp_path) as line:
        line.carry(0, SYN_FRAME)
        line.control.close()
        assert line.child.wait() == 0
        statistics = [one for one in read_pcapng(line.tape) if isinstance(one, Statistics)]
    assert [one.received for one in statistics] == [1, 0]


def test_a_cut_that_delivers_its_own_packet_takes_the_next_one_even_in_the_same_batch(tmp_path):
    with cable(tmp_path, cut("request_delivered", do=Blackhole())) as line:
        for side, one in ((0, SYN_FRAME), (1, SYN_ACK), (0, HANDSHAKE_ACK)):
            line.carry(side, one)
        for one in (REQUEST, ARP, REQUEST):
            line.lab.play(0, one)
        assert line.lab.delivered(1) == REQUEST
        line.stop()
        assert line.lab.delivered(1, timeout=0) is None
        comments = [one.comment for one in line.packets()[6:]]
    assert comments == [None, None, *["taken by fault cut: blackhole"] * 2]


def ask_of_a_frozen_server(line: Cable) -> None:
    """A freeze begins at the request, which is held until the cell says that it is done."""
    for side, one in ((0, SYN_FRAME), (1, SYN_ACK), (0, HANDSHAKE_ACK)):
        line.carry(side, one)
    line.lab.play(0, REQUEST)
    line.hear(is_fault)


def is_late(said: dict[str, object]) -> bool:
    return said.get("note") == "late"


def test_a_packet_waits_for_the_fault_that_it_begins(tmp_path):
    with cable(tmp_path, cut("request_in_flight", do=Freeze())) as line:
        ask_of_a_frozen_server(line)
        assert line.lab.delivered(1, timeout=0.2) is None
        line.order(done="cut")
        assert line.lab.delivered(1) == REQUEST
        line.stop()
    assert not any(is_late(said) for said in line.said)


@pytest.mark.parametrize("order", [{}, {"stop": True}], ids=["in silence", "at the end"])
def test_a_packet_that_waits_in_vain_tells_that_its_fault_came_too_late(
    tmp_path, monkeypatch, order
):
    monkeypatch.setattr(loop, "_HOST_PATIENCE", 60.0 if order else 0.2)
    with cable(tmp_path, cut("request_in_flight", do=Freeze())) as line:
        ask_of_a_frozen_server(line)
        if order:
            line.order(**order)
        told = line.hear(is_late)
        assert line.lab.delivered(1) == REQUEST
        if order:
            line.hear(lambda said: "done" in said)
        else:
            line.order(done="cut")
            line.stop()
    assert (told["outcome"], told["data"]["fault"]) == ("fail", "cut")  # type: ignore[index]


def test_a_reset_at_a_packet_that_waits_for_a_host_waits_with_it(tmp_path):
    """A RST in its stead, on a program that is frozen first; and the packet keeps its number."""
    frozen, reset = cut("request_in_flight", do=Freeze()), cut("request_in_flight", do=Reset())
    faults = replace(frozen, name="ice"), replace(reset, name="rst")
    with cable(tmp_path, *faults) as line:
        ask_of_a_frozen_server(line)
        assert line.lab.delivered(0, timeout=0.2) is None
        line.order(done="ice")
        for side in (0, 1):
            one = line.lab.delivered(side)
            assert one is not None
            segment = parse_ethernet(one)
            assert segment is not None
            assert segment.flags & RST
        line.stop()
        begun = {said["data"]["packet"] for said in line.said if is_fault(said)}
        (number,) = begun
        packets = line.packets()
    assert packets[number - 1].frame == REQUEST
    assert packets[number - 1].comment.startswith("taken by fault rst")


def test_phases_that_wait_are_not_disturbed_by_frames_that_went_on_first(tmp_path):
    with cable(tmp_path, cut(PhaseTrigger(phase="blocked"))) as line:
        for side, one in (
            (0, SYN_FRAME),
            (1, SYN_ACK),
            (0, HANDSHAKE_ACK),
            (0, REQUEST),
            (1, frame(1, ACK, 5001, 1001 + len(WORDS["BRPOP"]))),
        ):
            assert line.carry(side, one) == one
        assert line.hear(is_fault)["data"]["packet"] == 9  # type: ignore[index]
        line.stop()
