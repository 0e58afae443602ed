"""A service that says nothing of itself: when it noticed and worked again, and what it took.

Turns frames, replies and its kernel's sockets into what others read from a client's own words. The
rules it guards: of a service's many connections only the consuming one tells that it noticed; it
has taken a message when it sent something new after that was there, or showed that it has read it
(`watched.read`); that a message reached its host proves nothing, and what the wire cannot tell is
unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.analysis.model import Notice
from netdiag.analysis.watched import elements
from netdiag.tcp.phases import BARE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netdiag.analysis.handed import Handed
    from netdiag.analysis.moments import Moments
    from netdiag.analysis.replies import Reply
    from netdiag.analysis.ways import Way
    from netdiag.analysis.wire import WireLog

_SIGNS: Final = {
    "fin": "the service closed its connection",
    "rst": "its host reset the connection",
}
_OPEN: Final = ("SYN-SENT", "ESTABLISHED")


def subject(wire: WireLog, began: int | None) -> str | None:
    """The consuming connection: the last one before the fault on which the workload's command was
    seen; None when none was. A service has others besides.
    """
    found = None
    for frame in wire.frames:
        if began is not None and frame.t > began and found is not None:
            break
        if any(one.phase not in BARE for one in frame.phases):
            found = frame.client
    return found


def notice(wire: WireLog, moments: Moments, about: str | None, began: int | None) -> Notice | None:
    """The first sign after `began` (ns) that the service gave that connection up: its FIN or RST
    on the wire, or the end of it in its kernel.
    """
    if began is None or about is None:
        return None
    signs = (*_on_wire(wire, about), *_in_kernel(moments, about))
    first = min((one for one in signs if one[0] >= began), default=None)
    if first is None:
        return None
    return Notice(
        t=(first[0] - began) / 1e9, how=first[1], by="the service's own doing, or its kernel's",
        type=None, errno=None, message="",
    )


def _on_wire(wire: WireLog, about: str) -> Iterator[tuple[int, str]]:
    for frame in wire.frames:
        how = _SIGNS.get(frame.label) if frame.side == 0 and frame.injected is None else None
        if how is not None and frame.client == about:
            yield frame.t, how


def _in_kernel(moments: Moments, about: str) -> Iterator[tuple[int, str]]:
    """A FIN may wait behind data that nobody acknowledges, so the wire need not show it."""
    for event in moments.of("client.kernel", "socket", "socket_gone"):
        if event.data.get("client") != about:
            continue
        if event.what == "socket_gone":
            yield event.t, "its socket was gone"
        elif event.data.get("state") not in _OPEN:
            yield event.t, f"the service closed its connection ({event.data.get('state')})"


def recovered(wire: WireLog, key: str, healed: int | None) -> float | None:
    """Seconds from the healing until a message of the queue was there that the service has read;
    None: there was none.
    """
    if healed is None:
        return None
    arrivals = [
        reply.arrived
        for reply, _ in elements(wire.replies, key)
        if reply.followed is not None and reply.arrived is not None and reply.arrived >= healed
    ]
    return (min(arrivals) - healed) / 1e9 if arrivals else None


def told(way: Way, handed: Handed, *, channel: bool) -> tuple[str, str] | None:
    """The fate of a message that is not at the server any more, with its text; None where it went
    to nobody. Others of the stack may read the same queue, over no cable.
    """
    taken = [reply for reply in way.replies if reply.followed is not None]
    if len(taken) > 1:
        when = ", ".join(handed.at(reply.left) for reply in taken)
        return "duplicated", f"taken by a service {len(taken)} times: {when}"
    if taken:
        return _taken(way, taken[0], handed)
    if not way.replies and channel and way.listeners == 0:
        return "lost", "nobody listened when it was published: lost"
    if not way.replies:
        return "unknown", "no reply that holds it passed a cable; another service may have it"
    last = way.replies[-1]
    if last.arrived is None or handed.to_a_zombie(last):
        return None
    return "unknown", (
        f"{handed.popped(last)}; reached the service's host {handed.at(last.arrived)}, and nothing "
        "new was sent after that, so nobody can tell whether it was read"
    )


def _taken(way: Way, reply: Reply, handed: Handed) -> tuple[str, str]:
    arrived, followed = reply.arrived or reply.left, reply.followed or reply.left
    went_on = f"the service went on {handed.at(followed)}"
    if way.held:
        went_on += ", and has not acknowledged it at the end"
    if handed.late(way.pushed, arrived):
        waited = (arrived - way.pushed) / 1e9
        since = "it was first seen in the queue" if way.foreign else "its pushing"
        return "late", f"reached the service {waited:.2f} s after {since}; {went_on}"
    return "delivered", f"reached the service {handed.at(arrived)}; {went_on}"
