"""The runs of one cell before and after -> every change of meaning, each with its sentence.

The rule this file guards: each aspect is one function in ASPECTS, and says of its change alone
whether it is for the worse. A run of which nothing can be said (UNKNOWN) is compared in nothing but
its outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING, Final, TypeAlias

from netdiag.analysis.model import Outcome, worst
from netdiag.analysis.tolerance import learn
from netdiag.predict.model import FIN_WAIT1, NOTICED
from netdiag.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from netdiag.analysis.meaning import Meaning
    from netdiag.analysis.tolerance import Tolerance


class Change(Enum):
    """How a cell compares with itself before."""

    SAME = "same"
    BETTER = "better"
    DIFFERENT = "different"
    WORSE = "worse"


@dataclass(frozen=True)
class Said:
    """One change, and the sentence that names it."""

    change: Change
    text: str


Runs: TypeAlias = "tuple[Meaning, ...]"
_PASS, _UNKNOWN, _FAIL = Outcome.PASS, Outcome.UNKNOWN, Outcome.FAIL
_OUTCOMES: Final = {
    (_PASS, _UNKNOWN): Change.WORSE,
    (_PASS, _FAIL): Change.WORSE,
    (_UNKNOWN, _FAIL): Change.WORSE,
    (_UNKNOWN, _PASS): Change.BETTER,
    (_FAIL, _PASS): Change.BETTER,
    (_FAIL, _UNKNOWN): Change.DIFFERENT,
}


def changes(base: Runs, new: Runs) -> tuple[Said, ...]:
    """Every change from `base` to `new` (at least one run each), gravest aspects first."""
    said = list(_outcome(base, new))
    before = tuple(one for one in base if one.outcome is not _UNKNOWN)
    after = tuple(one for one in new if one.outcome is not _UNKNOWN)
    if before and after:
        for aspect in ASPECTS:
            said += aspect(before, after)
    return tuple(said)


def _outcome(base: Runs, new: Runs) -> Iterator[Said]:
    was, now = worst([one.outcome for one in base]), worst([one.outcome for one in new])
    if was is not now:
        why = _why(new if now is not _PASS else base, now if now is not _PASS else was)
        yield Said(_OUTCOMES[was, now], f"the outcome is {now.value} instead of {was.value}{why}")
        return
    if now is _FAIL:
        before, after = _failed(base), _failed(new)
        for text in after:
            if text not in before:
                yield Said(Change.WORSE, f"'{text}' is not met any more")
        for text in before:
            if text not in after:
                yield Said(Change.BETTER, f"'{text}' is met now")


def _failed(runs: Runs) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for one in runs for text in one.failed))


def _why(runs: Runs, outcome: Outcome) -> str:
    """Why some of these runs had that outcome, which is not PASS."""
    meant = [one for one in runs if one.outcome is outcome]
    texts = dict.fromkeys(text for one in meant for text in (*one.unknown, *one.failed))
    share = f" in {len(meant)} of {len(runs)} runs" if len(runs) > 1 else ""
    return f"{share}: {'; '.join(texts)}" if texts else share


def _faults(base: Runs, new: Runs) -> Iterator[Said]:
    """Another fault, or one that takes effect in one of the runs only."""
    before, after = _told(base), _told(new)
    for name in dict.fromkeys((*before, *after)):
        was, now = before.get(name, "not there"), after.get(name, "not there")
        if was != now:
            yield Said(Change.DIFFERENT, f"fault {name} is {now} instead of {was}")
            continue
        some = [all(name in one.effective for one in runs) for runs in (base, new)]
        if some == [True, False]:
            yield Said(Change.WORSE, f"fault {name} does not take effect any more")
        elif some == [False, True]:
            yield Said(Change.BETTER, f"fault {name} takes effect now")


def _told(runs: Runs) -> dict[str, str]:
    return {name: text for one in runs for name, text in one.faults.items()}


def _noticed(base: Runs, new: Runs) -> Iterator[Said]:
    before = [one.noticed for one in base if one.noticed is not None]
    after = [one.noticed for one in new if one.noticed is not None]
    lost, found = len(after) < len(new), len(before) < len(base)
    if lost and not found:
        runs = f" in {len(new) - len(after)} of {len(new)} runs" if len(new) > 1 else ""
        yield Said(Change.WORSE, f"the fault is never noticed{runs}; before after {_time(before)}")
    elif found and not lost:
        stranded = any(one.zombies or one.stuck for one in base)
        change = Change.BETTER if stranded else Change.DIFFERENT
        runs = f" in {len(base) - len(before)} of {len(base)} runs" if len(base) > 1 else ""
        yield Said(change, f"the fault is noticed after {_time(after)}; before never{runs}")
    if before and after:
        if _foretold(NOTICED, base, new, before, after):
            return
        own = all(one.own_timeout for one in base if one.noticed is not None)
        yield from _length("noticed after", before, after, learn(before, own_timeout=own))


def _length(
    what: str, before: Sequence[float], after: Sequence[float], tolerance: Tolerance
) -> Iterator[Said]:
    """A time that grew or shrank beyond what was learned of it."""
    late = tolerance.later(after)
    if late:
        change, word = (Change.WORSE, "more") if late > 0 else (Change.BETTER, "less")
        yield Said(
            change,
            f"{what} {_time(after)} instead of {_time(before)}: {_seconds(abs(late))} {word}, and "
            f"{_seconds(tolerance.seconds)} would be the same ({tolerance.why})",
        )


def _foretold(what: str, base: Runs, new: Runs, *times: Sequence[float]) -> bool:
    """Whether all these times lie where both runs' settings foretold them: then they differ by
    chance alone, by where in a timer's bucket or between two retransmissions something fell.
    """
    return all(
        any(part.low <= one <= part.high for part in run.foretold.get(what, ()))
        for run in (*base, *new)
        for one in chain(*times)
    )


def _error(base: Runs, new: Runs) -> Iterator[Said]:
    before, after = _errors(base), _errors(new)
    if before and after and not set(after) <= set(before):
        yield Said(
            Change.DIFFERENT, f"the error is {' or '.join(after)} instead of {' or '.join(before)}"
        )


def _errors(runs: Runs) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            f"{one.error} ({one.errno or 'no errno'})" for one in runs if one.error is not None
        )
    )


def _consumed(base: Runs, new: Runs) -> Iterator[Said]:
    before = [one.consumed for one in base if one.consumed is not None]
    after = [one.consumed for one in new if one.consumed is not None]
    if before and after and all(before) != all(after):
        yield (
            Said(Change.BETTER, "after the healing a message is consumed again")
            if all(after)
            else Said(Change.WORSE, "after the healing no message is consumed any more")
        )


def _count(noun: str, of: Callable[[Meaning], int]) -> Callable[[Runs, Runs], Iterator[Said]]:
    """The aspect of a number of things that nobody wants: the range over the runs counts."""

    def aspect(base: Runs, new: Runs) -> Iterator[Said]:
        before, after = [of(one) for one in base], [of(one) for one in new]
        text = f"{noun}: {_range(after)} instead of {_range(before)}"
        if max(after) > max(before):
            yield Said(Change.WORSE, text)
        elif max(after) < min(before):
            yield Said(Change.BETTER, text)

    return aspect


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def _fin_wait1_length(base: Runs, new: Runs) -> Iterator[Said]:
    before = [one.fin_wait1_s for one in base if one.fin_wait1_s is not None]
    after = [one.fin_wait1_s for one in new if one.fin_wait1_s is not None]
    if before and after and not _foretold(FIN_WAIT1, base, new, before, after):
        yield from _length("the longest FIN-WAIT-1 lasts", before, after, learn(before))


def _time(times: Sequence[float]) -> str:
    """One time, or of several the median."""
    middle = _seconds(median(times))
    return middle if len(times) == 1 else f"{middle} (median of {len(times)})"


def _seconds(seconds: float) -> str:
    return format_duration(round(seconds, 2))


ASPECTS: Final[tuple[Callable[[Runs, Runs], Iterator[Said]], ...]] = (
    _faults,
    _noticed,
    _error,
    _consumed,
    _count("messages lost", lambda one: one.lost),
    _count("messages consumed more than once", lambda one: one.duplicated),
    _count("messages stuck in the queue", lambda one: one.stuck),
    _count("zombies on the client's side", lambda one: one.zombies.get("client", 0)),
    _count("zombies on the server's side", lambda one: one.zombies.get("server", 0)),
    _count("client sockets in FIN-WAIT-1 at the end", lambda one: one.fin_wait1.get("client", 0)),
    _count("server sockets in FIN-WAIT-1 at the end", lambda one: one.fin_wait1.get("server", 0)),
    _fin_wait1_length,
)
