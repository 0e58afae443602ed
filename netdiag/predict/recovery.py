"""A path that heals in time -> who is rescued by it, who dies all the same, and who is told.

The rule this file guards: healing alone tells nobody anything. An end is rescued when a segment
gets through between the healing and the end of its timer; otherwise its timer ends although the
path is whole. And a server that has forgotten the connection answers the client's next segment with
a RST.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdiag.predict import retransmission, timers
from netdiag.predict.client import (
    RST_SOURCE,
    Candidate,
    earliest,
    probe_times,
    read_timeout,
    told,
)
from netdiag.predict.pushes import Unpredictable
from netdiag.predict.server import KEEPALIVE

if TYPE_CHECKING:
    from netdiag.predict.kernel import Kernel
    from netdiag.predict.server import Forgetting
    from netdiag.predict.settings import Limits
    from netdiag.predict.situation import Situation
    from netdiag.predict.wheel import Span

_RST = "a RST from the peer"


@dataclass(frozen=True, slots=True)
class Course:
    """When the path healed, seconds after the fault; what the client would have noticed first; and
    whether messages may come."""

    healed: Span
    winner: Candidate | None
    messages: bool


def after_healing(seen: Situation, limits: Limits, kernel: Kernel, server: Forgetting | None,
                  course: Course) -> Candidate | None:
    """What the client notices although the path healed before anything told it; None: nothing.

    Raises Unpredictable.
    """
    if server is None:
        raise Unpredictable("whether the server still knows the connection when the path heals "
                            "does not follow from the settings")
    found = list(read_timeout(limits, seen.since))
    if found and seen.start.high == 0:
        raise Unpredictable("the path heals before anything tells the client, and the call after "
                            "the greeting has a read of its own")
    if course.messages and found:
        raise Unpredictable("the path heals before anything tells the client; what it notices "
                            "hangs on the message that comes then")
    sends = _sends(seen, limits, kernel)
    forgot = _forgotten(seen, sends, server, course.healed)
    if forgot is None:
        _goes_on(sends, server, course)
    elif forgot.high > course.healed.high and server.by == KEEPALIVE:
        found.append(told(_RST, limits.program.words.reset, forgot + limits.waking,
                          formula=f"{server.formula}; then the server's RST"))
    else:
        last = forgot if forgot.high > course.healed.high else course.healed
        found += _answered(seen, limits, timers.first_after(sends, last))
        found += [one for one in (course.winner,) if one is not None and not one.closes]
    return earliest(found)


def _sends(seen: Situation, limits: Limits, kernel: Kernel) -> list[Span]:
    """When the client's kernel sends something by itself: copies of its request, or probes."""
    if seen.regime == "request":
        return [at - seen.since
                for at in retransmission.copies(kernel.at(seen.start - seen.since))]
    return probe_times(limits, kernel, seen.quiet)


def _forgotten(seen: Situation, sends: list[Span], server: Forgetting, healed: Span,
               ) -> Span | None:
    """When the server forgets the connection, although the path heals; None: it does not."""
    forgot = server.when
    if forgot is None or forgot.high <= healed.low:
        return forgot
    if forgot.low < healed.high:
        raise Unpredictable("the path heals at about the time at which the server forgets the "
                            "client")
    rescues = [timers.first_after(server.sends, healed)]
    if seen.regime == "request" or server.by == KEEPALIVE:  # a probe alone acknowledges no reply
        rescues.append(timers.first_after(sends, healed))
    if any(one.high < forgot.low for one in rescues):
        return None
    if any(one.low < forgot.low for one in rescues):
        raise Unpredictable("whether anything gets through between the healing and the end of the "
                            "server's timer hangs on its rounding")
    return forgot


def _goes_on(sends: list[Span], server: Forgetting, course: Course) -> None:
    """The connection goes on, if the client's own timer does not end first. Raises Unpredictable.
    """
    winner = course.winner
    if winner is None or winner.closes:
        return
    through = [timers.first_after(own, course.healed) for own in (sends, server.sends)]
    if not any(one.high < winner.when.low for one in through):
        raise Unpredictable("whether anything gets through between the healing and the end of the "
                            "client's timer hangs on its rounding")


def _answered(seen: Situation, limits: Limits, at: Span) -> list[Candidate]:
    """The client's first segment after the healing meets a server that knows nothing of it."""
    if at.high == float("inf"):
        return []
    what = "copy" if seen.regime == "request" else "keepalive probe"
    return [Candidate(when=at + limits.waking, by=_RST, sees=limits.program.words.reset,
                      source=RST_SOURCE,
                      formula=f"the first {what} after the healing is answered with a RST")]
