"""The fate of every message, from the recording alone.

A message that was pushed is in the queue at the end (stuck), or it left the server. One that left
was received (delivered; late when the fault stood between; duplicated when more than once) or it
was not (lost), and then the tape says where it vanished. The parts add up to what was pushed.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from netdiag.analysis.model import Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdiag.analysis.kernel import SocketState
    from netdiag.analysis.model import FaultEffect
    from netdiag.analysis.moments import Moments
    from netdiag.analysis.wire import Reply
    from netdiag.recording import Event
    from netdiag.tcp.resp import Value

_SOON = 200_000_000


def account(
    moments: Moments,
    replies: Sequence[Reply],
    faults: Sequence[FaultEffect],
    sockets: Mapping[tuple[str, str], SocketState],
) -> tuple[Message, ...]:
    """The fate of each message that was pushed, in the order of pushing.

    `moments` and `replies` are those of all the cell's clients.
    """
    accepted = {
        str(event.data.get("id"))
        for event in moments.of("netdiag", "push")
        if event.outcome == "ok"
    }
    pushed = {
        str(event.data.get("id")): event
        for event in moments.of("netdiag", "push")
        if event.outcome == "start" and str(event.data.get("id")) in accepted
    }
    got: dict[str, list[Event]] = {}
    for event in moments.of("client.app", "got"):
        got.setdefault(str(event.data.get("id")), []).append(event)
    left = moments.last("server.app", "left")
    ids = left.data.get("ids") if left is not None else None
    queue = Counter(str(one) for one in ids) if isinstance(ids, list) else None
    by_message = _replies_by_message(replies, set(pushed))
    story = _Story(moments, faults, sockets)
    return tuple(
        story.tell(name, event, got.get(name, []), by_message.get(name), queue)
        for name, event in pushed.items()
    )


def _replies_by_message(replies: Sequence[Reply], names: set[str]) -> dict[str, Reply]:
    found: dict[str, Reply] = {}
    for reply in replies:
        for word in _words(reply.value):
            name = word.decode("utf-8", "replace")
            if name in names:
                found.setdefault(name, reply)
    return found


def _words(value: Value) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    return [word for part in value for word in _words(part)] if isinstance(value, tuple) else []


class _Story:
    """Tells one message's way; holds what all messages share."""

    def __init__(
        self,
        moments: Moments,
        faults: Sequence[FaultEffect],
        sockets: Mapping[tuple[str, str], SocketState],
    ) -> None:
        self._moments = moments
        self._faults = faults
        self._sockets = sockets

    def tell(
        self,
        name: str,
        pushed: Event,
        got: list[Event],
        reply: Reply | None,
        queue: Counter[str] | None,
    ) -> Message:
        since = self._moments.since
        fate, text = self._fate(pushed, got, reply, queue, name)
        return Message(
            name,
            fate,
            text,
            since(pushed.t),
            since(reply.left) if reply else None,
            since(got[0].t) if got else None,
        )

    def _fate(
        self,
        pushed: Event,
        got: list[Event],
        reply: Reply | None,
        queue: Counter[str] | None,
        name: str,
    ) -> tuple[str, str]:
        if len(got) > 1:
            return "duplicated", f"received {len(got)} times, first {self._at(got[0].t)}"
        if got:
            return self._received(pushed.t, got[0].t, reply)
        if queue is None:
            return "unknown", "the recording ends before the queue was looked at"
        if queue[name]:
            return "stuck", "still in the queue: nobody asked for it"
        if reply is not None and self._on_its_way(reply):
            return "unknown", f"left the server {self._at(reply.left)}, just before the cell ended"
        return "lost", self._where(reply)

    def _on_its_way(self, reply: Reply) -> bool:
        """Whether the cell ended before the consumer could have read what reached its host."""
        return reply.arrived is not None and self._moments.end - reply.arrived < _SOON

    def _received(self, pushed: int, got: int, reply: Reply | None) -> tuple[str, str]:
        between = any(
            fault.began_ns is not None
            and fault.began_ns < got
            and (fault.healed_ns is None or fault.healed_ns > pushed)
            for fault in self._faults
        )
        if between and got - pushed > _SOON:
            sent = (
                f"its reply was sent {_times(reply.sent)}"
                if reply is not None
                else "it waited in the queue"
            )
            return "late", f"received {(got - pushed) / 1e9:.2f} s after its pushing; {sent}"
        return "delivered", f"received {self._at(got)}"

    def _where(self, reply: Reply | None) -> str:
        if reply is None:
            return (
                "popped, but no reply that holds it was ever on the wire: lost in the server's host"
            )
        story = f"left the server {self._at(reply.left)} for client {reply.client}"
        if reply.arrived is not None:
            arrived = self._at(reply.arrived)
            own = self._sockets.get(("client", reply.client))
            closed = own is None or own.gone is not None or own.state != "ESTABLISHED"
            why = "where its socket was closed by then" if closed else "but no consumer read it"
            return f"{story}, reached the client's host {arrived}, {why}: lost"
        story += (
            f"; its reply was sent {_times(reply.sent)}, taken by the cable {_times(reply.taken)}"
        )
        socket = self._sockets.get(("server", reply.client))
        if socket is None or socket.gone is not None:
            return f"{story}; the server's socket is gone: lost"
        return f"{story}; the server's kernel still retransmits it to nobody: lost"

    def _at(self, t: int) -> str:
        return f"at {self._moments.since(t):+.2f} s"


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
