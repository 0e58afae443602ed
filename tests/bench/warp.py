"""Bench: `netdiag run default-keepalive --warp` from the shell, report included, five times.

Prints each wall time and the median (s); exit code 1 when the median is over the limit of 4 s. Run
it on a machine that does nothing else: python tests/bench/warp.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 5
LIMIT = 4.0
NETDIAG = (sys.executable, "-c", "from netdiag.cli import main; main()")


def once(out: str) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        [*NETDIAG, "run", "default-keepalive", "--warp", "--out", out],
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
        times = [once(out) for _ in range(RUNS)]
    median = statistics.median(times)
    print(" ".join(f"{took:.2f}" for took in times), f"median {median:.2f} s, limit {LIMIT:g} s")
    return int(median > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
