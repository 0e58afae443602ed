"""`netdiag clients`: which clients there are here, and environments with other versions of one."""

from __future__ import annotations

import click


@click.group("clients")
def command() -> None:
    """The clients under test: what is installed, and other versions of redis-py.

    An environment is a virtual environment in the user's data directory; a scenario names it as
    `client: {python: redis-py==5.0}`.
    """


@command.command("add")
@click.argument("name", metavar="CLIENT==VERSION")
def add_command(name: str) -> int:
    """Make an environment with a version of a client's library, such as redis-py==5.0.

    The version is fetched with pip, as pip is configured here. One that is there already is
    replaced, and stays when that fails.

    Exit code: 0 made, 3 it could not be made, 64 no client with a version.
    """
    from netdiag.clients.environments import add  # noqa: PLC0415 - imports when called

    made = add(name)
    click.echo(f"{made.name}: version {made.version}, Python {made.python}, {made.directory}")
    return 0


@command.command("list")
def list_command() -> int:
    """List what scenarios can name here."""
    from netdiag.catalogue import PhpRedisClient, RedisPyClient  # noqa: PLC0415
    from netdiag.clients.environments import environments  # noqa: PLC0415
    from netdiag.clients.start import library_version  # noqa: PLC0415
    from netdiag.errors import LabError  # noqa: PLC0415

    rows = [("redis-py", str(library_version(RedisPyClient())), "beside netdiag")]
    rows += [(one.name, one.version, str(one.directory)) for one in environments()]
    try:
        rows.append(("phpredis", str(library_version(PhpRedisClient())), "PHP's command line"))
    except LabError as err:
        rows.append(("phpredis", "-", str(err)))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, version, where in rows:
        click.echo(f"{name:{widths[0]}}  {version:{widths[1]}}  {where}")
    return 0


@command.command("remove")
@click.argument("name", metavar="CLIENT==VERSION")
def remove_command(name: str) -> int:
    """Remove an environment.

    Exit code: 0 removed, 64 there is none of that name.
    """
    from netdiag.clients.environments import remove  # noqa: PLC0415

    remove(name)
    click.echo(f"{name}: removed")
    return 0
