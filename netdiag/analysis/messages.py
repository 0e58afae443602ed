"""The fate of every message, from the recording alone, in the style of Jepsen's total-queue.

What was produced was delivered (late when a fault stood between; duplicated when more than once),
or it lies somewhere at the server (stuck), or the server took it in vain: refused it, handed it to
a connection that nobody was behind any more (zombie), or lost it. The rule it guards: each message
that was produced has one fate, so the parts add up; and what was received without having been
produced is `unexpected`, never passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.analysis import requests, service
from netdiag.analysis.handed import SOON, Handed
from netdiag.analysis.late import answered_late, received_after, received_late
from netdiag.analysis.model import Message
from netdiag.analysis.moments import halted
from netdiag.analysis.watched import watched
from netdiag.analysis.ways import PLACES, Way, Ways, ways_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netdiag.analysis.kernel import SocketState
    from netdiag.analysis.model import FaultEffect
    from netdiag.analysis.moments import Moments
    from netdiag.analysis.replies import Reply
    from netdiag.catalogue.patterns import Pattern
    from netdiag.recording import Event

_STUCK: Final = {
    "ids": "still in the queue: nobody asked for it",
    "processing": "in the processing list",
    "pending": "in the pending list",
    "ungrouped": "in the stream, but the group is gone: who reads for it gets NOGROUP",
}

Told = tuple[str, str]


def account(
    moments: Moments,
    replies: Sequence[Reply],
    faults: Sequence[FaultEffect],
    sockets: Mapping[tuple[str, str], SocketState],
    pattern: Pattern,
    *,
    who: str = "",
    mute: str | None = None,
) -> tuple[Message, ...]:
    """The fate of each message that was produced, in that order, and then of unexpected ones.

    `moments` and `replies` are those of all the cell's clients. Where the clients make the messages
    themselves, those of `who` are told, if it is named: nobody else could have had them. `mute`: a
    client is a service, which says nothing of itself, and empties this queue, which others fill.
    """
    ways = (
        ways_of(moments, replies, requests=pattern.own_messages)
        if mute is None
        else watched(moments, replies, mute)
    )
    handed = Handed(moments, faults, sockets)
    own = bool(who) and pattern.own_messages
    story = _Story(moments, faults, ways, handed, pattern, mute is not None)
    return (
        *(story.message(way) for way in ways.ways if not (own and who not in way.makers)),
        *(
            story.stranger(name, got)
            for name, got in ways.strangers
            if not (own and all(event.who != who for event in got))
        ),
    )


@dataclass(frozen=True)
class _Story:
    """Tells one message's way; holds what all messages share."""

    moments: Moments
    faults: Sequence[FaultEffect]
    ways: Ways
    handed: Handed
    pattern: Pattern
    mute: bool

    def message(self, way: Way) -> Message:
        """The message with its fate: the first rule that has something to say decides."""
        kept = _RULES if self.pattern.keeps or self.mute else _CHANNEL
        rules = _REQUEST if self.pattern.own_messages else kept
        fate, text = next(told for rule in rules if (told := rule(self, way)) is not None)
        first = way.replies[0] if way.replies else None
        since = self.moments.since
        return Message(
            way.id,
            fate,
            text,
            since(way.pushed),
            since(first.left) if first else None,
            since(way.got[0].t) if way.got else None,
            since(way.processed[0].t) if way.processed else None,
            since(way.acknowledged[0].t) if way.acknowledged else None,
        )

    def stranger(self, name: str, got: tuple[Event, ...]) -> Message:
        """What was received and never produced."""
        text = f"received {self.receipts(got)}, but nobody produced it"
        return Message(name, "unexpected", text, received=self.moments.since(got[0].t))

    def at(self, t: int) -> str:
        return f"at {self.moments.since(t):+.3f} s"

    def receipts(self, got: Sequence[Event]) -> str:
        return ", ".join(f"{self.at(one.t)}{f' by {one.who}' if one.who else ''}" for one in got)

    def refused(self, way: Way) -> Told | None:
        if way.accepted is not None or way.got or way.places:
            return None
        if way.refused:
            return "refused", f"the server did not take it: {way.refused}"
        return "unknown", "the server never said whether it took it"

    def duplicated(self, way: Way) -> Told | None:
        """Worked on more than once; one that a dead program has received only is not."""
        if len(way.processed or way.got) < 2:
            return None
        back = f"; given back {self.at(way.requeued[0].t)}" if way.requeued else ""
        return "duplicated", f"received {len(way.got)} times: {self.receipts(way.got)}{back}"

    def unfinished(self, way: Way) -> Told | None:
        """Received by a program that ended before it had done its work on it."""
        if not way.got or way.processed or not self.handed.ended_after(way.got[-1]):
            return None
        told = f"received {self.receipts(way.got)}, which ended before it had done its work on it"
        if way.places:
            return "stuck", f"{told}; {_STUCK[way.places[0]]}"
        return "lost", f"{told}: lost"

    def received(self, way: Way) -> Told | None:
        if not way.got:
            return None
        got = way.got[-1]
        late = self.handed.late(way.pushed, got.t)
        owed = ""
        if self.pattern.acknowledges and not way.acknowledged and way.places:
            owed = f"; its acknowledgement never came, so it is {_STUCK[way.places[0]]}"
        if not late:
            return "delivered", f"received {self.receipts(way.got)}{owed}"
        if self.pattern.own_messages:
            return "late", f"{answered_late(way)}{owed}"
        to_it = [one for one in way.replies if self.handed.consumers.who(one.client) == got.who]
        place = "in the queue" if self.pattern.keeps else "at the server"
        first = way.replies[0] if way.replies else None
        last = next((one for one in reversed(to_it) if one.left <= got.t), None)
        if self.pattern.acknowledges and first and last and first.left < last.left:
            return "late", f"{received_after(way)}; {self._twice(first, last)}{owed}"
        return "late", f"{received_late(way, self.moments, to_it, place=place)}{owed}"

    def _twice(self, first: Reply, last: Reply) -> str:
        """What the server kept until it was acknowledged, and gave to somebody once more."""
        popped, who = self.handed.popped(first), self.handed.consumers.called(last.client)
        again = f"given out again {self.at(last.left)} for {who}"
        if first.arrived is not None and first.arrived <= last.left:
            return f"{popped}; {self.handed.where(first)}; {again}"
        sent = "once" if first.sent < 2 else f"{first.sent} times"
        return f"{popped}; its reply, sent {sent}, had not arrived when it was {again}"

    def stuck(self, way: Way) -> Told | None:
        if not way.places:
            return None
        place = next(place for place in PLACES if place in way.places)
        if place in ("ids", "ungrouped") or not way.replies:
            return "stuck", _STUCK[place]
        return "stuck", f"{self.handed.popped(way.replies[-1])}; {_STUCK[place]}"

    def died(self, way: Way) -> Told | None:
        """In the server's memory when that ended: waiting there, or kept until acknowledged."""
        end = self.handed.server_ended_after(way.accepted or way.pushed)
        if end is None or not self.pattern.keeps:
            return None
        gone = f"in the server's memory, which was gone {self.at(end)}: lost"
        if not way.replies:
            return "lost", gone
        last = way.replies[-1]
        if not self.pattern.acknowledges or last.left >= end:
            return None
        return "lost", f"{self.handed.popped(last)}; {self.handed.where(last)}; kept {gone}"

    def unseen(self, way: Way) -> Told | None:
        """Nobody could look where it may lie: in the queue, or where it is kept until it is done.
        """
        if self.ways.looked or (way.replies and not self.pattern.acknowledges):
            return None
        for event in self.moments.of("server.app", "refused"):
            if event.data.get("asked") == "left":
                return "unknown", f"the server did not say what is left: {event.data.get('reason')}"
        why = halted(self.moments, "server")
        if why is not None:
            return "unknown", "the server did not run when the cell ended, so nobody could ask it"
        return "unknown", "the recording ends before the queue was looked at"

    def unsaid(self, way: Way) -> Told | None:
        """Given to a service, or taken by another one of the stack: the wire must tell."""
        return service.told(way, self.handed, channel=not self.pattern.keeps) if self.mute else None

    def under_way(self, way: Way) -> Told | None:
        """The cell ended before the consumer could have read what reached its host."""
        if not way.replies or way.replies[-1].followed is not None:
            return None
        arrived, left = way.replies[-1].arrived, way.replies[-1].left
        if arrived is None or self.moments.end - arrived >= SOON:
            return None
        return "unknown", f"left the server {self.at(left)}, just before the cell ended"

    def gone(self, way: Way) -> Told:
        """It has left the server and nobody has it."""
        if not way.replies and not self.ways.readable:
            return "lost", "popped; what is on the wire cannot be read, so nobody knows where: lost"
        if not way.replies:
            nowhere = "popped, but no reply that holds it was ever on the wire"
            return "lost", f"{nowhere}: lost in the server's host"
        reply = way.replies[-1]
        told = f"{self.handed.popped(reply)}; {self.handed.where(reply)}"
        if self.handed.to_a_zombie(reply):
            return "zombie", f"{told}: taken by a zombie"
        return "lost", f"{told}: lost"

    def heard(self, way: Way) -> Told | None:
        """A channel: who of the clients heard it? Each one should, once."""
        ears = {one.who for one in way.got}
        deaf = [who for who in self.handed.consumers.names if who not in ears]
        if len(way.got) > len(ears):
            return "duplicated", f"received {len(way.got)} times: {self.receipts(way.got)}"
        if not deaf:
            return None
        number = way.listeners
        heard = "1 listener" if number == 1 else f"{number} listeners"
        counted = "" if number is None else f"the server counted {heard}; "
        return self._unheard(way, deaf, counted)

    def _unheard(self, way: Way, deaf: list[str], counted: str) -> Told:
        missed = [one for one in way.replies if self.handed.consumers.who(one.client) in deaf]
        named = f"{', '.join(deaf)}: " if any(deaf) else ""
        if not missed and (way.listeners or 0) > len({one.who for one in way.got}):
            waits = self.handed.waits_unsent(deaf)
            how = "it waits in the server's kernel behind what nobody acknowledges" if waits else (
                "nothing of it was ever on the wire there"
            )
            return "lost", f"{counted}{named}{how}: lost"
        if not missed:
            return "lost", f"{counted}{named}not listening when it was published: lost"
        late = self.under_way(way) if missed[-1] is way.replies[-1] else None
        if late is not None:
            return late
        told = f"{counted}{named}{self.handed.popped(missed[-1], 'sent')}; "
        told += self.handed.where(missed[-1])
        if self.handed.to_a_zombie(missed[-1]):
            return "zombie", f"{told}: taken by a zombie"
        return "lost", f"{told}: lost"


_Rules = tuple["Callable[[_Story, Way], Told | None]", ...]
_RULES: Final[_Rules] = (
    _Story.refused,
    _Story.duplicated,
    _Story.unfinished,
    _Story.received,
    _Story.stuck,
    _Story.died,
    _Story.unseen,
    _Story.under_way,
    _Story.unsaid,
    _Story.gone,
)
_CHANNEL: Final[_Rules] = (
    _Story.refused,
    _Story.unfinished,
    _Story.heard,
    _Story.received,
    _Story.gone,
)
_REQUEST: Final[_Rules] = (
    requests.shared,
    requests.executed,
    _Story.received,
    requests.answered_in_vain,
    requests.unanswered,
)
