"""What was said before a fault -> which segments were acknowledged at once, and which with delay.

The rule this file guards: the retransmission timeout grows by every delayed ACK, and who delays is
known. An end that answers what it hears is taken to be talking (pingpong in tcp_input.c), so it
delays its next ACK in the hope of a reply to put it on; when that hope was vain once, it stops
delaying until it has answered something again. A connection begins without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from netdiag.catalogue.patterns import PATTERNS

if TYPE_CHECKING:
    from netdiag.scenario.workload import Workload

_PATIENCE: Final = 0.04
"""TCP_DELACK_MIN: how long an ACK is delayed at least, s."""


@dataclass
class _End:
    """One end: whether it is talking, and how each segment that it heard was acknowledged."""

    talking: bool
    acked: list[bool] = field(default_factory=list)

    def hears(self, *, answers: bool) -> None:
        """A segment; answers: data goes back before its ACK would be late."""
        self.acked.append(self.talking and not answers)
        self.talking = answers


@dataclass(frozen=True, slots=True)
class Acks:
    """Whether the ACK of each segment was delayed, in the order of their sending.

    client, server: of the client's and of the server's segments; rides: the client's last ACK has
    not left yet, because it will ride on its next request; talking: the server delays its next.
    """

    client: tuple[bool, ...] = ()
    server: tuple[bool, ...] = ()
    rides: bool = True
    talking: bool = True


def acks(workload: Workload, *, greets: bool, waited: tuple[bool, ...], replies: int) -> Acks:
    """The ACKs of a connection so far.

    greets: commands preceded the first call; waited: of each call that the server has heard,
    whether it had to wait for its reply; replies: how many of these the client has heard.
    """
    client, server = _End(greets), _End(greets)
    pattern = PATTERNS[workload.pattern]
    if not waited:
        return Acks(rides=greets, talking=greets)
    if not pattern.keeps:
        server.hears(answers=True)
        for _ in range(1 + replies):
            client.hears(answers=False)
        return Acks(tuple(server.acked), tuple(client.acked), False, server.talking)
    pause = workload.work
    if pattern.own_messages:
        pause = 1.0 if workload.every is None else workload.every
    works, rides = pause > _PATIENCE, greets
    for number, waits in enumerate(waited):
        server.hears(answers=not waits)
        if number >= replies:
            break
        rides = client.talking and not works
        client.hears(answers=not works)
        if pattern.acknowledges:
            server.hears(answers=True)
            rides = client.talking
            client.hears(answers=True)
    return Acks(tuple(server.acked), tuple(client.acked), rides, server.talking)
