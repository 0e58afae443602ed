"""What no single value can tell: whether the parts of a cell fit together.

The rule this file guards: a cell whose trigger could never fire, or whose formula has no value, is
refused when it is loaded, and not found out by a run that ends as UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdiag.catalogue.clients import CLIENTS, ExecClient
from netdiag.catalogue.patterns import PATTERNS
from netdiag.catalogue.servers import SERVERS
from netdiag.faults.trigger import FAULT_EVENTS, EventTrigger, PhaseTrigger, TimeTrigger, Trigger
from netdiag.scenario.nodes import Mistake, Node, Place, Table
from netdiag.scenario.paths import look
from netdiag.tcp.phases import BARE
from netdiag.units import did_you_mean, format_duration

if TYPE_CHECKING:
    from netdiag.scenario.expectation import Expectation
    from netdiag.scenario.plan import Cell
    from netdiag.scenario.schema import CellFile

_MOST_CLIENTS = 250
Found = Iterator[tuple[tuple[str, ...], str]]


def check_cell(cell: Cell, file: CellFile, root: Table,
               expected: Mapping[Expectation, Place]) -> Iterator[Mistake]:
    """The mistakes of a cell, each at the value that it is about; expected: the cell's
    expectations and where they are written."""
    for check in _CHECKS:
        for path, what in check(cell, file):
            yield Mistake(_nearest(root, path).place, what)
    for expectation, place in expected.items():
        for what in _formula(cell, expectation):
            yield Mistake(place, what)


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
    if len(cell.clients) > _MOST_CLIENTS:
        yield ("clients",), f"{len(cell.clients)} clients are more than the lab has nets for; " \
                            f"name {_MOST_CLIENTS} at most"


@dataclass(frozen=True, slots=True)
class _Wait:
    """A trigger, where it is written, and the events that cannot come before it: its own."""

    path: tuple[str, ...]
    trigger: Trigger
    own: tuple[str, tuple[str, ...]] = ("", ())


def _waits(cell: Cell) -> Iterator[_Wait]:
    for number, fault in enumerate(cell.faults):
        yield _Wait(("faults", str(number), "at"), fault.at, (fault.name, FAULT_EVENTS))
        if fault.heal is not None:
            yield _Wait(("faults", str(number), "heal"), fault.heal, (fault.name, ("healed",)))
    for number, produce in enumerate(cell.workload.produce):
        yield _Wait(("workload", "produce", str(number), "at"), produce.at)


def _times(cell: Cell, file: CellFile) -> Found:
    for wait in _waits(cell):
        if isinstance(wait.trigger, TimeTrigger) and wait.trigger.time >= cell.duration:
            yield wait.path, f"the cell lasts {format_duration(cell.duration)}, so " \
                             f"{wait.trigger} never comes; write an earlier time or a longer " \
                             "duration"
    for number, fault in enumerate(cell.faults):
        begins, heals = fault.at, fault.heal
        if isinstance(begins, TimeTrigger) and isinstance(heals, TimeTrigger) \
                and heals.time <= begins.time:
            yield ("faults", str(number), "heal"), \
                f"the fault begins at {begins}, so at {heals} there is nothing to heal; write a " \
                "later time, or 'for'"


def _beginning(cell: Cell) -> set[str]:
    """The faults that can begin: those that wait for one another in a circle cannot."""
    names = {fault.name for fault in cell.faults}
    found: set[str] = set()
    while True:
        more = {fault.name for fault in cell.faults
                if not isinstance(fault.at, EventTrigger) or fault.at.event not in FAULT_EVENTS
                or fault.at.fault not in {None, *names}  # a mistake of its own
                or found & ({fault.at.fault} if fault.at.fault else names - {fault.name})}
        if more <= found:
            return found
        found |= more


def _events(cell: Cell, file: CellFile) -> Found:
    names = tuple(fault.name for fault in cell.faults)
    begin = _beginning(cell)
    for wait in _waits(cell):
        trigger, (own, events) = wait.trigger, wait.own
        if not isinstance(trigger, EventTrigger) or trigger.event not in FAULT_EVENTS:
            continue
        if trigger.fault is not None and trigger.fault not in names:
            yield (*wait.path, "fault"), f"no fault is called '{trigger.fault}'; " \
                                         f"{did_you_mean(trigger.fault, names)}"
            continue
        meant = [fault for fault in cell.faults if trigger.fault in (None, fault.name)
                 and fault.name in begin and not (fault.name == own and trigger.event in events)]
        if not meant:
            yield wait.path, f"no other fault can be {trigger.event} first; name another event"
        elif trigger.event == "healed" and not any(fault.heals for fault in meant):
            yield wait.path, "no fault that is meant here heals; give it 'heal' or 'for'"


def _formula(cell: Cell, expectation: Expectation) -> Iterator[str]:
    values = cell.values()
    for name in sorted(expectation.formula_names):
        if name in values and values[name] is None:
            yield f"cell {cell.id} has no {name}, so '{expectation.text}' has no value; " \
                  "give it one, or use 'when'"
        elif name not in values and isinstance(cell.client, ExecClient):
            yield f"'{expectation.text}' needs {name}, which nobody knows of a program; " \
                  "write it in client.settings"


def _duration(cell: Cell, file: CellFile) -> Found:
    if cell.duration == 0:
        yield ("duration",), "a cell that lasts no time shows nothing; write 30s"


def _pattern(cell: Cell, file: CellFile) -> Found:
    workload = cell.workload
    row = PATTERNS[workload.pattern]
    for setting in sorted({name for one in PATTERNS.values() for name in one.settings}):
        if setting not in row.settings and getattr(workload, setting) is not None:
            owners = [name for name, one in PATTERNS.items() if setting in one.settings]
            yield ("workload", setting), \
                f"the pattern {workload.pattern} has no '{setting}'; it belongs to " \
                f"{' and '.join(owners)}"
    for name, client in cell.clients.items():
        if workload.pattern not in CLIENTS[client.kind].patterns:
            known = ", ".join(sorted(CLIENTS[client.kind].patterns))
            path = ("clients", name) if file.clients else ("client",)
            yield path, f"a {client.kind} client cannot do '{workload.pattern}'; it knows {known}"
    if workload.reaper is not None and workload.pattern == "xreadgroup" and not workload.block:
        yield ("workload", "reaper"), \
            "a consumer that waits for ever never claims what others left; give it 'block: 5s'"
    if row.own_messages and workload.produce:
        yield ("workload", "produce"), \
            f"the pattern {workload.pattern} makes its messages itself; leave 'produce' out"


def _readable(cell: Cell, file: CellFile) -> Found:
    """Phases of commands are read in RESP; where nobody speaks it none would ever come."""
    kinds: list[str] = [
        client.kind for client in cell.clients.values() if not CLIENTS[client.kind].resp]
    if not SERVERS[cell.server.kind].resp:
        kinds.append(cell.server.kind)
    for wait in _waits(cell):
        if kinds and isinstance(wait.trigger, PhaseTrigger) and wait.trigger.phase not in BARE:
            yield wait.path, f"{wait.trigger.phase} cannot be read: {kinds[0]} speaks no RESP; " \
                             f"{', '.join(BARE)} remain, and packets, times and events"


_CHECKS: tuple[Callable[[Cell, CellFile], Found], ...] = (
    _names, _times, _events, _duration, _pattern, _readable)
