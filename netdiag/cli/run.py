"""`netdiag run`: scenario in, recording and report out."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netdiag.cli.wishes import SEED, Where, Wishes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netdiag.analysis import Analysis
    from netdiag.run.front import RunResult
    from netdiag.run.sandbox import Sandbox
    from netdiag.scenario import Plan

_DEFAULT_JOBS = 32
_UNKNOWN_CODE = 2


@click.command("run")
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO...")
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=_DEFAULT_JOBS,
    show_default=True,
    help="How many cells run at the same time.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where recordings go: OUT/SCENARIO/TIME/.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change what the matrix does not vary: --set workload.block=5s (may be repeated).",
)
@click.option(
    "--only", multiple=True, metavar="CELL", help="Run only this cell, or those like 'keep*'."
)
@click.option("--seed", type=SEED, help="Another seed than the scenario's.")
@click.option(
    "--repeat",
    type=click.IntRange(1, 1000),
    default=1,
    help="Run each cell so many times and show the spread.",
)
@click.option(
    "--keep-going", is_flag=True, help="Start further cells after one that could not be run."
)
@click.option(
    "--allow-unknown", is_flag=True, help="Exit 0 although cells are UNKNOWN, and say so loudly."
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="Compare with the baseline in this directory; worse than it is exit code 1.",
)
@click.option(
    "--lab",
    type=click.Choice(["namespaces", "uml", "docker"]),
    help="Where the hosts are: in this kernel, in a guest's (see `netdiag warp`), or containers; "
    "by default where the scenario needs them, which is this kernel for most.",
)
@click.option(
    "--warp", is_flag=True, help="In a guest on a virtual clock, which skips all waiting."
)
@click.option(
    "--attach",
    metavar="PROJECT",
    help="With --lab docker: use this running compose project, and leave it as it was.",
)
@click.option("--json", "as_json", is_flag=True, help="Print only the analysis, as JSON.")
@click.option(
    "--table",
    metavar="AXIS,AXIS[,WHAT]",
    help="Print only a table of two axes of the matrix, as `netdiag report` does.",
)
def command(  # noqa: PLR0913 - click hands over one argument an option
    scenarios: tuple[str, ...],
    *,
    jobs: int,
    out: Path,
    settings: tuple[str, ...],
    only: tuple[str, ...],
    seed: int | None,
    repeat: int,
    keep_going: bool,
    allow_unknown: bool,
    baseline: Path | None,
    lab: str | None,
    warp: bool,
    attach: str | None,
    as_json: bool,
    table: str | None,
) -> int:
    """Run SCENARIO, a file or the name of one that ships, and show what happened.

    Of several, or of a directory of them, each one's verdict is shown, and the worst is the run's.
    With --json they are a list; what was not run, and what is worse than a baseline, is named on
    standard error.

    Exit code: 0 all PASS, 1 a FAIL, 2 an UNKNOWN and no FAIL, 3 no lab could be made, 64 a mistake
    in the arguments or the scenario, 70 a fault of netdiag's own, 74 output that cannot be written,
    130 interrupted (143 by SIGTERM): what was recorded is shown.
    """
    wishes = Wishes(jobs, out, settings, only, seed, repeat, keep_going, as_json, baseline, table)
    where = Where(lab, warp, attach)
    if len(scenarios) > 1 or not scenarios[0].endswith((".yaml", ".yml")):
        from netdiag.scenario import find_all  # noqa: PLC0415 - imports when called

        paths = find_all(scenarios)
        if len(paths) > 1:
            if table is not None:
                raise click.UsageError("--table is for one scenario at a time")
            return _several(paths, wishes, where, allow_unknown=allow_unknown)
    result = _record(scenarios[0], wishes, where)
    for line in result.complaints:
        click.echo(f"netdiag: {line}", err=True)
    from netdiag.cli.show import show_recording  # noqa: PLC0415

    if result.stopped is not None:
        click.echo("netdiag: interrupted; this is what was recorded until then", err=True)
    analysis = show_recording(result.recording, as_json=as_json, fresh=True, table=table)
    if result.stopped is not None:
        return 128 + result.stopped
    code = _verdict(analysis, allow_unknown=allow_unknown)
    worse = 0 if baseline is None else _compared(baseline, analysis, on_error=as_json)
    return code or worse


def _several(paths: list[Path], wishes: Wishes, where: Where, *, allow_unknown: bool) -> int:
    """Run them all, show each one's verdict and then the worst."""
    from netdiag.cli.several import read_all, run_all, say_verdict, show_json  # noqa: PLC0415
    from netdiag.run.sandbox import sandbox  # noqa: PLC0415

    def run(plan: Plan, wishes: Wishes) -> RunResult:
        with sandbox(where.hosts(plan)) as box:
            return _run(box, plan, wishes)

    plans = read_all(paths, lambda path: _plan(str(path), wishes))
    results = run_all(plans, wishes, run)
    code = show_json(results, plans) if wishes.quiet else say_verdict(results, len(plans))
    unknown = [one.scenario for one in results if one.outcome == "UNKNOWN"]
    if code != _UNKNOWN_CODE or not allow_unknown or len(results) < len(plans):
        return code
    _let_pass(f"{len(unknown)} of {len(plans)} scenarios", unknown)
    return 0


