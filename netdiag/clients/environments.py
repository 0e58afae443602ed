"""Environments with other versions of a client's library: made, found, listed, removed.

Each is a virtual environment in the user's data directory, named by what was asked for
(`redis-py==5.0`). The rule it guards: one that is not whole is none; the file that describes it is
written last.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from netdiag.errors import LabError, ScenarioError

PACKAGES: Final = {"redis-py": "redis"}
"""Kind of client -> its package on PyPI."""

ALONE: Final = "-E"
"""Python's option that keeps our own PYTHONPATH out of another environment."""

_NAME: Final = re.compile(r"([a-z][a-z-]{0,31})==([0-9][0-9A-Za-z.]{0,31})")
_ABOUT: Final = "netdiag.json"
_ADD: Final = "netdiag clients add"


@dataclass(frozen=True)
class Environment:
    """An environment. version: the library's exact one; python: the interpreter's version."""

    name: str
    version: str
    python: str

    @property
    def directory(self) -> Path:
        """Where it lies."""
        return place() / self.name

    @property
    def interpreter(self) -> Path:
        """Its Python."""
        return self.directory / "bin" / "python"


def place() -> Path:
    """The directory that holds all environments: $XDG_DATA_HOME/netdiag/clients."""
    data = os.environ.get("XDG_DATA_HOME")
    base = Path(data) if data and Path(data).is_absolute() else Path.home() / ".local" / "share"
    return base / "netdiag" / "clients"


def environments() -> tuple[Environment, ...]:
    """All that are whole, by name."""
    found = []
    for about in sorted(place().glob(f"*/{_ABOUT}")):
        if _NAME.fullmatch(about.parent.name) is None:
            continue
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            row = json.loads(about.read_text(encoding="utf-8"))
            found.append(Environment(about.parent.name, row["version"], row["python"]))
    return tuple(found)


def interpreter(named: str) -> str:
    """What a scenario calls a Python -> its absolute path: a path, a name on PATH, or an
    environment's name. Raises LabError.
    """
    if _NAME.fullmatch(named):
        known = {one.name: one for one in environments()}
        if named not in known:
            raise LabError(f"client.python: there is no environment {named}; `{_ADD} {named}` "
                           "makes it")
        return str(known[named].interpreter)
    found = shutil.which(os.path.expanduser(named))  # noqa: PTH111 - a name on PATH is no path
    if found is None:
        raise LabError(f"client.python: {named!a} cannot be found; give an interpreter's path, or "
                       f"an environment that `{_ADD} redis-py==5.0` made")
    return str(Path(found).absolute())


def add(named: str) -> Environment:
    """Make an environment, in place of one of that name, which stays when this fails.

    Raises ScenarioError for a name that is none, LabError when it cannot be made.
    """
    package = _package(named)
    directory = place() / named
    with contextlib.ExitStack() as undo:
        aside = _set_aside(directory, undo)
        undo.callback(shutil.rmtree, directory, ignore_errors=True)
        _run("the environment cannot be made", sys.executable, "-m", "venv", str(directory))
        python = str(directory / "bin" / "python")
        pip = (python, ALONE, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
        _run(f"{package} cannot be installed", *pip, "install", package)
        told = _run(
            f"{package} cannot be imported", python, ALONE, "-c",
            "import redis, platform; print(redis.__version__, platform.python_version())",
        )  # fmt: skip
        made = Environment(named, *told.split())
        about = json.dumps({name: held for name, held in asdict(made).items() if name != "name"})
        (directory / _ABOUT).write_text(about + "\n", encoding="utf-8")
        undo.pop_all()
    shutil.rmtree(aside, ignore_errors=True)
    return made


def _set_aside(directory: Path, undo: contextlib.ExitStack) -> Path:
    """Move what is there out of the way, and have `undo` put it back; returns where it lies.

    A virtual environment knows its own path, so the new one can be made at no other. What a killed
    `add` left aside is the old one: it is put back first, unless a whole one has taken its place.
    """
    aside = directory.with_name(f".{directory.name}")
    try:
        if aside.exists() and not (directory / _ABOUT).exists():
            shutil.rmtree(directory, ignore_errors=True)
            aside.rename(directory)
        shutil.rmtree(aside, ignore_errors=True)
        if directory.exists():
            directory.rename(aside)
            undo.callback(aside.rename, directory)
    except OSError as err:
        raise LabError(
            f"{directory}: cannot be replaced: {err.strerror}; remove it yourself"
        ) from err
    return aside


def remove(named: str) -> None:
    """Remove an environment, whole or not. Raises ScenarioError when there is none."""
    _package(named)
    if not (place() / named).is_dir():
        known = ", ".join(one.name for one in environments()) or "none"
        raise ScenarioError(f"there is no environment {named} (there is: {known})")
    shutil.rmtree(place() / named)


def _package(named: str) -> str:
    """`redis-py==5.0` -> `redis==5.0`. Raises ScenarioError."""
    match = _NAME.fullmatch(named)
    if match is None or match[1] not in PACKAGES:
        raise ScenarioError(
            f"{named!a} is no client with a version; write one such as redis-py==5.0"
        )
    return f"{PACKAGES[match[1]]}=={match[2]}"


def _run(wrong: str, *argv: str) -> str:
    """What a program prints. Raises LabError with its last line."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError as err:
        raise LabError(f"{wrong}: {err.strerror}") from err
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        errors = [line for line in said if line.startswith("ERROR:")]
        last = (errors or said or [f"code {done.returncode}"])[-1].removeprefix("ERROR: ")
        raise LabError(f"{wrong}: {last}")
    return done.stdout
