"""32 cells at once on a 10 s scenario: how long they take, and whether each notices when it would
alone.

python tests/bench/cells32.py        run it by hand, it is not a test; about a minute
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET_S = 25
ALLOWED_S = 0.050
WHEEL_STEPS = ((0.256, 0.004), (2.048, 0.032), (16.384, 0.256))
"""Timers up to so many seconds are late by at most so many (HZ 250; kernel/time/timer.c)."""
NETDIAG = (sys.executable, "-c", "from netdiag.cli import main; main()")
SETTINGS = {
    "probes-2": "{keepalive: {idle: 2s, interval: 1s, count: 2}, read_timeout: null, retry: 0}",
    "probes-4": "{keepalive: {idle: 2s, interval: 1s, count: 4}, read_timeout: null, retry: 0}",
    "read-2s": "{keepalive: off, read_timeout: 2s, retry: 0}",
    "read-4s": "{keepalive: off, read_timeout: 4s, retry: 0}",
}
LONGEST_TIMER_S = {"probes-2": 2.0, "probes-4": 2.0, "read-2s": 0.0, "read-4s": 0.0}
SCENARIO = """
name: {name}
workload: {{pattern: brpop, key: jobs}}
faults:
  - {{name: cut, at: {{phase: blocked, after: 500ms}}, do: blackhole}}
matrix:
  client.settings:
{settings}
{more}
duration: 10s
"""


def scenario(home: Path, name: str, more: str) -> Path:
    """Write the scenario, with another axis if there is one."""
    settings = "\n".join(f"    {one}: {value}" for one, value in SETTINGS.items())
    path = home / f"{name}.yaml"
    path.write_text(SCENARIO.format(name=name, settings=settings, more=more), encoding="utf-8")
    return path


def run(home: Path, path: Path, jobs: int) -> tuple[float, dict[str, tuple[str, float]]]:
    """Seconds of the whole command, and for each cell its settings and when its client noticed."""
    began = time.monotonic()
    done = subprocess.run(
        [*NETDIAG, "run", str(path), "--jobs", str(jobs), "--out", str(home), "--json"],
        capture_output=True,
        check=True,
    )
    took = time.monotonic() - began
    cells = json.loads(done.stdout)["cells"]
    return took, {
        cell["id"]: (cell["choices"]["client.settings"], cell["noticed"]["t"]) for cell in cells
    }


def wheel_step(seconds: float) -> float:
    """By how much the kernel's timer wheel may be late for a timer of that length; 0 for none."""
    if not seconds:
        return 0.0
    return next(step for most, step in WHEEL_STEPS if seconds <= most)


def main() -> int:
    """Print the table; 1 when a target is missed."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        _, alone = run(home, scenario(home, "alone", ""), jobs=1)
        keys = "  workload.key: [a, b, c, d, e, f, g, h]"
        took, together = run(home, scenario(home, "together", keys), jobs=32)
    missed = took > TARGET_S
    print(f"{len(together)} cells of 10 s took {took:.1f} s, {took / TARGET_S:.2f} of {TARGET_S} s")
    print(
        f"{'settings':10} {'alone':>8} {'together, from':>15} {'to':>8} {'differs':>9} {'allowed'}"
    )
    single = dict(alone.values())
    for settings, t in single.items():
        times = [when for kind, when in together.values() if kind == settings]
        differs = max(abs(when - t) for when in times)
        allowed = ALLOWED_S + wheel_step(LONGEST_TIMER_S[settings])
        missed = missed or differs > allowed
        print(
            f"{settings:10} {t:8.3f} {min(times):15.3f} {max(times):8.3f} {differs:9.3f} "
            f"{allowed:.3f} ({differs / allowed:.2f})"
        )
    return missed


if __name__ == "__main__":
    sys.exit(main())
