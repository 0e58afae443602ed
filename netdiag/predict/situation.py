"""In which situation a fault finds the two ends: the values, and what each phase means.

The rule this file guards: which timer governs is decided by one thing alone: what is
unacknowledged. A client that waits for an ACK is in the retransmission timer, one that waits for a
reply has only keepalive; so the table `phases` is the heart of every prediction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from netdiag.predict.acks import Acks
from netdiag.predict.wheel import ZERO, Span

if TYPE_CHECKING:
    from netdiag.predict.pace import Pace

Regime = Literal["syn", "request", "idle", "closing"]
ServerRegime = Literal["none", "idle", "reply"]

_NOTHING_YET: Final = Acks()


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The two ends at the moment a fault takes effect.

    regime: the client waits for its SYN's answer, for an ACK of its request, or for a reply with
    nothing unacknowledged; since: how long ago it began that (and its read); quiet: how long ago it
    heard of its peer; server: whether a reply of it is unacknowledged; server_quiet: how long ago
    it sent that, or heard of the client; asked: whether it holds a
    request; start: when the fault takes effect, counted from the client's first SYN; acks: of
    what was said before; earlier: how many seconds of the connection lie before the last segment,
    so that probes of it may have been answered then.
    """

    regime: Regime
    server: ServerRegime
    since: Span = ZERO
    quiet: Span = ZERO
    server_quiet: Span = ZERO
    asked: bool = False
    start: Span = ZERO
    acks: Acks = _NOTHING_YET
    earlier: float = 0.0
    assumes: tuple[str, ...] = ()

    @property
    def busy(self) -> Span:
        """How long the program does not look at its socket, because it works on a message."""
        return (ZERO - self.since).at_least(0.0)


_RIDES = ("the client's ACK of the last reply rides on the request, so that reply is "
          "unacknowledged, too",)
EARLY: Final = ("the message is there before the request, so the lost reply carries the request's "
                "ACK, too",)
AT_ONCE: Final = ("the server answers at once, so the lost reply carries the request's ACK, too",)


def phases(pace: Pace) -> dict[str, Situation]:
    """What a fault finds that takes effect on the very packet of a phase."""
    return {
        "connecting": Situation(regime="syn", server="none"),
        "connected": Situation(regime="request", server="idle"),
        "request_in_flight": Situation(regime="request", server="reply",
                                       server_quiet=pace.calling, assumes=_RIDES),
        "request_delivered": Situation(regime="request", server="idle", asked=True),
        "blocked": Situation(regime="idle", server="idle", since=pace.acked, asked=True,
                             server_quiet=pace.acked),
        "reply_in_flight": Situation(regime="idle", server="reply"),
        "reply_delivered": Situation(regime="request", server="reply"),
        "closing": Situation(regime="closing", server="idle"),
    }


def listening(pace: Pace) -> dict[str, Situation]:
    """The same for a subscriber: its ACK of the confirmation, and messages that it answers with no
    request."""
    return {
        **phases(pace),
        "blocked": Situation(regime="idle", server="idle", since=pace.acked, quiet=pace.acked,
                             asked=True),
        "reply_in_flight": Situation(regime="idle", server="reply"),
        "reply_delivered": Situation(regime="idle", server="reply"),
    }
