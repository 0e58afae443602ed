"""A library's way to dial, and to dial again -> when nobody answers it, and when it says so.

The rule this file guards: a program is told of one failure, not of each. redis-py repeats a command
by itself, each repetition dials, and that may be repeated, too; how often in all is a matter of its
version and mode (`programs.Redialling`), and of nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.predict import timers
from netdiag.predict.client import OWN_TIMEOUT, POLL, TCP_TIMER, Candidate, earliest, polled
from netdiag.predict.wheel import ZERO, Span
from netdiag.predict.words import wheel
from netdiag.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netdiag.predict.kernel import Kernel
    from netdiag.predict.settings import Limits

_LONG: Final = 1e6
"""Pauses that add up to more than these seconds are not added up any further."""


def connecting(limits: Limits, kernel: Kernel) -> Iterator[Candidate]:
    """A SYN is unanswered: what ends the first attempt that the program can see."""
    once = dial(limits, kernel)
    again = 0 if limits.program.redialling.shows else _dials(limits) - 1
    total = once.when.times(again + 1) + (pauses(limits) if again else ZERO) + limits.waking
    formula = once.formula
    if again:
        formula = f"{again + 1} x ({formula}) + the pauses between them"
    yield Candidate(when=total, sees=limits.program.words.connect, formula=formula,
                    source=once.source, by=once.by)


def dial(limits: Limits, kernel: Kernel) -> Candidate:
    """How long one attempt to connect lasts when nobody answers: until the library's own limit, or
    until the kernel has sent its last SYN."""
    linear = kernel.setting("tcp_syn_linear_timeouts")
    dies = timers.syn_dies(kernel)
    found = [Candidate(
        when=dies, by="the kernel's retransmission timer", sees=limits.program.words.connect,
        formula=f"tcp_syn_retries {kernel.setting('tcp_syn_retries')}"
                + (f" and {linear} linear ones" if linear else "") + wheel(dies),
        source=TCP_TIMER + "tcp_write_timeout")]
    if limits.connect is not None:
        found.append(Candidate(
            when=polled(limits.connect), by=OWN_TIMEOUT, sees=limits.program.words.connect,
            formula=f"connect_timeout {format_duration(limits.connect)}", source=POLL))
    first = earliest(found)
    assert first is not None, "of several attempts the first to end is one of them"
    return first


def given_up(limits: Limits, kernel: Kernel) -> Span:
    """When the application is told that nobody answers its dial, however often that is repeated."""
    first = next(connecting(limits, kernel)).when
    vain = in_vain(limits, kernel, at="connect")
    return first if vain is None else first + vain[0]


def _dials(limits: Limits) -> int:
    """How often a connection that is wanted is dialled in vain."""
    kind = limits.program.redialling
    return limits.retry + 1 if kind.connect or kind.socket else 1


def pauses(limits: Limits) -> Span:
    """The library's pauses between its own repetitions of one thing, all together."""
    total = ZERO
    for failures in range(1, limits.retry + 1):
        total = total + pause(limits, failures)
        if total.low > _LONG:
            break
    return total


def pause(limits: Limits, failures: int) -> Span:
    """One pause: base * 2^failures up to the cap, or drawn from 0 up to that."""
    longest = min(limits.backoff.cap, limits.backoff.base * 2 ** min(failures, 64))
    return Span(0.0 if limits.jitter else longest, longest)


def in_vain(limits: Limits, kernel: Kernel, *, at: str) -> tuple[Span, str] | None:
    """From the first failure until the application is told, while no dial is answered; and in
    words. None: it is told of that failure at once.

    at: what failed: `connect` a dial or its greeting, `listen` a subscription, `call` a command.
    """
    kind, retry = limits.program.redialling, limits.retry
    once = dial(limits, kernel).when
    if at == "connect":
        rounds, each = (retry, 1) if kind.connect else (0, 0)
    elif at == "listen":
        rounds, each = (1, _dials(limits)) if kind.listen else (0, 0)
    else:
        rounds, each = retry, retry + 1 if kind.socket else 1
    if not rounds:
        return None
    more = pauses(limits)
    inner = once.times(each) + (more if each > 1 else ZERO)
    between = ZERO if at == "listen" else more
    words = f"{rounds} repetition{'s' if rounds > 1 else ''}"
    if at != "connect" and each > 1:
        words += f", each of {each} dials"
    if at == "listen":
        words = f"{each} dial{'s' if each > 1 else ''}"
    return inner.times(rounds) + between, words
