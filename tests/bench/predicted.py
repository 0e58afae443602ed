"""Bench: cells drawn from a seed, run in warp; every measured time beside its predicted interval.

Draws keepalive x TCP_USER_TIMEOUT x read timeout x tcp_retries2 x tcp_orphan_retries x tail loss
probes x phase x data in flight, runs the cells on the virtual clock, and compares when the client
noticed, how long FIN-WAIT-1 lasted and when the server forgot it with what the settings alone
foretell. Exit code 1 when a measurement lies outside its interval, when an interval is wider than
12.5 % and 100 ms, or when a cell says nothing.

    python tests/bench/predicted.py --seed 7 --cells 40 [--wide]
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netdiag.analysis import analyse
from netdiag.cli.predict import kernel_of
from netdiag.cli.show import load_plan
from netdiag.errors import NetdiagError
from netdiag.predict import Kernel, Span, predict, written
from netdiag.recording import Recording
from netdiag.scenario import expand, loads
from tests.bench.drawing import narrow, wide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netdiag.analysis import Analysis
    from netdiag.predict import Forecast
    from netdiag.scenario import Cell

    Draw = Callable[[random.Random], dict[str, Any]]

SHARE: Final = 0.125
ADDED: Final = 0.1
"""How wide an interval may be: this share of its beginning, and this many seconds."""
LONGEST: Final = 20_000.0
"""Cells that would have to last longer (s) are cut off there; what comes later says nothing."""
NETDIAG: Final = (sys.executable, "-c", "from netdiag.cli import main; main()")


def cell_of(plain: dict[str, Any]) -> Cell:
    """What was drawn, as a cell."""
    return expand(loads(json.dumps({"name": "drawn", **plain}))).cells[0]


def lasting(plain: dict[str, Any], kernel: Kernel) -> dict[str, Any]:
    """The cell, long enough to see all that is foretold."""
    ends = [forecast.when.high for forecast in forecasts(cell_of(plain), kernel)
            if forecast.when is not None]
    pushes = plain["workload"].get("produce")
    if not ends and pushes == []:  # a cut that meets no packet proves nothing
        pushed = {"at": {"event": "active", "after": "4s"}, "count": 1}
        return lasting({**plain, "workload": {**plain["workload"], "produce": [pushed]}}, kernel)
    seconds = min(LONGEST, 60 + 1.05 * (sum(sorted(ends)[-2:])))
    return {**plain, "duration": f"{seconds:.0f}s"}


def forecasts(cell: Cell, kernel: Kernel) -> tuple[Forecast, ...]:
    """What the settings alone foretell."""
    return predict(cell, kernel, version="").faults[0].forecasts


@dataclass(frozen=True)
class Row:
    """One thing of one cell: what was foretold by settings alone, and what was measured."""

    cell: str
    what: str
    when: Span | None
    measured: float | None
    known: bool

    @property
    def inside(self) -> bool:
        """Whether the measurement is where it was foretold."""
        if self.when is None or self.measured is None:
            return (self.when is None) == (self.measured is None)
        return self.measured in self.when

    @property
    def too_wide(self) -> bool:
        """Whether the interval says too little."""
        when = self.when
        return when is not None and any(
            piece.width > SHARE * piece.low + ADDED for piece in when.pieces)


def rows(cells: tuple[Cell, ...], analysis: Analysis, kernel: Kernel) -> Iterator[Row]:
    """Every forecast of every cell beside its measurement."""
    for cell, seen in zip(cells, analysis.cells, strict=True):
        measured = {one.what: one for one in seen.predicted}
        if seen.unknown:
            continue
        for one in forecasts(cell, kernel):
            beside = measured.get(one.what)
            if beside is None:
                continue
            yield Row(cell.id, one.what, one.when, beside.measured, beside.within is not None)


def scenario_of(cells: list[dict[str, Any]]) -> str:
    """All cells as one scenario, stepping together through what differs between them."""
    axes: dict[str, dict[str, Any]] = {}
    for number, cell in enumerate(cells, 1):
        for path, value in cell.items():
            axes.setdefault(path, {})[f"c{number}"] = value
    return json.dumps({"name": "drawn", "faults": cells[0]["faults"], "matrix": {"zip": axes}})


def run(text: str, out: Path) -> Recording:
    """Run the scenario in warp. Exits when it cannot be run."""
    file = out / "drawn.yaml"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [*NETDIAG, "run", str(file), "--warp", "--keep-going", "--out", str(out), "--json"],
        capture_output=True, text=True, check=False)
    if done.returncode not in (0, 2):
        sys.exit(f"the run ended with code {done.returncode}\n{done.stdout}{done.stderr}")
    return Recording((out / "drawn" / "latest").resolve())


def drawn(dice: random.Random, draw: Draw, kernel: Kernel) -> dict[str, Any]:
    """A cell of which something can be foretold."""
    while True:
        plain = {**draw(dice), "duration": f"{LONGEST:.0f}s"}
        try:
            cell_of(plain)
        except NetdiagError:
            continue  # no scenario can say that
        if forecasts(cell_of(plain), kernel):
            return lasting(plain, kernel)


def measure(seed: int, count: int, out: Path, kernel: Kernel, draw: Draw = narrow,
            ) -> tuple[list[Row], list[str]]:
    """Draw, run and compare; also what makes a cell say nothing."""
    dice = random.Random(seed)
    text = scenario_of([drawn(dice, draw, kernel) for _ in range(count)])
    recording = run(text, out)
    analysis = analyse(recording, load_plan(recording))
    cells = expand(loads(text)).cells
    silent = [f"{one.id}: {'; '.join(one.unknown or one.unpredicted)}"
              for one in analysis.cells if one.unknown or not one.predicted]
    return list(rows(cells, analysis, kernel)), silent


def main() -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cells", type=int, default=40)
    parser.add_argument("--wide", action="store_true",
                        help="draw other clients, patterns, faults and triggers, too; what says "
                             "nothing, and what hangs on dice of the library's, is only counted")
    parser.add_argument("--out", type=Path, help="keep the recording there")
    wanted = parser.parse_args()
    kernel = kernel_of(None, None, warp=True)
    with tempfile.TemporaryDirectory() as scratch:
        found, silent = measure(wanted.seed, wanted.cells, wanted.out or Path(scratch), kernel,
                                wide if wanted.wide else narrow)
    for row in found:
        foretold = "never" if row.when is None else written(row.when)
        measured = "-" if row.measured is None else f"{row.measured:.3f} s"
        word = "not seen" if not row.known else "inside" if row.inside else "OUTSIDE"
        print(f"{row.cell:24} {row.what:10} {foretold:36} {measured:>12}  {word}"
              f"{'  TOO WIDE' if row.too_wide else ''}")
    known = [row for row in found if row.known]
    outside = [row for row in known if not row.inside]
    too_wide = [row for row in found if row.too_wide]
    for one in silent:
        print(f"says nothing: {one}")
    print(f"seed {wanted.seed}: {wanted.cells} cells, {len(known)} of {len(found)} forecasts "
          f"measured, {len(outside)} outside, {len(too_wide)} too wide, {len(silent)} cells silent")
    return int(bool(outside or (not wanted.wide and (too_wide or silent))))


if __name__ == "__main__":
    sys.exit(main())
