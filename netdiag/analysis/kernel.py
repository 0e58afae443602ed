"""Socket events -> which kernel timer owned each interval, and how long a FIN went unacknowledged.

Every socket event is a change of regime that a probe saw at a kernel; a regime lasts until the next
one of the same socket, until the socket is gone, or until the cell ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from netdiag.analysis.model import FinWait1, Regime
from netdiag.tcp.wire import FIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdiag.analysis.moments import Moments
    from netdiag.analysis.wire import WireLog
    from netdiag.recording import Event

SIDES: Final = ("client", "server")
_BRIEF = 0.02

REASONS: Final = {
    ("SYN-SENT", "retransmission"): "the SYN is unanswered",
    ("SYN-RECEIVED", "retransmission"): "the ACK that ends the handshake is missing",
    (
        "ESTABLISHED",
        "none",
    ): "nothing is unacknowledged and keepalive is off: no timer will ever fire",
    ("ESTABLISHED", "keepalive"): "nothing is unacknowledged: keepalive counts the silence",
    (
        "ESTABLISHED",
        "retransmission",
    ): "data is unacknowledged: retransmission governs, keepalive does not probe",
    ("ESTABLISHED", "persist"): "the peer's window is closed: the persist timer probes it",
    ("FIN-WAIT-1", "retransmission"): "closed, and the FIN is unacknowledged",
    ("FIN-WAIT-1", "persist"): "closed, and the peer's window is zero",
    ("FIN-WAIT-2", "time-wait"): "closed here; the peer has not closed, tcp_fin_timeout runs",
    ("FIN-WAIT-2", "keepalive"): "closed here; the peer has not closed",
    ("CLOSE-WAIT", "none"): "the peer has closed, the application has not",
    ("CLOSE-WAIT", "keepalive"): "the peer has closed, the application has not",
    ("LAST-ACK", "retransmission"): "closed by both; the last FIN is unacknowledged",
    ("TIME-WAIT", "time-wait"): "closed by both; stray segments are waited for",
}


@dataclass(frozen=True)
class SocketState:
    """The last that is known of one socket; `gone` is when it was found gone, `alive` when its
    kernel had it still (ns; None: nobody wrote that down); before: the socket that had its ports
    before it.
    """

    side: str
    client: str
    state: str
    timer: str
    since: int
    orphan: bool
    gone: int | None
    send_queue: int = 0
    alive: int | None = None
    before: SocketState | None = None


def last_states(events: Sequence[Event]) -> dict[tuple[str, str], SocketState]:
    """For each (side, client endpoint): the socket as it was seen last; `since` is of its present
    regime.
    """
    states: dict[tuple[str, str], SocketState] = {}
    for event in events:
        if event.what not in ("socket", "socket_gone") or not event.lane.endswith(".kernel"):
            continue
        side, client = event.lane.split(".")[0], str(event.data.get("client"))
        before = states.get((side, client))
        if event.what == "socket_gone":
            if before is not None:
                alive = event.data.get("alive")
                states[side, client] = replace(
                    before, gone=event.t, alive=alive if isinstance(alive, int) else None
                )
            continue
        state, timer = str(event.data.get("state")), str(event.data.get("timer"))
        orphan, queue = bool(event.data.get("orphan")), event.data.get("send_queue")
        same = (
            before is not None
            and before.gone is None
            and (state, timer, orphan) == (before.state, before.timer, before.orphan)
        )
        since = before.since if same and before is not None else event.t
        states[side, client] = SocketState(
            side,
            client,
            state,
            timer,
            since,
            orphan,
            None,
            queue if isinstance(queue, int) else 0,
            before=before if before is None or before.gone is not None else before.before,
        )
    return states


def regimes(moments: Moments) -> tuple[Regime, ...]:
    """The intervals of every socket, in the order of their beginning; those too brief to matter
    left out.
    """
    open_: dict[tuple[str, str], Regime] = {}
    closed: list[Regime] = []
    for event in moments.events:
        if event.what not in ("socket", "socket_gone") or not event.lane.endswith(".kernel"):
            continue
        side, client = event.lane.split(".")[0], str(event.data.get("client"))
        t = moments.since(event.t)
        before = open_.pop((side, client), None)
        fresh = _regime(side, client, event, t) if event.what == "socket" else None
        if before is not None:
            if fresh is not None and _same(before, fresh):
                open_[side, client] = before
                continue
            closed.append(_ended(before, t))
        if fresh is not None:
            open_[side, client] = fresh
    everything = [*(one for one in closed if (one.end or 0) - one.start >= _BRIEF), *open_.values()]
    return tuple(sorted(_joined(everything), key=lambda one: (one.start, one.side)))


def _regime(side: str, client: str, event: Event, t: float) -> Regime:
    state, timer = str(event.data.get("state")), str(event.data.get("timer"))
    return Regime(
        side,
        client,
        state,
        timer,
        t,
        None,
        REASONS.get((state, timer), ""),
        bool(event.data.get("orphan")),
    )


def _same(one: Regime, other: Regime) -> bool:
    return (one.side, one.client, one.state, one.timer, one.orphan) == (
        other.side,
        other.client,
        other.state,
        other.timer,
        other.orphan,
    )


def _ended(one: Regime, end: float) -> Regime:
    return Regime(
        one.side, one.client, one.state, one.timer, one.start, end, one.reason, one.orphan
    )


def _joined(found: list[Regime]) -> list[Regime]:
    """Neighbours that differ in nothing (a brief one between them was left out) become one."""
    joined: list[Regime] = []
    for one in sorted(found, key=lambda one: (one.side, one.client, one.start)):
        if (
            joined
            and _same(joined[-1], one)
            and joined[-1].end is not None
            and one.start - joined[-1].end < _BRIEF
        ):
            first = joined.pop()
            joined.append(
                Regime(
                    first.side,
                    first.client,
                    first.state,
                    first.timer,
                    first.start,
                    one.end,
                    first.reason,
                    first.orphan,
                )
            )
        else:
            joined.append(one)
    return joined


def fin_wait1(found: Sequence[Regime], wire: WireLog, moments: Moments) -> tuple[FinWait1, ...]:
    """For each socket that was in FIN-WAIT-1: from its FIN (as the tape has it) until it left that
    state.
    """
    spans: dict[tuple[str, str], list[Regime]] = {}
    for one in found:
        if one.state == "FIN-WAIT-1":
            spans.setdefault((one.side, one.client), []).append(one)
    result = []
    for (side, client), parts in spans.items():
        start = min(part.start for part in parts)
        sent = [
            moments.since(frame.t)
            for frame in wire.frames
            if frame.label == "fin" and frame.sender == side and frame.client == client
        ]
        left = any(
            frame.segment.flags & FIN
            for frame in wire.frames
            if frame.sender == side and frame.client == client
        )
        start = min([start, *sent])
        end = parts[-1].end
        last = moments.since(moments.end) if end is None else end
        result.append(
            FinWait1(
                side, client, start, max(0.0, last - start), end is not None, parts[-1].orphan, left
            )
        )
    return tuple(result)
