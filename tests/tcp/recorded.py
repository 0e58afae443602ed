"""The recorded captures, as observations: what the tables of the tests in this folder judge."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from netdiag.tcp.flows import Flows, Observation
from netdiag.tcp.pcapng import Packet
from netdiag.tcp.wire import parse_frame
from tests.tcp.plainly import read_capture

CAPTURES = Path(__file__).parent.parent / "captures"
NAMES = sorted(path.stem for path in CAPTURES.glob("*.pcap"))
SECOND = 1_000_000_000


class Seen(NamedTuple):
    number: int  # as tshark counts
    t: float  # seconds since the first packet
    obs: Observation


class Recorded(NamedTuple):
    flows: Flows
    seen: list[Seen]

    def labelled(self, label: str, side: int | None = None) -> list[Seen]:
        return [
            item
            for item in self.seen
            if item.obs.label.text == label and side in (None, item.obs.side)
        ]

    def counts(self) -> Counter[str]:
        return Counter(item.obs.label.text for item in self.seen)

    def steps(self, label: str, side: int | None = None) -> list[int]:
        return [item.obs.step for item in self.labelled(label, side)]


def packets(name: str) -> list[Packet]:
    return [item for item in read_capture(CAPTURES / f"{name}.pcap") if isinstance(item, Packet)]


@cache
def recorded(name: str) -> Recorded:
    flows = Flows()
    seen: list[Seen] = []
    start: int | None = None
    for packet in packets(name):
        segment = parse_frame(packet.frame, packet.link)
        assert segment is not None
        start = packet.t_ns if start is None else start
        seen.append(
            Seen(packet.number, (packet.t_ns - start) / SECOND, flows.feed(packet.t_ns, segment))
        )
    return Recorded(flows, seen)


def truth(name: str) -> list[dict[str, Any]]:
    """What the recorder knew: for `kernel`, the sockets; for `two-ended`, each packet's fate."""
    entries: list[dict[str, Any]] = json.loads(
        (CAPTURES / f"{name.removesuffix('.A').removesuffix('.B')}.json").read_text()
    )
    return entries
