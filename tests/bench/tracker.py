"""How long one frame takes: parse, track, flows; run it by hand, it is not a test.

python tests/bench/tracker.py [capture ...]
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter_ns

from netdiag.tcp.blocks import packet_block
from netdiag.tcp.flows import Flows
from netdiag.tcp.pcapng import Packet
from netdiag.tcp.wire import parse_frame
from tests.tcp.plainly import read_capture

CAPTURES = Path(__file__).parent.parent / "captures"


def bench(path: Path, least: int = 100_000) -> str:
    """One line for one capture: microseconds a frame for each stage, best of three."""
    packets = [item for item in read_capture(path) if isinstance(item, Packet)]
    rounds = max(1, least // max(1, len(packets)))
    best = [float("inf")] * 3
    for _ in range(3):
        started = perf_counter_ns()
        for _ in range(rounds):
            segments = [parse_frame(packet.frame, packet.link) for packet in packets]
        parsed = perf_counter_ns()
        for _ in range(rounds):
            flows = Flows()
            for packet, segment in zip(packets, segments, strict=True):
                if segment is not None:
                    flows.feed(packet.t_ns, segment)
        fed = perf_counter_ns()
        for _ in range(rounds):
            for packet in packets:
                packet_block(0, packet.t_ns, packet.frame, flags=1)
        written = perf_counter_ns()
        frames = rounds * len(packets) * 1000
        spans = (parsed - started, fed - parsed, written - fed)
        best = [min(old, span / frames) for old, span in zip(best, spans, strict=True)]
    return (
        f"{path.name:24} {len(packets):6} frames   parse {best[0]:5.2f} us   "
        f"track and observe {best[1]:5.2f} us   pcapng block {best[2]:5.2f} us"
    )


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(CAPTURES.glob("*.pcap")):
        print(bench(Path(name)))
