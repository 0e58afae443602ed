"""A client's limits and its situation -> what could end its waiting, and when: the candidates.

The rule this file guards: a library's timeout runs in poll(2), which is exact to a thousandth; only
the kernel's own timers are rounded by the wheel. Whichever comes first is what the client notices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.predict import retransmission, timers
from netdiag.predict.pushes import Unpredictable
from netdiag.predict.silence import heard
from netdiag.predict.wheel import Span, either
from netdiag.predict.words import ago, gives_up, wheel
from netdiag.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netdiag.predict.kernel import Kernel
    from netdiag.predict.settings import Limits
    from netdiag.predict.situation import Situation

POLL_SLACK: Final = 0.001
"""poll(2) may end a thousandth later than asked (select_estimate_accuracy in fs/select.c)."""

OWN_TIMEOUT: Final = "the client's own timeout"
POLL: Final = "fs/select.c: select_estimate_accuracy; the library waits in poll(2)"
TCP_TIMER: Final = "net/ipv4/tcp_timer.c: "
RST_SOURCE: Final = "net/ipv4/tcp_input.c: tcp_reset; RFC 9293, 3.5.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something that ends the waiting. closes: the program closes a socket that is still alive, so
    that a FIN is left behind; sees: what the application would get."""

    when: Span
    by: str
    sees: str
    formula: str
    source: str
    closes: bool = False


def read_timeout(limits: Limits, since: Span) -> Iterator[Candidate]:
    """The library's own limit of one read."""
    if limits.read is None:
        return
    yield Candidate(
        when=(polled(limits.read) - since).at_least(0.0) + limits.waking,
        by=OWN_TIMEOUT, sees=limits.program.words.read,
        formula=f"read_timeout {format_duration(limits.read)}{ago('the call began', since)}",
        source=POLL, closes=True)


def waiting_for_reply(limits: Limits, seen: Situation, kernel: Kernel) -> Iterator[Candidate]:
    """Nothing is unacknowledged: keepalive alone asks whether the peer is there."""
    yield from read_timeout(limits, seen.since)
    if limits.keepalive is None:
        return
    idle, interval, count = limits.keepalive
    if interval > idle and seen.earlier >= idle:
        raise Unpredictable("keepalive's interval is longer than its idle time, so when its next "
                            "probe comes hangs on the probes before the last message")
    if _deaf(limits):
        return
    dies, when = silence_ends(kernel, limits.keepalive, seen.quiet, limits.user_timeout)
    formula = f"{idle} + {count} x {interval} = {idle + count * interval} s{wheel(dies)}"
    if limits.user_timeout:
        formula = (f"{idle} s idle, then each {interval} s until TCP_USER_TIMEOUT "
                   f"{format_duration(limits.user_timeout)} has passed; the count is ignored"
                   f"{wheel(dies)}")
    yield Candidate(
        when=when + limits.waking, by="the kernel's keepalive timer",
        sees=limits.program.words.died,
        formula=formula + ago("the last segment came", seen.quiet),
        source=TCP_TIMER + "tcp_keepalive_timer")


def silence_ends(kernel: Kernel, timings: tuple[int, int, int], quiet: Span,
                 user_timeout: float | None = None) -> tuple[Span, Span]:
    """When keepalive gives up: from the last segment or answer, and from the fault; quiet: how long
    before the fault the last segment came."""
    found = heard(quiet, timings, kernel)
    dies = [timers.keepalive_dies(kernel, one.timings, user_timeout) for one in found]
    when = either((end - one.ago).at_least(0.0) for end, one in zip(dies, found, strict=True))
    return either(dies), when


def waiting_for_ack(limits: Limits, seen: Situation, kernel: Kernel) -> Iterator[Candidate]:
    """A request is unacknowledged: the retransmission timer governs, keepalive does not probe."""
    yield from read_timeout(limits, seen.since)
    if seen.start.high > 0 and _deaf(limits):  # its greeting is a call like any other
        return
    dies = retransmission.data_dies(kernel.at(seen.start - seen.since), limits.user_timeout)
    yield Candidate(
        when=dies - seen.since + limits.waking, by="the kernel's retransmission timer",
        sees=limits.program.words.died,
        formula=gives_up(kernel, limits.user_timeout, "tcp_retries2", dies),
        source=TCP_TIMER + "tcp_write_timeout, retransmits_timed_out")


def _deaf(limits: Limits) -> bool:
    """Whether the program is not told when its kernel gives up. Raises Unpredictable."""
    if limits.deaf and not limits.program.anyhow:
        raise Unpredictable("whether an asyncio subscriber is told that its kernel gave up hangs "
                            "on its Python: since 3.11 it takes ETIMEDOUT for the end of its own "
                            "wait")
    return limits.deaf


def earliest(candidates: Sequence[Candidate]) -> Candidate | None:
    """What comes first; of several that may, all of them in one. None: nothing ever comes."""
    if not candidates:
        return None
    last = min(one.when.high for one in candidates)
    near = [one for one in candidates if one.when.low <= last]
    if len(near) == 1:
        return near[0]
    when = either([Span(piece.low, min(piece.high, last))
                   for one in near for piece in one.when.pieces if piece.low <= last])
    return Candidate(
        when=when, closes=all(one.closes for one in near),
        by=" or ".join(dict.fromkeys(one.by for one in near)),
        sees=" or ".join(dict.fromkeys(one.sees for one in near)),
        formula="whichever is first: " + "; ".join(one.formula for one in near),
        source="; ".join(dict.fromkeys(one.source for one in near)))


def probe_times(limits: Limits, kernel: Kernel, quiet: Span) -> list[Span]:
    """When the client's next keepalive probes leave, unanswered ones only."""
    return [] if limits.keepalive is None else probes_due(kernel, limits.keepalive, quiet)


def probes_due(kernel: Kernel, timings: tuple[int, int, int], quiet: Span) -> list[Span]:
    """When the next keepalive probes leave, seconds after the fault; quiet: how long before it the
    last segment came."""
    alternatives = [[at - one.ago for at in timers.probes(kernel, *one.timings)]
                    for one in heard(quiet, timings, kernel)]
    return [either(same) for same in zip(*alternatives, strict=True)]


def polled(seconds: float) -> Span:
    """When a library's timeout of that many seconds ends."""
    return Span(seconds, seconds * (1 + POLL_SLACK))


def told(by: str, error: str, when: Span, *, formula: str = "the RST arrives",
         source: str = RST_SOURCE) -> Candidate:
    """A segment that tells the client that its connection is gone."""
    return Candidate(when=when, by=by, sees=error, formula=formula, source=source)
