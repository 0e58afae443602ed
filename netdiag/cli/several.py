"""Several scenarios in one run: each in a sandbox and a recording of its own, so many at once.

Every scenario is read before the first one runs, so all mistakes are told at once. Each runs in a
child of ours that dies with us; what it found comes back over a pipe. The rule it guards: the
verdict is the worst there was, and a scenario that could not be run is never passed over.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import signal
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from netdiag.errors import NetdiagError, ScenarioError
from netdiag.process import Child, fork, how_it_ended

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from netdiag.cli.wishes import Wishes
    from netdiag.run.front import RunResult
    from netdiag.scenario import Plan

    Run = Callable[[Plan, Wishes], RunResult]

_STOPS: Final = (signal.SIGINT, signal.SIGTERM)
_TOO_EARLY: Final = "interrupted before the run began"
_ORDER: Final = ("FAIL", "not run", "UNKNOWN", "PASS")
_CODES: Final = {"FAIL": 1, "not run": 3, "UNKNOWN": 2, "PASS": 0}


@dataclass(frozen=True)
class Result:
    """What became of one scenario. outcome: one of _ORDER; lines: what is not as expected; aside:
    what of that its analysis does not hold: complaints, and what is worse than its baseline.
    """

    scenario: str
    outcome: str
    summary: str
    lines: tuple[str, ...]
    stopped: int | None = None
    root: str = ""
    aside: tuple[str, ...] = ()


def read_all(paths: Sequence[Path], plan_of: Callable[[Path], Plan]) -> list[Plan]:
    """The plan of each file. Raises ScenarioError with the mistakes of all of them."""
    plans: list[Plan] = []
    mistakes: list[str] = []
    for path in paths:
        try:
            plans.append(plan_of(path))
        except ScenarioError as err:
            mistakes += err.mistakes
    if mistakes:
        raise ScenarioError(*mistakes)
    return plans


def run_all(plans: Sequence[Plan], wishes: Wishes, run: Run) -> list[Result]:
    """Run the plans, `wishes.jobs` cells at a time in all, and say of each what became of it as
    soon as it has ended; the results are in the order of the plans. Once a signal has come no other
    is begun, and every result says so.
    """
    waiting = list(reversed(plans))
    running: dict[int, _Running] = {}
    results: dict[int, Result] = {}
    free = wishes.jobs
    with _passing_on(running) as stopped:
        while running or (waiting and not stopped):
            while (
                waiting
                and not stopped
                and (not running or free >= min(len(waiting[-1].cells), wishes.jobs))
            ):
                plan = waiting.pop()
                share = max(1, min(len(plan.cells), free))
                free -= share
                with _held_back() as before:
                    one = _Running(plan, replace(wishes, jobs=share, quiet=True), run, before)
                    running[one.reading] = one
                    if stopped:
                        one.child.kill(stopped[0])
            for fd in select.select(list(running), [], [])[0]:
                if running[fd].listen():
                    continue
                one = running.pop(fd)
                free += one.share
                results[id(one.plan)] = result = one.result()
                if result.stopped is not None:
                    waiting.clear()
                if not wishes.quiet:
                    _say(result)
    found = [results[id(plan)] for plan in plans if id(plan) in results]
    return [replace(one, stopped=one.stopped or stopped[0]) if stopped else one for one in found]


@contextlib.contextmanager
def _passing_on(running: dict[int, _Running]) -> Iterator[list[int]]:
    """While scenarios run, a signal that should end us ends them, and we tell what they found; it
    is in the list then. A second one ends us at once.
    """
    stopped: list[int] = []

    def pass_on(number: int, _: object) -> None:
        if stopped:
            os.write(2, b"netdiag: interrupted twice; what was recorded is kept\n")
            os._exit(128 + number)
        stopped.append(number)
        for one in list(running.values()):
            one.child.kill(number)

    before = {number: signal.signal(number, pass_on) for number in _heeded()}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _heeded() -> list[signal.Signals]:
    """Who ignores them (nohup, or a job of a script) goes on doing so."""
    return [number for number in _STOPS if signal.getsignal(number) is not signal.SIG_IGN]


@contextlib.contextmanager
def _held_back() -> Iterator[Collection[int]]:
    """These signals come later: a child is either not begun when one does, or is told of it. Gives
    those that were held back before.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        yield before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Running:
    """A scenario that runs in a child of ours."""

    def __init__(
        self, plan: Plan, wishes: Wishes, run: Run, signals: Collection[int] = ()
    ) -> None:
        """`signals`: those that stay held back in it."""
        self.plan = plan
        self.share = wishes.jobs
        self.reading, writing = os.pipe2(os.O_CLOEXEC)
        self._said = bytearray()

        def main() -> int:
            for number in _heeded():
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, signals)
            with os.fdopen(writing, "w", encoding="utf-8") as telling:
                json.dump(_one(plan, wishes, run), telling)
            return 0

        self.child: Child = fork(main, "netdiag")
        os.close(writing)

    def listen(self) -> bool:
        """Take what it says; false when it has said all."""
        data = os.read(self.reading, 65536)
        self._said += data
        return bool(data)

    def result(self) -> Result:
        """What it said, or that it ended without a word."""
        os.close(self.reading)
        code = self.child.wait()
        os.close(self.child.pidfd)
        if not self._said:
            stopped = -code if -code in _STOPS else None
            why = f"netdiag itself ended ({how_it_ended(code)})" if stopped is None else _TOO_EARLY
            return Result(self.plan.scenario, "not run", why, (), stopped=stopped)
        said: dict[str, Any] = json.loads(self._said)
        told = {key: tuple(said[key]) for key in ("lines", "aside")}
        return Result(**{**said, **told})


