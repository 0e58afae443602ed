"""Counts of what was seen -> one sentence on why a phase never came.

The rule: the sentence states what was seen, and names the nearest thing that kept the phase from
coming.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES_KEPT: Final = 32


@dataclass
class Tally:
    """What was seen of all conversations together."""

    commands: frozenset[str]  # the workload's own; empty means any
    met: dict[str, int] = field(default_factory=dict)  # phase -> occurrences
    names: dict[str, int] = field(default_factory=dict)  # command -> how many
    connections: int = 0
    joined: int = 0  # connections whose beginning was not seen
    answered: int = 0  # SYNs that got a SYN-ACK
    refused: int = 0  # SYNs that got an RST
    wanted: int = 0
    ridden: int = 0  # replies to wanted commands that carried the ACK of their command
    replies: int = 0  # to any command
    resets: int = 0
    unreadable: str | None = None

    def meet(self, phase: str) -> None:
        """One more occurrence."""
        self.met[phase] = self.met.get(phase, 0) + 1

    def name(self, name: str) -> None:
        """One more command."""
        if name in self.names or len(self.names) < NAMES_KEPT:
            self.names[name] = self.names.get(name, 0) + 1

    @property
    def own(self) -> str:
        """The workload's commands, as a sentence names them."""
        return " or ".join(sorted(self.commands)) or "command"


def why_not(phase: str, tally: Tally) -> str:
    """One sentence, without a full stop, for a phase that never occurred, or not often enough."""
    times = tally.met.get(phase)
    if times:
        return f"{phase} came {'once' if times == 1 else f'{times} times'} only"
    reason = _REASONS.get(phase)
    return reason(tally) if reason else f"there is no phase {phase}"


def _no_connection(tally: Tally) -> str:
    if tally.joined:
        return f"the beginning of {_of(tally.joined, 'connection')} was not seen"
    return "no connection was opened"


def _not_connected(tally: Tally) -> str:
    if not tally.connections or tally.joined == tally.connections:
        return _no_connection(tally)
    if tally.refused:
        return f"the server refused {_of(tally.refused, 'connection attempt')} with an RST"
    if not tally.answered:
        return f"{_of(tally.connections, 'connection')} began, but no SYN was answered"
    return "the SYN-ACK passed, but the client's ACK of it never did"


def _no_request(tally: Tally) -> str:
    if not tally.connections:
        return _no_connection(tally)
    if tally.unreadable is not None and not tally.wanted:
        return (
            f"the bytes are not RESP, so phases of commands cannot be read: {tally.unreadable}; "
            "connecting, connected and closing remain, and packets, times, socket states and the "
            "client's events"
        )
    if not tally.names:
        return f"no {tally.own} was sent, nor any other command"
    seen = ", ".join(tally.names)
    return f"no {tally.own} was sent (commands seen: {seen})"


def _not_blocked(tally: Tally) -> str:
    if not tally.wanted:
        return _no_request(tally)
    if tally.ridden:
        every = "all " if tally.ridden == tally.wanted else ""
        count = f"{every}{_of(tally.ridden, f'{tally.own} command')}"
        rest = "none was ever blocked" if every else "those were never blocked"
        return f"the reply carried the ACK of {count}, so {rest}" + _cut(tally)
    return f"{_of(tally.wanted, f'{tally.own} command')} passed, and no ACK of one" + _cut(tally)


def _no_reply(tally: Tally) -> str:
    if not tally.wanted:
        return _no_request(tally)
    return f"{_of(tally.wanted, f'{tally.own} command')} passed, and no reply to one" + _cut(tally)


def _not_closing(tally: Tally) -> str:
    if not tally.connections:
        return _no_connection(tally)
    if tally.resets:
        return f"no FIN passed; {_of(tally.resets, 'RST')} did"
    return f"no FIN passed on {_of(tally.connections, 'connection')}"


def _cut(tally: Tally) -> str:
    """What befell the reading, when it ended early."""
    if tally.unreadable is not None:
        return f"; reading ended: {tally.unreadable}"
    return f"; {_of(tally.resets, 'RST')} passed" if tally.resets and not tally.ridden else ""


def _of(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


_REASONS: Final[dict[str, Callable[[Tally], str]]] = {
    "connecting": _no_connection,
    "connected": _not_connected,
    "request_in_flight": _no_request,
    "request_delivered": _no_request,
    "blocked": _not_blocked,
    "reply_in_flight": _no_reply,
    "reply_delivered": _no_reply,
    "closing": _not_closing,
}
