"""The files of a recording, in and out: three saves, one directory.

    <out>/<scenario>/<timestamp>/plan.json                before: what is going to be done
    <out>/<scenario>/<timestamp>/cells/<id>/events.jsonl  during: one Event a line
    <out>/<scenario>/<timestamp>/cells/<id>/tape.pcapng   during: both ends of the cable
    <out>/<scenario>/<timestamp>/cells/<id>/logs/         during: what the programs printed
    <out>/<scenario>/<timestamp>/analysis.json            after: what it means

It guards two rules: a line is written whole by one system call, so that a crash loses nothing that
was recorded; and a recording that a crash cut short can still be read.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from netdiag.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

LANES: Final = ("client.app", "client.kernel", "cable", "server.kernel", "server.app", "netdiag")
OUTCOMES: Final = ("start", "ok", "fail", "info")


@dataclass(frozen=True)
class Event:
    """One thing that happened: when (CLOCK_MONOTONIC, ns), in which lane, what, how it went, and
    details.
    """

    t: int
    lane: str
    what: str
    outcome: str = "info"
    data: Mapping[str, Json] = field(default_factory=dict)

    def line(self) -> bytes:
        """The event as a line of JSON; ASCII, so that no byte of it can disturb a terminal."""
        row = {"t": self.t, "lane": self.lane, "what": self.what, "outcome": self.outcome}
        return json.dumps({**row, "data": dict(self.data)}, separators=(",", ":")).encode() + b"\n"


class EventLog:
    """Appends events to a file, each by a single write.

    Raises OSError when the line cannot be written (a full disk): the run must end then, with what
    it has.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def write(self, event: Event) -> None:
        line = event.line()
        if os.write(self._fd, line) != len(line):
            raise OSError(28, os.strerror(28))

    def close(self) -> None:
        os.close(self._fd)


@dataclass(frozen=True)
class CellFiles:
    """Where the parts of one cell lie."""

    root: Path

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def tape(self) -> Path:
        return self.root / "tape.pcapng"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def make(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True)
class Recording:
    """A directory that holds a run."""

    root: Path

    @property
    def plan_file(self) -> Path:
        return self.root / "plan.json"

    @property
    def analysis_file(self) -> Path:
        return self.root / "analysis.json"

    def cell(self, cell_id: str) -> CellFiles:
        return CellFiles(self.root / "cells" / cell_id)

    def save_plan(self, plan: Mapping[str, Json]) -> None:
        write_whole(self.plan_file, plan)

    def load_plan(self) -> dict[str, Json]:
        """The plan as it was saved. Raises RecordingError when this is no recording."""
        return read_object(self.plan_file)


def create(out: Path, scenario: str, *, now: float | None = None) -> Recording:
    """Make `<out>/<scenario>/<timestamp>/` and point `<out>/<scenario>/latest` at it.

    Raises RecordingError when the directory cannot be made.
    """
    stamp = time.strftime("%Y-%m-%dT%H%M%S", time.localtime(now))
    home = out / scenario
    try:
        home.mkdir(parents=True, exist_ok=True)
        root = _fresh(home, stamp)
        _point(home / "latest", root.name)
    except OSError as err:
        raise RecordingError(
            f"cannot write a recording under {out}: {err.strerror}; "
            "give another directory with --out"
        ) from err
    return Recording(root.resolve())


def _fresh(home: Path, stamp: str) -> Path:
    for attempt in range(1, 1000):
        root = home / (stamp if attempt == 1 else f"{stamp}-{attempt}")
        try:
            root.mkdir()
        except FileExistsError:
            continue
        return root
    raise RecordingError(f"{home} holds a thousand recordings of this second; remove some")


def _point(link: Path, target: str) -> None:
    fresh = link.with_name(f".latest-{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(link)


def find(directory: Path) -> Recording:
    """The recording in `directory`, or the latest one of a scenario's directory.

    Raises RecordingError with what was looked for.
    """
    for root in (directory, directory / "latest"):
        if (root / "plan.json").is_file():
            return Recording(root.resolve())
    if not directory.exists():
        raise RecordingError(f"{directory}: no such directory; give one that `netdiag run` made")
    raise RecordingError(
        f"{directory}: not a recording (no plan.json in it); "
        "give a directory that `netdiag run` made, such as reports/NAME/latest"
    )


def write_whole(path: Path, value: Mapping[str, Json]) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def read_object(path: Path) -> dict[str, Json]:
    """A JSON object from a recording's file. Raises RecordingError with the place of the fault."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise RecordingError(f"{path}: cannot be read: {err.strerror}") from err
    except (ValueError, RecursionError) as err:
        raise RecordingError(f"{path}: not JSON ({err}); the recording is damaged") from err
    if not isinstance(value, dict):
        raise RecordingError(f"{path}: holds no JSON object; the recording is damaged")
    return value


def parse_event(line: bytes) -> Event | None:
    """One line of events.jsonl; None for a line that a crash cut or that is no event."""
    try:
        row = json.loads(line)
        event = Event(
            int(row["t"]),
            str(row["lane"]),
            str(row["what"]),
            str(row["outcome"]),
            dict(row["data"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return event


def read_events(path: Path) -> tuple[Event, ...]:
    """The events of a cell in the order of their times; empty when the cell never began."""
    try:
        lines: Iterable[bytes] = path.read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    except OSError as err:
        raise RecordingError(f"{path}: cannot be read: {err.strerror}") from err
    return tuple(sorted(filter(None, map(parse_event, lines)), key=lambda event: event.t))
