"""Finding scenarios: a path, or the name of one that ships with netdiag.

The rule this file guards: a file that is there wins over a name. The shipped scenarios are the
directory `scenarios` inside the installed package, or beside the package in a checkout.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import netdiag
from netdiag.errors import ScenarioError
from netdiag.scenario.composing import compose
from netdiag.scenario.nodes import Leaf, Table, Unreadable
from netdiag.units import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

_SUFFIXES = (".yaml", ".yml")


def shelf() -> Path:
    """The directory of the shipped scenarios."""
    return _beside("scenarios")


def _beside(name: str) -> Path:
    package = Path(netdiag.__file__).parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def compose_shelf() -> Path:
    """The directory of the shipped compose files."""
    return _beside("compose")


def compose_file(name_or_path: str) -> Path:
    """A compose file: a path as it is, or one that ships. Raises ScenarioError."""
    for path in (Path(name_or_path), *_shipped_compose(name_or_path)):
        if path.is_file():
            return path
    there = sorted(path.stem for path in compose_shelf().glob("*.yml"))
    raise ScenarioError(f"lab.compose: no file and no shipped compose file is called "
                        f"{shown(name_or_path)}; write its path, from the scenario on, or "
                        f"{did_you_mean(name_or_path, tuple(there))}")


def _shipped_compose(name: str) -> tuple[Path, ...]:
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        return ()
    return compose_shelf() / path, compose_shelf() / f"{name}.yml"


def find(name_or_path: str | Path) -> Path:
    """A path as it is, or the file of a shipped scenario. Raises ScenarioError."""
    text = str(name_or_path)
    try:
        if Path(text).is_file():
            return Path(text)
    except (OSError, ValueError):
        pass  # no path could look like this; perhaps a name
    names = {path.stem: path for path in _files()}
    stem = text.removesuffix(".yaml")
    if stem in names:
        return names[stem]
    raise ScenarioError(f"no file and no shipped scenario is called {shown(text)}; "
                        f"{did_you_mean(stem, tuple(names))}")


def find_all(names_or_paths: Iterable[str | Path]) -> list[Path]:
    """The file of each name or path, and of a directory all that are in it; `scenarios` is the
    shipped ones' where no such directory is. Raises ScenarioError.
    """
    found: list[Path] = []
    for one in names_or_paths:
        place = shelf() if str(one).rstrip("/") == "scenarios" else Path(one)
        if Path(one).is_dir():
            place = Path(one)
        if not place.is_dir():
            found.append(find(one))
            continue
        inside = _files(place)
        if not inside:
            raise ScenarioError(f"no scenario (*.yaml) is in the directory {shown(str(one))}")
        found += inside
    return list(dict.fromkeys(found))


def shipped() -> list[tuple[str, str]]:
    """(name, about) of each scenario that ships, by name; about: on one line."""
    return [(path.stem, _about(path)) for path in _files()]


def _files(place: Path | None = None) -> list[Path]:
    return sorted(path for path in (place or shelf()).glob("*") if path.suffix in _SUFFIXES)


def _about(path: Path) -> str:
    try:
        node, _ = compose(path.read_bytes(), str(path))
    except (Unreadable, OSError):
        return ""
    entry = node.entries.get("about") if isinstance(node, Table) else None
    return " ".join(entry.node.text.split()) if entry and isinstance(entry.node, Leaf) else ""
