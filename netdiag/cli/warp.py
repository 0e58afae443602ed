"""`netdiag warp`: the kernel for guests, which `netdiag run --warp` and `--lab uml` need."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable

_REDRAW: Final = 0.2
_STEPS: Final = 0.1


@click.group("warp")
def command() -> None:
    """The guest's kernel: build it once, then `netdiag run --warp` skips all waiting.

    A guest is a User-Mode-Linux kernel: the real Linux TCP stack as an ordinary process, without
    privileges. With --warp its clock jumps to the next timer whenever everybody sleeps.
    """


@command.command("build")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    metavar="DIR|TARBALL",
    help="A kernel's source, by default the distribution's linux-source package.",
)
@click.option(
    "--hz",
    type=click.IntRange(100, 1000),
    help="The kernel's tick, by default the machine's own: timers round to it.",
)
@click.option("--jobs", type=click.IntRange(1, 256), help="Compilers at a time, by default all.")
def build_command(source: Path | None, hz: int | None, jobs: int | None) -> int:
    """Build the kernel, try it out, and keep it in the user's cache directory.

    Takes a few minutes. Nothing is downloaded and nothing needs root.
    """
    from netdiag.errors import LabError  # noqa: PLC0415 - imports when called
    from netdiag.lab.uml.build import build, missing  # noqa: PLC0415
    from netdiag.lab.uml.kernels import host_tick  # noqa: PLC0415
    from netdiag.lab.uml.source import INSTALL, find  # noqa: PLC0415

    lacking = missing()
    try:
        found = find(source)
    except LabError as err:
        if not lacking:
            raise
        raise LabError(_lacking(lacking, INSTALL, f"{err}")) from err
    if lacking:
        raise LabError(_lacking(lacking, INSTALL))
    began = time.monotonic()
    tick = hz or host_tick()
    click.echo(f"building from {found}, tick {tick} Hz", err=True)
    cores = jobs or len(os.sched_getaffinity(0))
    kernel = build(found, hz=tick, jobs=cores, tell=_teller())
    took = time.monotonic() - began
    size = kernel.path.stat().st_size / 1e6
    click.echo(f"{kernel.path}\n{kernel.version}, {tick} Hz, {size:.1f} MB, built in {took:.0f} s")
    return 0


def _lacking(tools: tuple[str, ...], install: str, also: str = "") -> str:
    first = f"a kernel cannot be built here without {', '.join(tools)}; install them with"
    return f"{first}\n  {install}" + (f"\nand {also}" if also else "")


def _teller() -> Callable[[str, float | None], None]:
    """Progress on standard error: one line that is drawn anew on a terminal, else a few lines."""
    terminal = sys.stderr.isatty()
    last, shown, drawn = "", 0.0, 0.0

    def tell(step: str, done: float | None) -> None:
        nonlocal last, shown, drawn
        fresh, now = step != last, time.monotonic()
        text = step if done is None else f"{step} {done:4.0%}"
        if terminal:
            if fresh or now - drawn >= _REDRAW:
                click.echo(
                    f"{'' if not last or not fresh else chr(10)}\r{text}", nl=False, err=True
                )
                drawn = now
            if done is None:
                click.echo(err=True)
        elif fresh or (done is not None and done - shown >= _STEPS):
            click.echo(text, err=True)
            shown = done or 0.0
        last = step if done is not None or not terminal else ""

    return tell


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status_command(*, as_json: bool) -> int:
    """Say which kernels there are, and which one a run takes.

    Exit code: 0 there is one, 3 there is none.
    """
    import json  # noqa: PLC0415

    from netdiag.errors import LabError  # noqa: PLC0415
    from netdiag.lab.uml.kernels import choose, digest, host_tick, kernels  # noqa: PLC0415

    try:
        taken = choose().path
        why = ""
    except LabError as err:
        taken, why = None, str(err)
    there = kernels()
    if as_json:
        rows = [
            {"path": str(one.path), "version": one.version, "hz": one.hz,
             "built_from": one.built_from, "current": one.config == digest()}
            for one in there
        ]  # fmt: skip
        chosen = None if taken is None else str(taken)
        click.echo(json.dumps({"tick": host_tick(), "taken": chosen, "kernels": rows}, indent=1))
    else:
        click.echo(f"this machine's tick: {host_tick()} Hz")
        for one in there:
            mark = "*" if one.path == taken else " "
            old = "" if one.config == digest() else ", an older configuration"
            click.echo(f"{mark} {one.path}\n    {one.version}, {one.hz} Hz{old}; {one.built_from}")
        if taken is not None and all(one.path != taken for one in there):
            click.echo(f"* {taken}\n    named by NETDIAG_KERNEL")
        if why:
            click.echo(why)
    return 0 if taken is not None else LabError.exit_code


@command.command("remove")
def remove_command() -> int:
    """Remove every kernel from the user's cache directory."""
    from netdiag.errors import LabError  # noqa: PLC0415
    from netdiag.lab.uml.kernels import home, remove  # noqa: PLC0415

    try:
        gone = remove()
    except OSError as err:
        raise LabError(f"{home()} cannot be removed: {err.strerror}") from err
    for kernel in gone:
        click.echo(f"removed {kernel.path}")
    if not gone:
        click.echo(f"no kernel is under {home()}")
    return 0
