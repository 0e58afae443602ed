"""`netdiag ARGUMENTS` in this process, with the exit code that the shell would see."""

from __future__ import annotations

from typing import NamedTuple

import click
from click.testing import CliRunner

from netdiag.cli.root import group
from netdiag.errors import NetdiagError


class Called(NamedTuple):
    code: int
    out: str
    error: str


def call(*arguments: str, columns: int = 80, answers: str = "") -> Called:
    """Run a command; expected errors become their exit code and sentence, bugs are raised."""
    environment = {"COLUMNS": str(columns), "TERM": "dumb"}
    result = CliRunner().invoke(group, list(arguments), standalone_mode=False, env=environment,
                                input=answers)
    if isinstance(result.exception, NetdiagError):
        return Called(result.exception.exit_code, result.output, str(result.exception))
    if isinstance(result.exception, click.ClickException):
        return Called(64, result.output, result.exception.format_message())
    if result.exception is not None:
        raise result.exception
    return Called(int(result.return_value or 0), result.output, "")
