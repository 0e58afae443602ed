"""Captures -> their report on standard output: for people, as JSON, or as CSV.

The rule this file guards: what came off the wire reaches the terminal only through the report's
words, and one damaged file of a directory does not hide the others.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

import click

from netdiag.analysis.findings import NAMES, find
from netdiag.cli.reading import reading
from netdiag.errors import RecordingError, ScenarioError
from netdiag.report.words import plain
from netdiag.tcp.engine import analyse_capture
from netdiag.units import did_you_mean, parse_duration, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from netdiag.analysis.findings import Finding
    from netdiag.tcp.facts import CaptureFacts, ConnectionFacts

    Told: TypeAlias = tuple[CaptureFacts, tuple[Finding, ...]]

KINDS: Final = (".pcap", ".pcapng", ".cap", ".ntar")
PACKED: Final = ("", ".gz", ".zst")
ANY: Final = "any"
PIECES: Final = 256


@dataclass(frozen=True)
class Wishes:
    """What a person asked for, as typed."""

    ports: frozenset[int] = frozenset()
    hosts: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    interface: str | None = None
    top: int | None = None
    flow: int | None = None
    fail_on: tuple[str, ...] = ()
    as_json: bool = False
    as_csv: bool = False


def explain(path: Path, wishes: Wishes) -> int:
    """Analyse a capture, or all of a directory, and print the report.

    Returns 1 when a rule of --fail-on was found, else 64 when a file of the directory could not be
    read, else 0. Raises ScenarioError for a wish that makes no sense, RecordingError for what is no
    capture.
    """
    _check(wishes)
    with _no_collector():
        return _explain(_files(path), path, wishes)


@contextmanager
def _no_collector() -> Iterator[None]:
    """A capture's facts are many and hold no cycles; to look for some takes a third of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _explain(files: Sequence[Path], path: Path, wishes: Wishes) -> int:
    if len(files) > 1 and wishes.flow is not None:
        raise ScenarioError(f"--flow needs one capture, and {plain(path)} holds {len(files)}")
    told: list[Told] = []
    unread = 0
    for file in files:
        try:
            views = _views(file, wishes)
        except RecordingError as err:
            if len(files) == 1:
                raise
            click.echo(f"netdiag: {err}", err=True)
            unread += 1
            continue
        for view in views:
            told.append(view)
            if not wishes.as_json:
                _show(view, wishes, first=len(told) == 1)
    if not told:
        raise RecordingError(f"{plain(path)}: none of its {len(files)} files could be read")
    if wishes.as_json:
        _print_json(told, wishes)
    if any(_fails(findings, wishes) for _, findings in told):
        return 1
    return RecordingError.exit_code if unread else 0


def _views(file: Path, wishes: Wishes) -> list[Told]:
    """A capture's view; of a tape of netdiag, which holds both ends of its cable, both."""
    capture = _analyse(file, wishes, wishes.interface)
    views = [(capture, find(capture))]
    tape = capture.totals.other_view > 0 and wishes.interface is None
    if tape and wishes.flow is None and str(file) != "-":
        other = _analyse(file, wishes, _OTHER_END)
        views.append((other, find(other)))
        views = [
            (replace(one, source=f"{one.source} ({end}'s end of the cable)", notes=()), findings)
            for end, (one, findings) in zip(("client", _OTHER_END), views, strict=True)
        ]
    return views


_OTHER_END: Final = "server"


def _check(wishes: Wishes) -> None:
    mistakes = [
        f"--fail-on: there is no rule {shown(name)}; {did_you_mean(name, (*NAMES, ANY))}"
        for name in wishes.fail_on
        if name not in (*NAMES, ANY)
    ]
    if wishes.as_json and wishes.as_csv:
        mistakes.append("--json and --csv exclude each other")
    if wishes.as_csv and wishes.flow is not None:
        mistakes.append("--csv has no timeline; leave --flow out, or take --json")
    if mistakes:
        raise ScenarioError(*mistakes)


