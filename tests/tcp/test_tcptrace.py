"""Every connection beside tcptrace: bytes, unique bytes, what was sent again, what was missed."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING

import pytest

from netdiag.tcp.engine import analyse_capture
from netdiag.tcp.labels import RESENT_DATA, RETRANSMISSIONS, Label

from .oracles import ENVIRONMENT
from .recorded import CAPTURES, NAMES

if TYPE_CHECKING:
    from netdiag.tcp.facts import ConnectionFacts, SideFacts

pytestmark = pytest.mark.skipif(
    shutil.which("tcptrace") is None, reason="tcptrace is not installed"
)
FIELDS = (
    "total packets", "actual data bytes", "unique bytes sent", "missed data", "rexmt data pkts",
    "outoforder pkts", "zero win adv",
)  # fmt: skip

LOST_BEFORE = {"tail.B", "acktail.A"}  # what is sent again passes for the first time

# name -> what tcptrace says that is not so
KNOWN = {
    "dup.A": "counts copies as packets",
    "dup.B": "counts copies as packets, and their bytes as sent again",
    "reuse": "shows three lives in another order of ends",
    "rst_oow": "takes an injected SYN and FIN for the connection's",
}


@cache
def ask(capture: str) -> tuple[dict[str, int], dict[str, int]]:
    """Both directions of the first connection."""
    done = subprocess.run(
        ["tcptrace", "-l", "-n", str(CAPTURES / f"{capture}.pcap")],
        capture_output=True, text=True, env=ENVIRONMENT, check=True,
    )  # fmt: skip
    told: tuple[dict[str, int], dict[str, int]] = {}, {}
    for name in FIELDS:
        found = re.findall(rf"\b{name}: +(-?\d+)", done.stdout)[-2:]
        told[0][name], told[1][name] = map(int, found) if len(found) == 2 else (-1, -1)
    return told


def ours(name: str) -> ConnectionFacts:
    return analyse_capture(CAPTURES / f"{name}.pcap", compiled=False).connections[0]


def again(side: SideFacts) -> int:
    return side.count(*RESENT_DATA, Label.OUT_OF_ORDER)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in KNOWN])
def test_bytes_and_packets(name: str) -> None:
    for told, side in zip(ask(name), ours(name).sides, strict=True):
        assert told["total packets"] == side.frames
        assert told["actual data bytes"] == side.payload
        assert told["unique bytes sent"] == side.unique
        if told.get("missed data", 0) > 0:
            assert told["missed data"] == side.missed


@pytest.mark.parametrize("name", [n for n in NAMES if n not in KNOWN | dict.fromkeys(LOST_BEFORE)])
def test_what_was_sent_again_or_came_late(name: str) -> None:
    """SYN and FIN, sent again, may count as data there."""
    for told, side in zip(ask(name), ours(name).sides, strict=True):
        finishing = side.count(*RETRANSMISSIONS - RESENT_DATA)
        seen = told["rexmt data pkts"] + told["outoforder pkts"]
        assert again(side) <= seen <= again(side) + finishing


@pytest.mark.parametrize("name", ["zero_answered", "zero_dead", "zero_open"])
def test_closed_windows_are_counted_by_advertisement_there(name: str) -> None:
    for told, side in zip(ask(name), ours(name).sides, strict=True):
        assert told["zero win adv"] == side.count(Label.ZERO_WINDOW, Label.ZERO_WINDOW_ANSWER)
