"""Entries of a cell's timeline -> the rows a person reads: no routine, long series drawn together.

The rule this file guards: nothing disappears silently, and times read downwards. What is left out
is counted; of a series that is drawn together the first rows stay, the last one, and the number
between them, told anew below every other row that comes between. A series ends where a fault begins
or heals, so the first of everything after it is always shown.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from netdiag.report.words import moment, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from netdiag.analysis.model import Entry, FaultEffect

ROUTINE: Final = 2
_NUMBERS: Final = re.compile(r"\d+(\.\d+)?")
_NEVER_HIDDEN: Final = frozenset({"fault", "late", "crash", "exit", "end"})
_SCHEDULES: Final = frozenset(
    {
        "tail_loss_probe",
        "rto_retransmission",
        "retransmission",
        "fin_retransmission",
        "keepalive_probe",
        "zero_window_probe",
    }
)
_FIRST_OF_SCHEDULE: Final = 4
_FEWEST_HIDDEN: Final = 2

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One line of the timeline.

    t: seconds since the origin; lanes: one, or those of all the rows that it stands for (`more` of
    them); broken: a fault held the cable at that moment.
    """

    t: float
    time: str
    lanes: tuple[str, ...]
    text: str
    reason: str = ""
    kind: str = "info"
    packet: int | None = None
    more: int = 0
    broken: bool = False


@dataclass(frozen=True)
class Gap(Generic[T]):
    """Items that follow each other and are left out; at least `_FEWEST_HIDDEN` of them."""

    hidden: tuple[T, ...]


def thinned(
    items: Sequence[T], series: Callable[[T], Hashable], first: Callable[[T], int] = lambda _: 1
) -> list[T | Gap[T]]:
    """The items in their order; of a series its `first` ones and the last one, gaps for the others.

    A series of None is never thinned. No gap reaches past an item that is shown: what is left out
    on both sides of it are two gaps.
    """
    members: dict[Hashable, list[int]] = {}
    for index, item in enumerate(items):
        members.setdefault(series(item), []).append(index)
    members.pop(None, None)
    surplus = {
        index for indexes in members.values() for index in indexes[first(items[indexes[0]]) : -1]
    }
    kept: list[T | Gap[T]] = []
    for hide, run in groupby(range(len(items)), surplus.__contains__):
        together = [items[index] for index in run]
        if hide and len(together) >= _FEWEST_HIDDEN:
            kept.append(Gap(tuple(together)))
        else:
            kept += together
    return kept


def rows_of(entries: Sequence[Entry], faults: Sequence[FaultEffect] = ()) -> tuple[Row, ...]:
    """The rows of a timeline, in the order of time."""
    shown = [
        entry for entry in sorted(entries, key=lambda entry: entry.t) if entry.weight < ROUTINE
    ]
    edges = [t for fault in faults for t in (fault.began, fault.healed) if t is not None]

    def series(entry: Entry) -> Hashable:
        if entry.kind in _NEVER_HIDDEN:
            return None
        episode = sum(entry.t >= edge for edge in edges)
        return episode, entry.lane, entry.kind, _NUMBERS.sub("0", entry.text)

    def broken(t: float) -> bool:
        return any(
            fault.began is not None
            and not (fault.acts or fault.undone)  # of a program; the cable was whole
            and (fault.began <= t if fault.lasts else fault.began == t)
            and (fault.healed is None or t < fault.healed)
            for fault in faults
        )

    return tuple(
        _gap_row(one, broken(one.hidden[0].t)) if isinstance(one, Gap) else _row(one, broken(one.t))
        for one in thinned(shown, series, _first)
    )


def _first(entry: Entry) -> int:
    """How many of a series stand before the gap; of a schedule enough to see it double."""
    return _FIRST_OF_SCHEDULE if entry.kind in _SCHEDULES else 1


def routine(entries: Sequence[Entry]) -> int:
    """How many entries are left out as routine."""
    return sum(entry.weight >= ROUTINE for entry in entries)


def _gap_row(gap: Gap[Entry], broken: bool) -> Row:
    first, last = gap.hidden[0], gap.hidden[-1]
    kinds = Counter(plain(entry.kind).replace("_", " ") for entry in gap.hidden)
    what = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    if len(kinds) == 1:
        what = next(iter(kinds))
    return Row(
        first.t,
        moment(first.t),
        tuple(dict.fromkeys(plain(one.lane) for one in gap.hidden)),
        f"... {len(gap.hidden)} more until {moment(last.t)}: {what}",
        kind="more",
        more=len(gap.hidden),
        broken=broken,
    )


def _row(entry: Entry, broken: bool) -> Row:
    return Row(
        entry.t,
        moment(entry.t),
        (plain(entry.lane),),
        plain(entry.text),
        plain(entry.reason),
        plain(entry.kind),
        entry.packet,
        broken=broken,
    )
