"""Finding scenarios: a path, or the name of one that ships with netdiag.

The rule this file guards: a file that is there wins over a name. The shipped scenarios are the
directory `scenarios` inside the installed package, or beside the package in a checkout.
"""

from __future__ import annotations

from pathlib import Path

import netdiag
from netdiag.errors import ScenarioError
from netdiag.scenario.composing import compose
from netdiag.scenario.nodes import Leaf, Table, Unreadable
from netdiag.units import did_you_mean, shown

_SUFFIXES = (".yaml", ".yml")


def shelf() -> Path:
    """The directory of the shipped scenarios."""
    package = Path(netdiag.__file__).parent
    inside = package / "scenarios"
    return inside if inside.is_dir() else package.parent / "scenarios"


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


def shipped() -> list[tuple[str, str]]:
    """(name, about) of each scenario that ships, by name; about: on one line."""
    return [(path.stem, _about(path)) for path in _files()]


def _files() -> list[Path]:
    return sorted(path for path in shelf().glob("*") if path.suffix in _SUFFIXES)


def _about(path: Path) -> str:
    try:
        node, _ = compose(path.read_bytes(), str(path))
    except (Unreadable, OSError):
        return ""
    entry = node.entries.get("about") if isinstance(node, Table) else None
    return " ".join(entry.node.text.split()) if entry and isinstance(entry.node, Leaf) else ""
