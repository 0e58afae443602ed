"""A message that came late -> a sentence: how late, and where it spent most of that time.

The rule this file guards: the tape tells the three parts of its way (until the server sent it, on
the wire, in its client's host), and the longest of them is the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdiag.analysis.moments import Moments
    from netdiag.analysis.replies import Reply
    from netdiag.analysis.ways import Way


def received_late(
    way: Way, moments: Moments, replies: Sequence[Reply], *, place: str = "in the queue"
) -> str:
    """`received by a 7.00 s after its pushing; it waited in the queue for 6.50 s`; `replies` are
    those to the client that had it last, `place` is where a message waits at the server.
    """
    told = received_after(way)
    if way.requeued:
        return f"{told}; it was given back at {moments.since(way.requeued[0].t):+.3f} s"
    why = _longest(way, replies, f"it waited {place}")
    return f"{told}{f'; {why}' if why else ''}"


def received_after(way: Way) -> str:
    """`received by a 7.00 s after its pushing`."""
    who = f" by {way.got[-1].who}" if way.got[-1].who else ""
    return f"received{who} {_seconds(way)} s after its pushing"


def answered_late(way: Way) -> str:
    """`answered 1.68 s after it was made; the server did not answer for 1.60 s`."""
    why = _longest(way, way.replies, "the server did not answer")
    return f"answered {_seconds(way)} s after it was made{f'; {why}' if why else ''}"


def _seconds(way: Way) -> str:
    return f"{(way.got[-1].t - way.pushed) / 1e9:.2f}"


def _longest(way: Way, replies: Sequence[Reply], before: str) -> str:
    """The longest part of the way; `before`: what is said of that which precedes the reply. Empty
    when no reply was seen.
    """
    got = way.got[-1].t
    reply = next((one for one in reversed(replies) if one.left <= got), None)
    if reply is None:
        return ""
    arrived = min(got, reply.arrived if reply.arrived is not None else got)
    times = {1: "once", 2: "twice"}.get(reply.sent, f"{reply.sent} times")
    spent = {
        f"{before} for": reply.left - way.pushed,
        f"its reply was sent {times}, and was under way for": arrived - reply.left,
        "it lay in its client's host for": got - arrived,
    }
    how = max(spent, key=lambda words: spent[words])
    return f"{how} {spent[how] / 1e9:.2f} s"
