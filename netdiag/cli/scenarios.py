"""`netdiag scenarios`: what ships, one line each."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import click

from netdiag.units import format_duration

if TYPE_CHECKING:
    from netdiag.scenario import Plan

_SENTENCE = ". "


@click.command("scenarios")
@click.option("--json", "as_json", is_flag=True, help="Names and what they show, as JSON.")
def command(as_json: bool) -> int:
    """List the scenarios that ship with netdiag, one line each.

    With how many cells each has, how long one lasts, and what it needs: warp (`netdiag warp build`)
    or docker. Run one with `netdiag run NAME`, all with `netdiag run scenarios`.
    """
    from netdiag.scenario import expand, find, load, shipped  # noqa: PLC0415 - imports when called

    found = [(name, about, expand(load(find(name)))) for name, about in shipped()]
    if as_json:
        click.echo(json.dumps([_json(*one) for one in found], indent=1))
        return 0
    wide = max((len(name) for name, _, _ in found), default=0)
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for name, about, plan in found:
        told = f"{name:<{wide}}  {len(plan.cells):>2} x {_lasts(plan):<12}  {_first(about)}"
        click.echo(_line(told.rstrip(), room))
    return 0


def _json(name: str, about: str, plan: Plan) -> dict[str, object]:
    longest = max(cell.duration for cell in plan.cells)
    cells = len(plan.cells)
    return {"name": name, "cells": cells, "seconds": longest, "lab": plan.place, "about": about}


def _lasts(plan: Plan) -> str:
    """`30s`, or `warp 2h30m`: a cell's time, on the clock that it runs by."""
    lasts = format_duration(max(cell.duration for cell in plan.cells)).replace(" ", "")
    return lasts if plan.place == "here" else f"{plan.place} {lasts}"


def _first(about: str) -> str:
    """The first sentence."""
    head, dot, _ = about.partition(_SENTENCE)
    return head + dot.strip()


def _line(text: str, room: int | None) -> str:
    """One line of a terminal; elsewhere the whole text."""
    return text if room is None or len(text) <= room else text[: max(0, room - 3)] + "..."
