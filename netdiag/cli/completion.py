"""`netdiag completion`: the line that teaches a shell to complete netdiag's commands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem

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
    """Print the line that makes SHELL complete commands, options and scenarios that ship.

    Without SHELL: the one that $SHELL names. Put the line where its comment says.

    Exit code: 0.
    """
    own = Path(os.environ.get("SHELL", "")).name
    line, place = LINES[shell or (own if own in LINES else "bash")]
    click.echo(f"# in {place}:\n{line}")
    return 0


def scenarios(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What a shell proposes for a SCENARIO: those that ship, else files."""
    del context, parameter
    from netdiag.scenario import shipped  # noqa: PLC0415 - imports when called

    found = [
        CompletionItem(name, help=about.partition(". ")[0])
        for name, about in shipped()
        if name.startswith(incomplete)
    ]
    return found or [CompletionItem(incomplete, type="file")]
