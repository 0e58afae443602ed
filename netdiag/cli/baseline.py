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

    Exit code: 0 saved, 64 not a recording, or one with a cell that is UNKNOWN.
    """
    from netdiag.analysis import analyse  # noqa: PLC0415 - imports when called
    from netdiag.analysis.baseline import save_baseline  # noqa: PLC0415
    from netdiag.cli.show import load_plan  # noqa: PLC0415
    from netdiag.recording import find  # noqa: PLC0415

    found = find(recording)
    analysis = analyse(found, load_plan(found))
    path = save_baseline(directory, analysis)
    cells = len(analysis.cells)
    click.echo(f"{path}: {cells} run{'' if cells == 1 else 's'} of {analysis.scenario}")
    return 0
