"""How long from the start of `netdiag run` to the consumer's first blocking call on the wire.

python tests/bench/startup.py [REPEATS]        run it by hand, it is not a test
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from netdiag.recording import find, read_events
from netdiag.tcp.pcapng import Packet, read_pcapng

TARGET_MS = 1500
SCENARIO = """
name: startup
about: Nothing happens; only the way to the first BRPOP counts.
client: {kind: redis-py, settings: {keepalive: off}}
workload: {pattern: brpop, key: jobs}
duration: 300ms
"""
NETDIAG = (sys.executable, "-c", "from netdiag.cli import main; main()")
STAGES = ("the cell begins", "the server is there", "the client calls", "BRPOP on the wire", "end")


def once(home: Path) -> tuple[float, ...]:
    """One run: milliseconds from the start of the process to each of STAGES."""
    started = time.monotonic_ns()
    subprocess.run(
        [*NETDIAG, "run", str(home / "startup.yaml"), "--out", str(home / "out")],
        capture_output=True,
        check=True,
    )
    ended = time.monotonic_ns()
    files = find(home / "out" / "startup").cell("startup")
    events = read_events(files.events)
    offset = events[0].data["wall_offset"]
    assert isinstance(offset, int)
    first = {event.what: event.t for event in reversed(events)}
    command = next(
        packet.t_ns - offset
        for packet in read_pcapng(files.tape)
        if isinstance(packet, Packet) and b"BRPOP" in packet.frame
    )
    moments = (events[0].t, first["start"], first["call"], command, ended)
    return tuple((moment - started) / 1e6 for moment in moments)


def main(repeats: int) -> int:
    """Print the table; 1 when the median misses the target."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "startup.yaml").write_text(SCENARIO, encoding="utf-8")
        once(home)  # byte code and page cache
        rows = [once(home) for _ in range(repeats)]
    print(f"{'ms since process start':24} {'median':>8} {'least':>8} {'most':>8}")
    for stage, values in zip(STAGES, zip(*rows, strict=True), strict=True):
        print(f"{stage:24} {median(values):8.0f} {min(values):8.0f} {max(values):8.0f}")
    found = median(row[STAGES.index("BRPOP on the wire")] for row in rows)
    print(f"target {TARGET_MS} ms, {repeats} runs: {found / TARGET_MS:.2f} of it")
    return found > TARGET_MS


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 11))