def _one(plan: Plan, wishes: Wishes, run: Run) -> dict[str, Any]:
    """In the child: run one plan, analyse and save it; returns the fields of its Result."""
    from netdiag.cli.show import analysed  # noqa: PLC0415 - imports when called

    try:
        done = run(plan, wishes)
        from netdiag.cli.outcome import summary, unexpected, worse  # noqa: PLC0415 - a run does without

        for number in _STOPS:  # what was recorded is shown
            signal.signal(number, signal.SIG_IGN)
        analysis = analysed(done.recording, fresh=True)
        changes = [] if wishes.baseline is None else worse(wishes.baseline, analysis)
    except NetdiagError as err:
        return {"scenario": plan.scenario, "outcome": "not run", "summary": str(err),
                "lines": (), "aside": ()}
    return {
        "scenario": plan.scenario,
        "outcome": "FAIL" if changes else analysis.outcome.value,
        "summary": summary(analysis),
        "lines": [*done.complaints, *unexpected(analysis), *changes],
        "aside": [*done.complaints, *changes],
        "stopped": done.stopped,
        "root": str(done.recording.root),
    }


def _say(result: Result) -> None:
    click.echo(f"{result.outcome:<8} {result.scenario}: {result.summary}")
    for line in result.lines:
        click.echo(f"           {line}")
    if result.lines and result.root:
        from netdiag.cli.show import near  # noqa: PLC0415

        click.echo(f"           netdiag report {shlex.quote(near(Path(result.root)))}")


def show_json(results: Sequence[Result], plans: Sequence[Plan]) -> int:
    """Print every analysis, as a list, and on standard error what none of them says: what was not
    run, what is worse than a baseline. Returns the exit code of `say_verdict`.
    """
    found = [
        json.loads(Path(one.root, "analysis.json").read_text(encoding="utf-8"))
        for one in results
        if one.root
    ]
    click.echo(json.dumps(found, indent=1))
    for one in results:
        if not one.root:
            click.echo(f"netdiag: {one.scenario} was not run: {one.summary}", err=True)
        for line in one.aside:
            click.echo(f"netdiag: {one.scenario}: {line}", err=True)
    begun = Counter(one.scenario for one in results)
    for name in (Counter(plan.scenario for plan in plans) - begun).elements():
        click.echo(f"netdiag: {name} was not begun", err=True)
    return _code(results, len(plans))


def say_verdict(results: Sequence[Result], count: int) -> int:
    """Print the verdict over all; returns its exit code. `count`: how many there should be."""
    outcomes = Counter(result.outcome for result in results)
    parts = [f"{outcomes[one]} {one}" for one in reversed(_ORDER) if outcomes[one]]
    worst = next((one for one in _ORDER if outcomes[one]), "not run")
    left_out = f", {count - len(results)} not begun" if len(results) < count else ""
    click.echo(f"\n{worst} ({count} scenarios: {', '.join(parts)}{left_out})")
    return _code(results, count)


def _code(results: Sequence[Result], count: int) -> int:
    """The exit code: the worst there was; that of an interrupted run when there is one."""
    stopped = next((one.stopped for one in results if one.stopped is not None), None)
    if stopped is not None:
        return 128 + stopped
    outcomes = {one.outcome for one in results} | ({"UNKNOWN"} if len(results) < count else set())
    return _CODES[next(one for one in _ORDER if one in outcomes)]
