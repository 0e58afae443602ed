"""Bench of the virtual clock, from the shell, report included: the headline and a matrix.

`default-keepalive` five times, median under 4 s; and 24 cells with the defaults of library and
system, 9000 virtual seconds each, under 60 s on two cores. Prints wall times (s); exit code 1 when
one is over its limit. Run it on a machine that does nothing else: python tests/bench/warp.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5
HEADLINE = 4.0
MATRIX = 60.0
CELLS = 24
NETDIAG = (sys.executable, "-c", "from netdiag.cli import main; main()")
DEFAULTS = """
name: defaults
client: {kind: redis-py}
server: {kind: redis}
workload: {pattern: brpop, block: 0s, after_error: exit}
faults: [{name: cut, at: blocked, do: blackhole}]
matrix:
  client.settings:
    library: {}
    system: {keepalive: on, read_timeout: null, retry: 0}
    none: {keepalive: off, read_timeout: null, retry: 0}
  faults.cut.at:
    idle: blocked
    request: request_in_flight
    served: request_delivered
    opening: connected
  server.config.tcp-keepalive: [300, 60]
duration: 9000s
"""


def once(scenario: str, out: str) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        [*NETDIAG, "run", scenario, "--warp", "--out", out],
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.perf_counter() - began
    if done.returncode != 0:
        sys.exit(f"the run ended with code {done.returncode}\n{done.stdout}{done.stderr}")
    return took


def main() -> int:
    with tempfile.TemporaryDirectory() as out:
        times = [once("default-keepalive", out) for _ in range(RUNS)]
        scenario = Path(out, "defaults.yaml")
        scenario.write_text(DEFAULTS, encoding="utf-8")
        matrix = once(str(scenario), out)
    median = statistics.median(times)
    print(" ".join(f"{took:.2f}" for took in times), f"median {median:.2f} s, limit {HEADLINE:g} s")
    print(f"{CELLS} cells of 9000 virtual seconds: {matrix:.1f} s, limit {MATRIX:g} s")
    return int(median > HEADLINE or matrix > MATRIX)


if __name__ == "__main__":
    sys.exit(main())
