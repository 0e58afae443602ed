"""What a fault can decide: the fate of one frame, and what it does once when it starts.

The rule this file guards: a decision is a value. Faults return these, the cable alone acts on
them, so what a fault does can be tested without a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Host = Literal["client", "server"]
"""Who a frame is going to."""
HOSTS: Final[tuple[Host, Host]] = ("client", "server")
"""By side: 0 the client's, 1 the server's."""


@dataclass(frozen=True, slots=True)
class Pass:
    """The frame goes on as it is."""


@dataclass(frozen=True, slots=True)
class Drop:
    """The frame is taken. reason: one or two words for the tape's comment."""

    reason: str


@dataclass(frozen=True, slots=True)
class InjectReset:
    """Send a RST, in the peer's name and with the sequence number that `to` expects next, on
    every open connection of the cable (RFC 9293, section 3.10.7.4)."""

    to: Host


Fate = Pass | Drop
Injection = InjectReset

PASS = Pass()
