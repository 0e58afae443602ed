"""`netdiag clean`: remove what a killed run of the Docker lab has left."""

from __future__ import annotations

import click

from netdiag.errors import LabError


@click.command("clean")
def command() -> int:
    """Remove the containers, networks and volumes that killed runs have left, and undo what they
    changed on stacks that they were attached to.

    Every object carries its run's label, and every change stands in its run's journal; a run that
    still lives is left alone, as is everything that is not netdiag's. The next run with --lab
    docker does the same. No other lab leaves anything.
    """
    from netdiag.lab.docker.engine import connect  # noqa: PLC0415 - imports when called
    from netdiag.lab.docker.reaping import reap  # noqa: PLC0415

    gone = reap(connect())
    for one in gone:
        click.echo(f"run {one.run}: removed {one.removed}, undone {one.undone}")
    if not gone:
        click.echo("nothing was left")
    refused = [sentence for one in gone for sentence in one.refused]
    if refused:
        raise LabError("\n".join([*refused, "repair that, and run `netdiag clean` again"]))
    return 0
