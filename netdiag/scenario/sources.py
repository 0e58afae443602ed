"""A scenario file and those that it extends -> one tree, and the texts that it came from.

The rule this file guards: what a file does not say it takes from the one it extends. Mappings are
merged key by key, lists and the values of `matrix` and `expect` replace. Nodes keep their file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netdiag.errors import ScenarioError
from netdiag.scenario.composing import MAX_BYTES, compose
from netdiag.scenario.nodes import Entry, Leaf, Mistake, Place, Table, Unreadable
from netdiag.scenario.paths import merge
from netdiag.scenario.shelf import find
from netdiag.units import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MOST_PARENTS = 8
_WHOLE = ("matrix", "expect", "extends")


@dataclass(frozen=True)
class Source:
    """A tree, its texts (the file's own first), and the mistakes that did not keep it from being
    read; label: what the person called it."""

    label: str
    root: Table
    texts: tuple[str, ...]
    mistakes: tuple[Mistake, ...]


def read_sources(path: Path, raw: bytes | None = None) -> Source:
    """Read a file (or take its bytes), and what it extends. Raises ScenarioError."""
    label = str(path)
    try:
        return _read(path, label, _bytes(path, label) if raw is None else raw, ())
    except Unreadable as err:
        raise ScenarioError(str(err.mistake)) from None


def _bytes(path: Path, label: str) -> bytes:
    try:
        if not path.is_file():
            kind = "is a directory" if path.is_dir() else "is not there"
            raise ScenarioError(f"{shown(label)[1:-1]}: {kind}; give the path of a scenario file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise ScenarioError(f"{label}:1:1: the file has {size} bytes; a scenario has at "
                                    f"most {MAX_BYTES}")
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as err:
        reason = getattr(err, "strerror", None) or "the name is not possible"
        raise ScenarioError(f"{shown(label)[1:-1]}: cannot be read ({reason}); "
                            "check the path and its permissions") from err


def _read(path: Path, label: str, raw: bytes, children: Sequence[Path]) -> Source:
    node, mistakes = compose(raw, label)
    if not isinstance(node, Table):
        raise Unreadable(Mistake(node.place, "a scenario is a mapping; begin with "
                                             "'name: my-scenario'"))
    text = raw.decode("utf-8", "replace")
    held = node.entries.get("extends")
    if held is None:
        return Source(label, node, (text,), tuple(mistakes))
    parent = _parent(held, path, (*children, path.resolve()))
    return Source(label, _over(parent.root, node), (text, *parent.texts),
                  (*mistakes, *parent.mistakes))


def _parent(held: Entry, path: Path, children: Sequence[Path]) -> Source:
    place = held.node.place
    if not isinstance(held.node, Leaf) or not isinstance(held.node.value, str):
        raise Unreadable(Mistake(place, "'extends' names one file; write extends: other.yaml"))
    name = held.node.value
    beside = path.parent / name
    try:
        parent = beside if beside.is_file() else find(name)
        raw = _bytes(parent, str(parent))
    except (ScenarioError, OSError, ValueError) as err:
        raise Unreadable(_cannot(place, name, err)) from None
    if parent.resolve() in children:
        raise Unreadable(Mistake(place, f"{shown(name)} extends this file in turn; break the ring"))
    if len(children) > _MOST_PARENTS:
        raise Unreadable(Mistake(place, f"more than {_MOST_PARENTS} files extend each other; "
                                        "use fewer"))
    return _read(parent, str(parent), raw, children)


def _cannot(place: Place, name: str, err: Exception) -> Mistake:
    first = str(err).splitlines()[0] if isinstance(err, ScenarioError) else "the name is impossible"
    return Mistake(place, f"cannot extend {shown(name)}: {first}")


def _over(parent: Table, child: Table) -> Table:
    """The child's tree, with what it does not say taken from the parent's."""
    kept = {key: entry for key, entry in parent.entries.items()
            if key not in _WHOLE or key not in child.entries}
    merged = merge(replace(parent, entries={k: e for k, e in kept.items() if k != "extends"}),
                   child, deep=True)
    assert isinstance(merged, Table)
    return merged
