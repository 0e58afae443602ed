"""One cell of a recording -> its explanation and its verdicts, as each of its clients sees it.

The rule it guards: what cannot be judged is UNKNOWN and says why (`unknown`), also when a judge
crashed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from errno import errorcode
from typing import TYPE_CHECKING

from netdiag.analysis import client as application
from netdiag.analysis import service
from netdiag.analysis.beliefs import four_beliefs, subject, zombies
from netdiag.analysis.cause import Wire
from netdiag.analysis.evidence import clients_of, gather
from netdiag.analysis.found import found
from netdiag.analysis.judge import Facts, judge
from netdiag.analysis.kernel import fin_wait1, last_states, regimes
from netdiag.analysis.messages import account
from netdiag.analysis.model import CellAnalysis, Outcome, worst
from netdiag.analysis.moments import Moments, faults_of
from netdiag.analysis.predicted import Seen, predicted
from netdiag.analysis.reach import reach
from netdiag.analysis.timeline import timeline
from netdiag.analysis.unknown import unknown
from netdiag.analysis.watched import backlog
from netdiag.catalogue.patterns import PATTERNS
from netdiag.errors import RecordingError
from netdiag.scenario.repeat import base

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdiag.analysis.evidence import Evidence
    from netdiag.analysis.model import FaultEffect
    from netdiag.recording import CellFiles
    from netdiag.scenario import Cell


def names_of(cell: Cell) -> tuple[str, ...]:
    """What a comparison calls the cell: without the number of its repeat, one name a client."""
    views = (_of_client(cell, who) if who else cell for who in clients_of(cell))
    return tuple(base(view.id) for view in views)


def analyse_cell(cell: Cell, files: CellFiles) -> tuple[CellAnalysis, ...]:
    """Explain and judge one cell: as each of its clients sees it, or once, when it has only one.

    Never raises because of what was recorded.
    """
    views = {who: _of_client(cell, who) if who else cell for who in clients_of(cell)}
    try:
        evidence = gather(cell, files)
        why = unknown(cell, evidence)
    except Exception as err:  # noqa: BLE001 - a damaged cell must not take the others along
        return tuple(_nothing(own, _crash(err)) for own in views.values())
    return tuple(_judged(own, who, evidence, why[who]) for who, own in views.items())


def _judged(cell: Cell, who: str, evidence: Evidence, why: tuple[str, ...]) -> CellAnalysis:
    if not evidence.events:
        return _nothing(cell, *(why if evidence.damage else ("the cell never began",)))
    try:
        return _view(cell, who, evidence, why)
    except Exception as err:  # noqa: BLE001 - nor must a judge that crashed
        return _nothing(cell, _crash(err))


def _crash(err: Exception) -> str:
    if isinstance(err, RecordingError):
        return str(err)
    return f"the judge crashed: {type(err).__name__}: {err}; please report this with the recording"


def _nothing(cell: Cell, *why: str) -> CellAnalysis:
    return CellAnalysis(cell.id, cell.choices, Outcome.UNKNOWN, why, 0.0)


def _of_client(cell: Cell, who: str) -> Cell:
    """The cell as if it had this client alone: its settings, and the faults of its cable."""
    stem, mark, number = cell.id.partition("~")
    return replace(
        cell,
        id=f"{stem}.{who}{mark}{number}",
        choices={**cell.choices, "client": who},
        clients={who: cell.clients[who]},
        faults=tuple(fault for fault in cell.faults if fault.client in (None, who)),
    )


def _view(cell: Cell, who: str, evidence: Evidence, why: tuple[str, ...]) -> CellAnalysis:
    """The cell as one client sees it; `cell` has that client alone, `evidence` is everybody's."""
    wire, origin, events = evidence.wires[who], evidence.origin(who), evidence.of(who)
    faults, moments = faults_of(events, origin), Moments(events, origin)
    began = min((fault.began_ns for fault in faults if fault.began_ns is not None), default=None)
    healed = max((fault.healed_ns for fault in faults if fault.healed_ns is not None), default=None)
    sockets = last_states(events)
    messages = account(
        Moments(evidence.events, origin),
        evidence.replies,
        faults_of(evidence.events, origin),
        last_states(evidence.events),
        PATTERNS[cell.workload.pattern],
        who=who,
        mute=cell.workload.key if evidence.mute else None,
    )
    intervals, about = regimes(moments), subject(wire, began)
    if cell.client.kind == "service":
        about = service.subject(wire, began) or about
        noticed = service.notice(wire, moments, about, began)
        recovered = service.recovered(wire, cell.workload.key, healed)
    else:
        seen = Wire(wire.frames, wire.handed, wire.replies)
        noticed = application.notice(moments, began, seen, healed=healed)
        recovered = application.recovered(moments, healed)
    dead = zombies(sockets, moments)
    closed = fin_wait1(intervals, wire, moments)
    foretold, unforetold = predicted(
        cell, Seen(moments, wire, faults, noticed, closed, sockets, about)
    )
    full = backlog(moments, cell.workload.key, began, healed)
    facts = Facts(
        values=cell.values(_version(moments)),
        minutes=(moments.end - events[0].t) / 60e9,
        faulted=began is not None,
        healed=None if healed is None else moments.since(healed),
        noticed=noticed,
        recovered=recovered,
        messages=messages,
        zombies=dead,
        sockets=sockets,
        packets=wire.counts(),
        connections=wire.connections(),
        false_timeouts=application.false_timeouts(moments, began),
        errors=_errors(moments, began),
        predicted=foretold,
        unpredicted=unforetold,
        backlog=None if full is None else full.last,
        findings=found(evidence.tapes[who], cell.expect),
        mute=cell.client.kind == "service",
    )
    verdicts = judge(cell.expect, facts)
    return CellAnalysis(
        id=cell.id,
        choices=cell.choices,
        unknown=why,
        length=moments.since(moments.end),
        outcome=Outcome.UNKNOWN if why else worst([verdict.outcome for verdict in verdicts]),
        faults=faults,
        noticed=noticed,
        recovered=recovered,
        regimes=intervals,
        fin_wait1=closed,
        zombies=dead,
        messages=messages,
        beliefs=four_beliefs(about, sockets, wire, moments) if about is not None else (),
        beliefs_at=about or "",
        packets=dict(sorted(wire.counts().items())),
        reach=reach(wire, moments, (began, healed), about),
        predicted=foretold,
        unpredicted=unforetold,
        verdicts=verdicts,
        timeline=timeline(moments, wire, intervals),
        backlog=full,
        origin=_counted_from(evidence, origin, began),
        errors=_error_counts(moments),
        recovered_on=application.recovered_on(moments, _over(faults), wire.replies),
    )


