"""The runner: reads the plan, imports what every cell needs once, and forks a process a cell.

The run directory is the only channel to the front. A cell that fails says so in its own events; the
runner goes on with the others.
"""

from __future__ import annotations

import gc
import os
import select
import sys
import time
from typing import TYPE_CHECKING

from netdiag.clients.start import warm
from netdiag.errors import LabError, NetdiagError
from netdiag.lab.namespaces import namespace_lab
from netdiag.process import Child, fork
from netdiag.recording import CellFiles, Recording
from netdiag.run.cell import CellRun
from netdiag.run.recorder import Recorder
from netdiag.scenario import Cell, Plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def run(directory: Path, jobs: int) -> int:
    """Run all cells of `<directory>/plan.json`, `jobs` at a time. Returns the worst cell's exit
    code.
    """
    recording = Recording(directory)
    plan = Plan.from_json(recording.load_plan())
    warm([cell.client for cell in plan.cells])
    if any(fault.on_start() for cell in plan.cells for fault in cell.faults):
        import netdiag.packets  # noqa: F401, PLC0415 - scapy, once, before anything is forked
    wall_offset = time.time_ns() - time.monotonic_ns()
    gc.collect()
    gc.freeze()
    waiting = list(plan.cells)
    running: dict[int, Child] = {}
    worst = 0
    while waiting or running:
        while waiting and len(running) < jobs:
            cell = waiting.pop(0)
            scratch = directory / "scratch" / f"{cell.index}"
            child = fork(_cell_main(cell, recording.cell(cell.id), scratch, wall_offset), cell.id)
            running[child.pidfd] = child
        for pidfd in select.select(list(running), [], [])[0]:
            worst = max(worst, abs(running.pop(pidfd).wait()))
            os.close(pidfd)
    return worst


def _cell_main(cell: Cell, files: CellFiles, scratch: Path, wall_offset: int) -> Callable[[], int]:
    def main() -> int:
        files.make()
        scratch.mkdir(mode=0o700)
        recorder = Recorder(files.events)
        release = os.uname()
        recorder.note(
            "netdiag",
            "cell",
            "start",
            wall_offset=wall_offset,
            kernel=release.release,
            machine=release.machine,
            tick=os.sysconf("SC_CLK_TCK"),
            clock="real",
        )
        try:
            with namespace_lab(family=cell.lab.ip, sysctls=sysctls(cell)) as lab:
                CellRun(cell, files, scratch, wall_offset).run(lab)
        except NetdiagError as err:
            recorder.note("netdiag", "cell", "fail", reason=str(err))
            return err.exit_code
        recorder.note("netdiag", "cell", "ok")
        return 0

    def guarded() -> int:
        try:
            return main()
        except OSError as err:
            print(f"cell {cell.id} cannot go on: {err}", file=sys.stderr)
            return LabError.exit_code

    return guarded


def sysctls(cell: Cell) -> dict[str, dict[str, str]]:
    """The cell's sysctls by host, as text for /proc/sys."""
    return {
        host: {key: str(value) for key, value in values.items()}
        for host, values in cell.hosts.items()
    }
