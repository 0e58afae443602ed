"""When something happens in a cell: the five shapes of a trigger, as written -> values.

| shape | written | counted from |
|---|---|---|
| TimeTrigger | `3s` | the client's first SYN at the cable |
| PhaseTrigger | `blocked`, `{phase: blocked, nth: 2, after: 1s}` | the packet of a phase |
| PacketTrigger | `{from: client, label: fin, nth: 2}` | the nth packet with that label |
| EventTrigger | `{event: healed, after: 1s}` | the nth event of that name |
| StateTrigger | `{state: FIN-WAIT-1, side: client}` | the nth socket of that side in that state |

The rule this file guards: a trigger also says what becomes of its own packet. A cut is placed
between two packets, so each phase takes its packet or delivers it (TAKES_OWN_PACKET); with
`after` the fault starts later than the packet, which is then delivered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from netdiag.tcp.labels import NAMES as LABELS
from netdiag.units import did_you_mean, format_duration, ordinal, parse_duration, shown
from netdiag.written import CLOSED, Duration, Name, Positive, Written, one_of

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

TAKES_OWN_PACKET: dict[str, bool] = {
    "connecting": True,
    "connected": False,
    "request_in_flight": True,
    "request_delivered": False,
    "blocked": False,
    "reply_in_flight": True,
    "reply_delivered": False,
    "closing": True,
}
"""Every phase of `netdiag.tcp.phases`, and whether a cut there takes the packet that meets it."""
PHASES = tuple(TAKES_OWN_PACKET)

FAULT_EVENTS = ("active", "healed")
CLIENT_EVENTS = ("call", "return", "error", "got", "processed", "acknowledged", "connect",
                 "disconnect", "reconnect")
EVENTS = FAULT_EVENTS + CLIENT_EVENTS
STATES = ("SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT",
          "LAST-ACK", "CLOSING", "TIME-WAIT", "CLOSED")

_COMMAND_WORDS = 32


def _command(raw: object) -> str | None:
    if raw is None:
        return None
    if isinstance(raw, str) and raw.isascii() and raw.isalpha() and len(raw) <= _COMMAND_WORDS:
        return raw.upper()
    raise ValueError(f"{shown(raw)} is not a command's name; write one such as BRPOP")


def _later(after: float) -> str:
    return f" + {format_duration(after)}" if after else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeTrigger:
    """A moment, counted from the client's first SYN at the cable."""

    __pydantic_config__ = CLOSED

    time: Duration
    """Seconds since the client's first SYN."""

    @property
    def takes_own_packet(self) -> bool:
        """There is no packet of its own to take."""
        return False

    def __str__(self) -> str:
        return format_duration(self.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseTrigger:
    """The nth time a connection is in this phase of a request's life."""

    __pydantic_config__ = CLOSED

    phase: Annotated[str, one_of(*PHASES)]
    """The phase that is waited for."""
    nth: Positive = 1
    """Which occurrence, from 1."""
    after: Duration = 0.0
    """Wait this long after the phase's packet, which is then delivered."""
    command: Annotated[str | None, Written(_command, {"type": ["string", "null"]})] = None
    """The command that is meant; null: the workload's own."""

    @property
    def takes_own_packet(self) -> bool:
        """Whether the phase's packet is lost to the cut that it triggers."""
        return TAKES_OWN_PACKET[self.phase] and not self.after

    def __str__(self) -> str:
        nth = f" ({ordinal(self.nth)})" if self.nth > 1 else ""
        command = f" of {self.command}" if self.command else ""
        return f"{self.phase}{command}{nth}{_later(self.after)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketTrigger:
    """The nth packet of one side that the tracker gives this label."""

    __pydantic_config__ = CLOSED

    from_: Annotated[Literal["client", "server"], one_of("client", "server")]
    """Who sent it."""
    label: Annotated[str, one_of(*LABELS)]
    """What the packet is; `fin` also means its retransmissions, the exact name only those."""
    nth: Positive = 1
    """Which of them, from 1."""
    after: Duration = 0.0
    """Wait this long after the packet, which is then delivered."""
    packet: Annotated[Literal["taken", "delivered"], one_of("taken", "delivered")] = "taken"
    """What becomes of the packet itself."""

    @property
    def takes_own_packet(self) -> bool:
        """Whether the packet is lost to the cut that it triggers."""
        return self.packet == "taken" and not self.after

    def __str__(self) -> str:
        nth = f"{ordinal(self.nth)} " if self.nth > 1 else ""
        own = ", delivered" if self.packet == "delivered" else ""
        return f"{nth}{self.label} from {self.from_}{own}{_later(self.after)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTrigger:
    """The nth event of a fault (active, healed) or of the client under test."""

    __pydantic_config__ = CLOSED

    event: Annotated[str, one_of(*EVENTS)]
    """The event that is waited for."""
    nth: Positive = 1
    """Which of them, from 1."""
    after: Duration = 0.0
    """Wait this long after the event."""
    fault: Name | None = None
    """For active and healed: the fault that is meant; null: any."""

    def __post_init__(self) -> None:
        """Only faults' events have a fault."""
        if self.fault and self.event not in FAULT_EVENTS:
            raise ValueError(f"'fault' belongs to the events active and healed, not to "
                             f"{self.event}; leave it out")

    @property
    def takes_own_packet(self) -> bool:
        """There is no packet of its own to take."""
        return False

    def __str__(self) -> str:
        nth = f"{ordinal(self.nth)} " if self.nth > 1 else ""
        fault = f" of {self.fault}" if self.fault else ""
        return f"{nth}{self.event}{fault}{_later(self.after)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTrigger:
    """The nth time that a socket of one side enters a state, as its kernel tells it: looked at
    after each frame and event, so some milliseconds late.
    """

    __pydantic_config__ = CLOSED

    state: Annotated[str, one_of(*STATES)]
    """The state that is waited for; CLOSED: the kernel has no such socket any more."""
    side: Annotated[Literal["client", "server"], one_of("client", "server")]
    """Whose kernel."""
    nth: Positive = 1
    """Which of them, from 1."""
    after: Duration = 0.0
    """Wait this long after it."""

    @property
    def event(self) -> str:
        """How the cable hears of it: the side and the state."""
        return f"{self.side} {self.state}"

    @property
    def takes_own_packet(self) -> bool:
        """There is no packet of its own to take."""
        return False

    def __str__(self) -> str:
        nth = f"{ordinal(self.nth)} " if self.nth > 1 else ""
        return f"{nth}{self.state} at the {self.side}{_later(self.after)}"


SHAPES: dict[str, type[Any]] = {
    "time": TimeTrigger, "phase": PhaseTrigger, "packet": PacketTrigger, "event": EventTrigger,
    "state": StateTrigger,
}
_KIND = {"time": "time", "phase": "phase", "label": "packet", "from": "packet", "event": "event",
         "state": "state", "side": "state"}
_SHORT: list[dict[str, Any]] = [
    {"enum": list(PHASES)}, {"type": "number", "minimum": 0},
    {"type": "string", "pattern": r"^\s*[0-9]"}]
_HOW = ("write a time such as 3s, a phase such as blocked, {from: client, label: fin}, "
        "{state: FIN-WAIT-1, side: client} or {event: healed}")


def _long_form(raw: object) -> dict[str, Any]:
    """`3s` -> {time: 3s}, `blocked` -> {phase: blocked}; a mapping stays as it is."""
    if isinstance(raw, Mapping):
        return dict(raw)
    try:
        return {"time": parse_duration(raw)}
    except ValueError as refusal:
        if raw in PHASES:
            return {"phase": raw}
        if isinstance(raw, int | float):
            raise
        if isinstance(raw, str) and raw[:1].isalpha():
            hint = did_you_mean(raw, PHASES)
            raise ValueError(f"{shown(raw)} is neither a time nor a phase; {hint}") from None
        raise ValueError(f"{shown(raw)} is not a trigger; {_HOW}") from refusal


def _kind(raw: Any) -> str | None:  # noqa: ANN401  (pydantic's contract)
    """Which shape a long form has, by the keys that only this shape has."""
    kinds = {_KIND[key] for key in raw if key in _KIND}
    return kinds.pop() if len(kinds) == 1 else None


class _TriggerShape:
    """Teaches pydantic the shapes; the shape is chosen first, so that a mistake inside one
    is reported against that one alone."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415  (only where a schema is built)

        shapes = core_schema.tagged_union_schema(
            {kind: handler.generate_schema(model) for kind, model in SHAPES.items()}, _kind,
            custom_error_type="trigger", custom_error_message=f"not a trigger; {_HOW}")
        return core_schema.no_info_before_validator_function(_long_form, shapes)

    def __get_pydantic_json_schema__(
        self, core: Any, handler: Any  # noqa: ANN401  (pydantic's contract)
    ) -> dict[str, Any]:
        shapes = [handler(choice) for choice in core["schema"]["choices"].values()]
        return {"anyOf": [*_SHORT, *shapes]}


Trigger = Annotated[
    TimeTrigger | PhaseTrigger | PacketTrigger | EventTrigger | StateTrigger, _TriggerShape()]
"""When something happens; every shape has `takes_own_packet` and a canonical `str()`."""
