"""Why nothing can be said of a cell, in sentences; none when its verdicts count.

The rule this file guards: no false green and no false red. A trigger that was never met, a fault
that touched nothing, frames that the recorder lost, events that cannot be read, a client that never
got to work, a cell that did not reach its end: each makes the whole cell UNKNOWN, for every client
of it, whatever its expectations say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.analysis.moments import Moments, by_fault, faults_of, silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netdiag.analysis.evidence import Evidence
    from netdiag.analysis.model import FaultEffect
    from netdiag.analysis.wire import WireLog
    from netdiag.catalogue.clients import Client
    from netdiag.scenario import Cell

_MOST_LINES: Final = 3


def unknown(cell: Cell, evidence: Evidence) -> dict[str, tuple[str, ...]]:
    """For each client: the reasons, those of the cell and its own first."""
    everything = Moments(evidence.events, 0)
    unfinished = _unfinished(everything)
    shared = (*_damage(evidence.damage), *unfinished)
    muted = () if unfinished else tuple(_silent(evidence, cell))
    own = {who: tuple(_own(cell, who, evidence, unfinished)) for who in evidence.wires}
    return {
        who: (
            *shared,
            *own[who],
            *muted,
            *(f"client {other}: {why}" for other in own if other != who for why in own[other]),
        )
        for who in own
    }


def _own(cell: Cell, who: str, evidence: Evidence, unfinished: list[str]) -> Iterator[str]:
    """The reasons that one client gives."""
    events, wire = evidence.of(who), evidence.wires[who]
    failed = _client_failed(
        Moments(events, 0), wire, cell.clients[who] if who else cell.client, unfinished
    )
    yield from failed
    missed = []
    if not (unfinished or failed):
        told = {fault.name: fault for fault in faults_of(events, 0)}
        wanted = [one.name for one in cell.faults if one.client in (None, who) or not who]
        missed = [why for name in wanted if (why := _missed(name, told))]
        yield from missed
    if wire.dropped:
        yield f"the kernel dropped {wire.dropped} frames before the cable could see them"
    elif wire.trouble and not (unfinished or failed or missed):
        yield f"frames may be missing on the tape: {wire.trouble}"


def _damage(lines: Mapping[int, str]) -> tuple[str, ...]:
    """Why damaged lines of events.jsonl say nothing of a cell, and where they are; () for none."""
    told = [f"line {number} {wrong}" for number, wrong in lines.items()]
    if len(told) < 2:
        return tuple(f"events.jsonl is damaged: {one}" for one in told)
    more = ", ..." if len(told) > _MOST_LINES else ""
    first = ", ".join(told[:_MOST_LINES])
    return (f"events.jsonl is damaged in {len(told)} lines: {first}{more}",)


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


def _silent(evidence: Evidence, cell: Cell) -> Iterator[str]:
    """Why messages that the scenario speaks of were never produced."""
    for number in range(len(cell.workload.produce)):
        why = silent(evidence.events, str(number))
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


def _client_failed(
    moments: Moments, wire: WireLog, client: Client, unfinished: list[str]
) -> list[str]:
    """A client that never got to work says nothing about the network."""
    if client.kind == "service":
        return _service_failed(moments, wire, unfinished)
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
    if not worked and started and not ended and not unfinished:
        return ["the client said nothing of a call; does it keep the contract in netdiag.clients?"]
    return []


def _service_failed(moments: Moments, wire: WireLog, unfinished: list[str]) -> list[str]:
    """A service says nothing of itself, so the wire must."""
    if unfinished or wire.trouble or any(one.side == 0 for one in wire.frames):
        return []
    exit_ = next((one for one in moments.of("client.app", "exit") if not by_fault(one)), None)
    if exit_ is None:
        return ["the service sent nothing to the server; is lab.client the one that consumes?"]
    return [
        f"the service ended with code {exit_.data.get('code')} before it sent anything to the "
        "server; see its log in logs/ of the cell"
    ]
