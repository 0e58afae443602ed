"""Twenty runs in containers, five of them killed at random moments: what is left of them.

    python tests/bench/killed.py [--runs 20] [--killed 5] [--seed 1]

Run as root on a machine whose Docker does nothing else meanwhile. A killed run loses its front, its
front and its warden, or every process, by SIGKILL; then `netdiag clean`. Prints what differs
between the listings before and after: links, addresses, rules, networks, volumes, containers,
journals, processes.
"""

from __future__ import annotations

import argparse
import difflib
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.lab.docker.machine import listing
from tests.run.running import Home, until

SCENARIO = """
name: short
client: {settings: {keepalive: {idle: 1s, interval: 1s, count: 2}, read_timeout: null, retry: 0}}
hosts: {client: {net.ipv4.tcp_retries2: 9}}
workload: {pattern: brpop}
faults: [{name: cut, at: blocked, do: {docker: network_disconnect}, for: 2s}]
matrix:
  faults.cut.do:
    disconnect: {docker: network_disconnect}
    blackhole: blackhole
expect: {lost: any}
duration: 4s
"""
LONGEST = 14.0  # s, of a run from its first process to its last


def kill(home: Home, front: int, how: str) -> None:
    there = home.processes()
    meant = {
        "front": [front],
        "front and warden": [front, *(pid for pid, name in there.items() if "warden" in name)],
        "all": [front, *there],
    }[how]
    for pid in meant:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--killed", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    dice = random.Random(asked.seed)
    doomed = set(dice.sample(range(asked.runs), asked.killed))
    before, homes = listing(), []
    for number in range(asked.runs):
        home = Home(Path(tempfile.mkdtemp()))
        homes.append(home)
        with home.start("run", home.write(SCENARIO), "--out", home.out, "--lab", "docker") as one:
            if number in doomed:
                when = dice.uniform(0.2, LONGEST)
                how = dice.choice(("front", "front and warden", "all"))
                time.sleep(when)
                kill(home, one.pid, how)
                print(f"run {number}: {how} killed after {when:.1f} s", flush=True)
            else:
                _, said = one.communicate(timeout=120)
                why = f": {said.decode().strip()[-300:]}" if one.returncode else ""
                print(f"run {number}: code {one.returncode}{why}", flush=True)
    print(homes[-1].run("clean").out.strip())
    until(lambda: listing() == before, 60)  # namespaces go in the kernel's own time
    left = {pid: name for home in homes for pid, name in home.processes().items()}
    changed = [
        line for line in difflib.unified_diff(before.splitlines(), listing().splitlines(), n=0)
        if line[:1] in "+-"
    ]
    print("processes left:", left or "none")
    print("listing:", "\n".join(changed) or "equal")
    return 1 if left or changed else 0


if __name__ == "__main__":
    sys.exit(main())
