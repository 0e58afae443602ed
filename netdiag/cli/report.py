"""`netdiag report`: a recording, shown again."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print only the analysis, as JSON.")
@click.option(
    "--table",
    metavar="AXIS,AXIS[,WHAT]",
    help="Only a table of two axes of the matrix, as Markdown; WHAT is messages, noticed, timer, "
    "fin_wait1, zombies or outcome.",
)
def command(directory: Path, as_json: bool, table: str | None) -> int:
    """Show the recording in DIRECTORY again; nothing is run and nothing is written.

    DIRECTORY is a recording, or a scenario's directory: then its latest one is shown.

    Exit code: 0 all PASS, 1 a FAIL, 2 an UNKNOWN and no FAIL, 64 not a recording.
    """
    from netdiag.cli.show import exit_code, show_recording  # noqa: PLC0415 - imports when called
    from netdiag.recording import find  # noqa: PLC0415

    recording = find(directory)
    return exit_code(show_recording(recording, as_json=as_json, fresh=False, table=table))
