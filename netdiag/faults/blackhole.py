"""Blackhole: every frame of the chosen direction disappears, and nobody is told.

What a pulled cable, a dead VM or a firewall with DROP looks like from both ends. The path drops,
not a host, so both kernels believe that what they sent is on its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from netdiag.faults.fate import PASS, Drop, Fate, Host, Injection
from netdiag.written import CLOSED, one_of

Direction = Literal["both", "to_server", "to_client"]
_HIT: dict[tuple[Direction, Host], bool] = {
    ("both", "server"): True, ("both", "client"): True,
    ("to_server", "server"): True, ("to_server", "client"): False,
    ("to_client", "server"): False, ("to_client", "client"): True,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blackhole:
    """Drop everything, silently."""

    __pydantic_config__ = CLOSED

    direction: Annotated[Direction, one_of("both", "to_server", "to_client")] = "both"
    """Which way frames disappear."""

    def on_start(self) -> tuple[Injection, ...]:
        """A blackhole says nothing when it starts."""
        return ()

    def fate(self, to: Host) -> Fate:
        """The fate of a frame on its way to that host while the fault is active."""
        return decide(self, to)

    def __str__(self) -> str:
        return "blackhole" if self.direction == "both" else f"blackhole {self.direction}"


def decide(blackhole: Blackhole, to: Host) -> Fate:
    """Drop what goes the chosen way, pass the rest."""
    return Drop("blackhole") if _HIT[blackhole.direction, to] else PASS
