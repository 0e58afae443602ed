"""Hand-made segments for short stories: `line(">", "SA", ..)` instead of bytes."""

from __future__ import annotations

from netdiag.tcp.flows import Flows, Observation
from netdiag.tcp.wire import ACK, FIN, PSH, RST, SYN, Segment

CLIENT = bytes([10, 0, 0, 1]), 40000
SERVER = bytes([10, 0, 0, 2]), 6379
MS = 1_000_000
BITS = {"S": SYN, "A": ACK, "F": FIN, "R": RST, "P": PSH, ".": ACK}
MASK = 0xFFFFFFFF


def segment(
    way: str,
    flags: str,
    seq: int,
    ack: int = 0,
    data: bytes | int = b"",
    *,
    window: int = 1000,
    **options: object,
) -> Segment:
    """`way` is ">" from the client or "<" from the server; `data` bytes, or how many."""
    sender, receiver = (CLIENT, SERVER) if way == ">" else (SERVER, CLIENT)
    payload = b"x" * data if isinstance(data, int) else data
    bits = 0
    for letter in flags:
        bits |= BITS[letter]
    return Segment(
        sender[0],
        receiver[0],
        sender[1],
        receiver[1],
        seq & MASK,
        ack & MASK,
        bits,
        window,
        len(payload),
        payload,
        **options,  # type: ignore[arg-type]
    )


class Line:
    """One connection whose sequence numbers are relative: 0 is each side's SYN."""

    def __init__(self, *, isn: tuple[int, int] = (1000, 5000), sack: bool = True) -> None:
        self.flows = Flows()
        self.isn = list(isn)
        self.sack = sack
        self.now = 1_000_000_000

    def __call__(
        self,
        way: str,
        flags: str,
        seq: int,
        ack: int = 0,
        data: bytes | int = b"",
        *,
        after: float = 0.01,
        **fields: object,
    ) -> Observation:
        """The next segment, `after` milliseconds after the one before."""
        self.now += int(after * MS)
        own, peer = (0, 1) if way == ">" else (1, 0)
        if "S" in flags:
            fields = {
                "mss": 1460,
                "wscale": 7,
                "sack_permitted": self.sack,
                "window": 64240,
                **fields,
            }
        if "sack" in fields:
            blocks = fields["sack"]
            fields["sack"] = tuple(
                ((left + self.isn[peer]) & MASK, (right + self.isn[peer]) & MASK)
                for left, right in blocks  # type: ignore[attr-defined]
            )
        number = ack + self.isn[peer] if "A" in flags or "." in flags else ack
        made = segment(way, flags, seq + self.isn[own], number, data, **fields)  # type: ignore[arg-type]
        return self.flows.feed(self.now, made)

    def handshake(self) -> Line:
        self(">", "S", 0)
        self("<", "SA", 0, 1)
        self(">", ".", 1, 1)
        return self

    def labels(self, *story: tuple[object, ...]) -> list[str]:
        """The labels of a story; each step is (after ms, way, flags, seq, ack, data)."""
        return [
            self(*step[1:], after=step[0]).label.text  # type: ignore[arg-type]
            for step in story
        ]
