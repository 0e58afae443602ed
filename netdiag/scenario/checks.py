"""What no single value can tell: whether the parts of a cell fit together.

The rule this file guards: a cell whose trigger could never fire, or whose formula has no value, is
refused when it is loaded, and not found out by a run that ends as UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from netdiag.catalogue.clients import ExecClient
from netdiag.faults.trigger import FAULT_EVENTS, EventTrigger, TimeTrigger, Trigger
from netdiag.scenario.nodes import Mistake, Node, Table
from netdiag.scenario.paths import look
from netdiag.units import did_you_mean, format_duration

if TYPE_CHECKING:
    from netdiag.faults.fault import Fault
    from netdiag.scenario.plan import Cell
    from netdiag.scenario.schema import CellFile

Found = Iterator[tuple[tuple[str, ...], str]]


def check_cell(cell: Cell, file: CellFile, root: Table) -> Iterator[Mistake]:
    """The mistakes of a cell, each at the value that it is about."""
    for check in _CHECKS:
        for path, what in check(cell, file):
            yield Mistake(_nearest(root, path).place, what)


def _nearest(root: Node, path: tuple[str, ...]) -> Node:
    """The node at a path, or the last one above it that is written."""
    while path and (found := look(root, path)) is None:
        path = path[:-1]
    return found if path and found is not None else root


def _names(cell: Cell, file: CellFile) -> Found:
    seen: set[str] = set()
    for number, fault in enumerate(cell.faults):
        if fault.name in seen:
            yield ("faults", str(number), "name"), \
                f"two faults are called '{fault.name}'; give each its own name"
        seen.add(fault.name)
        if fault.client is not None and fault.client not in cell.clients:
            yield ("faults", str(number), "client"), \
                f"no client is called '{fault.client}'; " \
                f"{did_you_mean(fault.client, tuple(cell.clients))}"
    if file.client is not None and file.clients is not None:
        yield ("clients",), "'client' and 'clients' exclude each other; keep one of them"
    if file.clients is not None and not file.clients:
        yield ("clients",), "no client is named; write {name: {kind: redis-py}}"


def _triggers(cell: Cell) -> Iterator[tuple[tuple[str, ...], Trigger, Fault | None]]:
    for number, fault in enumerate(cell.faults):
        yield ("faults", str(number), "at"), fault.at, fault
        if fault.heal is not None:
            yield ("faults", str(number), "heal"), fault.heal, None
    for number, produce in enumerate(cell.workload.produce):
        yield ("workload", "produce", str(number), "at"), produce.at, None


def _can_fire(cell: Cell, file: CellFile) -> Found:
    faults = {fault.name: fault for fault in cell.faults}
    for path, trigger, own in _triggers(cell):
        if isinstance(trigger, TimeTrigger) and trigger.time >= cell.duration:
            yield path, f"the cell lasts {format_duration(cell.duration)}, so {trigger} never " \
                        "comes; write an earlier time or a longer duration"
        if not isinstance(trigger, EventTrigger) or trigger.event not in FAULT_EVENTS:
            continue
        if trigger.fault is not None and trigger.fault not in faults:
            yield (*path, "fault"), f"no fault is called '{trigger.fault}'; " \
                                    f"{did_you_mean(trigger.fault, tuple(faults))}"
            continue
        meant = [faults[trigger.fault]] if trigger.fault else \
            [fault for fault in cell.faults if fault is not own]
        if own is not None and meant == [own]:
            yield path, f"'{own.name}' waits for itself; name another event"
        elif not meant:
            yield path, f"no fault can be {trigger.event} here; name another event"
        elif trigger.event == "healed" and not any(fault.heals for fault in meant):
            yield path, "no fault that is meant heals; give it 'heal' or 'for'"


def _formulas(cell: Cell, file: CellFile) -> Found:
    values = cell.values()
    for expectation in cell.expect:
        for name in sorted(expectation.formula_names):
            if name in values and values[name] is None:
                yield ("expect",), f"cell {cell.id} has no {name}, so '{expectation}' has no " \
                                   "value; give it one, or use 'when'"
            elif name not in values and isinstance(cell.client, ExecClient):
                yield ("expect",), f"'{expectation}' needs {name}, which nobody knows of a " \
                                   "program; write it in client.settings"


def _duration(cell: Cell, file: CellFile) -> Found:
    if cell.duration == 0:
        yield ("duration",), "a cell that lasts no time shows nothing; write 30s"


_CHECKS: tuple[Callable[[Cell, CellFile], Found], ...] = (_names, _can_fire, _formulas, _duration)
