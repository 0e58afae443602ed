"""The tree that a scenario file is read into: nodes that know where they were written.

The rule this file guards: a place goes wherever its value goes, through `extends`, anchors and the
matrix, so that a mistake is always reported where a person can mend it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something is written; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong: `file:line:column: what is wrong; what would be right`."""

    place: Place
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


class Unreadable(Exception):
    """The text is no YAML, or more than a scenario can be."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(str(mistake))
        self.mistake = mistake


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar: its value, and its text as it was written."""

    value: str | int | float | bool | None
    text: str
    place: Place = field(compare=False)
    size = 1
    depth = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """A sequence."""

    items: tuple[Node, ...]
    place: Place = field(compare=False)
    size: int = field(default=1, compare=False)
    depth: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping, and its value."""

    key: Place = field(compare=False)
    node: Node


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping; keys are text as it was written."""

    entries: Mapping[str, Entry]
    place: Place = field(compare=False)
    size: int = field(default=1, compare=False)
    depth: int = field(default=1, compare=False)


Node = Leaf | Listing | Table


def plain(node: Node) -> Any:  # noqa: ANN401  (YAML holds anything)
    """A tree -> lists, dicts and scalars."""
    if isinstance(node, Table):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Listing):
        return [plain(item) for item in node.items]
    return node.value
