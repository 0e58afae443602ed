"""`netdiag`: the group of commands, and the border at which errors become one sentence and an exit
code.

The rule this file guards: 0, 1 and 2 are verdicts and nothing else. What netdiag could not do has
another code: 3 and 64 (see netdiag.errors), 70 a fault of netdiag's own, 74 output that cannot be
written, 130 Ctrl-C, 141 a reader that has gone.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
import traceback
from typing import Any

import click

from netdiag import __version__
from netdiag.errors import NetdiagError

_COMMANDS = {
    "run": "Run a scenario and show what happened.",
    "report": "Show a recording again.",
    "analyse": "Explain a capture, or judge a recording again.",
    "warp": "Build the kernel whose virtual clock skips all waiting.",
    "image": "Build the images of the Docker lab.",
    "clean": "Remove what killed runs of the Docker lab have left.",
    "clients": "List the clients under test, and add other versions of one.",
    "capture": "Record an interface, where there is no tcpdump.",
    "compare": "Say what changed between two recordings.",
    "replay": "Run a recording's plan again: the same, or what differs.",
    "baseline": "Keep what a run means, to compare later runs with it.",
    "scenarios": "List the scenarios that ship.",
    "new": "Write a scenario to begin with.",
    "validate": "Check scenario files, and print every mistake.",
    "plan": "Show the cells of a scenario and their settings.",
    "predict": "Predict who will notice a fault and when, from the settings alone.",
    "advise": "Say which settings make a client notice in time, and what they cost.",
    "schema": "Print the JSON Schema of scenarios, or of analyses.",
    "completion": "Print the line that makes a shell complete netdiag's commands.",
}
_USAGE = 64
_OWN_FAULT = 70
_NO_OUTPUT = 74
_INTERRUPTED = 130
_READER_GONE = 141
_GONE = (errno.EPIPE, errno.EIO)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Commands(click.Group):
    """Commands that are imported when they are called, so that `netdiag --help` is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command = importlib.import_module(f"netdiag.cli.{name}").command
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - what a command returns
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except SystemExit as err:  # rich's way to say that the reader has gone
            raise _silenced(_READER_GONE) from err
        except OSError as err:
            if err.errno in _GONE:
                raise _silenced(_READER_GONE) from err
            if err.errno in _FULL:
                click.echo(f"netdiag: the output cannot be written: {err.strerror}", err=True)
                raise _silenced(_NO_OUTPUT) from err
            raise
        return result

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


def _silenced(code: int) -> click.exceptions.Exit:
    """The way out when standard output takes nothing more; nothing more is tried, even at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    return click.exceptions.Exit(code)


def entry() -> None:
    """Run the command line; every expected error is one sentence on standard error."""
    _hold_standard_descriptors()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    code = _run()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # from here on there is nothing to tidy up
    _let_go_of_standard_error()
    sys.exit(code)


def _let_go_of_standard_error() -> None:
    """A last word that nobody reads must not become the exit code (Python's 120)."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _run() -> int:
    try:
        code = group.main(standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("netdiag: interrupted", err=True)
        return _INTERRUPTED
    except click.ClickException as err:
        err.show()
        return _USAGE
    except NetdiagError as err:
        click.echo(f"netdiag: {err}", err=True)
        return _NO_OUTPUT if err.exit_code == NetdiagError.exit_code else err.exit_code
    except Exception as err:  # noqa: BLE001 - a crash is no verdict, so it must not exit with 1
        traceback.print_exc()
        click.echo(
            f"netdiag: this is a fault of netdiag's own ({type(err).__name__}); please report it",
            err=True,
        )
        return _OWN_FAULT
    return code if isinstance(code, int) else 0


def _hold_standard_descriptors() -> None:
    """Open descriptors 0 to 2 where they are closed; else a recording could become one of them."""
    while True:
        fd = os.open(os.devnull, os.O_RDWR)
        if fd > 2:
            os.close(fd)
            break
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 - for good
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
