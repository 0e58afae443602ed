"""What happens to a program instead of to its packets: freeze, kill, restart, any signal.

Turns a fault into orders (send this signal, start it again) for its beginning and for its healing;
the cell carries them out. The rule this file guards: a host fault takes no packet. The host's
kernel lives on, so it goes on acknowledging, answers keepalive probes for a frozen program, and
closes the sockets of a dead one.
"""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Final

from netdiag.faults.fate import PASS, Fate, Host, Injection
from netdiag.units import did_you_mean, shown
from netdiag.written import CLOSED, Written, one_of


@dataclass(frozen=True, slots=True)
class SendSignal:
    """Send a signal (`SIGSTOP`) to the program under test and all that it has started."""

    name: str


@dataclass(frozen=True, slots=True)
class StartAgain:
    """Start the program again as it was started first, as soon as it has ended."""


@dataclass(frozen=True, slots=True)
class AskEngine:
    """Have the Docker engine do this (`pause`) to the host's container."""

    verb: str


Order = SendSignal | StartAgain | AskEngine

_HOST = one_of("client", "server")
_NEVER: Final = ("SIGKILL", "SIGSTOP", "SIGCONT")
_NAMES: Final = tuple(one.name for one in signal.Signals if one.name not in _NEVER)


def _signal(raw: object) -> str:
    name = f"SIG{raw.upper().removeprefix('SIG')}" if isinstance(raw, str) else ""
    if name in _NEVER:
        raise ValueError(f"{shown(raw)} has a fault of its own; write freeze (which heals with "
                         "SIGCONT) or kill")
    if name not in _NAMES:
        raise ValueError(f"{shown(raw)} is not a signal; {did_you_mean(name, _NAMES)}")
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFault(ABC):
    """What all of them share: whose program is meant, and that frames pass."""

    __pydantic_config__ = CLOSED

    host: Annotated[Host, _HOST] = "server"
    """Whose program it happens to."""

    @property
    def lasts(self) -> bool:
        """Whether this one can heal, where its kind of fault does."""
        return True

    def on_start(self) -> tuple[Injection, ...]:
        """Nothing is sent."""
        return ()

    def fate(self, to: Host) -> Fate:
        """Frames pass, always."""
        return decide(self, to)

    @abstractmethod
    def orders(self, edge: str) -> tuple[Order, ...]:
        """What is done to the program when the fault becomes `active`, and when it has
        `healed`."""

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()} the {self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze(HostFault):
    """SIGSTOP, and SIGCONT when it heals: a program that swaps, a paused container, a debugger."""

    __pydantic_config__ = CLOSED

    def orders(self, edge: str) -> tuple[Order, ...]:
        return (SendSignal("SIGSTOP" if edge == "active" else "SIGCONT"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill(HostFault):
    """SIGKILL; when it heals the program is started again, with nothing in its memory."""

    __pydantic_config__ = CLOSED

    def orders(self, edge: str) -> tuple[Order, ...]:
        return (SendSignal("SIGKILL") if edge == "active" else StartAgain(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart(HostFault):
    """SIGKILL, and the program is started again at once, with nothing in its memory."""

    __pydantic_config__ = CLOSED

    def orders(self, edge: str) -> tuple[Order, ...]:
        return (SendSignal("SIGKILL"), StartAgain()) if edge == "active" else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(HostFault):
    """A signal, once; what it does is the program's own affair."""

    __pydantic_config__ = CLOSED

    name: Annotated[str, Written(_signal, {"type": "string"})] = "SIGTERM"
    """Which one: TERM, USR1 ..."""

    def orders(self, edge: str) -> tuple[Order, ...]:
        return (SendSignal(self.name),) if edge == "active" else ()

    def __str__(self) -> str:
        return f"{self.name} to the {self.host}"


def decide(fault: HostFault, to: Host) -> Fate:
    """Pass, always: the kernel of the host goes on."""
    return PASS
