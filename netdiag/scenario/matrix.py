"""The matrix: axes -> the points of their product, each with its choices and a readable id.

The rule this file guards: the order of points is the order of the file (the first axis turns
slowest), and a point's id depends on its own choices alone, so that adding an axis value never
renames the others.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from netdiag.scenario.nodes import Leaf, Listing, Mistake, Node, Place, Table, plain
from netdiag.scenario.paths import Nowhere, look, misplaced, put, split
from netdiag.units import did_you_mean, parse_duration, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_CELLS = 1000
_ID_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of an axis. text: its name, or the value as it was written."""

    axis: str
    text: str
    node: Node
    place: Place
    named: bool

    @property
    def label(self) -> str:
        """Its part of the cell's id."""
        return self.text if self.named else f"{split(self.axis)[-1]}={self.text}"


@dataclass(frozen=True, slots=True)
class Condition:
    """`when` or one `exclude`: paths and the values that are meant, any of them."""

    wanted: tuple[tuple[str, tuple[Node, ...]], ...]
    place: Place


@dataclass(frozen=True)
class Matrix:
    """Groups of axes: each group steps as one (`zip`), the groups are multiplied."""

    groups: tuple[tuple[tuple[Choice, ...], ...], ...] = ()
    exclude: tuple[Condition, ...] = ()
    mistakes: tuple[Mistake, ...] = field(default=(), compare=False)

    @property
    def axes(self) -> tuple[str, ...]:
        """The paths that vary."""
        return tuple(dict.fromkeys(choice.axis for group in self.groups for step in group[:1]
                                   for choice in step))

    def points(self) -> Iterator[tuple[Choice, ...]]:
        """Every combination of choices, excluded ones included."""
        for steps in product(*self.groups):
            yield tuple(choice for step in steps for choice in step)


@dataclass(frozen=True, slots=True)
class Point:
    """A combination of choices, and the tree that it makes of the scenario."""

    choices: tuple[Choice, ...]
    root: Table

    def matches(self, condition: Condition) -> bool:
        """Whether every path of the condition has one of the values that it asks for."""
        return all(any(self._is(path, node) for node in nodes) for path, nodes in condition.wanted)

    def _is(self, path: str, node: Node) -> bool:
        chosen = next((choice for choice in self.choices if choice.axis == path), None)
        if chosen is not None and isinstance(node, Leaf) and chosen.text == _text(node):
            return True
        held = look(self.root, split(path))
        return held is not None and same_value(plain(held), plain(node))


