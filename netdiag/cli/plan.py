"""`netdiag plan`: a scenario in, the cells that would run and their settings out."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Final

import click

from netdiag.cli.completion import scenarios
from netdiag.cli.wishes import SEED
from netdiag.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from netdiag.scenario import Cell, Plan
    from netdiag.scenario.workload import Workload


@click.command("plan")
@click.argument("scenario", shell_complete=scenarios)
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="Change a setting.")
@click.option("--only", multiple=True, metavar="CELL", help="Only this cell, or a pattern.")
@click.option("--repeat", type=int, default=1, show_default=True, help="Each cell so often.")
@click.option("--seed", type=SEED, default=None, help="Another seed than the file's.")
@click.option("--json", "as_json", is_flag=True, help="The complete plan, as JSON.")
def command(
    *,
    scenario: str,
    settings: tuple[str, ...],
    only: tuple[str, ...],
    repeat: int,
    seed: int | None,
    as_json: bool,
) -> int:
    """Show the cells that SCENARIO expands to and their settings; nothing is run.

    Settings that are the same in every cell are shown once.

    Exit code: 0, or 64 for a mistake in the arguments or the scenario.
    """
    from netdiag.scenario import expand, find, load  # noqa: PLC0415 - imports when called
    from netdiag.scenario.repeat import only as chosen  # noqa: PLC0415
    from netdiag.scenario.repeat import repeated  # noqa: PLC0415

    plan = expand(load(find(scenario), settings=settings), seed=seed)
    plan = repeated(chosen(plan, only), repeat)
    if as_json:
        click.echo(json.dumps(plan.to_json(), indent=1))
        return 0
    from rich.console import Console  # noqa: PLC0415 - not needed for --json

    show_plan(plan, Console(markup=False, highlight=False, emoji=False))
    return 0


def show_plan(plan: Plan, console: Console) -> None:
    """Print a plan: what all cells have in common, then a table of what differs."""
    from rich.text import Text  # noqa: PLC0415 - imports when called

    cells = plan.cells
    rows = [dict(cell_settings(cell)) for cell in cells]
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    same = [name for name in names if len({row.get(name) for row in rows}) == 1]
    differ = [name for name in names if name not in same]
    noun = "cell" if len(cells) == 1 else "cells"
    console.print(Text(f"{plan.scenario}: {len(cells)} {noun}, seed {plan.seed}"))
    if same:
        _print(console, ("", ""), [(name, rows[0][name]) for name in same])
    console.print()
    table = [
        (cell.id, *(row.get(name, _NONE) for name in differ))
        for cell, row in zip(cells, rows, strict=True)
    ]
    head = ("cell", *differ)
    if _width((head, *table)) <= console.width:
        _print(console, head, table)
        return
    for cell, row in zip(cells, rows, strict=True):
        console.print(Text(cell.id))
        _print(console, ("", ""), [(f"  {name}", row.get(name, _NONE)) for name in differ])


_NONE: Final = "-"
_GAP: Final = 2


def _width(rows: Sequence[Sequence[str]]) -> int:
    """How wide a table is in which no word is broken."""
    return sum(max(map(len, column)) + _GAP for column in zip(*rows, strict=True))


def _print(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table without lines; on plain output no line ends in blanks."""
    from rich.table import Table  # noqa: PLC0415 - imports when called
    from rich.text import Text  # noqa: PLC0415

    table = Table(
        box=None,
        padding=(0, _GAP, 0, 0),
        pad_edge=False,
        show_header=any(head),
        header_style="bold",
    )
    for name in head:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_shown(word)) for word in row))
    with console.capture() as captured:
        console.print(table)
    lines = captured.get().split("\n")
    console.out("\n".join(line.rstrip() for line in lines).rstrip("\n"), highlight=False)


def _shown(text: str) -> str:
    from netdiag.report.words import plain  # noqa: PLC0415 - imports when called

    return plain(text)


def cell_settings(cell: Cell) -> Iterator[tuple[str, str]]:
    """(path, value) of everything that somebody wrote for a cell, as text."""
    from netdiag.catalogue.settings import written  # noqa: PLC0415 - imports when called

    for name, client in cell.clients.items():
        path = "client" if cell.clients.keys() == {"client"} else f"clients.{name}"
        yield f"{path}.kind", client.kind
        for one in fields(client):
            held = getattr(client, one.name)
            if one.name not in ("kind", "settings") and held != one.default:
                yield f"{path}.{one.name}", _value(one.name, held)
        for setting, held in written(client.settings).items():
            yield f"{path}.{setting}", _value(setting, held)
    yield from _server(cell)
    for name, value in cell.server.config.items():
        yield f"server.{name}", str(value)
    for host, sysctls in cell.hosts.items():
        for name, value in sysctls.items():
            yield f"hosts.{host}.{name}", str(value)
    for one in fields(cell.lab):
        if (held := getattr(cell.lab, one.name)) != one.default:
            yield f"lab.{one.name}", str(held)
    yield from _workload(cell.workload)
    for fault in cell.faults:
        yield f"fault {fault.name}", str(fault)
    for expectation in cell.expect:
        of = f".{expectation.of}" if expectation.of else ""
        yield f"expect {expectation.kind}{of}", expectation.text
    yield "duration", format_duration(cell.duration)


def _workload(workload: Workload) -> Iterator[tuple[str, str]]:
    from netdiag.catalogue.patterns import PATTERNS  # noqa: PLC0415 - imports when called

    waits = PATTERNS[workload.pattern].waits
    block = f", block {_block(workload.block)}" if waits else ""
    yield "workload", f"{workload.pattern}{block}"
    for one in fields(workload):
        held = getattr(workload, one.name)
        told = one.name in _TOLD and (one.name != "block" or waits)
        if not told and held != one.default:
            yield f"workload.{one.name}", _value(one.name, held)
    for number, produce in enumerate(workload.produce, 1):
        yield f"produce {number}", str(produce)


_TOLD: Final = frozenset({"pattern", "block", "produce"})


def _server(cell: Cell) -> Iterator[tuple[str, str]]:
    from netdiag.catalogue.settings import UNSET  # noqa: PLC0415 - imports when called

    if cell.server.kind == "redis":
        yield "server.binary", cell.server.binary or "the embedded Valkey"
        return
    for one in fields(cell.server):
        held = getattr(cell.server, one.name)
        if held is not UNSET:
            yield f"server.{one.name}", _value(one.name, held)


def _block(seconds: float) -> str:
    return format_duration(seconds) if seconds else "for ever"


def _value(name: str, value: object) -> str:
    """A setting as a person reads it."""
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if name == "keepalive" and not isinstance(value, int):
        timings = getattr(value, "timings", None)
        return "off" if timings is None else "{}s idle, {}s apart, {} probes".format(*timings)
    if value is None:
        return "none"
    if is_dataclass(value) and not isinstance(value, type):  # such as a reaper
        held = ((one.name, getattr(value, one.name)) for one in fields(value))
        parts = [f"{name} {format_duration(told)}" for name, told in held if told is not None]
        return ", ".join(parts) or type(value).__name__.lower()
    if name in _SECONDS and isinstance(value, int | float):
        return format_duration(value)
    return str(value)


_SECONDS: Final = frozenset(
    {
        "read_timeout",
        "connect_timeout",
        "user_timeout",
        "health_check_interval",
        "default_socket_timeout",
        "block",
        "work",
        "every",
    }
)
