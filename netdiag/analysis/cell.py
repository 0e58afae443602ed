"""One cell of a recording -> its explanation and its verdicts, as each of its clients sees it.

The rule it guards: what cannot be judged is UNKNOWN and says why (`unknown`), also when a judge
crashed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
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
    from collections.abc import Mapping, Sequence

    from netdiag.analysis.evidence import Evidence
    from netdiag.analysis.kernel import SocketState
    from netdiag.analysis.model import FaultEffect, Message, Notice
    from netdiag.analysis.wire import WireLog
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


@dataclass(frozen=True)
class _Sight:
    """What one client's view is made of; `evidence` is everybody's, `began` and `healed` are when
    the first of its faults took effect and the last one ended (ns).
    """

    cell: Cell
    who: str
    evidence: Evidence
    wire: WireLog
    moments: Moments
    faults: tuple[FaultEffect, ...]
    sockets: Mapping[tuple[str, str], SocketState]

    @property
    def began(self) -> int | None:
        return min((one.began_ns for one in self.faults if one.began_ns is not None), default=None)

    @property
    def healed(self) -> int | None:
        ends = (one.healed_ns for one in self.faults if one.healed_ns is not None)
        return max(ends, default=None)


def _view(cell: Cell, who: str, evidence: Evidence, why: tuple[str, ...]) -> CellAnalysis:
    """The cell as one client sees it; `cell` has that client alone."""
    origin, events = evidence.origin(who), evidence.of(who)
    seen = _Sight(
        cell,
        who,
        evidence,
        evidence.wires[who],
        Moments(events, origin),
        faults_of(events, origin),
        last_states(events),
    )
    told = _told(seen, why)
    verdicts = judge(cell.expect, _facts(seen, told))
    outcome = Outcome.UNKNOWN if why else worst([verdict.outcome for verdict in verdicts])
    return replace(told, verdicts=verdicts, outcome=outcome)


def _told(seen: _Sight, why: tuple[str, ...]) -> CellAnalysis:
    """The explanation; nothing is judged yet."""
    cell, wire, moments, faults = seen.cell, seen.wire, seen.moments, seen.faults
    about, noticed, recovered = _client(seen)
    intervals = regimes(moments)
    closed = fin_wait1(intervals, wire, moments)
    foretold, unforetold = predicted(
        cell, Seen(moments, wire, faults, noticed, closed, seen.sockets, about)
    )
    return CellAnalysis(
        id=cell.id,
        choices=cell.choices,
        unknown=why,
        length=moments.since(moments.end),
        outcome=Outcome.UNKNOWN,
        faults=faults,
        noticed=noticed,
        recovered=recovered,
        regimes=intervals,
        fin_wait1=closed,
        zombies=zombies(seen.sockets, moments),
        messages=_messages(seen),
        beliefs=four_beliefs(about, seen.sockets, wire, moments) if about is not None else (),
        beliefs_at=about or "",
        packets=dict(sorted(wire.counts().items())),
        reach=reach(wire, moments, (seen.began, seen.healed), about),
        predicted=foretold,
        unpredicted=unforetold,
        timeline=timeline(moments, wire, intervals),
        backlog=backlog(moments, cell.workload.key, seen.began, seen.healed),
        origin=_counted_from(seen.evidence, moments.origin, seen.began),
        errors=_error_counts(moments),
        recovered_on=application.recovered_on(moments, _over(faults), wire.replies),
    )


def _client(seen: _Sight) -> tuple[str | None, Notice | None, float | None]:
    """The connection that the cell is about; when the client noticed, and when it worked again."""
    wire, moments, began, healed = seen.wire, seen.moments, seen.began, seen.healed
    about = subject(wire, began)
    if seen.cell.client.kind == "service":
        about = service.subject(wire, began) or about
        noticed = service.notice(wire, moments, about, began)
        return about, noticed, service.recovered(wire, seen.cell.workload.key, healed)
    own = Wire(wire.frames, wire.handed, wire.replies)
    noticed = application.notice(moments, began, own, healed=healed)
    return about, noticed, application.recovered(moments, healed)


def _messages(seen: _Sight) -> tuple[Message, ...]:
    """The fate of every message, from what all clients of the cell did."""
    evidence, origin, workload = seen.evidence, seen.moments.origin, seen.cell.workload
    return account(
        Moments(evidence.events, origin),
        evidence.replies,
        faults_of(evidence.events, origin),
        last_states(evidence.events),
        PATTERNS[workload.pattern],
        who=seen.who,
        mute=workload.key if evidence.mute else None,
    )


def _facts(seen: _Sight, told: CellAnalysis) -> Facts:
    """What the expectations speak of."""
    moments, events = seen.moments, seen.moments.events
    return Facts(
        values=seen.cell.values(_version(moments)),
        minutes=(moments.end - events[0].t) / 60e9,
        faulted=seen.began is not None,
        healed=None if seen.healed is None else moments.since(seen.healed),
        noticed=told.noticed,
        recovered=told.recovered,
        messages=told.messages,
        zombies=told.zombies,
        sockets=seen.sockets,
        packets=told.packets,
        connections=seen.wire.connections(),
        false_timeouts=application.false_timeouts(moments, seen.began),
        errors=_errors(moments, seen.began),
        predicted=told.predicted,
        unpredicted=told.unpredicted,
        backlog=None if told.backlog is None else told.backlog.last,
        findings=found(seen.evidence.tapes[seen.who], seen.cell.expect),
        mute=seen.cell.client.kind == "service",
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
