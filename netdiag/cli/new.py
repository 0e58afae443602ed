"""`netdiag new`: a few answers in, a commented scenario out."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from netdiag.catalogue.patterns import PATTERNS
from netdiag.errors import ScenarioError
from netdiag.faults import FAULTS
from netdiag.faults.trigger import PHASES
from netdiag.units import parse_duration, parse_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdiag.catalogue import Keepalive

    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # no generic before click 8.4

_STANDARD_OUTPUT: Final = Path("-")
_RUN: Final = {"docker": "sudo netdiag run {} --lab docker"}


class _Answer(_ParamType):
    """A value that a function reads; what it refuses is said in its own words."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:  # noqa: ANN401 - click's contract
        if not isinstance(value, str):
            return value
        try:
            return self._read(value.strip())
        except ValueError as err:
            self._refuse(str(err), param, ctx)

    def _refuse(
        self, why: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> NoReturn:
        raise click.BadParameter(why, ctx, param)


def _duration_or(word: str) -> Callable[[str], float | str]:
    return lambda text: word if text == word else parse_duration(_bare(text))


def _bare(text: str) -> str | float:
    """`3` is 3 seconds, as in a scenario."""
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else text


def _keepalive(text: str) -> Keepalive | str:
    from pydantic import TypeAdapter  # noqa: PLC0415 - imports when called

    from netdiag.catalogue import Keepalive  # noqa: PLC0415

    if text in ("off", "on"):
        return text
    parts = text.split("/")
    if len(parts) != 3 or not parts[2].isascii() or not parts[2].isdigit():
        raise ValueError(
            f"{text!r} is no keepalive; write off, on or IDLE/INTERVAL/COUNT: 30s/5s/3"
        )
    idle, interval, count = _bare(parts[0]), _bare(parts[1]), int(parts[2])
    try:
        return TypeAdapter(Keepalive).validate_python(
            {"idle": idle, "interval": interval, "count": count}
        )
    except ValueError as err:
        raise ValueError(f"{text!r} is no keepalive: whole seconds, 1 to 127 probes") from err


_DRAFTED: Final = tuple(name for name, row in PATTERNS.items() if not row.own_messages)
_HEAL: Final = _Answer("time or never", _duration_or("never"))
_READ: Final = _Answer("time or none", _duration_or("none"))
_KEEP: Final = _Answer("keepalive", _keepalive)
_NAME: Final = _Answer("name", parse_name)
_QUESTIONS: Final[dict[str, tuple[str, str, _ParamType]]] = {
    "pattern": ("What does the consumer do?", "brpop", click.Choice(_DRAFTED)),
    "phase": ("In which phase does it happen?", "blocked", click.Choice(PHASES)),
    "fault": ("What happens?", "blackhole", click.Choice(tuple(FAULTS))),
    "heal_after": ("After how long does it heal (never: not at all)?", "10s", _HEAL),
    "keepalive": ("The client's keepalive (off, on or IDLE/INTERVAL/COUNT)?", "2s/1s/3", _KEEP),
    "read_timeout": ("The client's read timeout (none: it waits for ever)?", "none", _READ),
}


@click.command("new")
@click.option(
    "--name", type=_NAME, metavar="NAME", help="The scenario's name; by default PHASE-FAULT."
)
@click.option(
    "--pattern",
    type=click.Choice(_DRAFTED),
    metavar="PATTERN",
    help=f"What the consumer does: {', '.join(_DRAFTED)}.",
)
@click.option(
    "--phase",
    type=click.Choice(PHASES),
    metavar="PHASE",
    help=f"When the fault begins: {', '.join(PHASES)}.",
)
@click.option("--fault", type=click.Choice(tuple(FAULTS)), help="What happens.")
@click.option("--heal-after", type=_HEAL, metavar="TIME", help="How long it lasts, or never.")
@click.option(
    "--keepalive",
    type=_KEEP,
    metavar="KEEPALIVE",
    help="The client's keepalive: off, on, or IDLE/INTERVAL/COUNT such as 30s/5s/3.",
)
@click.option(
    "--read-timeout", type=_READ, metavar="TIME", help="The client's read timeout, or none."
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="The file to write; - is standard output. By default NAME.yaml.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option(
    "--compose",
    type=click.Path(path_type=Path),
    help="A team's compose file: a scenario on its own services, see --client and --server.",
)
@click.option("--client", metavar="SERVICE", help="With --compose: the service that consumes.")
@click.option("--server", metavar="SERVICE", help="With --compose: the service that is Redis.")
def command(
    name: str | None,
    output: Path | None,
    force: bool,
    compose: Path | None,
    client: str | None,
    server: str | None,
    **answers: object,
) -> int:
    """Write a commented scenario that runs as it is.

    On a terminal it asks for what no option says; elsewhere the rest is taken as proposed: a
    blackhole of 10 s while the client waits in BRPOP, with a keepalive of 2s/1s/3. With --compose
    it is about a stack's own worker, and proposes who of its services is who.

    Exit code: 0 written, 64 a mistake in the arguments, or the file is there already.
    """
    if compose is not None:
        _refuse_more(answers)
        path = output if output is not None else Path(f"{name or 'worker'}.yaml")
        text = _on_stack(name or "worker", compose, path, client, server)
        return _save(path, text, force=force, run=_RUN["docker"])
    if client or server:
        raise click.UsageError("--client and --server name services of a --compose file")
    from netdiag.scenario.draft import draft  # noqa: PLC0415 - imports when called

    asked = _complete(answers)
    name = name or f"{asked['phase']}-{asked['fault']}".replace("_", "-")
    path = output if output is not None else Path(f"{name}.yaml")
    run = _RUN.get(str(asked["fault"]), "netdiag run {}")
    return _save(path, draft(_draft(name, asked)), force=force, run=run)


def _refuse_more(answers: dict[str, object]) -> None:
    given = [f"--{key.replace('_', '-')}" for key, answer in answers.items() if answer is not None]
    if given:
        raise click.UsageError(
            f"{' and '.join(given)}: a stack's worker has settings of its own; leave it out with "
            "--compose"
        )


def _on_stack(
    name: str, compose: Path, path: Path, client: str | None, server: str | None
) -> str:
    """The draft for a stack; its compose file as seen from where the scenario will lie."""
    from netdiag.scenario.stack_draft import stack_draft, stack_in  # noqa: PLC0415

    stack = stack_in(compose, client=client, server=server)
    beside = Path.cwd() if path == _STANDARD_OUTPUT else path.parent.resolve()
    return stack_draft(name, replace(stack, file=os.path.relpath(compose, beside)))


def _save(path: Path, text: str, *, force: bool, run: str) -> int:
    """Write the text, and say how it is run."""
    if path == _STANDARD_OUTPUT:
        click.echo(text, nl=False)
        return 0
    if path.exists() and not force:
        raise ScenarioError(f"{path}: is there already; give another --output, or --force")
    _write(path, text)
    click.echo(f"{path} written\nrun it: {run.format(shlex.quote(str(path)))}")
    return 0


def _complete(answers: dict[str, object]) -> dict[str, object]:
    """The answers, with those that no option gave asked for, or taken as proposed."""
    asking = sys.stdin.isatty() and sys.stdout.isatty()
    complete = dict(answers)
    for key, (question, proposed, kind) in _QUESTIONS.items():
        if complete[key] is None and key == "heal_after" and _is_over(complete):
            complete[key] = "never"
        elif complete[key] is None:
            complete[key] = (
                click.prompt(question, default=proposed, type=kind)
                if asking
                else kind.convert(proposed, None, None)
            )
    return complete


def _is_over(answers: dict[str, object]) -> bool:
    """Whether the fault is over at once: then nobody is asked when it heals."""
    return not FAULTS[str(answers["fault"])].lasts


def _draft(name: str, asked: dict[str, object]) -> Any:  # noqa: ANN401 - what draft() takes
    from netdiag.catalogue import Keepalive  # noqa: PLC0415 - imports when called
    from netdiag.scenario.draft import Draft  # noqa: PLC0415

    heal, keepalive, read = asked["heal_after"], asked["keepalive"], asked["read_timeout"]
    words: dict[object, Keepalive | None] = {"off": None, "on": Keepalive()}
    return Draft(
        name=name,
        pattern=str(asked["pattern"]),
        phase=str(asked["phase"]),
        fault=str(asked["fault"]),
        heal_after=heal if isinstance(heal, float) else None,
        keepalive=keepalive if isinstance(keepalive, Keepalive) else words[keepalive],
        read_timeout=read if isinstance(read, float) else None,
    )


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as err:
        raise ScenarioError(
            f"{path}: cannot be written: {err.strerror}; give another --output"
        ) from err
