"""Values <-> plain JSON: every dataclass of a Plan as a dict that names its class.

The rule this file guards: reading a plan back gives the same values, needs neither pydantic nor
YAML, and can build nothing but the classes of the closed table CLASSES.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from netdiag.catalogue.clients import CLIENTS
from netdiag.catalogue.servers import SERVERS
from netdiag.catalogue.settings import UNSET
from netdiag.faults.fault import FAULTS, Fault
from netdiag.faults.trigger import (
    EventTrigger,
    PacketTrigger,
    PhaseTrigger,
    StateTrigger,
    TimeTrigger,
)
from netdiag.scenario import expectation as ex
from netdiag.scenario import formula as fo
from netdiag.scenario.typed import build
from netdiag.scenario.workload import Exit, LabSettings, Maker, Pause, Produce, Reaper, Workload

TAG = "$is"
CLASSES: dict[str, type[Any]] = {cls.__name__: cls for cls in (
    *(one for row in CLIENTS.values() for one in (row.model, *row.parts)),
    *(row.model for row in SERVERS.values()),
    Fault, EventTrigger, PacketTrigger, PhaseTrigger, StateTrigger, TimeTrigger,
    *(row.params for row in FAULTS.values()),
    Exit, LabSettings, Maker, Pause, Produce, Reaper, Workload,
    ex.Expectation, ex.Never, ex.Anything, ex.Compare, ex.Between, ex.Flag, ex.WhereTold,
    ex.ErrorIs, ex.Findings,
    fo.Number, fo.Setting, fo.Operation, fo.Call,
)}
_FIELDS = {cls: tuple(f.name for f in fields(cls)) for cls in CLASSES.values()}


def pack(value: Any) -> Any:  # noqa: ANN401  (any value of a plan)
    """A value -> dicts, lists and scalars; unset settings are left out."""
    names = _FIELDS.get(type(value))
    if names is not None:
        packed = {TAG: type(value).__name__}
        for name in names:
            held = getattr(value, name)
            if held is not UNSET:
                packed[name] = pack(held)
        return packed
    if isinstance(value, Mapping):
        return {key: pack(held) for key, held in value.items()}
    if isinstance(value, tuple | list):
        return [pack(held) for held in value]
    return value


def unpack(packed: Any, where: str = "") -> Any:  # noqa: ANN401  (any value of a plan)
    """What `pack` gave -> the same value.

    Raises ValueError, with the place, for a class that is not in CLASSES or does not hold that.
    """
    if isinstance(packed, list):
        return tuple(unpack(one, f"{where}[{index}]") for index, one in enumerate(packed))
    if not isinstance(packed, dict):
        return packed
    name = packed.get(TAG)
    held = {key: unpack(one, f"{where}.{key}") for key, one in packed.items() if key != TAG}
    if name is None:
        return held
    if not isinstance(name, str) or name not in CLASSES:
        raise ValueError(
            f"{where}: {name!a} is not a value of a plan; use the netdiag that wrote it"
        )
    return build(CLASSES[name], held, where)
