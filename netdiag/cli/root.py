"""`netdiag`: the group of commands, and the border at which errors become one sentence and an exit
code.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

from netdiag import __version__
from netdiag.errors import NetdiagError

_COMMANDS = {
    "run": "Run a scenario and show what happened.",
    "report": "Show a recording again.",
    "analyse": "Judge a recording again, from what was recorded.",
    "compare": "Say what changed between two recordings.",
    "baseline": "Keep what a run means, to compare later runs with it.",
    "scenarios": "List the scenarios that ship.",
    "new": "Write a scenario to begin with.",
    "validate": "Check scenario files, and print every mistake.",
    "plan": "Show the cells of a scenario and their settings.",
    "schema": "Print the JSON Schema of scenarios, or of analyses.",
    "completion": "Print the line that makes a shell complete netdiag's commands.",
}
_INTERRUPTED = 130
_USAGE = 64


class Commands(click.Group):
    """Commands that are imported when they are called, so that `netdiag --help` is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command = importlib.import_module(f"netdiag.cli.{name}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88}
)
@click.version_option(__version__, prog_name="netdiag")
def group() -> None:
    """What long-lived TCP clients do when the network fails.

    netdiag runs a real client against a real server over a cable of its own, cuts it on the exact
    packet, and shows packets, kernel timers and the application on one timeline.
    """


def entry() -> None:
    """Run the command line; every expected error is one sentence on standard error."""
    try:
        code = group.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = _INTERRUPTED
    except click.ClickException as err:
        err.show()
        code = _USAGE
    except NetdiagError as err:
        click.echo(f"netdiag: {err}", err=True)
        code = err.exit_code
    except KeyboardInterrupt:
        click.echo("netdiag: interrupted", err=True)
        code = _INTERRUPTED
    except BrokenPipeError:
        # the reader (head, less) has gone; nobody is left to be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)
