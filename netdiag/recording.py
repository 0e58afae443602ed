"""The files of a recording, in and out: three saves, one directory.

    <out>/<scenario>/<timestamp>/plan.json                before: what is going to be done
    <out>/<scenario>/<timestamp>/cells/<id>/events.jsonl  during: one Event a line
    <out>/<scenario>/<timestamp>/cells/<id>/tape.pcapng   during: both ends of the cable
    <out>/<scenario>/<timestamp>/cells/<id>/logs/         during: what the programs printed
    <out>/<scenario>/<timestamp>/analysis.json            after: what it means

It guards two rules: a line is written whole by one system call or not at all, so that a crash or a
full disk loses nothing that was recorded; and a recording that a crash cut short can still be read,
whatever its files hold.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from netdiag.errors import RecordingError
from netdiag.event_data import LARGEST, mistakes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

LANES: Final = ("client.app", "client.kernel", "cable", "server.kernel", "server.app", "netdiag")
OUTCOMES: Final = ("start", "ok", "fail", "info")

_MOST_IN_A_SECOND = 999
_NO_LINKS: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)  # a file system such as vfat


@dataclass(frozen=True)
class Event:
    """One thing that happened: when (CLOCK_MONOTONIC, ns), in which lane, what, how it went, and
    details; in a cell with several clients `who` names the one it belongs to.
    """

    t: int
    lane: str
    what: str
    outcome: str = "info"
    data: Mapping[str, Json] = field(default_factory=dict)
    who: str = ""

    def line(self) -> bytes:
        """The event as a line of JSON; ASCII, so that no byte of it can disturb a terminal."""
        row = {"t": self.t, "lane": self.lane, "what": self.what, "outcome": self.outcome}
        row |= {"who": self.who} if self.who else {}
        return json.dumps({**row, "data": dict(self.data)}, separators=(",", ":")).encode() + b"\n"


class EventLog:
    """Appends events to a file, each by a single write; nobody else writes to it meanwhile.

    Raises OSError when the line cannot be written (a full disk): the run must end then, with what
    it has. Half a line is taken back, so that a last word can still follow when there is room.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def write(self, event: Event) -> None:
        line = event.line()
        written = os.write(self._fd, line)
        if written != len(line):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

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
        return self.tape_of("")

    def tape_of(self, who: str) -> Path:
        """The tape of one of several clients; `who` is empty for an only one."""
        return self.root / (f"tape-{who}.pcapng" if who else "tape.pcapng")

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
        """The files of a cell. Raises RecordingError for a name that leads out of the recording."""
        if cell_id in ("", ".", "..") or "/" in cell_id or "\0" in cell_id:
            raise RecordingError(
                f"{printable(self.plan_file)}: {cell_id!a} is no name of a cell; "
                "the recording is damaged"
            )
        return CellFiles(self.root / "cells" / cell_id)

    def save_plan(self, plan: Mapping[str, Json]) -> None:
        """Save the plan: from here on this is a recording, and the scenario's latest one.

        Raises OSError when there is no room for it.
        """
        write_whole(self.plan_file, plan)
        _point(self.root.with_name("latest"), self.root.name)

    def load_plan(self) -> dict[str, Json]:
        """The plan as it was saved. Raises RecordingError when this is no recording."""
        return read_object(self.plan_file)


def create(out: Path, scenario: str, *, now: float | None = None) -> Recording:
    """Make `<out>/<scenario>/<timestamp>/`; `latest` points at it once its plan is saved.

    Raises RecordingError when the directory cannot be made.
    """
    stamp = time.strftime("%Y-%m-%dT%H%M%S", time.localtime(now))
    home = out / scenario
    try:
        home.mkdir(parents=True, exist_ok=True)
        root = _fresh(home, stamp)
    except OSError as err:
        raise RecordingError(
            f"cannot write a recording under {printable(out)}: {err.strerror}; "
            "give another directory with --out"
        ) from err
    return Recording(root.resolve())


