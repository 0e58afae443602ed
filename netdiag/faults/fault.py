"""A fault of a scenario: when it starts, what it does, when it heals.

The rule this file guards: FAULTS is the only list of faults. A new one is a module with its
parameters and its decision, and one row here; the schema, the messages and the cable follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from netdiag.faults import blackhole, docker, host, reset
from netdiag.faults.trigger import Trigger  # noqa: TC001  (pydantic reads annotations)
from netdiag.units import did_you_mean, format_duration, shown
from netdiag.written import CLOSED, Duration, Name

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

    from netdiag.faults.fate import Fate, Host, Injection
    from netdiag.faults.host import Order

Verb = blackhole.Blackhole | reset.Reset | host.HostFault


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A row of FAULTS. lasts: it is active for a time, so that it can heal; main: the parameter
    that a bare value sets (`freeze: client`)."""

    params: type[Any]
    about: str
    decide: Callable[[Any, Host], Fate]
    lasts: bool
    main: str | None = None


FAULTS: dict[str, FaultKind] = {
    "blackhole": FaultKind(blackhole.Blackhole, "every frame disappears, and nobody is told",
                           blackhole.decide, lasts=True),
    "reset": FaultKind(reset.Reset, "a RST in the peer's name, once",
                       reset.decide, lasts=False),
    "freeze": FaultKind(host.Freeze, "the program stands still (SIGSTOP); its kernel goes on",
                        host.decide, lasts=True, main="host"),
    "kill": FaultKind(host.Kill, "the program is dead (SIGKILL) until it is started again",
                      host.decide, lasts=True, main="host"),
    "restart": FaultKind(host.Restart, "the program is killed and started again at once",
                         host.decide, lasts=False, main="host"),
    "signal": FaultKind(host.Signal, "a signal of your choice, once",
                        host.decide, lasts=False, main="name"),
    "docker": FaultKind(docker.DockerFault, "what the Docker engine does to a container",
                        host.decide, lasts=True, main="verb"),
}
_NAMES = {row.params: name for name, row in FAULTS.items()}


def _only_key(raw: object) -> dict[str, Any]:
    """`blackhole` -> {blackhole: {}}; {blackhole: {...}} stays as it is."""
    if isinstance(raw, str):
        raw = {raw: {}}
    if not isinstance(raw, Mapping) or len(raw) != 1:
        raise ValueError(f"{shown(raw)} is not a fault; write one of {', '.join(FAULTS)}, or one "
                         "with its parameters: {blackhole: {direction: to_server}}")
    (name, params), = raw.items()
    if name not in FAULTS:
        raise ValueError(f"{shown(name)} is not a fault; {did_you_mean(name, tuple(FAULTS))}")
    main = FAULTS[name].main
    if main is not None and isinstance(params, str):
        params = {main: params}
    return {name: {} if params is None else params}


class _VerbShape:
    """Teaches pydantic `name` and `{name: parameters}`, parsed by the fault's own model."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415  (only where a schema is built)

        fields = core_schema.typed_dict_schema({
            name: core_schema.typed_dict_field(handler.generate_schema(row.params), required=False)
            for name, row in FAULTS.items()})
        return core_schema.chain_schema([
            core_schema.no_info_plain_validator_function(_only_key), fields,
            core_schema.no_info_plain_validator_function(lambda one: next(iter(one.values())))])

    def __get_pydantic_json_schema__(
        self, core: Any, handler: Any  # noqa: ANN401  (pydantic's contract)
    ) -> dict[str, Any]:
        fields: dict[str, Any] = handler(core["steps"][1])
        for name, row in FAULTS.items():
            if row.main is not None:
                fields["properties"][name] = {"anyOf": [fields["properties"][name],
                                                        {"type": "string"}]}
        return {"anyOf": [{"enum": list(FAULTS)},
                          {**fields, "additionalProperties": False,
                           "minProperties": 1, "maxProperties": 1}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong, and when."""

    __pydantic_config__ = CLOSED

    name: Name = ""
    """How reports and other triggers call it; f1, f2 ... when left out."""
    at: Trigger
    """When it starts."""
    do: Annotated[Verb, _VerbShape()]
    """What happens."""
    heal: Trigger | None = None
    """When it ends."""
    for_: Duration | None = None
    """How long it lasts."""
    client: Name | None = None
    """With several clients: whose cable; null: every one."""

    def __post_init__(self) -> None:
        """A fault ends in one way at most, and one that is over at once does not end."""
        if self.heal is not None and self.for_ is not None:
            raise ValueError("'heal' and 'for' exclude each other; keep one of them")
        if not self.lasts and (self.heal is not None or self.for_ is not None):
            raise ValueError(f"{self.kind} is over at once, so it cannot heal; "
                             "leave 'heal' and 'for' out")

    @property
    def verb(self) -> Verb:
        """The parameters' object; it decides (`fate`, `on_start`)."""
        return self.do

    @property
    def kind(self) -> str:
        """The row of FAULTS that it belongs to."""
        return _NAMES[type(self.do)]

    @property
    def lasts(self) -> bool:
        """Whether it is active for a time."""
        own = self.do.lasts if isinstance(self.do, host.HostFault) else True
        return FAULTS[self.kind].lasts and own

    @property
    def heals(self) -> bool:
        """Whether it ends before the cell does."""
        return self.heal is not None or self.for_ is not None

    def on_start(self) -> tuple[Injection, ...]:
        """What is sent once, when the fault starts."""
        return self.do.on_start()

    def fate(self, to: Host) -> Fate:
        """The fate of a frame on its way to that host while the fault is active."""
        return self.do.fate(to)

    @property
    def host(self) -> Host | None:
        """Whose program it happens to; None for a fault of the cable."""
        return self.do.host if isinstance(self.do, host.HostFault) else None

    def orders(self, edge: str) -> tuple[Order, ...]:
        """What is to be done to that program when the fault becomes `active`, or has `healed`."""
        return self.do.orders(edge) if isinstance(self.do, host.HostFault) else ()

    def __str__(self) -> str:
        end = f" for {format_duration(self.for_)}" if self.for_ is not None else ""
        end = f" until {self.heal}" if self.heal is not None else end
        return f"{self.do} at {self.at}{end}"
