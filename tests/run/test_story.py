"""A whole cell without privileges: real server, real loop and cable, a wire that the test plays.

Everything above the lab is the product's own; only the hosts are the fake lab's, which ships.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from netdiag.analysis.cell import analyse_cell
from netdiag.analysis.model import Outcome
from netdiag.catalogue import ExecClient
from netdiag.faults import EventTrigger, Fault, PhaseTrigger
from netdiag.faults.blackhole import Blackhole
from netdiag.lab.fake import FakeLab, fake_lab
from netdiag.process import Child, fork
from netdiag.recording import CellFiles
from netdiag.run.cell import CellRun
from netdiag.run.recorder import Recorder
from netdiag.scenario import Cell
from netdiag.scenario.workload import Produce, Workload
from netdiag.tcp.wire import ACK, PSH, SYN
from tests.cable.play import WORDS, frame

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "127.0.83.2"  # of our own on loopback, so that no other server can be in the way
CONSUMER = """
import json, os, time
def say(what, outcome, **data):
    row = {"t": time.monotonic_ns(), "what": what, "outcome": outcome, "data": data}
    os.write(int(os.environ["NETDIAG_EVENTS"]), json.dumps(row).encode() + b"\\n")
say("connect", "ok")
say("call", "start", command="BRPOP")
time.sleep(60)
"""
CLIENT, SERVER = 0, 1


def cell() -> Cell:
    return Cell(
        id="story",
        index=0,
        seed=1,
        clients={"client": ExecClient(command=(sys.executable, "-c", CONSUMER))},
        workload=Workload(produce=(Produce(at=EventTrigger(event="healed")),)),
        faults=(Fault(name="cut", at=PhaseTrigger(phase="blocked"), do=Blackhole(), for_=0.2),),
        duration=1.0,
    )


def start(lab: FakeLab, files: CellFiles, scratch: Path) -> Child:
    def main() -> int:
        recorder = Recorder(files.events)
        offset = time.time_ns() - time.monotonic_ns()
        recorder.note("netdiag", "cell", "start", wall_offset=offset)
        CellRun(cell(), files, scratch, offset).run([lab])
        recorder.note("netdiag", "cell", "ok")
        return 0

    return fork(main, "cell")


def until_said(files: CellFiles, word: bytes) -> None:
    """Wait until the cell has recorded this; the test's own limit is the cell's duration."""
    for _ in range(2000):
        if files.events.exists() and word in files.events.read_bytes():
            return
        time.sleep(0.005)
    raise AssertionError(f"the cell never recorded {word!r}")


def test_a_cell_tells_its_story_over_the_fake_lab(tmp_path: Path) -> None:
    files = CellFiles(tmp_path / "cell")
    files.make()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with fake_lab(address=ADDRESS) as lab:
        run = start(lab, files, scratch)
        until_said(files, b'"what":"call"')
        reply, command = WORDS["nil"], WORDS["BRPOP"]
        size = len(command)
        for side, flags, seq, ack, data in (
            (CLIENT, SYN, 1000, 0, b""),
            (SERVER, SYN | ACK, 5000, 1001, b""),
            (CLIENT, ACK, 1001, 5001, b""),
            (CLIENT, ACK | PSH, 1001, 5001, command),
            (SERVER, ACK, 5001, 1001 + size, b""),
        ):
            sent = frame(side, flags, seq, ack, data)
            lab.play(side, sent)
            assert lab.delivered(1 - side) == sent
        lab.play(SERVER, frame(SERVER, ACK, 5000, 1001 + size))
        until_said(files, b'"edge":"healed"')
        after = frame(SERVER, ACK | PSH, 5001, 1001 + size, reply)
        lab.play(SERVER, after)
        assert lab.delivered(CLIENT) == after, "the probe was taken, what came after healing not"
        assert run.wait() == 0
    os.close(run.pidfd)
    (told,) = analyse_cell(cell(), files)
    (fault,) = told.faults
    assert (told.outcome, told.unknown) == (Outcome.PASS, ())
    assert fault.packet == 9, "the fifth frame, after four that are on the tape twice"
    assert dict(fault.taken) == {"server keepalive_probe": 1}
    assert [(one.id, one.fate) for one in told.messages] == [("m1", "stuck")]
    assert any(line.text.startswith("fault cut healed") for line in told.timeline)
