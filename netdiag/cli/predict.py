"""`netdiag predict`: a scenario in, who will notice its faults and when out; nothing is run."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Final

import click

from netdiag.catalogue.redis_py import NEWEST, described
from netdiag.cli.completion import scenarios
from netdiag.units import shown

if TYPE_CHECKING:
    from netdiag.catalogue.clients import Client
    from netdiag.predict import Kernel
    from netdiag.scenario import Plan


_NEWEST: Final = ".".join(map(str, NEWEST))
_VERSION: Final = re.compile(r"[1-9]\d{0,2}(\.\d{1,5}){0,3}((a|b|rc|\.dev|\.post)\d{1,5})?",
                             re.ASCII)


def library_version(_: click.Context, __: click.Parameter, raw: str | None) -> str | None:
    """Raises click.BadParameter for what is no version, or none that the tables describe."""
    if raw is not None and not _VERSION.fullmatch(raw):
        raise click.BadParameter(f"{shown(raw)} is no version of redis-py; write one such as 8.1.0")
    if raw is not None and not described(raw):
        raise click.BadParameter(f"no redis-py {raw} is described here; write a release from 3.5 "
                                 f"to {_NEWEST}")
    return raw


def named(version: str) -> str:
    """`8.1.0`, and for what it is taken when nobody has described it yet."""
    taken = "" if described(version) else f" (taken for {_NEWEST}, the newest that is described)"
    return f"{version}{taken}"


def _needs(library: str | None, plan: Plan) -> None:
    """A version that no client would heed is a mistake. Raises click.UsageError."""
    clients = [client for cell in plan.cells for client in cell.clients.values()]
    if library is not None and not any(_unversioned(client) for client in clients):
        raise click.UsageError("no client of this scenario is a redis-py whose version is open; "
                               "leave --library out")


def _unversioned(client: Client) -> bool:
    from netdiag.predict.programs import version_of  # noqa: PLC0415 - imports when called

    return client.kind == "redis-py" and not version_of(client, "")


@click.command("predict")
@click.argument("scenario", shell_complete=scenarios)
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="Change a setting.")
@click.option("--only", multiple=True, metavar="CELL", help="Only this cell, or a pattern.")
@click.option("--kernel", "release", metavar="RELEASE", help="Another kernel than this machine's.")
@click.option("--hz", type=click.IntRange(1, 10000), help="Its ticks a second (CONFIG_HZ).")
@click.option("--warp", is_flag=True, help="The guest's kernel, on its virtual clock.")
@click.option(
    "--library", metavar="VERSION", callback=library_version,
    help="Another version of redis-py than the installed one, for clients that name none.",
)
@click.option("--json", "as_json", is_flag=True, help="The predictions, as JSON.")
def command(  # noqa: PLR0913 - click hands over one argument an option
    scenario: str,
    *,
    settings: tuple[str, ...],
    only: tuple[str, ...],
    release: str | None,
    hz: int | None,
    warp: bool,
    library: str | None,
    as_json: bool,
) -> int:
    """Predict from the settings of SCENARIO alone who notices each fault, by which timer, and when.

    SCENARIO is a file or the name of one that ships. Nothing is run. Every time is an interval,
    because the kernel rounds its timers up, by about an eighth at most; the formula stands beside
    it. Without --hz, a --kernel that is not this machine's may tick at any usual rate, and the
    intervals are as wide as that makes them.

    Exit code: 0, or 64 for a mistake in the arguments or the scenario.
    """
    from netdiag.predict import predict  # noqa: PLC0415 - imports when called
    from netdiag.predict.programs import version_of  # noqa: PLC0415
    from netdiag.scenario import expand, find, load  # noqa: PLC0415
    from netdiag.scenario.repeat import only as chosen  # noqa: PLC0415

    plan = chosen(expand(load(find(scenario), settings=settings)), only)
    _needs(library, plan)
    kernel = kernel_of(release, hz, warp=warp)
    found = [predict(cell, kernel, version=library or installed()) for cell in plan.cells]
    if as_json:
        about = {"release": ".".join(map(str, kernel.release)),
                 "hz": [wheel.hz for wheel in kernel.wheels]}
        cells = [one.to_json() for one in found]
        click.echo(json.dumps({"scenario": plan.scenario, "kernel": about, "cells": cells},
                              indent=1))
        return 0
    from rich.console import Console  # noqa: PLC0415 - not needed for --json

    from netdiag.report.forecast import print_predictions  # noqa: PLC0415

    versions = dict.fromkeys(version_of(client, library or installed()) for cell in plan.cells
                             for client in cell.clients.values() if client.kind == "redis-py")
    with_library = f", redis-py {', '.join(map(named, versions))}" if versions else ""
    click.echo(f"{plan.scenario} on {words_of(kernel)}{with_library}")
    print_predictions(found, Console(markup=False, highlight=False, emoji=False))
    return 0


def kernel_of(release: str | None, hz: int | None, *, warp: bool) -> Kernel:
    """The kernel that was asked for; without a wish this machine's, or the guest's.

    Raises LabError when there is no guest kernel, click.UsageError for what is no release.
    """
    from netdiag.lab.uml.kernels import choose, host_tick  # noqa: PLC0415 - imports when called
    from netdiag.lab.uml.phase import SETTLED  # noqa: PLC0415
    from netdiag.predict import Kernel  # noqa: PLC0415

    guest = choose() if warp else None
    known = guest.hz or None if guest is not None else host_tick()
    if release is not None and release != os.uname().release:
        known = None
    version = release or (guest.version if guest is not None else os.uname().release)
    try:
        return Kernel.of(version, hz=hz or known, virtual=warp, phase=SETTLED)
    except ValueError as err:
        raise click.UsageError(str(err)) from err


def words_of(kernel: Kernel) -> str:
    """`Linux 6.18 at 250 Hz`."""
    rates = " or ".join(str(wheel.hz) for wheel in kernel.wheels)
    clock = ", on a virtual clock" if kernel.virtual else ""
    return f"Linux {'.'.join(map(str, kernel.release))} at {rates} Hz{clock}"


def installed() -> str:
    """The version of redis-py that is installed beside netdiag."""
    from importlib.metadata import version  # noqa: PLC0415 - imports when called

    return version("redis")
