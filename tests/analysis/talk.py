"""Connections told as talk between two hosts -> a capture, with bytes as Linux sends them."""

from __future__ import annotations

import io
from ipaddress import ip_address
from struct import pack
from typing import TYPE_CHECKING

from netdiag.analysis.findings import find
from netdiag.tcp.engine import analyse_capture
from tests.tcp.making import Bare, pcap

if TYPE_CHECKING:
    from netdiag.tcp.facts import CaptureFacts

START = 1_770_000_000  # s
BITS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}
RTT = 0.001
MS = 0.001
OK = b"+OK\r\n"
NIL = b"*-1\r\n"
VALUE = b"$1\r\nx\r\n"
CLIENT, SERVER = 0, 1


def resp(*words: str) -> bytes:
    """A command."""
    parts = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    return f"*{len(words)}\r\n{parts}".encode()


class Wire:
    """What a recorder hears."""

    def __init__(self) -> None:
        self.heard: list[Bare] = []

    def facts(self) -> CaptureFacts:
        whole = pcap(sorted(self.heard), nanoseconds=True)
        return analyse_capture(io.BytesIO(whole), compiled=False)

    def rules(self) -> list[str]:
        """The findings' names, each once."""
        return sorted({finding.rule for finding in find(self.facts())})


class Talk:
    """One connection; times are seconds after what was said before."""

    def __init__(
        self, wire: Wire, number: int = 0, *, at: float = 0.0, client: str = "10.0.0.5",
        port: int = 6379,
    ) -> None:  # fmt: skip
        self.wire = wire
        self.now = at
        self.hosts = (ip_address(client).packed, ip_address("10.0.0.9").packed)
        self.ports = (40000 + number, port)
        self.seq = [1000 + 7777 * number, 900_000 + 991 * number]
        self.ids = [1, 30000]
        self.stamps = [0, 0]

    def say(
        self, side: int, flags: str, data: bytes = b"", *, after: float = RTT,
        seq: int | None = None, ack: int | None = None, window: int = 501,
    ) -> Talk:  # fmt: skip
        """A segment; with `seq` it is one that takes no new numbers."""
        self.now += after
        peer = 1 - side
        self.ids[side] += 1
        stamp = round(self.now * 1000) + 5000 + side * 77777
        options = pack("!BBBBII", 1, 1, 8, 10, stamp, self.stamps[peer])
        if "S" in flags:
            options = pack("!BBHBBBBB", 2, 4, 1460, 4, 2, 3, 3, 7) + b"\1\1\1" + options
        self.stamps[side] = stamp
        number = self.seq[side] if seq is None else seq
        answer = (self.seq[peer] if ack is None else ack) if "A" in flags else 0
        bits = sum(BITS[letter] for letter in flags)
        header = pack(
            "!HHIIBBHHH", self.ports[side], self.ports[peer], number & 0xFFFFFFFF,
            answer & 0xFFFFFFFF, (20 + len(options)) << 2, bits, window, 0, 0,
        )  # fmt: skip
        body = header + options + data
        ip = pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), self.ids[side] & 0xFFFF, 0x4000, 64, 6, 0,
            self.hosts[side], self.hosts[peer],
        )  # fmt: skip
        self.wire.heard.append(Bare(round((START + self.now) * 1e9), ip + body))
        if seq is None:
            self.seq[side] += len(data) + ("S" in flags) + ("F" in flags)
        return self

    def open(self) -> Talk:
        return self.say(CLIENT, "S").say(SERVER, "SA").say(CLIENT, "A", after=0.0001)

    def ask(self, data: bytes, answer: bytes = b"", *, after: float = 0.01) -> Talk:
        """A command; its answer, if any, comes a millisecond later."""
        self.say(CLIENT, "PA", data, after=after).say(SERVER, "A")
        if answer:
            self.say(SERVER, "PA", answer).say(CLIENT, "A", after=0.0002)
        return self

    def close(self, by: int = CLIENT, *, after: float = 0.01) -> Talk:
        self.say(by, "FA", after=after).say(1 - by, "FA").say(by, "A", after=0.0001)
        return self

    def probe(self, side: int, *, after: float, window: int | None = 501) -> Talk:
        """A keepalive or zero-window probe; `window` is that of its answer, None: there is none."""
        self.say(side, "A", seq=self.seq[side] - 1, after=after)
        if window is not None:
            self.say(1 - side, "A", after=0.0003, window=window)
        return self

    def insist(self, data: bytes, *, times: int = 7, after: float = 1.0) -> Talk:
        """A command that nothing answers: sent again by timers."""
        seq = self.seq[CLIENT]
        self.say(CLIENT, "PA", data, after=after)
        for step in range(times):
            self.say(CLIENT, "PA", data, seq=seq, after=0.21 * 2 ** max(step - 1, 0))
        return self