def _record(scenario: str, wishes: Wishes, where: Where) -> RunResult:
    """Run one scenario. Its sandbox makes its namespaces while we read the scenario; one that needs
    other hosts gets another.
    """
    from netdiag.run.sandbox import sandbox  # noqa: PLC0415 - imports when called

    usual = where.hosts()
    with nothing_to_lose(), sandbox(usual) as box:
        plan = _plan(scenario, wishes)
        hosts = where.hosts(plan)
        if hosts == usual:
            return _run(box, plan, wishes)
    with nothing_to_lose(), sandbox(hosts) as box:
        return _run(box, plan, wishes)


def _plan(scenario: str, wishes: Wishes) -> Plan:
    from netdiag.scenario import expand, find, load  # noqa: PLC0415
    from netdiag.scenario.repeat import only, repeated  # noqa: PLC0415

    written = load(find(scenario), settings=wishes.settings)
    plan = only(repeated(expand(written, seed=wishes.seed), wishes.repeat), wishes.only)
    _look_ahead(plan, wishes)
    return plan


def _look_ahead(plan: Plan, wishes: Wishes) -> None:
    """Refuse what could not be shown or compared once the run is over."""
    if wishes.table is not None:
        from netdiag.report.pivot import asked  # noqa: PLC0415

        axes = dict.fromkeys(axis for cell in plan.cells for axis in cell.choices)
        several = any(len(cell.clients) > 1 for cell in plan.cells)
        asked((*axes, *(["client"] if several else [])), wishes.table)
    if wishes.baseline is not None:
        from netdiag.analysis.baseline import read_baseline  # noqa: PLC0415
        from netdiag.analysis.cell import names_of  # noqa: PLC0415
        from netdiag.analysis.compare import in_common  # noqa: PLC0415

        base = read_baseline(wishes.baseline, plan.scenario)
        in_common(base, plan.scenario, [name for cell in plan.cells for name in names_of(cell)])


def _run(box: Sandbox, plan: Plan, wishes: Wishes) -> RunResult:
    from netdiag.cli.progress import progress  # noqa: PLC0415
    from netdiag.run.front import run_plan  # noqa: PLC0415

    with progress(plan, quiet=wishes.quiet) as follow:
        return run_plan(
            plan,
            out=wishes.out,
            jobs=wishes.jobs,
            follow=follow,
            keep_going=wishes.keep_going,
            box=box,
        )


def _verdict(analysis: Analysis, *, allow_unknown: bool) -> int:
    """The exit code of the run; what --allow-unknown lets pass is named on standard error."""
    from netdiag.analysis import Outcome  # noqa: PLC0415
    from netdiag.cli.show import exit_code  # noqa: PLC0415

    if not (allow_unknown and analysis.outcome is Outcome.UNKNOWN):
        return exit_code(analysis)
    names = [cell.id for cell in analysis.cells if cell.outcome is Outcome.UNKNOWN]
    _let_pass(f"{len(names)} of {len(analysis.cells)} cells", names)
    return 0


def _let_pass(how_many: str, names: list[str]) -> None:
    click.echo(
        f"netdiag: WARNING: nothing is known of {how_many} ({', '.join(names)}), and "
        "--allow-unknown lets them pass",
        err=True,
    )


def _compared(baseline: Path, analysis: Analysis, *, on_error: bool) -> int:
    """Print how the run compares with its baseline (beside --json: on standard error)."""
    from netdiag.analysis.baseline import compare_with_baseline  # noqa: PLC0415
    from netdiag.cli.compare import exit_code, show_comparison  # noqa: PLC0415

    comparison = compare_with_baseline(baseline, analysis)
    with redirect_stdout(sys.stderr) if on_error else nullcontext():
        click.echo()
        show_comparison(comparison)
    return exit_code(comparison)


@contextmanager
def nothing_to_lose() -> Iterator[None]:
    """Until the run itself listens to signals, Ctrl-C just ends us, and the sandbox with us."""

    def leave(*_: object) -> None:
        os.write(2, b"netdiag: interrupted before the run began\n")
        os._exit(128 + signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, before)