def _version(moments: Moments) -> str | None:
    start = moments.first("client.app", "start")
    version = start.data.get("version") if start is not None else None
    return version if isinstance(version, str) else None


def _over(faults: Sequence[FaultEffect]) -> int | None:
    """When the last of some faults was over (ns); None: one goes on, or none began."""
    ends = [one.healed_ns if one.lasts else one.began_ns for one in faults]
    over = [end for end in ends if end is not None]
    return max(over) if over and len(over) == len(ends) else None


def _counted_from(evidence: Evidence, origin: int, own: int | None) -> str:
    """What the cell's times count from; `own`: when the first fault of this client began (ns)."""
    if own == origin:
        return "the fault"
    others = any(fault.began_ns == origin for fault in faults_of(evidence.events, origin))
    return "the fault at another client's cable" if others else "the client's first packet"


def _error_counts(moments: Moments) -> dict[str, int]:
    """The application's errors by their names, in the order of their first coming."""
    names = (
        " ".join(filter(None, (name, "" if number is None else errorcode.get(number, str(number)))))
        for name, number in _errors(moments, None)
    )
    return dict(Counter(names))


def _errors(moments: Moments, began: int | None) -> tuple[tuple[str, int | None], ...]:
    """What the application saw since the fault: exception types and errnos."""
    found = []
    for event in moments.of("client.app", "error"):
        number = event.data.get("errno")
        if began is None or event.t >= began:
            found.append((str(event.data.get("type")), number if isinstance(number, int) else None))
    return tuple(found)