def same_value(one: object, other: object) -> bool:
    """Equal as a person means it: `3s` is 3 and 3000ms; true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if one == other:
        return True
    try:
        return parse_duration(one) == parse_duration(other)
    except ValueError:
        return False


def _text(node: Node) -> str:
    if isinstance(node, Leaf):
        return "none" if node.value is None else node.text
    if isinstance(node, Listing):
        return "-".join(_text(item) for item in node.items) or "empty"
    return "-".join(_text(entry.node) for entry in node.entries.values()) or "empty"


def read_matrix(node: Node | None) -> Matrix:
    """The `matrix` of a file -> its axes, with every mistake that was found on the way."""
    if node is None:
        return Matrix()
    if not isinstance(node, Table):
        return Matrix(mistakes=(Mistake(node.place, "the matrix is not a mapping; write "
                                                    "client.settings.read_timeout: [null, 3s]"),))
    groups: list[tuple[tuple[Choice, ...], ...]] = []
    mistakes: list[Mistake] = []
    for key, entry in node.entries.items():
        if key == "exclude":
            continue
        if key == "zip":
            groups += _zips(entry.node, mistakes)
        else:
            groups.append(tuple((choice,) for choice in
                                _axis(key, entry.key, entry.node, mistakes)))
    matrix = Matrix(tuple(group for group in groups if group))
    seen: set[str] = set()
    for group in matrix.groups:
        for choice in group[0]:
            if choice.axis in seen:
                mistakes.append(Mistake(choice.place, f"axis '{choice.axis}' is already in the "
                                                      "matrix; keep one"))
            seen.add(choice.axis)
    excluded = node.entries.get("exclude")
    exclude = _conditions(excluded.node, mistakes) if excluded else ()
    return Matrix(matrix.groups, exclude, tuple(mistakes))


def _axis(path: str, place: Place, node: Node, mistakes: list[Mistake]) -> list[Choice]:
    wrong = misplaced(path, place)
    if wrong:
        mistakes.append(wrong)
        return []
    if isinstance(node, Listing) and node.items:
        choices = [Choice(path, _text(item), item, place, named=False) for item in node.items]
    elif isinstance(node, Table) and node.entries:
        choices = [Choice(path, name, entry.node, entry.key, named=True)
                   for name, entry in node.entries.items()]
    else:
        mistakes.append(Mistake(node.place, f"axis '{path}' has no values; write a list of them, "
                                            "or a mapping from a name to each"))
        return []
    seen: set[str] = set()
    for choice in choices:
        if choice.text in seen:
            mistakes.append(Mistake(choice.node.place, f"{shown(choice.text)} is already a value "
                                                       f"of axis '{path}'; keep one"))
        seen.add(choice.text)
    return choices


def _zips(node: Node, mistakes: list[Mistake]) -> list[tuple[tuple[Choice, ...], ...]]:
    groups = []
    for table in node.items if isinstance(node, Listing) else (node,):
        if not isinstance(table, Table):
            mistakes.append(Mistake(table.place, "'zip' takes a mapping of axes, or a list of "
                                                 "those; write {path: [..], path: [..]}"))
            continue
        axes = [_axis(path, entry.key, entry.node, mistakes)
                for path, entry in table.entries.items()]
        lengths = {len(axis) for axis in axes if axis}
        if len(lengths) > 1:
            mistakes.append(Mistake(table.place, "the axes of a zip have "
                                    f"{' and '.join(map(str, sorted(lengths)))} values; give each "
                                    "the same number"))
        elif axes and all(axes):
            groups.append(tuple(zip(*axes, strict=True)))
    return groups


def _conditions(node: Node, mistakes: list[Mistake]) -> tuple[Condition, ...]:
    if not isinstance(node, Listing):
        mistakes.append(Mistake(node.place, "'exclude' is not a list; write - {path: value}"))
        return ()
    found = []
    for item in node.items:
        condition = read_condition(item, mistakes)
        if condition:
            found.append(condition)
    return tuple(found)


def read_condition(node: Node, mistakes: list[Mistake]) -> Condition | None:
    """`{client.settings: zombie, workload.block: [0s, 5s]}` -> a Condition."""
    if not isinstance(node, Table) or not node.entries:
        mistakes.append(Mistake(node.place, "a condition is not a mapping; write {path: value}"))
        return None
    wrong = [one for path, entry in node.entries.items()
             if (one := misplaced(path, entry.key)) is not None]
    mistakes += wrong
    if wrong:
        return None
    return Condition(tuple(
        (path, entry.node.items if isinstance(entry.node, Listing) else (entry.node,))
        for path, entry in node.entries.items()), node.place)


def make_points(matrix: Matrix, root: Table, mistakes: list[Mistake]) -> list[Point]:
    """The points of a matrix, without the excluded ones; at most MAX_CELLS."""
    total = 1
    for group in matrix.groups:
        total *= len(group)
    if total > MAX_CELLS:
        place = matrix.groups[0][0][0].place
        mistakes.append(Mistake(place, f"the matrix has {total} cells; write at most {MAX_CELLS}"))
        return []
    points: list[Point] = []
    for choices in matrix.points():
        tree: Node = root
        for choice in choices:
            try:
                tree = put(tree, split(choice.axis), choice.node, choice.place)
            except Nowhere as err:
                mistakes.append(Mistake(choice.place, f"axis '{choice.axis}': {err}"))
        assert isinstance(tree, Table)
        points.append(Point(choices, tree))
    for condition in matrix.exclude:
        check_condition(condition, matrix, points, mistakes)
    kept = [point for point in points if not any(map(point.matches, matrix.exclude))]
    if points and not kept:
        mistakes.append(Mistake(matrix.exclude[0].place, "every cell is excluded; leave one"))
    return kept


def check_condition(condition: Condition, matrix: Matrix, points: Sequence[Point],
                    mistakes: list[Mistake]) -> None:
    """A condition that no cell meets is a mistake; say what there is to choose from."""
    if not points or any(point.matches(condition) for point in points):
        return
    for path, nodes in condition.wanted:
        if any(point.matches(Condition(((path, nodes),), condition.place)) for point in points):
            continue
        texts = tuple(dict.fromkeys(choice.text for group in matrix.groups for step in group
                                    for choice in step if choice.axis == path))
        hint = did_you_mean(_text(nodes[0]), texts) if texts and nodes else \
            "write a path that the cells have, with a value that one of them has"
        mistakes.append(Mistake(condition.place, f"no cell has {path} "
                                f"{shown(_text(nodes[0])) if nodes else 'at all'}; {hint}"))
        return
    mistakes.append(Mistake(condition.place, "no cell meets all of this; ask for less"))


def cell_ids(points: Sequence[Point], scenario: str) -> list[str]:
    """A short name for each point: its choices' labels; alone, the scenario's own name."""
    labels = [".".join(choice.label for choice in point.choices) or scenario for point in points]
    ids = [_shortened(label) for label in labels]
    return [one if ids.count(one) == 1 else _digested(one, label)
            for one, label in zip(ids, labels, strict=True)]


def _shortened(label: str) -> str:
    """Text -> [a-z0-9._=-], at most 40 characters; when that loses something, with a digest."""
    spaced = re.sub(r"\s+", "-", label.lower())
    slug = re.sub(r"[^a-z0-9._=-]+", "-", spaced).strip("-.") or "cell"
    return slug if slug == spaced and len(slug) <= _ID_LENGTH else _digested(slug, label)


def _digested(slug: str, label: str) -> str:
    digest = hashlib.sha256(label.encode()).hexdigest()[:6]
    return f"{slug[:_ID_LENGTH - 7].rstrip('-.')}-{digest}"
