"""Two hosts and the Core between them, played from scripts that read like sequence diagrams.

    > S          ok      the client's SYN is delivered
    < SA         ok
    > BRPOP      x       the command is taken
    > again      x       and sent again
    @ 2.5                2.5 s after the first frame
    ! error              an event of the client's

Each host sends from its own next sequence number and acknowledges what was really delivered to it.
"""

from __future__ import annotations

from struct import pack

from netdiag.cable.core import Core, Decision
from netdiag.faults import Fault, PacketTrigger, PhaseTrigger, Trigger
from netdiag.faults.blackhole import Blackhole
from netdiag.tcp.wire import ACK, FIN, PSH, RST, SYN

MS = 1_000_000
SECOND = 1_000_000_000
MASK = 0xFFFFFFFF
MACS = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
ADDRESSES = {
    4: (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])),
    6: (b"\xfd" + bytes(14) + b"\1", b"\xfd" + bytes(14) + b"\2"),
}
PORTS = 40000, 6379
BITS = {"S": SYN, "A": ACK, "F": FIN, "R": RST, "P": PSH}
WORDS = {
    "HELLO": b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n",
    "hello": b"%1\r\n$5\r\nproto\r\n:3\r\n",
    "BRPOP": b"*3\r\n$5\r\nBRPOP\r\n$4\r\njobs\r\n$1\r\n0\r\n",
    "BR": b"*3\r\n$5\r\nBRPOP\r\n$4\r\n",
    "POP": b"jobs\r\n$1\r\n0\r\n",
    "m1": b"*2\r\n$4\r\njobs\r\n$2\r\nm1\r\n",
    "nil": b"_\r\n",
    "PING": b"*1\r\n$4\r\nPING\r\n",
    "pong": b"+PONG\r\n",
}
ARP = b"\xff" * 6 + MACS[0] + b"\x08\x06" + bytes(46)
BRPOP = frozenset({"BRPOP"})


def frame(
    side: int, flags: int, seq: int, ack: int, data: bytes = b"", *, ip: int = 4, port: int = 40000
) -> bytes:
    """An Ethernet frame with TCP from the host on `side`; checksums are left out."""
    ports = (port, PORTS[1])
    sport, dport = ports[side], ports[1 - side]
    options = b"\x02\x04\x05\xb4" if flags & SYN else b""
    tcp = pack("!HHIIBBHHH", sport, dport, seq & MASK, ack & MASK, 5 + len(options) // 4 << 4,
               flags, 1000, 0, 0) + options + data  # fmt: skip
    src, dst = ADDRESSES[ip][side], ADDRESSES[ip][1 - side]
    if ip == 4:
        header = pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0, src, dst)
    else:
        header = pack("!IHBB16s16s", 6 << 28, len(tcp), 6, 64, src, dst)
    kind = b"\x08\x00" if ip == 4 else b"\x86\xdd"
    return MACS[1 - side] + MACS[side] + kind + header + tcp


class Play:
    """One connection of two hosts whose every frame is put before the Core."""

    def __init__(
        self,
        *faults: Fault,
        signals: dict[str, Trigger] | None = None,
        commands: frozenset[str] = BRPOP,
        isn: tuple[int, int] = (1000, 5000),
        ip: int = 4,
        port: int = 40000,
        core: Core | None = None,
    ) -> None:
        self.core = core or Core(faults, commands, signals)
        self.start = self.now = 10 * SECOND
        self.ip, self.port = ip, port
        self.next = list(isn)  # SND.NXT of client and server
        self.expects = [0, 0]  # RCV.NXT of client and server
        self.number = 1
        self.last = [b"", b""]  # what each host sent last
        self.decisions: list[Decision] = []

    def send(self, side: int, word: str) -> Decision:
        """The next frame of a host: a word of WORDS, TCP flags, `again` or `ARP`."""
        if word == "again":
            made, after = self.last[side], self.next[side]
        elif word == "ARP":
            made, after = ARP, self.next[side]
        else:
            made, after = self._segment(side, word)
        self.last[side] = made if word != "ARP" else self.last[side]
        self.next[side] = after
        self.now += MS // 100
        self._let_pass(self.now)
        decision = self._keep(self.core.frame(self.now, side, made, self.number))
        self.number += 1 if decision.taken else 2
        if decision.taken is None and word != "ARP":
            self.expects[1 - side] = after
        return decision

    def _segment(self, side: int, word: str) -> tuple[bytes, int]:
        data = WORDS.get(word, b"")
        flags = ACK | PSH if data else sum(BITS[letter] for letter in word)
        ack = self.expects[side] if flags & ACK else 0
        made = frame(side, flags, self.next[side], ack, data, ip=self.ip, port=self.port)
        size = len(data) + bool(flags & SYN) + bool(flags & FIN)
        return made, self.next[side] + size & MASK

    def wait(self, seconds: float) -> None:
        """Until that many seconds after the first frame: what is due happens when it is due."""
        until = self.start + round(seconds * SECOND)
        self._let_pass(until)
        self.now = until

    def _let_pass(self, until: int) -> None:
        while (due := self.core.due()) is not None and due <= until:
            self.now = max(self.now, due)
            self._keep(self.core.tick(self.now))

    def _keep(self, decision: Decision) -> Decision:
        self.decisions.append(decision)
        return decision

    def line(self, line: str) -> str:
        """One line of a script, with the fate that it really has."""
        way, word = line.split()[:2]
        if way == "@":
            self.wait(float(word))
            return f"@ {word}"
        if way == "!":
            self._keep(self.core.event(self.now, word))
            return f"! {word}"
        decision = self.send("><".index(way), word)
        return f"{way} {word} {'ok' if decision.taken is None else 'x'}"

    def __call__(self, script: str) -> Play:
        """Play a script and hold the fates that it states against the real ones."""
        lines = [" ".join(line.split()) for line in script.strip().splitlines()]
        real = [self.line(line) for line in lines]
        assert real == lines
        return self

    @property
    def edges(self) -> list[str]:
        """What began and ended: `cut active 7`, with the number of the packet that did it."""
        notes = [note for decision in self.decisions for note in decision.notes]
        return [
            f"{note.data['fault']} {note.data['edge']} {note.data['packet'] or '-'}"
            for note in notes
        ]

    @property
    def signals(self) -> list[str]:
        """The signals that were given, in order."""
        return [name for decision in self.decisions for name in decision.signals]

    def why_not(self) -> str | None:
        """What the first fault says of not having happened."""
        return self.core.summary()[0].data["why_not"]  # type: ignore[return-value]


def cut(at: Trigger | str, **more: object) -> Fault:
    """A blackhole called `cut`; a phase can be given by its name."""
    when = PhaseTrigger(phase=at) if isinstance(at, str) else at
    return Fault(**{"name": "cut", "do": Blackhole(), **more}, at=when)  # type: ignore[arg-type]


def fin(**more: object) -> PacketTrigger:
    """The client's FIN."""
    return PacketTrigger(**{"from_": "client", "label": "fin", **more})  # type: ignore[arg-type]


CONVERSATION = """
    > S
    < SA
    > A
    > HELLO
    < hello
    > BRPOP
    < A
    < m1
    > A
    > FA
    < FA
    > A
"""
