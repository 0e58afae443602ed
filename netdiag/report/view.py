"""Analysis -> View: the blocks of words that a person reads, the same for every report format.

The rule this file guards: a View holds finished, safe words. A renderer decides where they stand
and how they look, and never asks what they mean.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING

from netdiag.analysis.model import Outcome
from netdiag.analysis.spread import spreads
from netdiag.report.compare import ComparisonView, compared
from netdiag.report.fates import fates
from netdiag.report.predicted import PredictedView, predicted_views, surprises
from netdiag.report.reach import ReachRow, reach_rows
from netdiag.report.sentence import headline
from netdiag.report.spread import spread_words
from netdiag.report.timeline import Gap, Row, routine, rows_of, thinned
from netdiag.report.words import count, listed, moment, plain, span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdiag.analysis.model import (
        Analysis,
        CellAnalysis,
        FaultEffect,
        FinWait1,
        Message,
        Regime,
        Verdict,
    )


_STORIES = 8
"""Messages of one fate that are told one by one."""


@dataclass(frozen=True)
class FaultView:
    """A fault: its name, what it did and when, and what it touched."""

    name: str
    text: str
    effective: bool


@dataclass(frozen=True)
class Observation:
    """What one observer holds for true, and since when (empty: since before the fault)."""

    who: str
    text: str
    since: str


@dataclass(frozen=True)
class TimerRow:
    """An interval that one kernel timer owned; `start` and `end` also in seconds, for drawings."""

    side: str
    connection: str
    state: str
    timer: str
    begins: str
    ends: str
    reason: str
    start: float
    end: float
    more: int = 0


@dataclass(frozen=True)
class MissingMessage:
    """A message that was not simply delivered, and where it went."""

    id: str
    fate: str
    text: str


@dataclass(frozen=True)
class VerdictView:
    """One expectation beside what was measured."""

    expectation: str
    outcome: Outcome
    measured: str
    why: str


@dataclass(frozen=True)
class CellView:
    """One cell, ready to be drawn; empty tuples are blocks with nothing to say.

    since: what times count from; routine: how many lines are left out.
    """

    id: str
    choices: tuple[tuple[str, str], ...]
    outcome: Outcome
    headline: str
    unknown: tuple[str, ...]
    length: float
    faults: tuple[FaultView, ...]
    since: str
    observed_at: str
    observations: tuple[Observation, ...]
    rows: tuple[Row, ...]
    routine: int
    timers: tuple[TimerRow, ...]
    fin_wait1: tuple[str, ...]
    zombies: tuple[str, ...]
    messages: str
    missing: tuple[MissingMessage, ...]
    packets: str
    predicted: tuple[PredictedView, ...]
    unpredicted: tuple[str, ...]
    surprises: tuple[str, ...]
    verdicts: tuple[VerdictView, ...]


@dataclass(frozen=True)
class View:
    """A run, ready to be drawn."""

    scenario: str
    about: str
    outcome: Outcome
    summary: str
    cells: tuple[CellView, ...]
    comparison: ComparisonView
    spreads: tuple[tuple[str, ...], ...] = ()
    reach: tuple[ReachRow, ...] = ()


def view_of(analysis: Analysis) -> View:
    """The view of an analysis; pure, the same for the same analysis."""
    return View(
        plain(analysis.scenario),
        plain(analysis.about.strip()),
        analysis.outcome,
        _summary(analysis),
        tuple(map(_cell, analysis.cells)),
        compared(analysis.cells),
        tuple(map(spread_words, spreads(analysis))),
        reach_rows(analysis.cells),
    )


def _summary(analysis: Analysis) -> str:
    outcomes = Counter(cell.outcome for cell in analysis.cells)
    parts = [f"{outcomes[outcome]} {outcome.value}" for outcome in Outcome if outcomes[outcome]]
    return (
        f"{count(len(analysis.cells), 'cell')}: {', '.join(parts)}" if parts else "no cell was run"
    )


def _cell(cell: CellAnalysis) -> CellView:
    return CellView(
        id=plain(cell.id),
        choices=tuple((plain(axis), plain(choice)) for axis, choice in cell.choices.items()),
        outcome=cell.outcome,
        headline=headline(cell),
        unknown=tuple(map(plain, cell.unknown)),
        length=cell.length,
        faults=tuple(map(_fault, cell.faults)),
        since=plain(cell.origin),
        observed_at=plain(cell.beliefs_at),
        observations=_observations(cell),
        rows=rows_of(cell.timeline, cell.faults),
        routine=routine(cell.timeline),
        timers=_timers(cell),
        fin_wait1=tuple(map(_fin_wait1, cell.fin_wait1)),
        zombies=tuple(plain(one.text) for one in cell.zombies),
        messages=_messages(cell.messages, "seen" if cell.backlog is not None else "produced"),
        missing=_missing(cell.messages),
        packets=", ".join(f"{number} {plain(label)}" for label, number in cell.packets.items()),
        predicted=predicted_views(cell),
        unpredicted=tuple(map(plain, cell.unpredicted)),
        surprises=surprises(cell),
        verdicts=tuple(map(_verdict, cell.verdicts)),
    )


def _fault(fault: FaultEffect) -> FaultView:
    name, verb, trigger = plain(fault.name), plain(fault.verb), plain(fault.trigger)
    if fault.began is None:
        return FaultView(
            name,
            f"{verb} at {trigger}: never took effect"
            f"{': ' if fault.why_not else ''}{plain(fault.why_not or '')}",
            False,
        )
    when = "" if fault.began == 0 else f", {moment(fault.began)}"
    where = "" if fault.packet is None else f", on packet {fault.packet}"
    healed = "" if fault.healed is None else f", healed at {moment(fault.healed)}"
    text = f"{verb} at {trigger}{when}{where}{healed}; {_touched(fault)}"
    return FaultView(name, text, fault.touched > 0)


def _touched(fault: FaultEffect) -> str:
    parts = []
    if fault.taken:
        parts.append(f"took {count(sum(fault.taken.values()), 'frame')}: {_by_sender(fault.taken)}")
    if fault.injected:
        parts.append(f"made {count(fault.injected, 'frame')}")
    parts += map(plain, fault.acts)
    return ", ".join(parts) or ("did nothing" if fault.undone else "touched no frame")


def _by_sender(taken: Mapping[str, int]) -> str:
    """`{"server rst": 1, "server fin": 2}` -> `1 rst and 2 fin from the server`."""
    senders: dict[str, list[str]] = {}
    for who, number in taken.items():
        sender, _, label = plain(who).partition(" ")
        known = sender in ("client", "server")
        senders.setdefault(f" from the {sender}" if known else "", []).append(
            f"{number} {label if known else plain(who)}"
        )
    return "; ".join(f"{listed(labels)}{sender}" for sender, labels in senders.items())


def _observations(cell: CellAnalysis) -> tuple[Observation, ...]:
    return tuple(
        Observation(
            plain(one.who),
            plain(one.text),
            "" if one.since is None else f"since {moment(one.since)}",
        )
        for one in cell.beliefs
    )


def _timers(cell: CellAnalysis) -> tuple[TimerRow, ...]:
    """Intervals of the kernels' timers; long series of one state are drawn together."""
    series = thinned(cell.regimes, lambda one: (one.side, one.state, one.timer, one.orphan))
    return tuple(
        _more_timers(one, cell.length) if isinstance(one, Gap) else _timer(one, cell.length)
        for one in series
    )


