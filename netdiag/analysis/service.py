"""A service that says nothing of itself: when it noticed and worked again, read from the wire.

Turns frames and replies into what `analysis.client` reads from a client's own words. The rule it
guards: a service works again when it has taken a message and then asked for more; that a message
reached its host proves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.analysis.model import Notice

if TYPE_CHECKING:
    from netdiag.analysis.wire import Frame, WireLog

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
        if element and reply.arrived is not None and reply.arrived >= healed:
            taken = reply.arrived
            if any(_asks(frame, reply.client, taken) for frame in wire.frames):
                return (taken - healed) / 1e9
    return None


def _asks(frame: Frame, client: str, after: int) -> bool:
    return (
        frame.side == 0
        and frame.client == client
        and frame.t > after
        and frame.segment.length > 0
    )
