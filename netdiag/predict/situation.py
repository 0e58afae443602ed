"""A cell and a fault's trigger -> in which situation the fault finds the two ends.

The rule this file guards: which timer governs is decided by one thing alone: what is
unacknowledged. A client that waits for an ACK is in the retransmission timer, one that waits for a
reply has only keepalive; so the table PHASES is the heart of every prediction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from netdiag.faults.trigger import EventTrigger, PhaseTrigger, TimeTrigger
from netdiag.predict.wheel import ZERO, Span, either, exactly

if TYPE_CHECKING:
    from netdiag.faults.fault import Fault
    from netdiag.faults.trigger import Trigger
    from netdiag.predict.settings import Limits
    from netdiag.scenario.plan import Cell
    from netdiag.scenario.workload import Produce

Regime = Literal["syn", "request", "idle", "closing"]
ServerRegime = Literal["none", "idle", "reply"]

DIALLING: Final = Span(0.0, 0.25)
"""From the client's first SYN until it waits in its first call, in a lab: greetings and all."""
DELAYED_ACK: Final = Span(0.0, 0.052)
"""From a request until the other end's pure ACK of it: 40 ms and a tick or two (TCP_DELACK_MIN)."""
NEXT_CALL: Final = Span(0.0, 0.02)
"""From a reply until the client's next request."""


class Unpredictable(Exception):
    """Settings alone do not tell; the message is the sentence that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The two ends at the moment a fault takes effect.

    regime: the client waits for its SYN's answer, for an ACK of its request, or for a reply with
    nothing unacknowledged; since: how long ago it began that (and its read); quiet: how long ago it
    heard of its peer; server: whether a reply of it is unacknowledged; asked: whether it holds a
    request; start: when the fault takes effect, counted from the client's first SYN; delayed: how
    many of the client's requests were acknowledged with delay, because the server had no reply.
    """

    regime: Regime
    server: ServerRegime
    since: Span = ZERO
    quiet: Span = ZERO
    server_quiet: Span = ZERO
    asked: bool = False
    start: Span = DIALLING
    delayed: int = 0
    assumes: tuple[str, ...] = ()


_RIDES = ("the client's ACK of the last reply rides on the request, so that reply is "
          "unacknowledged, too",)
PHASES: Final[dict[str, Situation]] = {
    "connecting": Situation(regime="syn", server="none", start=ZERO),
    "connected": Situation(regime="request", server="idle", start=ZERO),
    "request_in_flight": Situation(regime="request", server="reply", assumes=_RIDES),
    "request_delivered": Situation(regime="request", server="idle", asked=True),
    "blocked": Situation(regime="idle", server="idle", since=DELAYED_ACK, asked=True,
                         server_quiet=DELAYED_ACK, delayed=1),
    "reply_in_flight": Situation(regime="idle", server="reply", delayed=1),
    "reply_delivered": Situation(regime="request", server="reply", delayed=1),
    "closing": Situation(regime="closing", server="idle"),
}
"""What a fault finds that takes effect on the very packet of a phase."""
_REPLIES: Final = ("reply_in_flight", "reply_delivered")


def situation(cell: Cell, trigger: Trigger, limits: Limits) -> Situation:
    """What the fault finds. Raises Unpredictable."""
    read = limits.read
    if isinstance(trigger, TimeTrigger):
        return _waiting(cell, exactly(trigger.time), read)
    if not isinstance(trigger, PhaseTrigger):
        raise Unpredictable(f"when '{trigger}' comes does not follow from the settings")
    if trigger.command is not None and trigger.command not in cell.workload.commands:
        raise Unpredictable(f"{trigger.command} is not the workload's own command, so what the "
                            "client waits for then does not follow from the settings")
    found = PHASES[trigger.phase]
    found = replace(found, delayed=found.delayed + trigger.nth - 1)
    if trigger.phase == "request_in_flight" and trigger.nth == 1 and not limits.program.greets:
        found = replace(found, server="idle", assumes=())
    if trigger.phase in _REPLIES:
        found = _replied(cell, trigger, found, read)
    elif trigger.nth > 1 and trigger.phase not in ("connecting", "connected"):
        found = replace(found, start=_asked(cell, trigger.nth))
    return _waiting(cell, found.start + trigger.after, read) if trigger.after else found


def early_pushes(cell: Cell) -> list[float]:
    """The pushes whose time is known, in seconds; the others follow some event."""
    return sorted(
        produce.at.time + number
        for produce in cell.workload.produce if isinstance(produce.at, TimeTrigger)
        for number in _spaced(produce)
    )


def later_pushes(cell: Cell, fault: Fault, start: Span) -> list[Span]:
    """When something is pushed into a lasting fault, seconds after its beginning, in order.

    start: when the fault begins. Raises Unpredictable for a push that follows something else.
    """
    found = [exactly(push) - start for push in early_pushes(cell) if push > start.high]
    for produce in cell.workload.produce:
        if isinstance(produce.at, TimeTrigger) or _healed(produce.at):
            continue
        after = _after(produce.at, fault)
        if after is None:
            raise Unpredictable(f"a message is pushed at '{produce.at}', so when the server "
                                "replies does not follow from the settings")
        found += [exactly(after + later) for later in _spaced(produce)]
    return sorted(found, key=lambda one: one.high)


