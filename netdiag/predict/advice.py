"""A target such as 30 s -> which settings meet it, what each costs, and what it does not cover.

The rule this file guards: nothing is canned. Each setting is the most patient one whose predicted
interval ends in time, and what a set of them covers is what `predict` says of a cell that has them
on top of the library's own defaults. A default that would forestall a set is a setting of that set.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

from netdiag.catalogue.patterns import PATTERNS
from netdiag.faults.blackhole import Blackhole
from netdiag.faults.fault import Fault
from netdiag.faults.host import Freeze
from netdiag.faults.trigger import PhaseTrigger
from netdiag.predict import timers
from netdiag.predict.knobs import Knob, Wish, knobs, slowest, together, told, unforestalled
from netdiag.predict.model import ERROR, NOTICED, SERVER
from netdiag.predict.predict import predict
from netdiag.predict.settings import limits_of, of_host
from netdiag.scenario.plan import Cell
from netdiag.scenario.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netdiag.faults.fault import Verb
    from netdiag.predict.kernel import Kernel
    from netdiag.predict.model import Forecast
    from netdiag.predict.wheel import Span

_HOUR: Final = 3600.0
_MOST_KNOBS: Final = 3
UNTOLD: Final = "nobody knows what"
ZERO_WINDOW: Final = "zero_window"


@dataclass(frozen=True, slots=True)
class Danger:
    """A row of DANGERS: a fault in a sentence, and as a scenario would write it; what: the forecast
    that counts, because a library that only dials again has noticed nothing new."""

    about: str
    verb: Verb
    phase: str
    what: str = NOTICED


DANGERS: Final[dict[str, Danger]] = {
    "idle": Danger("the path dies while it waits", Blackhole(), "blocked"),
    "request": Danger("the path dies under its request", Blackhole(), "request_in_flight"),
    "reply": Danger("the path dies under the reply", Blackhole(), "reply_in_flight"),
    "dial": Danger("nobody answers when it dials", Blackhole(), "connecting", ERROR),
    "frozen": Danger("the server stands still", Freeze(), "blocked"),
    ZERO_WINDOW: Danger("the server takes no more bytes, and its kernel says so", Freeze(),
                        ""),
}
_WAITS: Final = ("blocked", "reply_in_flight")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What becomes of one danger: `within` the target or not; at_most: after how many seconds it is
    noticed if it comes as the waiting begins, later ones are noticed sooner; None: never."""

    danger: str
    about: str
    within: bool
    at_most: float | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A set of settings. settings: as a scenario and as the library's user would write them; costs:
    a sentence each; an empty set is what the library does by itself."""

    settings: tuple[str, ...]
    code: tuple[str, ...]
    coverage: tuple[Coverage, ...]
    probes_per_hour: float
    false_timeouts_per_hour: float
    empty_replies_per_hour: float
    costs: tuple[str, ...]

    @property
    def covered(self) -> frozenset[str]:
        """The dangers that are noticed in time."""
        return frozenset(one.danger for one in self.coverage if one.within)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def advise(wish: Wish) -> tuple[Advice, ...]:
    """What the library does by itself; then the sets of settings that notice the danger of this
    pattern in time and of which no setting can be left out without losing a danger: the smallest
    first, of equal ones that which covers more. None, where nothing can be added to what it does by
    itself.

    Raises ValueError for a target that no setting meets.
    """
    wish = replace(wish, kernel=slowest(wish.kernel))
    known = [knob for knob in knobs(wish) if knob is not None]
    made: dict[frozenset[str], Advice] = {}
    for size in range(min(_MOST_KNOBS, len(known)) + 1):
        for chosen in combinations(known, size):
            names = frozenset(knob.name for knob in chosen)
            made[names] = _advice(wish, together(wish, unforestalled(wish, chosen)))
    main = "idle" if _blocks(wish.pattern) else "request"
    found = [(len(names), one) for names, one in made.items()
             if one.settings and main in one.covered
             and not any(less < names and other.covered >= one.covered
                         for less, other in made.items())]
    alone = _advice(wish, ())
    if not found and main not in alone.covered:
        if limits_of(wish.client, wish.kernel, wish.version, wish.pattern).deaf:
            raise ValueError("an asyncio subscriber of this redis-py is never told that its "
                             "connection died; subscribe with the blocking redis.Redis")
        raise ValueError(f"no setting notices within {wish.within:g} s; write a longer time")
    found.sort(key=lambda row: (row[0], -len(row[1].covered)))
    return (alone, *(one for _, one in found))


def assumed(kernel: Kernel) -> str:
    """What the times of an advice take for granted, in a sentence."""
    rto = slowest(kernel).rto
    return (f"a round trip takes {kernel.rtt.high * 1000:.0f} ms at most, so that the "
            f"retransmission timeout is {rto.low * 1000:.0f} to {rto.high * 1000:.0f} ms; a slower "
            "network adds to what is noticed by it")


def recommended(advice: tuple[Advice, ...]) -> Advice:
    """The smallest set of those that cover most; without any, what the library does by itself."""
    sets = advice[1:] or advice
    most = max(len(one.covered) for one in sets)
    return next(one for one in sets if len(one.covered) == most)


def _advice(wish: Wish, chosen: tuple[Knob, ...]) -> Advice:
    client = wish.client
    hosts: dict[str, str | int] = {}
    block = max((knob.block for knob in chosen), default=0.0)
    for knob in chosen:
        client = told(client, knob.settings)
        hosts |= knob.sysctls
    cell = Cell(id="advice", index=0, seed=0, clients={"client": client},
                workload=Workload(pattern=wish.pattern, block=block),
                hosts={"client": hosts} if hosts else {})
    coverage = tuple(_coverage(name, cell, wish) for name in _dangers(wish.pattern))
    limits = limits_of(client, of_host(wish.kernel, hosts), wish.version,
                       wish.pattern)
    waits = _blocks(wish.pattern)
    short = limits.read is not None and not (0 < block < limits.read)
    false = _HOUR / limits.read if waits and short and limits.read else 0.0
    empty = _HOUR / block if waits and block else 0.0
    probes = _probes(limits.keepalive, max(false, empty))
    return Advice(
        settings=tuple(word for knob in chosen for word in knob.words),
        code=tuple(word for knob in chosen for word in knob.code),
        coverage=coverage, probes_per_hour=round(probes, 1),
        false_timeouts_per_hour=round(false, 1), empty_replies_per_hour=round(empty, 1),
        costs=tuple(_costs(wish, cell, chosen, (probes, false, empty))))


def _probes(timings: tuple[int, int, int] | None, calls: float) -> float:
    """Keepalive probes of an idle hour; calls: how often in it a call ends, which is never silence
    for longer than that. Each answered probe begins the idle time anew."""
    if timings is None:
        return 0.0
    idle = max(timings[0], 1)
    if not calls:
        return _HOUR / idle
    return calls * (math.ceil(_HOUR / calls / idle) - 1)


def _blocks(pattern: str) -> bool:
    return not PATTERNS[pattern].own_messages


def _dangers(pattern: str) -> Iterable[str]:
    waits = PATTERNS[pattern].waits
    return [name for name, one in DANGERS.items() if waits or one.phase != "reply_in_flight"]


def _coverage(name: str, cell: Cell, wish: Wish) -> Coverage:
    danger = DANGERS[name]
    if name == ZERO_WINDOW:
        when, by = _zero_window(cell, wish)
    else:
        noticed = _noticed(danger, cell, wish)
        when, by = (noticed.when, noticed.by) if noticed is not None else (None, UNTOLD)
    return Coverage(danger=name, about=danger.about, by=by,
                    within=when is not None and when.high <= wish.within + 1e-6,
                    at_most=None if when is None else when.high)


def _noticed(danger: Danger, cell: Cell, wish: Wish) -> Forecast | None:
    """When the client notices a danger that comes as its waiting begins, which takes longest. One
    that has lost a reply waits on like one whose path is dead: nothing of its own is unacknowledged
    either. One that makes its requests itself waits for each as a blocking pop does, at times that
    nobody knows."""
    at = PhaseTrigger(phase="blocked" if danger.phase in _WAITS else danger.phase)
    idle = replace(cell, workload=replace(cell.workload, pattern="brpop")) \
        if danger.phase in _WAITS and not _blocks(cell.workload.pattern) else cell
    asked = replace(idle, faults=(Fault(name="danger", at=at, do=danger.verb),))
    return predict(asked, wish.kernel, version=wish.version).faults[0].of(danger.what)


def _zero_window(cell: Cell, wish: Wish) -> tuple[Span | None, str]:
    """Whoever waits for a reply has its read timeout; TCP_USER_TIMEOUT counts even though the peer
    answers, and keepalive does not probe, because data is queued (tcp_probe_timer)."""
    limits = limits_of(cell.client, wish.kernel, wish.version,
                       wish.pattern)
    if limits.user_timeout:
        return timers.zero_window_dies(wish.kernel, limits.user_timeout), "TCP_USER_TIMEOUT"
    frozen = _noticed(DANGERS["frozen"], cell, wish)
    return (frozen.when, frozen.by) if frozen is not None else (None, "nothing")


def _costs(wish: Wish, cell: Cell, chosen: tuple[Knob, ...],
           rates: tuple[float, float, float]) -> Iterable[str]:
    probes, false, empty = rates
    if probes:
        yield f"{probes:.0f} keepalive probes an idle hour and connection"
    if false:
        yield (f"{false:.0f} false timeouts an idle hour: each closes a healthy connection, and a "
               "message that is on its way then is at risk")
    if empty:
        yield f"{empty:.0f} empty replies an idle hour"
    for knob in chosen:
        yield from knob.costs
    yield _at_risk(wish, cell)


def _at_risk(wish: Wish, cell: Cell) -> str:
    """What a fault costs in messages, however soon it is noticed."""
    pattern = PATTERNS[wish.pattern]
    if not pattern.keeps:
        return "every message that is published until it listens again is lost"
    if pattern.own_messages:
        return "a request without an answer may have been carried out"
    if pattern.acknowledges:
        return "no message: what was not acknowledged is given to another, maybe twice"
    cut = replace(cell, faults=(Fault(name="cut", at=PhaseTrigger(phase="blocked"),
                                      do=Blackhole()),))
    gone = predict(cut, wish.kernel, version=wish.version).faults[0].of(SERVER)
    until = f"for {gone.when.low:.0f} to {gone.when.high:.0f} s ({gone.formula})" \
        if gone is not None and gone.when is not None else "for ever"
    return ("one message for each cut: the server gives it to the zombie, which it keeps " + until)
