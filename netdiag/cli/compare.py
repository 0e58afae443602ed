"""`netdiag compare`: two runs in, what changed between them by meaning out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from netdiag.analysis.compare import Comparison
    from netdiag.analysis.meaning import Meanings

_PATH = click.Path(path_type=Path)


@click.command("compare")
@click.argument("base", type=_PATH)
@click.argument("new", type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="Print only the comparison, as JSON.")
def command(base: Path, new: Path, as_json: bool) -> int:
    """Say what changed from BASE to NEW: phases, errors, when it was noticed, messages, sockets.

    Each is a recording, a scenario's directory (its latest recording), an analysis.json, a baseline
    file, or a directory of baselines. Times count only beyond what repeats of BASE teach; without
    them beyond 12.7 % (the kernel's timer wheel) and 50 ms.

    Exit code: 0 nothing is worse, 1 something is, 64 not a recording or a baseline.
    """
    from netdiag.analysis.compare import compare  # noqa: PLC0415 - imports when called

    after = _read(new, None)
    comparison = compare(_read(base, after.scenario), after)
    show_comparison(comparison, as_json=as_json)
    return exit_code(comparison)


def exit_code(comparison: Comparison) -> int:
    """1 when a cell changed for the worse, else 0."""
    return 1 if comparison.worse else 0


def show_comparison(comparison: Comparison, *, as_json: bool = False) -> None:
    """Print a comparison on standard output."""
    if as_json:
        click.echo(json.dumps(comparison.to_json(), indent=1))
        return
    from rich.console import Console  # noqa: PLC0415 - not needed for --json

    from netdiag.report.comparison import print_comparison  # noqa: PLC0415

    print_comparison(comparison, Console(markup=False, highlight=False, emoji=False))


def _read(path: Path, scenario: str | None) -> Meanings:
    """The meaning of what lies at a path; recordings are judged again by this netdiag.

    `scenario`: whose baseline is meant when the path is a directory of them.
    """
    from netdiag.analysis import analyse  # noqa: PLC0415 - imports when called
    from netdiag.analysis.baseline import read_meanings  # noqa: PLC0415
    from netdiag.analysis.meaning import meanings  # noqa: PLC0415
    from netdiag.cli.show import load_plan  # noqa: PLC0415
    from netdiag.recording import find  # noqa: PLC0415

    if path.is_file():
        return read_meanings(path)
    if scenario is not None and (path / f"{scenario}.json").is_file():
        return read_meanings(path / f"{scenario}.json")
    recording = find(path)
    return meanings(analyse(recording, load_plan(recording)))
