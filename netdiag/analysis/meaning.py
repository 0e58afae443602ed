"""A cell's analysis -> what it means: the few facts by which two runs are compared.

The rule this file guards: nothing here depends on when a run was made. Times are lengths, counted
from the fault; port numbers, packet numbers and the order of the timeline do not occur.
"""

from __future__ import annotations

import errno
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from netdiag.analysis.cause import OWN_TIMEOUT
from netdiag.analysis.model import LOST, Interval, Outcome
from netdiag.predict.model import FIN_WAIT1, NOTICED
from netdiag.scenario.repeat import base

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdiag.analysis.model import Analysis, CellAnalysis, Notice

_DIGITS: Final = 3
_COMPARED: Final = (NOTICED, FIN_WAIT1)


@dataclass(frozen=True)
class Meaning:
    """One run of one cell, by meaning.

    faults: name -> what it did and when; effective: those that took effect; noticed and fin_wait1_s
    in seconds; own_timeout: a timeout of its own told the client, not the kernel; consumed: a
    message was consumed after the healing (None: nothing was healed); zombies and fin_wait1 by
    side, as they are when the cell ends; foretold: the intervals in which a time was foretold, and
    was.
    """

    outcome: Outcome
    unknown: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    faults: Mapping[str, str] = field(default_factory=dict)
    effective: tuple[str, ...] = ()
    noticed: float | None = None
    error: str | None = None
    errno: str | None = None
    own_timeout: bool = False
    consumed: bool | None = None
    lost: int = 0
    duplicated: int = 0
    stuck: int = 0
    zombies: Mapping[str, int] = field(default_factory=dict)
    fin_wait1: Mapping[str, int] = field(default_factory=dict)
    fin_wait1_s: float | None = None
    foretold: Mapping[str, tuple[Interval, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Meanings:
    """A whole run by meaning: for each cell (repeats folded under one id) its runs, in order."""

    scenario: str
    cells: Mapping[str, tuple[Meaning, ...]]


def meanings(analysis: Analysis) -> Meanings:
    """The meaning of an analysis; repeats of a cell become several runs of one."""
    cells: dict[str, tuple[Meaning, ...]] = {}
    for cell in analysis.cells:
        name = base(cell.id)
        cells[name] = (*cells.get(name, ()), meaning(cell))
    return Meanings(analysis.scenario, cells)


def meaning(cell: CellAnalysis) -> Meaning:
    """The meaning of one cell."""
    notice = cell.noticed
    healed = any(fault.healed_ns is not None for fault in cell.faults)
    fates = Counter(message.fate for message in cell.messages)
    held = [one for one in cell.fin_wait1 if not one.ended]
    ended = [one.seconds for one in cell.fin_wait1 if one.ended]
    return Meaning(
        outcome=cell.outcome,
        unknown=cell.unknown,
        failed=tuple(one.expectation for one in cell.verdicts if one.outcome is Outcome.FAIL),
        faults={one.name: f"{one.verb} at {one.trigger}" for one in cell.faults},
        effective=tuple(
            sorted(one.name for one in cell.faults if one.began is not None and one.touched)
        ),
        noticed=None if notice is None else round(notice.t, _DIGITS),
        error=None if notice is None else notice.type or notice.how,
        errno=_errno(notice),
        own_timeout=notice is not None and notice.by == OWN_TIMEOUT,
        consumed=cell.recovered is not None if healed else None,
        lost=sum(fates[fate] for fate in LOST),
        duplicated=fates["duplicated"],
        stuck=fates["stuck"],
        zombies=dict(sorted(Counter(one.side for one in cell.zombies).items())),
        fin_wait1=dict(sorted(Counter(one.side for one in held).items())),
        fin_wait1_s=round(max(ended), _DIGITS) if ended and not held else None,
        foretold={
            one.what: tuple(map(_rounded, one.when))
            for one in cell.predicted
            if one.within and one.when and one.what in _COMPARED
        },
    )


def _rounded(interval: Interval) -> Interval:
    """The same, with the digits of the times that lie in it."""
    return Interval(round(interval.low, _DIGITS), round(interval.high, _DIGITS))


def _errno(notice: Notice | None) -> str | None:
    if notice is None or notice.errno is None:
        return None
    return errno.errorcode.get(notice.errno, str(notice.errno))
