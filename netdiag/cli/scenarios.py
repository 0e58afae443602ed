"""`netdiag scenarios`: what ships, one line each."""

from __future__ import annotations

import json
import shutil
import sys

import click

_SENTENCE = ". "


@click.command("scenarios")
@click.option("--json", "as_json", is_flag=True, help="Names and what they show, as JSON.")
def command(as_json: bool) -> int:
    """List the scenarios that ship with netdiag, one line each.

    Run one with `netdiag run NAME`.
    """
    from netdiag.scenario import shipped  # noqa: PLC0415 - imports when called

    found = shipped()
    if as_json:
        click.echo(json.dumps([{"name": name, "about": about} for name, about in found], indent=1))
        return 0
    wide = max((len(name) for name, _ in found), default=0)
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for name, about in found:
        click.echo(_line(f"{name:<{wide}}  {_first(about)}".rstrip(), room))
    return 0


def _first(about: str) -> str:
    """The first sentence."""
    head, dot, _ = about.partition(_SENTENCE)
    return head + dot.strip()


def _line(text: str, room: int | None) -> str:
    """One line of a terminal; elsewhere the whole text."""
    return text if room is None or len(text) <= room else text[: max(0, room - 3)] + "..."
