"""What told a client of a fault: the word that it noticed with -> the clock or the peer behind it.

The rule this file guards: a cause is shown, by an errno, by what reached the client on the wire, by
a socket that its kernel gave up. What a library's text says proves nothing (phpredis says `read
error on connection` whatever it was), and a timer that was pending told nothing. Who is told by
something that reached it reacts at once; what arrived long before did not tell it.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from netdiag.tcp.resp import ErrorReply
from netdiag.tcp.wire import FIN, RST, SYN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netdiag.analysis.moments import Moments
    from netdiag.analysis.replies import Reply
    from netdiag.analysis.wire import Frame
    from netdiag.recording import Event

OWN_TIMEOUT: Final = "the client's own timeout"
OWN_DOING: Final = "the client's own doing"
REFUSED: Final = "a RST to its SYN (refused)"
RESET: Final = "a RST from the peer"
TOGETHER: Final = 100_000_000
"""Words that are so near to each other (ns) speak of one thing."""
_AT_ONCE: Final = 2_000_000_000
_NO_TIME: Final = 10_000_000

_BY_ERRNO: Final = {
    errno.ECONNRESET: RESET,
    errno.ECONNREFUSED: REFUSED,
    errno.EPIPE: RESET,
    errno.EHOSTUNREACH: "an unreachable host (ARP or ICMP)",
    errno.ENETUNREACH: "an unreachable network",
}
_BY_TIMER: Final = {
    "keepalive": "the kernel's keepalive timer",
    "retransmission": "the kernel's retransmission timer",
    "persist": "the kernel's persist timer",
}


@dataclass(frozen=True)
class Wire:
    """What of the tape a client could be told by, see WireLog."""

    frames: Sequence[Frame] = ()
    handed: Sequence[Frame] = ()
    replies: Sequence[Reply] = ()

    def open_at(self, t: int) -> int:
        """How many connections the client had begun and not ended at `t`."""
        held: set[str] = set()
        for frame in self.frames:
            if frame.t > t:
                break
            flags = frame.segment.flags
            if frame.side == 0 and flags & SYN:
                held.add(frame.client)
            elif frame.side == 0 and frame.injected is None and flags & (FIN | RST):
                held.discard(frame.client)
        return len(held)


NOTHING: Final = Wire()
"""Where no tape was kept."""


def cause(moments: Moments, wire: Wire, event: Event, *, t: int, began: int) -> str:
    """What told the client that says `event`, which it began to say at `t`, of a fault that began
    at `began` (all ns).
    """
    number = event.data.get("errno")
    if isinstance(number, int) and number in _BY_ERRNO:
        return _BY_ERRNO[number]
    if number == errno.ETIMEDOUT:
        return _BY_TIMER.get(str(_last_of(moments, t).get("timer")), "a timer of the kernel")
    if event.what == "exit":
        return "its end"
    free = _latest(moments, t, "call", "connect", "signal")
    shown = (
        _ended_by_peer(wire, t, began, free)
        or _killed(moments, wire, t)
        or ("an error that the server answered" if answered(wire, moments, t) else None)
    )
    if shown is not None:
        return shown
    asked = _latest(moments, t, "call", "connect")  # a timeout runs on while its program is frozen
    waited = asked is None or t - asked >= _NO_TIME
    return OWN_TIMEOUT if waited else OWN_DOING


def _latest(moments: Moments, t: int, *whats: str) -> int | None:
    """When, until `t`, the last of these began: a call, a dial, the program after a freeze."""
    latest = None
    for event in moments.of("client.app", *whats):
        begins = event.data.get("signal") == "SIGCONT" or event.outcome == "start"
        if begins and event.t <= t and not (event.what == "connect" and event.t == t):
            latest = event.t
    return latest


def _ended_by_peer(wire: Wire, t: int, began: int, free: int | None) -> str | None:
    """The FIN or RST of the peer that told the client at `t`; None: none did."""
    told = [
        (arrived, what)
        for arrived, what in _ends(wire, t)
        if began <= arrived and t - max(arrived, free or arrived) <= _AT_ONCE
    ]
    return max(told)[1] if told else None


def _ends(wire: Wire, until: int) -> Iterator[tuple[int, str]]:
    """When and how the peer ended the connections that the client had not ended before."""
    sent = ((frame.t, False, frame) for frame in wire.frames
            if frame.side == 0 and frame.injected is None)
    came = ((frame.t, True, frame) for frame in wire.handed)
    dialled: set[str] = set()
    over: set[str] = set()
    for t, peer, frame in sorted((*sent, *came), key=lambda one: one[:2]):
        flags, client = frame.segment.flags, frame.client
        if t > until:
            return
        if flags & SYN:
            (dialled.discard if peer else dialled.add)(client)
            over.discard(client)
        elif flags & (FIN | RST) and client not in over:
            over.add(client)
            if peer:
                reset = REFUSED if client in dialled else RESET
                yield t, reset if flags & RST else "a FIN from the peer"


def _killed(moments: Moments, wire: Wire, t: int) -> str | None:
    """What ended the socket when its owner did not, for libraries that tell no errno: a socket that
    is closed by its owner goes through FIN-WAIT-1, one that its kernel gives up is gone at once.
    So is one whose owner has not read everything: it sends a RST (RFC 2525, 2.17).
    """
    for event in moments.of("client.kernel", "socket_gone"):
        if abs(event.t - t) <= TOGETHER and event.data.get("last_state") == "ESTABLISHED":
            last = _last_of(moments, t)
            if not (last.get("probes") or last.get("retransmits")):
                return None if _reset_itself(wire, event) else "a RST"
            return _BY_TIMER.get(str(last.get("timer")), "a timer of the kernel")
    return None


def _reset_itself(wire: Wire, gone: Event) -> bool:
    """Whether the client's own RST is what ended that socket."""
    return any(
        frame.side == 0
        and frame.injected is None
        and frame.segment.flags & RST
        and frame.client == gone.data.get("client")
        and abs(frame.t - gone.t) <= TOGETHER
        for frame in wire.frames
    )


def _last_of(moments: Moments, t: int) -> dict[str, Any]:
    """What was seen last, before `t`, of the socket that died then (else of any socket)."""
    dead = {
        event.data.get("client")
        for event in moments.of("client.kernel", "socket_gone")
        if abs(event.t - t) <= TOGETHER
    }
    last: dict[str, Any] = {}
    for event in moments.of("client.kernel", "socket"):
        if event.t >= t:
            break
        if not dead or event.data.get("client") in dead:
            last = dict(event.data)
    return last


def answered(wire: Wire, moments: Moments, t: int) -> bool:
    """Whether the call that failed at `t` (ns) had an error as its answer."""
    free = _latest(moments, t, "call", "connect", "signal")
    here = [one for one in wire.replies if one.arrived is not None and one.arrived <= t]
    last = max(here, key=lambda one: one.arrived or 0, default=None)
    if last is None or last.arrived is None or not isinstance(last.value, ErrorReply):
        return False
    return last.arrived >= (free or 0) and t - last.arrived <= _AT_ONCE
