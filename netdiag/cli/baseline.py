"""`netdiag baseline`: a run's meaning, kept as a small file that can be committed."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("baseline")
def command() -> None:
    """Keep what a run means, so that later runs can be compared with it.

    `netdiag run --baseline DIR` and `netdiag compare DIR RECORDING` read what is kept.
    """


@command.command("save")
@click.argument("recording", type=click.Path(path_type=Path))
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def save(recording: Path, directory: Path) -> int:
    """Write DIRECTORY/SCENARIO.json from the recording in RECORDING; an older one is replaced.

    Record with `run --repeat N` first: then the baseline knows how far each cell spreads by itself.
    The file is sorted JSON, made to be committed and read in a diff.

    A cell that FAILs is kept as it is, and named on standard error.

    Exit code: 0 saved, 64 not a recording, or one with a cell that is UNKNOWN.
    """
    from netdiag.analysis import Outcome, analyse  # noqa: PLC0415 - imports when called
    from netdiag.analysis.baseline import save_baseline  # noqa: PLC0415
    from netdiag.cli.show import load_plan  # noqa: PLC0415
    from netdiag.recording import find  # noqa: PLC0415
    from netdiag.report.words import plain  # noqa: PLC0415

    found = find(recording)
    analysis = analyse(found, load_plan(found))
    path = save_baseline(directory, analysis)
    cells = len(analysis.cells)
    click.echo(f"{path}: {cells} run{'' if cells == 1 else 's'} of {analysis.scenario}")
    failed = [cell.id for cell in analysis.cells if cell.outcome is Outcome.FAIL]
    if failed:
        click.echo(f"netdiag: kept although it is a FAIL: {', '.join(map(plain, failed))}; a later "
                   "run that does the same will count as the same", err=True)
    return 0
