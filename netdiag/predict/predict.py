"""A cell's settings -> who notices each of its faults, by which timer, in which interval.

The rule this file guards: nothing is guessed. What does not follow from the settings is a sentence
in `unsaid`, and what had to be assumed one in `assumes`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from netdiag.catalogue.patterns import PATTERNS
from netdiag.faults.blackhole import Blackhole
from netdiag.predict import client as ends
from netdiag.predict import timers
from netdiag.predict.case import Case
from netdiag.predict.client import Candidate, earliest
from netdiag.predict.dialling import connecting
from netdiag.predict.finding import situation
from netdiag.predict.healing import Path, fin_wait1, healing
from netdiag.predict.healthy import false_alarms
from netdiag.predict.hosts import FROZEN, after_host_fault
from netdiag.predict.model import (
    FIN_WAIT1,
    NOTICED,
    SERVER,
    FaultPrediction,
    Forecast,
    Prediction,
)
from netdiag.predict.programs import closing_lag
from netdiag.predict.pushes import Unpredictable, pushed_by
from netdiag.predict.recovery import Course, after_healing
from netdiag.predict.resets import after_reset
from netdiag.predict.server import KEEPALIVE, Forgetting, copies_of_reply, forgets
from netdiag.predict.settings import limits_of, of_host, own_timeout, unsaid_of
from netdiag.predict.telling import NEVER, told
from netdiag.predict.wheel import ZERO
from netdiag.predict.words import ORPHANS, gives_up
from netdiag.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netdiag.faults.fault import Fault
    from netdiag.predict.kernel import Kernel
    from netdiag.predict.wheel import Span
    from netdiag.scenario.plan import Cell

T = TypeVar("T")

_A_SERVICE: Final = ("nobody has said what the service's own timeouts and keepalive are; write "
                     "them in client.settings")


def predict(cell: Cell, kernel: Kernel, *, version: str, rto: Mapping[str, float] | None = None,
            healed: float | None = None) -> Prediction:
    """What each fault of a cell leads to, from its settings alone.

    kernel: of both hosts, without the cell's own sysctls; version: the client library's; rto:
    client and server -> retransmission timeout in seconds, where it was measured; healed: after how
    many seconds the fault ended, where no setting says it and it was measured.
    """
    first, spec = next(iter(cell.clients.items()))
    measured = rto or {}
    limits = limits_of(spec, of_host(kernel, cell.hosts.get("client")), version,
                       cell.workload.pattern, block=cell.workload.block)
    alarms = () if unsaid_of(spec) else tuple(false_alarms(cell, limits))
    return Prediction(cell=cell.id, client=first, healthy=alarms, faults=tuple(
        _fault(cell, fault, kernel, version, measured, healed) for fault in cell.faults))


def _fault(cell: Cell, fault: Fault, base: Kernel, version: str,
           rto: Mapping[str, float], healed: float | None) -> FaultPrediction:
    known = FaultPrediction(fault=fault.name, verb=str(fault.do), trigger=str(fault.at))
    client = replace(of_host(base, cell.hosts.get("client")), rto_measured=rto.get("client"))
    server = replace(of_host(base, cell.hosts.get("server")), rto_measured=rto.get("server"))
    spec = cell.clients[fault.client or next(iter(cell.clients))]
    if unsaid_of(spec):
        return replace(known, unsaid=(_A_SERVICE,))
    limits = limits_of(spec, client, version, cell.workload.pattern, block=cell.workload.block)
    client, server = client.beside(server), server.beside(client)
    if not limits.program.known:  # nor when it dials
        client, server = (replace(one, phase=None) for one in (client, server))
    try:
        seen = situation(cell, fault.at, limits, base)
        case = Case(cell=cell, fault=fault, limits=limits, seen=seen,
                     server=server.after(seen.acks.server), client=client.after(seen.acks.client),
                     heal=healing(fault, seen, healed))
        forecasts, unsaid = _forecasts(case)
    except Unpredictable as why:
        return replace(known, unsaid=(str(why),))
    return replace(known, forecasts=forecasts, unsaid=unsaid, assumes=_assumes(case))


def _assumes(case: Case) -> tuple[str, ...]:
    found = [*case.seen.assumes]
    if not case.limits.program.known:
        found.append("the program sets nothing by itself that the scenario does not say")
    if len(case.cell.faults) > 1:
        found.append("this fault is the only one")
    if case.heal.open:
        found.append(case.heal.open)
    return tuple(found)


def _forecasts(case: Case) -> tuple[tuple[Forecast, ...], tuple[str, ...]]:
    unsaid: list[str] = []
    server = _attempt(lambda: _server(case), unsaid)
    winner = _noticing(case, server)
    found = [_noticed(case, winner, server)]
    if winner is not None:
        found += _some(_attempt(lambda: told(case, winner), unsaid))
        found += _some(_attempt(lambda: _fin_wait1(case, winner, server), unsaid))
    if server is not None and isinstance(case.fault.do, Blackhole):
        found += _some(_attempt(lambda: _server_gone(case, server), unsaid))
    return tuple(found), tuple(dict.fromkeys(unsaid))


def _some(one: Forecast | None) -> list[Forecast]:
    return [] if one is None else [one]


def _attempt(make: Callable[[], T], unsaid: list[str]) -> T | None:
    """What is made, or None and the sentence that says why it cannot be told."""
    try:
        return make()
    except Unpredictable as why:
        unsaid.append(str(why))
        return None


def _server(case: Case) -> Forgetting:
    """When the server gives the client up, if the path stays cut both ways."""
    if case.seen.server == "none":
        raise Unpredictable("the server never hears of this connection")
    if case.fault.host is not None:
        raise Unpredictable(f"what becomes of the server's end when one has '{case.fault.do}' is "
                            "the program's own affair")
    if not isinstance(case.fault.do, Blackhole) or case.fault.do.direction != "both":
        raise Unpredictable("segments of one way still arrive, so when the server forgets the "
                            "client hangs on both ends")
    return forgets(case.cell, case.fault, case.seen, case.server)


def _noticing(case: Case, server: Forgetting | None) -> Candidate | None:
    """What the client notices first; None: it never does. Raises Unpredictable."""
    workload = case.cell.workload
    messages = bool(workload.produce or own_timeout(case.cell) or
                    not PATTERNS[workload.pattern].waits)
    if case.seen.regime == "closing":
        raise Unpredictable("whoever sends the first FIN has already decided to close; what the "
                            "client notices does not hang on this fault")
    if case.fault.host is not None:
        _unanswered(case)
        return after_host_fault(case.fault, case.seen, case.limits, case.heal.began,
                                messages=messages)
    if not isinstance(case.fault.do, Blackhole):
        return after_reset(case.fault, case.seen, case.limits, case.client)
    candidates = _REGIMES[case.seen.regime](case)
    _one_way(case, candidates)
    winner = earliest(candidates)
    healed = case.heal.began
    if healed is None or (winner is not None and winner.when.high <= healed.low):
        return winner
    if winner is not None and winner.when.low < healed.high:
        raise Unpredictable("the path heals at about the time at which the client would notice")
    if case.seen.regime == "syn":
        return _dialled(case, winner, healed)
    return after_healing(case.seen, case.limits, case.client, server,
                         Course(healed, winner, messages))


def _unanswered(case: Case) -> None:
    """What happens to a program takes no packet, so a reply that is under way arrives. Raises
    Unpredictable."""
    phase = getattr(case.fault.at, "phase", "")
    at_once = phase.startswith("request") and not PATTERNS[case.cell.workload.pattern].waits
    if at_once or (case.seen.server == "reply" and phase != "request_in_flight"):
        raise Unpredictable(f"the server may have answered before one has '{case.fault.do}', and "
                            "then the client notices with its next call")


def _dialled(case: Case, winner: Candidate | None, healed: Span) -> Candidate | None:
    """Who dials when the path heals: the next SYN gets through, if there is one before it gives up.
    """
    if case.limits.read is not None:
        raise Unpredictable("the path heals while it dials, and the call that follows has a read "
                            "of its own")
    through = timers.first_after(timers.syn_copies(case.client.at(ZERO)), healed)
    if winner is None or through.high < winner.when.low:
        return None
    if through.low < winner.when.high:
        raise Unpredictable("the path heals at about the time of the last SYN")
    return winner


_REGIMES: Final = {
    "syn": lambda case: list(connecting(case.limits, case.client.at(ZERO))),
    "request": lambda case: list(ends.waiting_for_ack(case.limits, case.seen, case.client)),
    "idle": lambda case: list(ends.waiting_for_reply(case.limits, case.seen, case.client)),
}


def _one_way(case: Case, candidates: list[Candidate]) -> None:
    """With a cut towards the server alone, what the server sends still arrives."""
    verb = case.fault.do
    if not isinstance(verb, Blackhole) or verb.direction != "to_server":
        return
    phase = getattr(case.fault.at, "phase", None)  # only the client's own packets are taken
    if case.seen.server == "reply" and (phase, case.fault.at.takes_own_packet) != (
            "request_in_flight", True):
        raise Unpredictable("the server's segments still arrive, so its reply may, too")
    if (case.seen.regime == "idle" or case.seen.asked) and (
            case.cell.workload.produce or own_timeout(case.cell) or case.seen.regime != "idle"):
        raise Unpredictable("the server's segments still arrive, so what the client waits for "
                            "changes with its ACK and its reply")
    if case.seen.regime in ("idle", "request"):
        gone = forgets(case.cell, case.fault, case.seen, case.server)
        if gone.when is not None and gone.by == KEEPALIVE:  # the other timers end without a RST
            candidates.append(replace(ends.told(
                "a RST from the peer", case.limits.program.words.reset,
                gone.when + case.limits.waking), formula=f"{gone.formula}; then the server's RST"))


def _noticed(case: Case, winner: Candidate | None, server: Forgetting | None) -> Forecast:
    if winner is not None:
        return Forecast(what=NOTICED, when=winner.when, by=winner.by, text=winner.sees,
                        formula=winner.formula, source=winner.source)
    healed, why = case.heal.began, "nothing is unacknowledged, keepalive is off and no read is " \
        "limited: no timer will fire"
    forgot = None if server is None else server.when
    if case.limits.deaf:
        why = "redis-py's asyncio subscriber takes ETIMEDOUT for the end of its own wait, and " \
            "listens again for ever"
    if case.fault.host is not None:
        healed, why = None, FROZEN
    if healed is not None and (forgot is None or forgot.low >= healed.high):
        why = "the path heals before any timer ends; the same connection goes on"
    return Forecast(what=NOTICED, when=None, by=NEVER, text="nothing, for ever", formula=why,
                    source=ends.TCP_TIMER + "tcp_keepalive_timer")


def _fin_wait1(case: Case, winner: Candidate, server: Forgetting | None) -> Forecast | None:
    """How long the closed socket is held, if it is the program that closes it."""
    if not winner.closes or case.seen.regime == "syn" or not isinstance(case.fault.do, Blackhole):
        return None
    closed = winner.when + closing_lag(case.cell.clients[case.fault.client or
                                                         next(iter(case.cell.clients))],
                                       case.cell.workload)
    healed = case.heal.began
    if case.heal.closed is not None:
        healed = closed + case.heal.closed
    path = Path(healed) if healed is None else Path(
        healed, copies_of_reply(case.cell, case.fault, case.seen, case.server))
    held = fin_wait1(case.seen, case.limits, case.client, closed, path)
    if held is None:
        return None
    waited_for = case.seen.regime == "idle" and not path.copies
    if waited_for and healed is not None and _believed(server, healed) \
            and pushed_by(case.cell, case.fault, healed, closed.high + held.lasts.high):
        raise Unpredictable("a message that is pushed after the healing may meet the closed socket "
                            "before that socket's own first copy arrives")
    formula = gives_up(case.client, case.limits.user_timeout, ORPHANS, held.dies)
    if case.seen.regime == "request":
        age = round(closed.low + max(0.0, case.seen.since.low), 1)
        formula += f" after the request, which was {format_duration(age)} before close"
    if healed is not None:
        formula += "; or until the first copy after the healing"
    return Forecast(what=FIN_WAIT1, when=held.lasts, by="the client's retransmission timer",
                    text="FIN-WAIT-1, owned by no process", formula=formula,
                    source=ends.TCP_TIMER + "tcp_orphan_retries")


def _believed(server: Forgetting | None, healed: Span) -> bool:
    """Whether the server may still know the connection when the path heals."""
    return server is None or server.when is None or server.when.high > healed.low


def _server_gone(case: Case, server: Forgetting) -> Forecast:
    healed = case.heal.began
    if case.heal.closed is not None:
        raise Unpredictable("the path heals when the client closes; the server learns of it then")
    if healed is not None and _believed(server, healed):
        raise Unpredictable("the path heals before the server would have forgotten the client")
    return Forecast(what=SERVER, when=server.when, by=server.by,
                    text="the server's socket is gone" if server.when else "a zombie for ever",
                    formula=server.formula, source=server.source)


