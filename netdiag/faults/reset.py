"""Reset: the connection is cut with a RST in the peer's name, as a firewall or a proxy does.

It happens once, when the fault starts; frames pass before and after, so a host that was not told
learns of it from the other's answer to its next segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from netdiag.faults.fate import PASS, Fate, Host, Injection, InjectReset
from netdiag.written import CLOSED, one_of

To = Literal["both", "client", "server"]
_TOLD: dict[To, tuple[Injection, ...]] = {
    "both": (InjectReset("client"), InjectReset("server")),
    "client": (InjectReset("client"),),
    "server": (InjectReset("server"),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """Send a RST in the peer's name, once."""

    __pydantic_config__ = CLOSED

    to: Annotated[To, one_of("both", "client", "server")] = "both"
    """Who gets a RST."""

    def on_start(self) -> tuple[Injection, ...]:
        """One RST to each host that is told."""
        return _TOLD[self.to]

    def fate(self, to: Host) -> Fate:
        """Frames pass: the RST has done its work."""
        return decide(self, to)

    def __str__(self) -> str:
        return "reset" if self.to == "both" else f"reset to {self.to}"


def decide(reset: Reset, to: Host) -> Fate:
    """Pass, always."""
    return PASS
