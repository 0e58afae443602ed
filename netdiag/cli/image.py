"""`netdiag image`: the images of the compose files that ship, for `netdiag run --lab docker`."""

from __future__ import annotations

import click


@click.group("image")
def command() -> None:
    """The images that the shipped compose files use.

    Their Dockerfiles take any Debian as their base; where no registry can be reached, one is made
    from the machine's own Debian mirror.
    """


@command.command("build")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--base", metavar="IMAGE", help="Another base than debian:bookworm-slim.")
def build_command(names: tuple[str, ...], base: str | None) -> int:
    """Build the images NAME..., by default all: redis, redis-py, phpredis, shop."""
    from netdiag.lab.docker.engine import connect  # noqa: PLC0415 - imports when called
    from netdiag.lab.docker.images import build  # noqa: PLC0415
    from netdiag.scenario.shelf import compose_shelf  # noqa: PLC0415

    tags = build(
        connect(), names, compose=compose_shelf(), base=base,
        tell=lambda what: click.echo(what, err=True),
    )  # fmt: skip
    for tag in tags:
        click.echo(tag)
    return 0
