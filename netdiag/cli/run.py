"""`netdiag run`: scenario in, recording and report out."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netdiag.run.front import RunResult
    from netdiag.run.sandbox import Sandbox

_DEFAULT_JOBS = 32


@click.command("run")
@click.argument("scenario")
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
@click.option("--json", "as_json", is_flag=True, help="Print only the analysis, as JSON.")
def command(scenario: str, jobs: int, out: Path, as_json: bool) -> int:
    """Run SCENARIO, a file or the name of one that ships, and show what happened.

    Exit code: 0 all PASS, 1 a FAIL, 2 an UNKNOWN and no FAIL, 3 no lab could be made, 64 a mistake
    in the arguments or the scenario, 130 interrupted (143 by SIGTERM): what was recorded is shown.
    """
    from netdiag.run.sandbox import sandbox  # noqa: PLC0415 - imports when called

    # the sandbox makes its namespaces while we read the scenario
    with _nothing_to_lose(), sandbox() as box:
        result = _run(box, scenario, jobs, out, quiet=as_json)
    for line in result.complaints:
        click.echo(f"netdiag: {line}", err=True)
    from netdiag.cli.show import exit_code, show_recording  # noqa: PLC0415

    if result.stopped is not None:
        click.echo("netdiag: interrupted; this is what was recorded until then", err=True)
    analysis = show_recording(result.recording, as_json=as_json, fresh=True)
    return exit_code(analysis) if result.stopped is None else 128 + result.stopped


def _run(box: Sandbox, scenario: str, jobs: int, out: Path, *, quiet: bool) -> RunResult:
    from netdiag.scenario import expand, find, load  # noqa: PLC0415

    plan = expand(load(find(scenario)))
    from netdiag.cli.progress import progress  # noqa: PLC0415
    from netdiag.run.front import run_plan  # noqa: PLC0415

    with progress(plan, quiet=quiet) as follow:
        return run_plan(plan, out=out, jobs=jobs, follow=follow, box=box)


@contextmanager
def _nothing_to_lose() -> Iterator[None]:
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
