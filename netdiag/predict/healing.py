"""A fault's end -> when it comes, and what the ends find out by it when nothing told them before.

The rule this file guards: a path that heals in time undoes the kernel's timers, because the next
copy or probe gets through; the library's own timeout does not care. And a server that has forgotten
the connection answers that copy or probe with a RST.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdiag.faults.trigger import PacketTrigger, PhaseTrigger, TimeTrigger
from netdiag.predict import retransmission, timers
from netdiag.predict.pushes import Unpredictable
from netdiag.predict.wheel import ZERO, Span, exactly

if TYPE_CHECKING:
    from netdiag.faults.fault import Fault
    from netdiag.predict.kernel import Kernel
    from netdiag.predict.settings import Limits
    from netdiag.predict.situation import Situation


@dataclass(frozen=True, slots=True)
class Healing:
    """When a fault ends: seconds after it began, or after the client closed; both None: it lasts.
    """

    began: Span | None = None
    closed: float | None = None
    open: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """When the path is whole again, seconds after the fault, None: it never is; and when the server
    sends an unacknowledged reply again."""

    healed: Span | None
    copies: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """How long a socket is held from close() on, seconds; and after how many its kernel gives up
    what is unacknowledged, from its sending on: the FIN, or a request that had been sent before.
    """

    lasts: Span
    dies: Span


def healing(fault: Fault, seen: Situation, measured: float | None = None) -> Healing:
    """When a fault ends; `open` is a sentence where that does not follow from the settings, nor was
    it `measured` (seconds after it began).
    """
    if fault.for_ is not None:
        return Healing(exactly(fault.for_))
    end = fault.heal
    if end is None:
        return Healing()
    if isinstance(end, TimeTrigger):
        return Healing((exactly(end.time) - seen.start).at_least(0.0))
    if _client_closes(end) and seen.regime != "syn":
        after = end.after if isinstance(end, PacketTrigger | PhaseTrigger) else 0.0
        return Healing(closed=after)
    if measured is not None:
        return Healing(exactly(measured))
    return Healing(open=f"when the fault ends ('{end}') does not follow from the settings; this "
                        "holds if it lasts")


def _client_closes(end: object) -> bool:
    if isinstance(end, PacketTrigger):
        return (end.from_, end.label, end.nth) == ("client", "fin", 1)
    return isinstance(end, PhaseTrigger) and (end.phase, end.nth) == ("closing", 1)


def fin_wait1(seen: Situation, limits: Limits, kernel: Kernel, closed: Span,
              path: Path) -> Held | None:
    """How long the client's kernel holds a socket in FIN-WAIT-1.

    closed: seconds after the fault. None: it is rid of it at once, because the path is whole again.
    Raises Unpredictable.
    """
    healed = path.healed
    if healed is not None and healed.high <= closed.low:
        return None
    age = closed + seen.since if seen.regime == "request" else ZERO
    sent = seen.start - seen.since if seen.regime == "request" else seen.start + closed
    kernel = kernel.at(sent)
    if seen.regime == "request" and age.low < retransmission.copies(kernel)[1].high:
        raise Unpredictable("the program closes before the request's first retransmission timeout, "
                            "so FIN and request are probed together")
    dies = retransmission.data_dies(kernel, limits.user_timeout, closed=age)
    ends = (dies - age).at_least(0.0)
    if healed is None:
        return Held(ends, dies)
    own = [at - age for at in retransmission.copies(kernel)]
    through = [timers.first_after(own, (healed - closed).at_least(0.0))]
    if path.copies:  # one that arrives meets an orphan, which answers with a RST
        copies = [at - closed for at in path.copies]
        through.append(timers.first_after(copies, (healed - closed).at_least(0.0)))
    return Held(Span(min(ends.low, *(one.low for one in through)),
                     min(ends.high, *(one.high for one in through))), dies)