def _spaced(produce: Produce) -> list[float]:
    return [number / produce.rate if produce.rate else 0.0 for number in range(produce.count)]


def _healed(at: Trigger) -> bool:
    """What is pushed after the healing meets no cut any more."""
    return isinstance(at, EventTrigger) and at.event == "healed"


def _after(at: Trigger, fault: Fault) -> float | None:
    """How many seconds after a fault's beginning a trigger comes; None: nobody knows."""
    if isinstance(at, EventTrigger) and (at.event, at.nth) == ("active", 1):
        return at.after if at.fault in (None, fault.name) else None
    if isinstance(at, PhaseTrigger) and isinstance(fault.at, PhaseTrigger):
        same = replace(at, after=0.0) == replace(fault.at, after=0.0)
        return at.after - fault.at.after if same and at.after > fault.at.after else None
    return None


def _replied(cell: Cell, trigger: PhaseTrigger, found: Situation, read: float | None) -> Situation:
    """The nth reply answers the nth push, if the client was waiting by then."""
    times = early_pushes(cell)
    if len(cell.clients) > 1:
        raise Unpredictable("which of several clients gets a message does not follow from settings")
    if len(times) < trigger.nth:
        return _nil_reply(cell, trigger, found, read)
    at = times[trigger.nth - 1]
    before = exactly(times[trigger.nth - 2]) if trigger.nth > 1 else DIALLING
    gap = exactly(at) - before
    if gap.low < DELAYED_ACK.high and gap.high > 0 and trigger.nth == 1 and at > 0:
        raise Unpredictable(f"the message of {at:g} s may come before or after the client waits")
    if trigger.nth > 1:
        gap = (gap - NEXT_CALL).at_least(0.0)
    block = cell.workload.block
    if block and gap.high >= block:
        raise Unpredictable("the command's own timeout answers before the message does")
    if read is not None and read <= gap.high:
        raise Unpredictable("the read timeout ends the call before the message comes")
    if trigger.phase == "reply_delivered":
        return replace(found, start=exactly(at))
    if gap.high <= DELAYED_ACK.high:
        return replace(found, regime="request", start=either([before, exactly(at)]),
                       assumes=("the message is there before the request, so the lost reply "
                                "carries the request's ACK, too",))
    return replace(found, since=gap, quiet=gap, start=exactly(at))


def _nil_reply(cell: Cell, trigger: PhaseTrigger, found: Situation,
               read: float | None) -> Situation:
    """Without a message the reply is the nil of the command's own timeout."""
    block = cell.workload.block
    if not block or cell.workload.produce or trigger.nth > 1:
        raise Unpredictable(f"which message '{trigger}' means does not follow from the settings")
    if read is not None and read <= block:
        raise Unpredictable("the read timeout ends the call before the command's own timeout does")
    gap = Span(block, block + 0.15)  # the server looks for timed-out clients ten times a second
    if trigger.phase == "reply_delivered":
        return replace(found, start=gap + DIALLING)
    return replace(found, since=gap, quiet=gap, start=gap + DIALLING)


def _asked(cell: Cell, nth: int) -> Span:
    """When the nth request leaves: after n - 1 replies."""
    times = early_pushes(cell)
    if len(times) >= nth - 1 and not cell.workload.block:
        return exactly(times[nth - 2]) + NEXT_CALL if times[nth - 2] else DIALLING
    raise Unpredictable("when the client asks for the "
                        f"{nth}th time does not follow from the settings")


def _waiting(cell: Cell, at: Span, read: float | None) -> Situation:
    """At a moment of its own choice (seconds from the first SYN) the fault finds a client that
    waits in its call, with nothing unacknowledged."""
    if at.low < DIALLING.high:
        raise Unpredictable("the fault comes while the client may still be dialling; "
                            "a phase such as connected or blocked would be exact")
    if any(at.low - DIALLING.high < push < at.high + DIALLING.high for push in early_pushes(cell)):
        raise Unpredictable("the fault comes while a message may be on its way; "
                            "a phase such as blocked or reply_in_flight would be exact")
    last = max((push for push in early_pushes(cell) if push < at.low), default=0.0)
    gap = at - (DIALLING if last <= DIALLING.high else exactly(last))
    block = cell.workload.block
    if read is not None and read <= gap.high:
        raise Unpredictable("the read timeout has ended the call before the fault comes")
    if block and gap.high >= block:
        gap = Span(0.0, block)
    before = sum(1 for push in early_pushes(cell) if push < at.low)
    return Situation(regime="idle", server="idle", since=gap, quiet=gap, server_quiet=gap,
                     asked=True, start=at, delayed=before + 1)
