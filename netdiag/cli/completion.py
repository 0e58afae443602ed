"""`netdiag completion`: the line that teaches a shell to complete netdiag's commands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

LINES: Final = {
    "bash": ('eval "$(_NETDIAG_COMPLETE=bash_source netdiag)"', "~/.bashrc"),
    "zsh": ('eval "$(_NETDIAG_COMPLETE=zsh_source netdiag)"', "~/.zshrc"),
    "fish": (
        "_NETDIAG_COMPLETE=fish_source netdiag | source",
        "~/.config/fish/completions/netdiag.fish",
    ),
}


@click.command("completion")
@click.argument("shell", type=click.Choice(tuple(LINES)), required=False)
def command(shell: str | None) -> int:
    """Print the line that makes SHELL complete commands, options and shipped scenarios.

    Without SHELL: the one that $SHELL names. Put the line where the comment says.
    """
    own = Path(os.environ.get("SHELL", "")).name
    line, place = LINES[shell or (own if own in LINES else "bash")]
    click.echo(f"# in {place}:\n{line}")
    return 0
