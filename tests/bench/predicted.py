"""Bench: cells drawn from a seed, run in warp; every measured time beside its predicted interval.

Draws keepalive x TCP_USER_TIMEOUT x read timeout x tcp_retries2 x tcp_orphan_retries x tail loss
probes x phase x data in flight, runs the cells on the virtual clock, and compares when the client
noticed, how long FIN-WAIT-1 lasted and when the server forgot it with what the settings alone
foretell. Exit code 1 when a measurement lies outside its interval, when an interval is wider than
12.5 % and 100 ms, or when a cell says nothing.

    python tests/bench/predicted.py --seed 7 --cells 40
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
from netdiag.predict import Kernel, Span, predict, written
from netdiag.recording import Recording
from netdiag.scenario import expand, loads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netdiag.analysis import Analysis
    from netdiag.predict import Forecast
    from netdiag.scenario import Cell

SHARE: Final = 0.125
ADDED: Final = 0.1
"""How wide an interval may be: this share of its beginning, and this many seconds."""
LONGEST: Final = 20_000.0
"""Cells that would have to last longer (s) are cut off there; what comes later says nothing."""
NETDIAG: Final = (sys.executable, "-c", "from netdiag.cli import main; main()")
PHASES: Final = (
    "connected", "request_in_flight", "request_delivered", "blocked", "reply_in_flight",
    "reply_delivered",
)


def drawn(dice: random.Random) -> dict[str, Any]:
    """One cell: settings, sysctls of both hosts, the phase, and whether data is in flight."""
    keepalive = {"idle": f"{dice.choice((1, 2, 5, 9, 15, 31, 60, 127, 300, 1000, 7200))}s",
                 "interval": f"{dice.choice((1, 2, 5, 11, 40))}s", "count": dice.randint(1, 6)}
    phase = dice.choice(PHASES)
    replies = phase.startswith("reply")
    later = dice.choice((None, f"{dice.choice((1, 4, 20))}s"))
    produce = [{"at": "2s", "count": 1}] if replies else []
    if later and not replies:
        produce = [{"at": {"event": "active", "after": later}, "count": 1}]
    return {
        "client": {"settings": {
            "read_timeout": dice.choice((None, None, f"{dice.choice((4, 7, 12.5, 30, 75))}s")),
            "connect_timeout": "5s", "retry": 0,
            "keepalive": dice.choice((None, keepalive, keepalive)),
            "user_timeout": dice.choice((None, None, f"{dice.choice((1, 3, 8, 10.5, 33, 90))}s")),
        }},
        "server": {"config": {"tcp-keepalive": dice.choice((0, 3, 10, 45, 300))}},
        "hosts": {
            "client": {"net.ipv4.tcp_retries2": dice.randint(1, 15),
                       "net.ipv4.tcp_orphan_retries": dice.choice((0, 0, 1, 2, 3, 5, 7, 9)),
                       "net.ipv4.tcp_early_retrans": dice.choice((3, 3, 0))},
            "server": {"net.ipv4.tcp_retries2": dice.randint(1, 12),
                       "net.ipv4.tcp_early_retrans": dice.choice((3, 3, 0))},
        },
        "workload": {"pattern": "brpop", "key": "jobs", "after_error": "exit", "produce": produce},
        "faults": [{"name": "cut", "at": phase, "do": "blackhole"}],
        "duration": "60s",
    }


def cell_of(plain: dict[str, Any]) -> Cell:
    """What was drawn, as a cell."""
    return expand(loads(json.dumps({"name": "drawn", **plain}))).cells[0]


def lasting(plain: dict[str, Any], kernel: Kernel) -> dict[str, Any]:
    """The cell, long enough to see all that is foretold."""
    ends = [forecast.when.high for forecast in forecasts(cell_of(plain), kernel)
            if forecast.when is not None]
    if not ends:  # nothing would ever be sent, and a cut that meets no packet proves nothing
        pushed = {"at": {"event": "active", "after": "4s"}, "count": 1}
        return lasting({**plain, "workload": {**plain["workload"], "produce": [pushed]}}, kernel)
    seconds = min(LONGEST, 30 + 1.05 * (sum(sorted(ends)[-2:])))
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
        for one in forecasts(cell, kernel):
            beside = measured.get(one.what)
            if one.what == "error" or beside is None:
                continue
            yield Row(cell.id, one.what, one.when, beside.measured, beside.within is not None)


def scenario_of(cells: list[dict[str, Any]]) -> str:
    """All cells as one scenario, stepping together through what differs between them."""
    axes: dict[str, dict[str, Any]] = {}
    for number, cell in enumerate(cells, 1):
        for path, value in (
            ("client.settings", cell["client"]["settings"]),
            ("server.config", cell["server"]["config"]),
            ("hosts", cell["hosts"]),
            ("workload.produce", cell["workload"]["produce"]),
            ("faults.cut.at", cell["faults"][0]["at"]),
            ("duration", cell["duration"]),
        ):
            axes.setdefault(path, {})[f"c{number}"] = value
    return json.dumps({"name": "drawn", **cells[0], "matrix": {"zip": axes}})


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


def measure(seed: int, count: int, out: Path, kernel: Kernel) -> tuple[list[Row], list[str]]:
    """Draw, run and compare; also what makes a cell say nothing."""
    dice = random.Random(seed)
    text = scenario_of([lasting(drawn(dice), kernel) for _ in range(count)])
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
    parser.add_argument("--out", type=Path, help="keep the recording there")
    wanted = parser.parse_args()
    kernel = kernel_of(None, None, warp=True)
    with tempfile.TemporaryDirectory() as scratch:
        found, silent = measure(wanted.seed, wanted.cells, wanted.out or Path(scratch), kernel)
    for row in found:
        foretold = "never" if row.when is None else written(row.when)
        measured = "-" if row.measured is None else f"{row.measured:.3f} s"
        word = "not seen" if not row.known else "inside" if row.inside else "OUTSIDE"
        print(f"{row.cell:24} {row.what:10} {foretold:36} {measured:>12}  {word}"
              f"{'  TOO WIDE' if row.too_wide else ''}")
    known = [row for row in found if row.known]
    outside = [row for row in known if not row.inside]
    wide = [row for row in found if row.too_wide]
    for one in silent:
        print(f"says nothing: {one}")
    print(f"seed {wanted.seed}: {wanted.cells} cells, {len(known)} of {len(found)} forecasts "
          f"measured, {len(outside)} outside, {len(wide)} too wide, {len(silent)} cells silent")
    return int(bool(outside or wide or silent))


if __name__ == "__main__":
    sys.exit(main())
