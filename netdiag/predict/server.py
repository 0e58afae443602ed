"""A server's settings and its situation -> when its own kernel gives the client up.

The rule this file guards: the server's tcp-keepalive stops governing as soon as a reply is
unacknowledged, be it an element or the nil of the command's own timeout; from then on the zombie
lives by tcp_retries2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.predict import retransmission
from netdiag.predict.client import TCP_TIMER, probes_due, silence_ends
from netdiag.predict.pushes import Unpredictable, later_pushes
from netdiag.predict.settings import own_timeout, server_keepalive
from netdiag.predict.wheel import ZERO, Span, exactly
from netdiag.predict.words import gives_up, written
from netdiag.units import format_duration

if TYPE_CHECKING:
    from netdiag.faults.fault import Fault
    from netdiag.predict.kernel import Kernel
    from netdiag.predict.situation import Situation
    from netdiag.scenario.plan import Cell

KEEPALIVE: Final = "the server's keepalive timer"
RETRANSMISSION: Final = "the server's retransmission timer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """When the server's socket is gone, seconds after the fault; None: never. sends: when its
    kernel sends something by itself until then, probes or copies.
    """

    when: Span | None
    by: str
    formula: str
    source: str
    sends: tuple[Span, ...] = ()


def forgets(cell: Cell, fault: Fault, seen: Situation, kernel: Kernel) -> Forgetting:
    """How the server forgets a client from which nothing comes any more. Raises Unpredictable."""
    if seen.server == "reply":
        return _by_retransmission(ZERO - seen.server_quiet, seen, kernel)
    probed = _by_keepalive(cell, seen, kernel)
    reply = _next_reply(cell, fault, seen, kernel)
    if reply is None or (probed.when is not None and probed.when.high < reply.low):
        return probed
    if probed.when is not None and reply.high >= probed.when.low:
        raise Unpredictable("the server replies at about the time at which its keepalive ends; "
                            "either timer may be the one that gives the client up")
    return _by_retransmission(reply, seen, kernel)


def copies_of_reply(cell: Cell, fault: Fault, seen: Situation, kernel: Kernel) -> tuple[Span, ...]:
    """When the server sends an unacknowledged reply again, seconds after the fault, until it gives
    up. Raises Unpredictable."""
    server = forgets(cell, fault, seen, kernel)
    if server.by != RETRANSMISSION or server.when is None:
        return ()
    return tuple(at for at in server.sends if at.high < server.when.low)


def _by_keepalive(cell: Cell, seen: Situation, kernel: Kernel) -> Forgetting:
    timings = server_keepalive(cell, kernel)
    if timings is None:
        return Forgetting(when=None, by="nothing", source="redis.conf",
                          formula="tcp-keepalive 0: nobody asks whether the client is there")
    idle, interval, count = timings
    dies, when = silence_ends(kernel, timings, seen.server_quiet)
    return Forgetting(
        when=when,
        by=KEEPALIVE, sends=tuple(probes_due(kernel, timings, seen.server_quiet)),
        formula=f"tcp-keepalive {idle}: {idle} + {count} x {interval} = "
                f"{idle + count * interval} s; wheel: {written(dies)}",
        source="anet.c: anetKeepAlive; " + TCP_TIMER + "tcp_keepalive_timer")


def _by_retransmission(start: Span, seen: Situation, kernel: Kernel) -> Forgetting:
    kernel = kernel.at(seen.start + start)
    dies = retransmission.data_dies(kernel)
    formula = gives_up(kernel, None, "tcp_retries2", dies)
    if start.high > 0:
        formula = f"the reply after {format_duration(round(start.low, 1))}, then {formula}"
    return Forgetting(when=start + dies, by=RETRANSMISSION,
                      formula=formula, source=TCP_TIMER + "tcp_write_timeout",
                      sends=tuple(start + at for at in retransmission.copies(kernel)))


def _next_reply(cell: Cell, fault: Fault, seen: Situation, kernel: Kernel) -> Span | None:
    """When the blocked server would reply after all, into the cut; None: it does not."""
    if seen.server != "idle" or not seen.asked:
        return None
    replies = later_pushes(cell, fault, seen.start, kernel.pace.pushing)[:1]
    if replies and len(cell.clients) > 1:
        raise Unpredictable("which of several clients the server serves first is open")
    if block := own_timeout(cell):
        left = exactly(block) - seen.server_quiet
        replies.append(left.at_least(0.0) + kernel.pace.cron)
    if not replies:
        return None
    return Span(min(one.low for one in replies), min(one.high for one in replies))
