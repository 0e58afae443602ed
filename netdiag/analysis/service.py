"""A service that says nothing of itself: when it noticed and worked again, and what it took.

Turns frames and replies into what others read from a client's own words. The rule it guards: a
service has taken a message when it sent something new after that was there; that a message reached
its host proves nothing, and what the wire cannot tell is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.analysis.model import Notice

if TYPE_CHECKING:
    from netdiag.analysis.handed import Handed
    from netdiag.analysis.ways import Way
    from netdiag.analysis.wire import Reply, WireLog

_SIGNS: Final = {
    "fin": "the service closed its connection",
    "rst": "its host reset the connection",
    "syn": "the service dialled again",
}


def notice(wire: WireLog, began: int | None) -> Notice | None:
    """The first sign on the wire that the service gave its connection up after `began` (ns)."""
    if began is None:
        return None
    for frame in wire.frames:
        how = _SIGNS.get(frame.label) if frame.side == 0 and frame.injected is None else None
        if how is not None and frame.t >= began:
            return Notice(
                t=(frame.t - began) / 1e9, how=how, by="the service's own doing, or its kernel's",
                type=None, errno=None, message="",
            )
    return None


def recovered(wire: WireLog, key: str, healed: int | None) -> float | None:
    """Seconds from the healing until the service took a message of the queue and, later, sent its
    next command on that connection; None: it never did.
    """
    if healed is None:
        return None
    for reply in sorted(wire.replies, key=lambda one: one.arrived or 0):
        element = isinstance(reply.value, tuple) and reply.value[:1] == (key.encode(),)
        if element and reply.followed and reply.arrived is not None and reply.arrived >= healed:
            return (reply.arrived - healed) / 1e9
    return None


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
    if handed.late(way.pushed, arrived):
        waited = (arrived - way.pushed) / 1e9
        return "late", f"reached the service {waited:.2f} s after its pushing; {went_on}"
    return "delivered", f"reached the service {handed.at(arrived)}; {went_on}"
