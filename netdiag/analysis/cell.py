"""One cell of a recording -> its explanation and its verdicts.

The rule it guards: no false green and no false red. A fault that missed, frames that the recorder
lost, events that cannot be read, a cell that did not reach its end, a judge that crashed: each
makes the whole cell UNKNOWN, whatever its expectations say, and says why.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from netdiag.analysis import client as application
from netdiag.analysis import service
from netdiag.analysis.beliefs import four_beliefs, subject, zombies
from netdiag.analysis.cause import Wire
from netdiag.analysis.judge import Facts, judge
from netdiag.analysis.kernel import fin_wait1, last_states, regimes
from netdiag.analysis.messages import account
from netdiag.analysis.model import CellAnalysis, Outcome, worst
from netdiag.analysis.moments import Moments, by_fault, faults_of, silent
from netdiag.analysis.predicted import Seen, predicted
from netdiag.analysis.reach import reach
from netdiag.analysis.timeline import timeline
from netdiag.analysis.wire import WireLog, read_tape
from netdiag.catalogue.patterns import PATTERNS
from netdiag.errors import RecordingError
from netdiag.recording import read_told
from netdiag.scenario.repeat import base

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netdiag.analysis.model import FaultEffect
    from netdiag.recording import CellFiles, Event
    from netdiag.scenario import Cell

_MOST_LINES: Final = 3


def clients_of(cell: Cell) -> tuple[str, ...]:
    """The clients that a cell is told of one by one; of a cell with a single client just ""."""
    return ("",) if len(cell.clients) == 1 else tuple(cell.clients)


def names_of(cell: Cell) -> tuple[str, ...]:
    """What a comparison calls the cell: without the number of its repeat, one name a client."""
    views = (_of_client(cell, who) if who else cell for who in clients_of(cell))
    return tuple(base(view.id) for view in views)


def analyse_cell(cell: Cell, files: CellFiles, who: str = "") -> CellAnalysis:
    """Explain and judge one cell, as its client `who` sees it when it has several.

    Never raises because of what was recorded.
    """
    own = _of_client(cell, who) if who else cell
    try:
        return _analyse(own, files, who)
    except RecordingError as err:
        return CellAnalysis(own.id, own.choices, Outcome.UNKNOWN, (str(err),), 0.0)
    except Exception as err:  # noqa: BLE001 - a crashed judge must not take the others along
        why = (
            f"the judge crashed: {type(err).__name__}: {err}; please report this with the recording"
        )
        return CellAnalysis(own.id, own.choices, Outcome.UNKNOWN, (why,), 0.0)


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


def _analyse(cell: Cell, files: CellFiles, who: str) -> CellAnalysis:
    told = read_told(files.events)
    everything, damage = told.events, _damage(told.damage)
    if not everything:
        why = damage or ("the cell never began",)
        return CellAnalysis(cell.id, cell.choices, Outcome.UNKNOWN, why, 0.0)
    events = tuple(event for event in everything if event.who in ("", who))
    offset, commands = _wall_offset(everything), cell.workload.commands
    wire = read_tape(files.tape_of(who), offset, commands)
    began_at = [fault.began_ns for fault in faults_of(everything, 0) if fault.began_ns is not None]
    origin = min(began_at, default=wire.frames[0].t if wire.frames else events[0].t)
    faults = faults_of(events, origin)
    moments = Moments(events, origin)
    began = min((fault.began_ns for fault in faults if fault.began_ns is not None), default=None)
    healed = max((fault.healed_ns for fault in faults if fault.healed_ns is not None), default=None)
    sockets = last_states(events)
    replies = list(wire.replies)
    for other in sorted(files.root.glob("tape-*.pcapng")) if who else ():
        if other != files.tape_of(who):
            replies += read_tape(other, offset, commands).replies
    messages = account(
        Moments(everything, origin),
        replies,
        faults_of(everything, origin),
        last_states(everything),
        PATTERNS[cell.workload.pattern],
        who=who,
    )
    intervals, about = regimes(moments), subject(wire, began)
    if cell.client.kind == "service":
        noticed = service.notice(wire, began)
        recovered = service.recovered(wire, cell.workload.key, healed)
    else:
        noticed = application.notice(moments, began, Wire(wire.frames, wire.handed, wire.replies))
        recovered = application.recovered(moments, healed)
    dead = zombies(sockets, moments)
    closed = fin_wait1(intervals, wire, moments)
    foretold, unforetold = predicted(
        cell, Seen(moments, wire, faults, noticed, closed, sockets, about)
    )
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
        connections=sum(
            1 for event in moments.of("client.app", "connect") if event.outcome == "ok"
        ),
        false_timeouts=application.false_timeouts(moments, began),
        errors=_errors(moments, began),
        predicted=foretold,
        backlog=_backlog(moments),
    )
    verdicts = judge(cell.expect, facts)
    unknown = (*damage, *_unknown(moments, wire, faults, cell, tuple(_silent(everything, cell))))
    return CellAnalysis(
        id=cell.id,
        choices=cell.choices,
        unknown=unknown,
        length=moments.since(moments.end),
        outcome=Outcome.UNKNOWN if unknown else worst([verdict.outcome for verdict in verdicts]),
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
    )


def _damage(lines: Mapping[int, str]) -> tuple[str, ...]:
    """Why damaged lines of events.jsonl say nothing of a cell, and where they are; () for none."""
    told = [f"line {number} {wrong}" for number, wrong in lines.items()]
    if len(told) < 2:
        return tuple(f"events.jsonl is damaged: {one}" for one in told)
    more = ", ..." if len(told) > _MOST_LINES else ""
    first = ", ".join(told[:_MOST_LINES])
    return (f"events.jsonl is damaged in {len(told)} lines: {first}{more}",)


def _wall_offset(events: Sequence[Event]) -> int:
    for event in events:
        offset = event.data.get("wall_offset")
        if event.lane == "netdiag" and isinstance(offset, int):
            return offset
    return 0


def _backlog(moments: Moments) -> int | None:
    last = moments.last("server.app", "backlog")
    length = last.data.get("length") if last is not None else None
    return length if isinstance(length, int) else None


def _version(moments: Moments) -> str | None:
    start = moments.first("client.app", "start")
    version = start.data.get("version") if start is not None else None
    return version if isinstance(version, str) else None


def _errors(moments: Moments, began: int | None) -> tuple[tuple[str, int | None], ...]:
    """What the application saw since the fault: exception types and errnos."""
    found = []
    for event in moments.of("client.app", "error"):
        number = event.data.get("errno")
        if began is None or event.t >= began:
            found.append((str(event.data.get("type")), number if isinstance(number, int) else None))
    return tuple(found)


def _unknown(
    moments: Moments,
    wire: WireLog,
    faults: Sequence[FaultEffect],
    cell: Cell,
    silent: tuple[str, ...],
) -> tuple[str, ...]:
    """Why nothing can be said of this cell; empty when its verdicts count."""
    why = [*_unfinished(moments), *_client_failed(moments)]
    if not why:
        told = {fault.name: fault for fault in faults}
        why += [miss for wanted in cell.faults if (miss := _missed(wanted.name, told))]
        why += silent
    if wire.dropped:
        why.append(f"the kernel dropped {wire.dropped} frames before the cable could see them")
    elif not why and wire.trouble:
        why.append(f"frames may be missing on the tape: {wire.trouble}")
    return tuple(why)


def _missed(name: str, told: Mapping[str, FaultEffect]) -> str | None:
    """Why a fault of the scenario did not do its work; None when it did."""
    effect = told.get(name)
    if effect is None or effect.began_ns is None:
        reason = effect.why_not if effect is not None else None
        return f"fault {name} never took effect: {reason or 'its trigger never came'}"
    if effect.undone is not None:
        return f"fault {name} did not do its work: {effect.undone}"
    if effect.unhealed is not None:
        return f"fault {name} was never healed: {effect.unhealed}"
    return None if effect.touched else f"fault {name} took effect but touched no packet"


def _silent(events: tuple[Event, ...], cell: Cell) -> Iterator[str]:
    """Why messages that the scenario speaks of were never produced."""
    for number in range(len(cell.workload.produce)):
        why = silent(events, str(number))
        if why is not None:
            yield f"entry {number + 1} of produce never began: {why}"


def _unfinished(moments: Moments) -> list[str]:
    failed = [event for event in moments.of("netdiag", "cell") if event.outcome == "fail"]
    if failed:
        return [str(failed[-1].data.get("reason"))]
    crash = moments.first("cable", "crash")
    if crash is not None:
        return [f"the cable ended before the cell did (code {crash.data.get('code')})"]
    if not any(event.outcome == "ok" for event in moments.of("netdiag", "cell")):
        return ["the cell was interrupted before its end"]
    return []


def _client_failed(moments: Moments) -> list[str]:
    """A client that never got to work says nothing about the network."""
    if any(event.data.get("kind") == "service" for event in moments.of("client.app", "start")):
        return []
    worked = moments.first("client.app", "call", "connect") is not None
    garbage = moments.first("client.app", "garbage")
    exit_ = next((one for one in moments.of("client.app", "exit") if not by_fault(one)), None)
    if not worked and exit_ is not None:
        said = f": {exit_.data.get('said')}" if exit_.data.get("said") else ""
        return [
            f"the client ended with code {exit_.data.get('code')} before its first call{said}; "
            "see logs/client.log of the cell"
        ]
    if not worked and garbage is not None:
        return [
            f"the client never said what it does; it said {garbage.data.get('text')!r}, "
            "which is not a line of the contract in netdiag.clients"
        ]
    ended = moments.first("client.app", "exit") is not None
    started = moments.first("client.app", "start") is not None
    if not worked and started and not ended and not _unfinished(moments):
        return ["the client said nothing of a call; does it keep the contract in netdiag.clients?"]
    return []
