"""`netdiag validate`: scenario files in, every mistake of them out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from netdiag.cli.completion import scenarios
from netdiag.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUFFIXES: Final = (".yaml", ".yml")


@click.command("validate")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=scenarios)
def command(files: tuple[str, ...]) -> int:
    """Check scenario files and print every mistake, as FILE:LINE:COLUMN: what is wrong.

    FILE is a scenario, a directory of them, or the name of one that ships. A file without a mistake
    gets a line that ends in ok.

    Exit code: 0 when all are right, 64 when one is not.
    """
    wrong = 0
    for name in files:
        for path in _scenarios(name):
            wrong += not _validate(path)
    return ScenarioError.exit_code if wrong else 0


def _scenarios(name: str) -> Iterator[str]:
    """The files that a name means: itself, or of a directory all below it, sorted."""
    root = Path(name)
    if not root.is_dir():
        yield name
        return
    found = sorted(path for path in root.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    if not found:
        raise ScenarioError(f"{name}: no .yaml file is in this directory; name another one")
    yield from map(str, found)


def _validate(name: str) -> bool:
    from netdiag.scenario import expand, find, load  # noqa: PLC0415 - imports when called

    try:
        path = find(name)
        cells = len(expand(load(path)).cells)
    except ScenarioError as err:
        click.echo(str(err))
        return False
    click.echo(f"{path}: {cells} cell{'' if cells == 1 else 's'}, ok")
    return True