def _files(path: Path) -> list[Path]:
    """The captures at `path`, by name."""
    if str(path) == "-" or not path.is_dir():
        return [path]
    suffixes = tuple(kind + packed for kind in KINDS for packed in PACKED)
    try:
        found = sorted(one for one in path.iterdir() if one.name.lower().endswith(suffixes))
    except OSError as err:
        raise RecordingError(f"{plain(path)}: cannot be read: {err.strerror or err}") from err
    if not found:
        raise RecordingError(
            f"{plain(path)}: neither a recording (no plan.json in it) nor a directory of captures "
            f"(no {', '.join(KINDS)})"
        )
    return found


def _analyse(file: Path, wishes: Wishes, interface: str | None) -> CaptureFacts:
    size = None
    if str(file) != "-" and file.is_file():
        size = file.stat().st_size
    with reading(plain(file.name), size) as progress:
        return analyse_capture(
            str(file),
            ports=wishes.ports or None,
            hosts=wishes.hosts or None,
            since=None if wishes.since is None else when("--since", wishes.since),
            until=None if wishes.until is None else when("--until", wishes.until),
            interface=interface,
            progress=progress,
        )


def when(option: str, text: str) -> int | float:
    """`90s` or `1h30m`: seconds from the capture's first frame (float); a date as ISO 8601 (UTC if
    it names no zone): ns since 1970 (int).

    Raises ScenarioError for anything else.
    """
    with suppress(ValueError):
        return float(parse_duration(text))
    try:
        date = datetime.fromisoformat(text.strip())
    except ValueError as err:
        raise ScenarioError(
            f"{option}: {shown(text)} is neither a time from the start (90s, 1h30m) nor a date "
            "(2026-11-22T03:10:00)"
        ) from err
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return (date - _EPOCH) // timedelta(microseconds=1) * 1000


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _fails(findings: Sequence[Finding], wishes: Wishes) -> bool:
    names = set(wishes.fail_on)
    return any(ANY in names or finding.rule in names for finding in findings)


def _show(told: Told, wishes: Wishes, *, first: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - not needed for --json and --csv

    from netdiag.report.capture import TOP, view_of_capture  # noqa: PLC0415
    from netdiag.report.capture_data import capture_csv  # noqa: PLC0415
    from netdiag.report.capture_flow import view_of_flow  # noqa: PLC0415
    from netdiag.report.capture_terminal import print_capture  # noqa: PLC0415

    capture, findings = told
    if wishes.as_csv:
        for number, line in enumerate(capture_csv(capture, findings)):
            if number or first:
                click.echo(line, nl=False)
        return
    console = Console(markup=False, highlight=False, emoji=False)
    view = view_of_capture(capture, findings, top=TOP if wishes.top is None else wishes.top)
    flow = None
    if wishes.flow is not None:
        flow = view_of_flow(capture, _connection(capture, wishes.flow), findings)
    if not first:
        click.echo()
    print_capture(view, console, flow)


def _connection(capture: CaptureFacts, number: int) -> ConnectionFacts:
    if number >= len(capture.connections):
        raise ScenarioError(
            f"--flow: there is no connection {number}; the capture holds "
            f"{len(capture.connections)}, numbered from 0"
        )
    return capture.connections[number]


def _print_json(told: Sequence[Told], wishes: Wishes) -> None:
    from netdiag.report.capture_data import VERSION, capture_json  # noqa: PLC0415

    rows_of: tuple[int, ...] = ()
    if wishes.flow is not None:
        rows_of = (_connection(told[0][0], wishes.flow).number,)
    objects = [capture_json(capture, findings, rows_of) for capture, findings in told]
    if len(objects) > 1:
        click.echo(f'{{"version":{VERSION},"kind":"captures","captures":[', nl=False)
    for index, pieces in enumerate(objects):
        _print_pieces(pieces, "," if index else "")
    click.echo("]}" if len(objects) > 1 else "")


def _print_pieces(pieces: Iterator[str], before: str) -> None:
    """Many at a time: each writing is flushed."""
    while chunk := "".join(islice(pieces, PIECES)):
        click.echo(before + chunk, nl=False)
        before = ""
