"""A cell's settings -> what goes wrong on a link without a fault.

The rule this file guards: a client's limit of one read ends a blocking command that waits longer,
and the library cannot tell an idle queue from a dead path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.catalogue.patterns import PATTERNS
from netdiag.predict.settings import own_timeout
from netdiag.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netdiag.predict.settings import Limits
    from netdiag.scenario.plan import Cell


def false_alarms(cell: Cell, limits: Limits) -> Iterator[str]:
    """One sentence, when the client takes a quiet hour for a dead path."""
    pattern, block = PATTERNS[cell.workload.pattern], own_timeout(cell)
    if limits.read is None or pattern.own_messages or 0 < block < limits.read:
        return
    waits = f"waits {format_duration(block)}" if block else "waits for ever"
    (command,) = pattern.commands
    yield (f"{command} {waits} and the read timeout is {format_duration(limits.read)}: an error "
           f"each time that no message comes so long ({limits.program.words.read}), and the "
           "healthy connection is closed")
