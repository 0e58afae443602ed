"""What became of the client's asking while a fault lasted: probes, retransmissions, ARP, RST.

Turns a tape into one value that sets faults of the path beside faults of the link. On a path that
swallows everything a host goes on asking its peer; on a link that has lost the peer it soon asks
only where the peer is (RFC 826, RFC 4861), and TCP's own probes and its RST are never sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.analysis.model import Reach
from netdiag.tcp.labels import RETRANSMISSIONS

if TYPE_CHECKING:
    from netdiag.analysis.moments import Moments
    from netdiag.analysis.wire import Frame, WireLog

_AGAIN: Final = frozenset(label.text for label in RETRANSMISSIONS)


def reach(
    wire: WireLog, moments: Moments, lasted: tuple[int | None, int | None], about: str | None
) -> Reach | None:
    """What the client sent on the connection `about` while the fault lasted: from its beginning
    (ns) to its healing, or to the cell's end. None when no fault began.
    """
    began, healed = lasted
    if began is None:
        return None
    end = healed if healed is not None else moments.end
    sent = [
        one
        for one in wire.frames
        if one.injected is None and one.client == about and began < one.t <= end
    ]
    asked = [one for one in wire.neighbours if began < one.t <= end]
    own = [frame for frame in sent if frame.side == 0]
    return Reach(
        probes=_count(own, "keepalive_probe"),
        answered=_count([one for one in sent if one.side == 1], "keepalive_answer"),
        retransmissions=_count(own, *_AGAIN),
        taken=sum(frame.taken is not None for frame in own),
        arp=sum(one.side == 0 and one.asks for one in asked),
        arp_answered=sum(one.side == 1 and not one.asks for one in asked),
        rst=sum(frame.label.startswith("rst") for frame in own),
        addresses=_addresses(moments),
    )


def _count(frames: list[Frame], *labels: str) -> int:
    return sum(frame.label in labels for frame in frames)


def _addresses(moments: Moments) -> tuple[str, ...]:
    """What the engine was seen to do to links and addresses, in its order."""
    return tuple(
        f"{event.lane.partition('.')[0]}: {event.data.get('state')}"
        for event in moments.of(None, "docker")
        if event.outcome == "ok" and "link" in str(event.data.get("state"))
    )
