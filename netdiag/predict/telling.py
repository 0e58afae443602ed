"""What the client notices -> when its application gets an error, if ever.

The rule this file guards: an application is told of what its library cannot mend by itself; how
often that tries first, and what each attempt waits for, is `dialling`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.catalogue.patterns import PATTERNS
from netdiag.faults.blackhole import Blackhole
from netdiag.predict.dialling import dial, in_vain
from netdiag.predict.model import ERROR, Forecast
from netdiag.predict.programs import Redialling
from netdiag.predict.pushes import Unpredictable

if TYPE_CHECKING:
    from netdiag.predict.case import Case
    from netdiag.predict.client import Candidate
    from netdiag.predict.wheel import Span

NEVER: Final = "nothing"


def told(case: Case, winner: Candidate) -> Forecast | None:
    """When the application gets an error: after the library's own repetitions."""
    if case.fault.host is not None and case.limits.retry:
        raise Unpredictable("the library dials again and repeats the command by itself; what comes "
                            "of it hangs on when the server is back")
    if not isinstance(case.fault.do, Blackhole):
        return _after_reset(case, winner)
    healed = case.heal.began
    if case.heal.closed is not None and winner.closes:  # a socket that is dead sends no FIN
        healed = winner.when + case.heal.closed
    greets = case.seen.start.high == 0  # the pool has not handed the connection out yet
    listens = not PATTERNS[case.cell.workload.pattern].keeps
    vain = in_vain(case.limits, case.client,
                   at="connect" if greets else "listen" if listens else "call")
    if vain is None:
        return _shown(winner, winner.when, winner.sees, winner.formula)
    total, formula = winner.when + vain[0], f"{winner.formula}, then {vain[1]}"
    if healed is None or total.high <= healed.low:
        return _shown(winner, total, case.limits.program.words.connect, formula)
    if healed.high >= total.low - dial(case.limits, case.client).when.high:
        raise Unpredictable("the path heals at about the time at which the library stops repeating")
    if case.limits.retry == 0:
        raise Unpredictable("the path heals while the library dials, and it says what went wrong "
                            "when that has succeeded")
    if case.limits.read is not None:
        raise Unpredictable("the library dials again and repeats the command by itself; whether "
                            "that ends before its own read timeout hangs on the message")
    return Forecast(what=ERROR, when=None, by=NEVER, source="redis-py retry.py", formula=formula,
                    text="nothing: the library dials again and repeats the command by itself")


_POOL: Final = ("nothing: the pool finds the connection dead when it hands it out next, and dials "
                "again")


def _after_reset(case: Case, winner: Candidate) -> Forecast:
    between = getattr(case.fault.at, "phase", "") == "reply_delivered" or case.seen.busy.low > 0
    if between and not case.limits.listens:
        if case.seen.busy.low == 0 or case.limits.program.redialling == Redialling():
            raise Unpredictable("whether the RST comes before the next call, so that the library "
                                "dials again without a word, does not follow from the settings")
        return Forecast(what=ERROR, when=None, by=NEVER, source="redis-py get_connection",
                        text=_POOL, formula="the RST is there before the next call")
    if case.limits.retry == 0:
        return _shown(winner, winner.when, winner.sees, winner.formula)
    if case.limits.read is not None:
        raise Unpredictable("the library dials again and repeats the command by itself; whether "
                            "that ends before its own read timeout hangs on the message")
    return Forecast(what=ERROR, when=None, by=NEVER, source="redis-py retry.py",
                    text="nothing: the library dials again and repeats the command by itself",
                    formula=f"retry {case.limits.retry}")


def _shown(winner: Candidate, when: Span, sees: str, formula: str) -> Forecast:
    return Forecast(what=ERROR, when=when, by=winner.by, text=sees, formula=formula,
                    source=winner.source)
