"""A recording -> its analysis, saved when it is fresh, and shown on standard output.

The rule this file guards: a report that can be made is shown, even when the disk has no room for
it.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from netdiag.analysis import Outcome, analyse
from netdiag.errors import NetdiagError, RecordingError
from netdiag.recording import printable, write_whole
from netdiag.report.words import ascii_only, plain
from netdiag.scenario import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netdiag.analysis import Analysis
    from netdiag.recording import Recording

_CODES: Final = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.UNKNOWN: 2}


def show_recording(
    recording: Recording, *, as_json: bool, fresh: bool, table: str | None = None
) -> Analysis:
    """Analyse a recording and print the report, or with `as_json` the analysis alone, or with
    `table` two axes of the matrix against each other.

    `fresh`: the analysis is new and is saved beside the recording. Raises RecordingError when what
    lies there cannot be read, and NetdiagError for a table that cannot be made.
    """
    analysis = analysed(recording, fresh=fresh)
    with _standard_output():
        if as_json:
            click.echo(json.dumps(analysis.to_json(), indent=1))
        elif table is not None:
            _print_table(analysis, table)
        else:
            _print(recording, analysis)
    return analysis


def analysed(recording: Recording, *, fresh: bool) -> Analysis:
    """The analysis of a recording, saved beside it when it is `fresh`."""
    analysis = analyse(recording, load_plan(recording))
    if fresh:
        _save(recording, analysis)
    return analysis


def _print_table(analysis: Analysis, wanted: str) -> None:
    from netdiag.report.pivot import pivot  # noqa: PLC0415 - imports when called

    text = pivot(analysis, wanted)
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    click.echo(text if unicode else ascii_only(text), nl=False)


def _print(recording: Recording, analysis: Analysis) -> None:
    from rich.console import Console  # noqa: PLC0415 - not needed for --json

    from netdiag.report import print_report, view_of  # noqa: PLC0415

    console = Console(markup=False, highlight=False, emoji=False)
    print_report(view_of(analysis), console)
    where = near(recording.root)
    again = f"recording: {where}\nshow it again: netdiag report {shlex.quote(where)}"
    console.out(f"\n{ascii_only(again) if console.options.ascii_only else again}", highlight=False)


@contextmanager
def _standard_output() -> Iterator[None]:
    """Printing that may fail: NetdiagError when what takes our words has no room for them."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:  # nobody is left to be told
        raise
    except OSError as err:
        with suppress(OSError, ValueError):  # what is buffered would fail once more at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise NetdiagError(
            f"cannot print the report: {err.strerror}; the recording is whole, "
            "show it again with `netdiag report`"
        ) from err


def exit_code(analysis: Analysis) -> int:
    """0 when every cell passed, 1 when one failed, 2 when one is unknown and none failed."""
    return _CODES[analysis.outcome]


def load_plan(recording: Recording) -> Plan:
    """The plan of a recording. Raises RecordingError when it is not one that this netdiag reads."""
    try:
        return Plan.from_json(recording.load_plan())
    except (ValueError, RecursionError) as err:
        raise RecordingError(
            f"{printable(recording.plan_file)}: not a plan that this netdiag can read ({err}); "
            "run the scenario again"
        ) from err


def _save(recording: Recording, analysis: Analysis) -> None:
    try:
        write_whole(recording.analysis_file, analysis.to_json())
    except OSError as err:
        click.echo(
            f"netdiag: cannot write {near(recording.analysis_file)}: {err.strerror}; "
            "the report is complete; make room and run `netdiag analyse` to save it",
            err=True,
        )


def near(path: Path) -> str:
    """The path as a person would type it: relative where it lies below the present directory."""
    try:
        return plain(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return plain(path)
