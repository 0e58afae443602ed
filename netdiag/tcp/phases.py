"""Observations -> the phases of the workload that a packet meets.

The rule: a phase is named by the very packet that meets it, when it passes and before its fate is
decided; a retransmission never meets a phase again. A command split over segments is met by the
packet that makes its name whole, which in practice is its first. A subscriber is blocked from its
ACK of the confirmation on, and its replies are the channel's messages.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from netdiag.tcp.conversation import OPENING, Beginning, Command, Conversation
from netdiag.tcp.labels import PROBES
from netdiag.tcp.why_not import Tally, why_not
from netdiag.tcp.wire import ACK, FIN, RST, SYN

if TYPE_CHECKING:
    from netdiag.tcp.flows import Observation

PHASES: Final = (
    "connecting",
    "connected",
    "request_in_flight",
    "request_delivered",
    "blocked",
    "reply_in_flight",
    "reply_delivered",
    "closing",
)

BARE: Final = ("connecting", "connected", "closing")
"""The phases of the connection itself, which are read whatever it carries."""


class Occurrence(NamedTuple):
    """A phase that a packet meets."""

    phase: str  # one of PHASES
    flow: int
    command: str | None  # upper case; None for phases of the connection itself


class _Talk:
    """What one connection has been through."""

    __slots__ = ("answered", "closing", "confirmed", "connected", "conversation", "waiting")

    def __init__(self) -> None:
        self.conversation = Conversation()
        self.waiting: deque[Command] = deque()  # wanted: no pure ACK of them, no reply yet
        self.confirmed: tuple[Command, int] | None = None  # a subscription, the confirmation's end
        self.answered = False  # a SYN-ACK passed
        self.connected = False
        self.closing = False


class PhaseReader:
    """Watches all connections; `commands` are the workload's own, in upper case, empty for any."""

    def __init__(self, commands: frozenset[str] = frozenset()) -> None:
        self.commands = commands
        self._tally = Tally(commands)
        self._talks: dict[int, _Talk] = {}

    def observe(self, obs: Observation) -> tuple[Occurrence, ...]:
        """The phases that this packet meets, in the order in which they happen."""
        talk = self._talks.get(obs.flow)
        if talk is None:
            talk = self._talks[obs.flow] = _Talk()
            self._tally.connections += 1
            self._tally.joined += not obs.segment.flags & SYN
        found: list[Occurrence] = []
        flags = obs.segment.flags
        if flags & RST:
            self._reset(talk, obs)
        elif flags & SYN:
            self._open(talk, obs, found)
        else:
            self._pass(talk, obs, found)
        return tuple(found)

    def came(self, phase: str) -> int:
        """How often the phase has occurred."""
        return self._tally.met.get(phase, 0)

    def why_not(self, phase: str) -> str:
        """One sentence, without a full stop, for a phase that never occurred."""
        return why_not(phase, self._tally)

    def _meet(
        self, found: list[Occurrence], phase: str, obs: Observation, command: str | None = None
    ) -> None:
        self._tally.meet(phase)
        found.append(Occurrence(phase, obs.flow, command))

    def _reset(self, talk: _Talk, obs: Observation) -> None:
        self._tally.resets += 1
        if obs.side == 1 and not talk.answered and not talk.connected:
            self._tally.refused += 1

    def _open(self, talk: _Talk, obs: Observation, found: list[Occurrence]) -> None:
        segment = obs.segment
        talk.conversation.streams[obs.side].synchronise(segment.seq)
        if obs.side == 1 and segment.flags & ACK and not talk.answered:
            talk.answered = True
            self._tally.answered += 1
        elif obs.side == 0 and obs.new_flow and not segment.flags & ACK:
            self._meet(found, "connecting", obs)

    def _pass(self, talk: _Talk, obs: Observation, found: list[Occurrence]) -> None:
        segment = obs.segment
        side, flags = obs.side, segment.flags
        conversation = talk.conversation
        begun: list[Beginning] = []
        if flags & ACK:
            if side == 0 and talk.answered and not talk.connected:
                talk.connected = True
                self._meet(found, "connected", obs)
            begun = conversation.acknowledged(1 - side, segment.ack)
            if side == 0 and talk.confirmed is not None:
                self._subscribed(talk, obs, found)
        if segment.length:
            begun = begun + conversation.feed(side, segment.seq, segment.payload, segment.length)
        elif side == 1 and talk.waiting and not flags & FIN and obs.label not in PROBES:
            self._acknowledged(talk, obs, found)
        for beginning in begun:
            self._begin(talk, obs, beginning, found)
        if conversation.unreadable is not None:
            talk.waiting.clear()
            self._tally.unreadable = self._tally.unreadable or conversation.unreadable
        if flags & FIN and not talk.closing:
            talk.closing = True
            self._meet(found, "closing", obs)

    def _begin(
        self, talk: _Talk, obs: Observation, beginning: Beginning, found: list[Occurrence]
    ) -> None:
        command = beginning.command
        wanted = not self.commands or command.name in self.commands
        if not beginning.reply:
            self._tally.name(command.name)
            if wanted:
                self._tally.wanted += 1
                talk.waiting.append(command)
                self._meet(found, "request_in_flight", obs, command.name)
                self._meet(found, "request_delivered", obs, command.name)
            return
        self._tally.replies += 1
        if wanted and command.name in OPENING and not beginning.delivery:
            self._confirm(talk, obs, command)
        elif wanted:
            if talk.waiting and talk.waiting[0] is command:
                talk.waiting.popleft()
                self._tally.ridden += 1
            self._meet(found, "reply_in_flight", obs, command.name)
            self._meet(found, "reply_delivered", obs, command.name)

    def _confirm(self, talk: _Talk, obs: Observation, command: Command) -> None:
        """The server confirms a subscription: both sides are idle when the client has said so."""
        if talk.waiting and talk.waiting[0] is command:
            talk.waiting.popleft()
        start = talk.conversation.streams[1].offset(obs.segment.seq)
        talk.confirmed = command, start + obs.segment.length

    def _subscribed(self, talk: _Talk, obs: Observation, found: list[Occurrence]) -> None:
        """An ACK of the client, perhaps of its subscription's confirmation."""
        assert talk.confirmed is not None
        command, end = talk.confirmed
        if talk.conversation.streams[1].offset(obs.segment.ack) >= end:
            talk.confirmed = None
            self._meet(found, "blocked", obs, command.name)

    def _acknowledged(self, talk: _Talk, obs: Observation, found: list[Occurrence]) -> None:
        """A pure ACK of the server: the whole commands before it are blocked."""
        upto = talk.conversation.streams[0].offset(obs.segment.ack)
        while talk.waiting:
            end = talk.waiting[0].end
            if end is None or end > upto:
                return
            command = talk.waiting.popleft()
            if command.name not in OPENING:
                self._meet(found, "blocked", obs, command.name)