def _more_timers(gap: Gap[Regime], length: float) -> TimerRow:
    """One row for all of them, from the first one's begin to the latest end."""
    rows = [_timer(one, length) for one in gap.hidden]
    sides, states, timers = (
        listed(list(dict.fromkeys(pick(row) for row in rows)))
        for pick in (attrgetter("side"), attrgetter("state"), attrgetter("timer"))
    )
    last = max(rows, key=attrgetter("end"))
    return replace(
        rows[0],
        side=sides,
        connection="",
        state=states,
        timer=timers,
        ends=last.ends,
        end=last.end,
        reason="",
        more=len(rows),
    )


def _timer(regime: Regime, length: float) -> TimerRow:
    end = length if regime.end is None else regime.end
    timer = "no timer" if regime.timer == "none" else f"{plain(regime.timer)} timer"
    return TimerRow(
        plain(regime.side),
        plain(regime.client),
        f"{plain(regime.state)}{', owned by no process' if regime.orphan else ''}",
        timer,
        moment(regime.start),
        "the end" if regime.end is None else moment(regime.end),
        plain(regime.reason),
        regime.start,
        end,
    )


def _fin_wait1(held: FinWait1) -> str:
    owner = "without an owner" if held.orphan else "still owned by the program"
    end = "then gone" if held.ended else "still there when the cell ended"
    return (
        f"{plain(held.side)} {plain(held.client)}: FIN-WAIT-1 for {span(held.seconds)} "
        f"from {moment(held.start)}, {owner}, {end}"
    )


def _messages(messages: tuple[Message, ...], how: str) -> str:
    """`3 produced: 2 delivered, 1 taken by a zombie`; what nobody produced is no part of them. Of
    a queue that others fill, what was `seen`.
    """
    parts = [f"{number} {words}" for number, words in fates(messages)]
    made = sum(message.fate != "unexpected" for message in messages)
    return f"{made} {how}: {', '.join(parts)}" if parts else f"none {how}"


def _missing(messages: tuple[Message, ...]) -> tuple[MissingMessage, ...]:
    """Each with its story; of a long series with one fate the first ones and the last."""
    missing = [one for one in messages if one.fate != "delivered"]
    series = thinned(missing, lambda one: one.fate, first=lambda _: _STORIES)
    return tuple(
        MissingMessage("...", plain(one.hidden[0].fate), f"{len(one.hidden)} more")
        if isinstance(one, Gap)
        else MissingMessage(plain(one.id), plain(one.fate), plain(one.text))
        for one in series
    )


def _verdict(verdict: Verdict) -> VerdictView:
    return VerdictView(
        plain(verdict.expectation), verdict.outcome, plain(verdict.measured), plain(verdict.why)
    )