def _fresh(home: Path, stamp: str) -> Path:
    for attempt in range(1, _MOST_IN_A_SECOND + 1):
        root = home / (stamp if attempt == 1 else f"{stamp}-{attempt}")
        try:
            root.mkdir()
        except FileExistsError:
            continue
        return root
    raise RecordingError(
        f"{printable(home)} holds {_MOST_IN_A_SECOND} recordings of this second; "
        "run again, or give another directory with --out"
    )


def _point(link: Path, target: str) -> None:
    fresh = link.with_name(f".latest-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    try:
        fresh.symlink_to(target)
        fresh.replace(link)
    except OSError as err:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        if err.errno not in _NO_LINKS:
            raise


def find(directory: Path) -> Recording:
    """The recording in `directory`, or the latest one of a scenario's directory.

    Raises RecordingError with what was looked for.
    """
    shown = printable(directory)
    try:
        for root in (directory, directory / "latest"):
            if (root / "plan.json").is_file():
                return Recording(root.resolve())
        there = directory.exists()
    except OSError as err:
        raise RecordingError(f"{shown}: cannot be read: {err.strerror}") from err
    if not there:
        raise RecordingError(f"{shown}: no such directory; give one that `netdiag run` made")
    raise RecordingError(
        f"{shown}: not a recording (no plan.json in it); "
        "give a directory that `netdiag run` made, such as reports/NAME/latest"
    )


def write_whole(path: Path, value: Mapping[str, Json]) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it.

    Raises OSError when it cannot be written; then the old file is still there.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
        fresh.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def read_object(path: Path) -> dict[str, Json]:
    """A JSON object from a recording's file. Raises RecordingError with the place of the fault."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise RecordingError(f"{printable(path)}: cannot be read: {err.strerror}") from err
    except (ValueError, RecursionError) as err:
        raise RecordingError(
            f"{printable(path)}: not JSON ({err}); the recording is damaged"
        ) from err
    if not isinstance(value, dict):
        raise RecordingError(f"{printable(path)}: holds no JSON object; the recording is damaged")
    return value


def parse_event(line: bytes) -> Event | None:
    """One line of events.jsonl; None for a line that a crash cut or that is no event.

    Of its data, what `event_data.mistakes` finds has been left out.
    """
    return _read_line(line)[0]


def _read_line(line: bytes) -> tuple[Event | None, str]:
    """The event of a line, and what is wrong with the line, in words; empty for nothing."""
    try:
        row = json.loads(line)
        t, lane, what, outcome = (row[name] for name in ("t", "lane", "what", "outcome"))
        data, who = row["data"], row.get("who", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, "cannot be read"
    timed = isinstance(t, int) and not isinstance(t, bool) and abs(t) < LARGEST
    named = all(isinstance(word, str) for word in (lane, what, outcome, who))
    if not (timed and named and isinstance(data, dict)):
        return None, "cannot be read"
    wrong = mistakes(lane, what, data)
    kept = {name: value for name, value in data.items() if name not in wrong} if wrong else data
    told = "; ".join(f"{name} is no {kind}" for name, kind in wrong.items())
    return Event(t, lane, what, outcome, kept, who), told


@dataclass(frozen=True)
class Told:
    """The events of a cell in the order of their times, and the damage: number of the line (from 1)
    -> what is wrong with it.

    A crash can cut the last line, which then has no end and counts as nothing; whatever else cannot
    be read is damage, and nobody knows what it said.
    """

    events: tuple[Event, ...] = ()
    damage: Mapping[int, str] = field(default_factory=dict)


def read_told(path: Path) -> Told:
    """What events.jsonl tells; nothing when the cell never began. Raises RecordingError."""
    try:
        *whole, cut = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return Told()
    except OSError as err:
        raise RecordingError(f"{printable(path)}: cannot be read: {err.strerror}") from err
    read = [_read_line(line) for line in whole]
    damage = {number: wrong for number, (_, wrong) in enumerate(read, 1) if wrong}
    found = [event for event, _ in (*read, _read_line(cut)) if event is not None]
    return Told(tuple(sorted(found, key=lambda event: event.t)), damage)


def read_events(path: Path) -> tuple[Event, ...]:
    """The events of a cell in the order of their times; empty when the cell never began."""
    return read_told(path).events


def printable(path: Path) -> str:
    """A path as text that cannot disturb a terminal, whatever the name holds."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))
