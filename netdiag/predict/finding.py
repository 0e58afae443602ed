"""A cell and a fault's trigger -> in which situation the fault finds the two ends.

The rule this file guards: where the trigger's packet and something else meet at about the same
time, either may be first, and then nothing is told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from netdiag.catalogue.patterns import PATTERNS, Pattern
from netdiag.faults.trigger import EventTrigger, PhaseTrigger, TimeTrigger
from netdiag.predict.calls import EVERY, Calls
from netdiag.predict.pushes import Unpredictable, before
from netdiag.predict.settings import own_timeout
from netdiag.predict.situation import AT_ONCE, EARLY, Situation, listening, phases
from netdiag.predict.wheel import ZERO, Span, either, exactly
from netdiag.units import format_duration

if TYPE_CHECKING:
    from netdiag.faults.trigger import Trigger
    from netdiag.predict.kernel import Kernel
    from netdiag.predict.pace import Pace
    from netdiag.predict.settings import Limits
    from netdiag.scenario.plan import Cell

_DIALS: Final = ("connecting", "connected")
_REPLIES: Final = ("reply_in_flight", "reply_delivered")


def situation(cell: Cell, trigger: Trigger, limits: Limits, kernel: Kernel) -> Situation:
    """What the fault finds. Raises Unpredictable."""
    cell = before(cell, trigger)
    calls = Calls(cell, kernel.pace, limits.program.greets, limits.read)
    finding = _Finding(cell, limits, kernel.pace, calls)
    if isinstance(trigger, TimeTrigger):
        return finding.waiting(exactly(trigger.time) + kernel.pace.acting)
    if isinstance(trigger, EventTrigger):
        return finding.event(trigger)
    if not isinstance(trigger, PhaseTrigger):
        raise Unpredictable(f"when '{trigger}' comes does not follow from the settings")
    return finding.phase(trigger)


@dataclass(frozen=True, slots=True)
class _Finding:
    """A cell, how long things take in its lab, and the client's calls."""

    cell: Cell
    limits: Limits
    pace: Pace
    calls: Calls

    @property
    def pattern(self) -> Pattern:
        """What the client does."""
        return PATTERNS[self.cell.workload.pattern]

    def event(self, trigger: EventTrigger) -> Situation:
        """What a fault finds some time after the client called, or got a message."""
        if len(self.cell.clients) == 1 and trigger.event == "call":
            return self.waiting(self.calls.called(trigger.nth) + trigger.after)
        if len(self.cell.clients) == 1 and trigger.event == "got":
            return self.waiting(self.calls.got(trigger.nth) + trigger.after)
        raise Unpredictable(f"when '{trigger}' comes does not follow from the settings")

    def phase(self, trigger: PhaseTrigger) -> Situation:
        """What a fault finds at a packet of the workload's own command."""
        if trigger.command is not None and trigger.command not in self.cell.workload.commands:
            raise Unpredictable(f"{trigger.command} is not the workload's own command, so what the "
                                "client waits for then does not follow from the settings")
        self._understood(trigger)
        found = (phases if self.pattern.keeps else listening)(self.pace)[trigger.phase]
        if trigger.nth > 1 or trigger.after or trigger.phase in _REPLIES:
            self.calls.timed()
        found = self._heard(trigger, found)
        if not trigger.after:
            return found
        if trigger.phase == "blocked" and trigger.nth == 1 and found.server == "idle" \
                and not self._pushed(found.start, trigger.after):
            later = exactly(trigger.after)
            self._same_call(later + self.pace.acked)
            return replace(self._quiet(found.start + later, since=later + self.pace.acked,
                                       quiet=later), acks=found.acks)
        return self.waiting(found.start + trigger.after)

    def _pushed(self, start: Span, after: float) -> bool:
        """Whether a message may come between a phase that began then and so much later."""
        return any(push.high > start.low and push.low < start.high + after + self.pace.acked.high
                   for push in self.calls.times)

    def _heard(self, trigger: PhaseTrigger, found: Situation) -> Situation:
        """What has been said when the trigger's packet comes, and when that is."""
        phase, nth = trigger.phase, trigger.nth
        if phase in _DIALS:
            return found
        if phase in _REPLIES:
            found = self._replied(trigger, found)
            return replace(found, acks=self.calls.acks(calls=nth, replies=nth - 1))
        if phase == "blocked" and self.pattern.keeps:
            nth = self.calls.that_blocks(nth)
        found = replace(found, start=self.calls.called(nth))
        if phase == "blocked":  # which is an ACK that may be delayed
            said = self.calls.acks(calls=nth, replies=nth - 1)
            found = replace(found, start=found.start + self.pace.acked, acks=said)
            if self.pattern.waits and not self.calls.waits(nth):  # the reply follows at once
                return replace(found, server="reply", server_quiet=ZERO, asked=False)
            return found
        said = self.calls.acks(calls=nth - 1, replies=nth - 1)
        if phase == "request_delivered" and not (self.pattern.waits and self.calls.waits(nth)):
            found = replace(found, server="reply", asked=False)  # the reply leaves at once
        if phase == "request_in_flight" and not said.rides:
            found = replace(found, server="idle", server_quiet=self._since_ack(nth), assumes=())
        return replace(found, acks=said)

    def _since_ack(self, nth: int) -> Span:
        """How long before its nth request the client has acknowledged a reply."""
        if nth == 1 or self.pattern.acknowledges:  # which it has just done
            return ZERO
        pause = (self.cell.workload.every or EVERY) if self.calls.own else self.cell.workload.work
        return (exactly(pause) - self.pace.acked).at_least(0.0)

    def _understood(self, trigger: PhaseTrigger) -> None:
        if trigger.phase == "closing" and trigger.after:
            raise Unpredictable("when somebody sends the first FIN does not follow from the "
                                "settings")
        if trigger.phase in _DIALS and trigger.nth > 1:
            raise Unpredictable("when the client dials again does not follow from the settings")
        replies = trigger.phase in _REPLIES
        if not self.pattern.commands and (replies or trigger.phase == "blocked" or trigger.nth > 1):
            raise Unpredictable(f"what a client that follows {self.cell.workload.pattern} waits "
                                f"for at '{trigger}' does not follow from the settings")
        if self.calls.own and (replies or trigger.nth > 1):
            self._one_connection()

    def _one_connection(self) -> None:
        """It makes its requests one after another on one connection. Raises Unpredictable."""
        if (self.cell.workload.pool or 1) > 1:
            raise Unpredictable("several connections make requests, and which of them the fault "
                                "finds does not follow from the settings")
        if self.cell.client.kind == "phpredis":
            raise Unpredictable("each request has a connection of its own, which ends with it")
        every, keepalive = self.cell.workload.every or EVERY, self.limits.keepalive
        if keepalive is not None and keepalive[0] <= every:
            raise Unpredictable("keepalive may probe before the next request comes, and which of "
                                "the two timers governs then does not follow from the settings")

    def _requested(self, trigger: PhaseTrigger, found: Situation) -> Situation:
        """The nth reply of a server that answers at once."""
        start = self.calls.called(trigger.nth)
        if trigger.phase == "reply_delivered":
            return replace(found, start=start,
                           since=exactly(-(self.cell.workload.every or EVERY)))
        return replace(found, regime="request", start=start, assumes=AT_ONCE)

    def _replied(self, trigger: PhaseTrigger, found: Situation) -> Situation:
        """The nth reply answers the nth push, if the client was waiting by then."""
        if self.calls.own:
            return self._requested(trigger, found)
        times = self.calls.times
        if len(self.cell.clients) > 1:
            raise Unpredictable("which of several clients gets a message does not follow from the "
                                "settings")
        if len(times) < trigger.nth:
            return self._nil_reply(trigger, found)
        at = times[trigger.nth - 1]
        before, waits = self.calls.called(trigger.nth), self.calls.waits(trigger.nth)
        moment = at + self.pace.pushing
        gap = (moment - before).at_least(0.0)
        self._not_over(gap)
        worked = exactly(-self.cell.workload.work)  # it waits, or asks, when that is done
        if trigger.phase == "reply_delivered":
            return replace(found, start=moment, since=worked)
        nth = trigger.nth
        if not waits and self.calls.acks(calls=nth - 1, replies=nth - 1).talking:
            return replace(found, regime="request", start=either([before, moment]),
                           assumes=EARLY)
        return replace(found, since=gap, quiet=(gap - self.pace.acked).at_least(0.0), start=moment,
                       earlier=times[trigger.nth - 2].high if trigger.nth > 1 else 0.0)

    def _not_over(self, gap: Span) -> None:
        """The call that the reply answers has not ended before. Raises Unpredictable."""
        block, read = own_timeout(self.cell), self.limits.read
        if block and gap.high >= block:
            raise Unpredictable("the command's own timeout answers before the message does")
        if read is not None and read <= gap.high:
            raise Unpredictable("the read timeout ends the call before the message comes")

    def _same_call(self, gap: Span) -> None:
        """The client still waits in the call that it began so long ago. Raises Unpredictable."""
        block, read = own_timeout(self.cell), self.limits.read
        if read is not None and read <= gap.high:
            raise Unpredictable("the read timeout has ended the call before the fault comes")
        if block and gap.high >= block:
            raise Unpredictable(f"the command's own timeout ({format_duration(block)}) has ended "
                                "that call before the fault comes")

    def _nil_reply(self, trigger: PhaseTrigger, found: Situation) -> Situation:
        """Without a message the reply is the nil of the command's own timeout."""
        block, read = own_timeout(self.cell), self.limits.read
        if not block or self.cell.workload.produce or trigger.nth > 1:
            raise Unpredictable(f"which message '{trigger}' means does not follow from the "
                                "settings")
        if read is not None and read <= block:
            raise Unpredictable("the read timeout ends the call before the command's own timeout "
                                "does")
        gap = exactly(block) + self.pace.cron
        start = gap + self.pace.dialling
        if trigger.phase == "reply_delivered":
            return replace(found, start=start)
        return replace(found, since=gap, quiet=(gap - self.pace.acked).at_least(0.0), start=start)

    def waiting(self, at: Span) -> Situation:
        """At a moment of its own choice (seconds from the first SYN) the fault finds a client that
        waits in its call, with nothing unacknowledged."""
        if self.calls.own:
            return self._between_requests(at)
        self.calls.timed()
        settled, pushes = self.pace.dialling + self.pace.acked, self.calls.times
        if at.low < settled.high:
            raise Unpredictable("the fault comes while the client may still be dialling; a phase "
                                "such as connected or blocked would be exact")
        busy = settled.high + self.cell.workload.work
        if any(at.low - busy < push.high and push.low < at.high + settled.high for push in pushes):
            raise Unpredictable("the fault comes while a message may be on its way; a phase such "
                                "as blocked or reply_in_flight would be exact")
        early = [push for push in pushes if push.high < at.low]
        gap = at - self.calls.called(len(early) + 1)
        if gap.low < self.pace.acked.high:
            raise Unpredictable("the fault comes while the client may still work on a message; a "
                                "phase such as blocked or reply_in_flight would be exact")
        self._same_call(gap)
        found = self._quiet(at, since=gap, quiet=(gap - self.pace.acked).at_least(0.0))
        if early and not self.pattern.keeps:  # it hears while it works
            heard = at - (early[-1] + self.pace.pushing)
            found = replace(found, quiet=heard, server_quiet=(heard - self.pace.acked))
        return replace(found, earlier=early[-1].high if early else 0.0,
                       acks=self.calls.acks(calls=len(early) + 1, replies=len(early)))

    def _between_requests(self, at: Span) -> Situation:
        """At a moment of its own choice the fault finds a client that pauses between two requests;
        the next one meets it."""
        self._one_connection()
        every = self.cell.workload.every or EVERY
        number = 1 + max(0, math.floor((at.low - self.pace.dialling.high) / every))
        before, after = self.calls.called(number), self.calls.called(number + 1)
        if at.low < before.high + self.pace.acked.high or at.high >= after.low:
            raise Unpredictable("the fault comes while a request may be on its way; a phase such "
                                "as request_in_flight would be exact")
        quiet = at - before
        return Situation(regime="request", server="idle", since=at - after, quiet=quiet,
                         server_quiet=(quiet - self.pace.acked).at_least(0.0), start=at,
                         acks=self.calls.acks(calls=number, replies=number))

    def _quiet(self, at: Span, *, since: Span, quiet: Span) -> Situation:
        """The client waits, and nothing has been on the wire for a time."""
        return Situation(regime="idle", server="idle", since=since, quiet=quiet,
                         server_quiet=since, asked=True, start=at)
