"""`netdiag replay`: a recording's plan, run again where it ran; identical, or the first difference.

The rule this file guards: on a virtual clock every event and every packet is compared; in real time
the runs are compared by meaning, as no two of them are alike in more.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from netdiag.analysis.replay import Alike, Difference
    from netdiag.recording import Recording
    from netdiag.run.front import RunResult
    from netdiag.scenario import Plan

_GUESTS: Final = {"guest": ("uml", False), "virtual": ("uml", True)}
"""The clock that a cell's first event names, where it is not the machine's own -> the lab and
whether its clock is virtual."""
_LABS: Final = ("namespaces", "docker")


@click.command("replay")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where the new recording goes: OUT/SCENARIO/TIME/.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=32,
    show_default=True,
    help="How many cells run at the same time.",
)
def command(directory: Path, *, out: Path, jobs: int) -> int:
    """Run the plan of the recording in DIRECTORY again and say whether the result is the same.

    It runs where it ran before: in namespaces, in containers, or in a guest in real time or on its
    virtual clock.
    On a virtual clock "identical" means every event and every packet in the same order, within
    100 us; port numbers may differ. In real time the runs are compared as `netdiag compare` does.

    Exit code: 0 the same, 1 a difference, 2 a cell could not be run to its end, 3 no lab could be
    made, 64 not a recording, 130 interrupted.
    """
    from netdiag.cli.show import load_plan  # noqa: PLC0415 - imports when called
    from netdiag.recording import find  # noqa: PLC0415

    before = find(directory)
    plan = load_plan(before)
    lab, warp = _where(before, plan)
    result = _again(plan, lab, warp=warp, out=out, jobs=jobs)
    for line in result.complaints:
        click.echo(f"netdiag: {line}", err=True)
    if result.stopped is not None:
        click.echo("netdiag: interrupted, so nothing is compared", err=True)
        return 128 + result.stopped
    same = _event_by_event if warp else _by_meaning
    code = same(before, result.recording, plan)
    click.echo(f"recording: {_shown(result.recording.root)}")
    return code


def _where(recording: Recording, plan: Plan) -> tuple[str, bool]:
    """In which lab the recording's cells ran, and whether its clock was virtual.

    Raises RecordingError when none tells.
    """
    from netdiag.errors import RecordingError  # noqa: PLC0415
    from netdiag.recording import read_events  # noqa: PLC0415

    for cell in plan.cells:
        for event in read_events(recording.cell(cell.id).events)[:1]:
            clock, lab = (str(event.data.get(name, "")) for name in ("clock", "lab"))
            if clock in _GUESTS:
                return _GUESTS[clock]
            if clock == "real":
                return lab if lab in _LABS else _LABS[0], False
    raise RecordingError(
        f"{_shown(recording.root)}: no cell says which clock it ran on, so it cannot be run again "
        "in the same way; use `netdiag run`"
    )


def _again(plan: Plan, lab: str, *, warp: bool, out: Path, jobs: int) -> RunResult:
    from netdiag.cli.progress import progress  # noqa: PLC0415
    from netdiag.cli.run import nothing_to_lose  # noqa: PLC0415
    from netdiag.cli.wishes import hosts_for  # noqa: PLC0415
    from netdiag.run.front import run_plan  # noqa: PLC0415
    from netdiag.run.sandbox import sandbox  # noqa: PLC0415

    with (
        nothing_to_lose(),
        sandbox(hosts_for(lab, warp=warp)) as box,
        progress(plan, quiet=False) as follow,
    ):
        return run_plan(plan, out=out, jobs=jobs, follow=follow, box=box)


def _event_by_event(before: Recording, after: Recording, plan: Plan) -> int:
    from netdiag.analysis.replay import Difference, compare_cells  # noqa: PLC0415

    found = {cell.id: compare_cells(before.cell(cell.id), after.cell(cell.id))
             for cell in plan.cells}  # fmt: skip
    alike = [one for one in found.values() if not isinstance(one, Difference)]
    for cell, one in found.items():
        click.echo(_line(cell, one))
    if len(alike) < len(found):
        click.echo(f"\ndifferent: {len(found) - len(alike)} of {len(found)} cells")
        return 1
    cells = f"{len(found)} cell{'s' if len(found) > 1 else ''}"
    click.echo(f"\nidentical: {cells}, {sum(one.moments for one in alike)} events and packets")
    return 0


def _line(cell: str, one: Alike | Difference) -> str:
    from netdiag.analysis.replay import Difference  # noqa: PLC0415
    from netdiag.report.words import plain  # noqa: PLC0415

    if isinstance(one, Difference):
        return f"{plain(cell)}: {plain(one.sentence)}"
    how = "to the nanosecond" if one.apart == 0 else f"within {one.apart / 1000:g} us"
    return f"{plain(cell)}: identical, {one.moments} events and packets, {how}"


def _by_meaning(before: Recording, after: Recording, plan: Plan) -> int:
    from netdiag.analysis import Outcome, analyse  # noqa: PLC0415
    from netdiag.analysis.changes import Change  # noqa: PLC0415
    from netdiag.analysis.compare import compare  # noqa: PLC0415
    from netdiag.analysis.meaning import meanings  # noqa: PLC0415
    from netdiag.cli.compare import show_comparison  # noqa: PLC0415

    again = analyse(after, plan)
    comparison = compare(meanings(analyse(before, plan)), meanings(again))
    if comparison.change is not Change.SAME:
        show_comparison(comparison)
        unknown = any(cell.outcome is Outcome.UNKNOWN for cell in again.cells)
        return 2 if unknown else 1
    count = len(comparison.cells)
    click.echo(
        f"identical: {count} cell{'s' if count > 1 else ''}, by meaning and within what the "
        "kernel's timers spread"
    )
    return 0


def _shown(path: Path) -> str:
    from netdiag.recording import printable  # noqa: PLC0415

    return printable(path)
