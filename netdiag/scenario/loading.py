"""A scenario file -> Scenario -> Plan, or every mistake of the file at once.

The rule this file guards: a Scenario that exists can be run. Loading it expands it, so a mistake in
the last cell of a matrix is found before the first one runs, at the place where it is written.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

from netdiag.errors import ScenarioError
from netdiag.scenario.checks import check_cell
from netdiag.scenario.composing import compose, resolve
from netdiag.scenario.matrix import (
    Condition,
    Point,
    cell_ids,
    check_condition,
    make_points,
    read_condition,
    read_matrix,
)
from netdiag.scenario.mistakes import translate
from netdiag.scenario.nodes import Listing, Mistake, Place, Table, Unreadable, plain
from netdiag.scenario.paths import Nowhere, look, meet, misplaced, put, split, without
from netdiag.scenario.plan import Cell, Plan, seed_of
from netdiag.scenario.schema import CellFile, cell_adapter, expect_adapter, expectations
from netdiag.scenario.sources import Source, read_sources
from netdiag.units import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdiag.scenario.expectation import Expectation
    from netdiag.scenario.workload import LabSettings

_OUTSIDE_CELLS = ("matrix", "expect", "extends")
_MOST_MISTAKES = 50


@dataclass(frozen=True)
class Scenario:
    """What a person wrote, validated. document: the file as plain data, `extends` resolved;
    digest: sha256 of the text(s) it was read from; source: where it was read."""

    name: str
    about: str
    seed: int
    document: dict[str, Any]
    source: str = field(compare=False)
    digest: str = field(compare=False)
    root: Table = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of `expect`: whom it concerns, and what it expects."""

    condition: Condition | None
    expectations: tuple[Expectation, ...]
    node: Table

    def place(self, one: Expectation) -> Place:
        """Where an expectation's bound is written."""
        held = self.node.entries[one.kind].node
        if isinstance(held, Table) and one.of is not None and one.of in held.entries:
            return held.entries[one.of].node.place
        return held.place


def load(path: str | Path, *, settings: Sequence[str] = ()) -> Scenario:
    """Read a scenario file. settings: `path=value` texts that change it, as --set gives them.

    Raises ScenarioError with all mistakes, each `file:line:column: what is wrong; what would be
    right`, in the order of the file.
    """
    return _scenario(read_sources(Path(path)), settings)


def loads(text: str | bytes, *, name: str = "<scenario>", settings: Sequence[str] = ()) -> Scenario:
    """Read a scenario from text; `extends` is looked up from the current directory."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return _scenario(read_sources(Path(name), raw), settings)


def dump(scenario: Scenario) -> str:
    """YAML 1.2 that loads as an equal Scenario; comments and anchors are gone."""
    yaml, out = YAML(typ="safe", pure=True), StringIO()
    yaml.Representer = _Quoting
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(scenario.document, out)
    return out.getvalue()


class _Quoting(SafeRepresenter):
    """Quotes every text that would be read back as something else."""

    def represent_str(self, text: str) -> Any:  # noqa: ANN401  (ruamel's nodes)
        plain_text = resolve(text) == text and text != "<<"
        return self.represent_scalar("tag:yaml.org,2002:str", text,
                                     style=None if plain_text else '"')


_Quoting.add_representer(str, _Quoting.represent_str)


def expand(scenario: Scenario, *, seed: int | None = None) -> Plan:
    """The cells of a scenario, in the order of its matrix; seed: another one than the file's."""
    mistakes: list[Mistake] = []
    cells = _cells(scenario.root, scenario.seed if seed is None else seed, mistakes)
    _refuse(mistakes)
    return Plan(scenario=scenario.name, about=scenario.about, digest=scenario.digest,
                seed=scenario.seed if seed is None else seed, cells=tuple(cells))


def _refuse(mistakes: Sequence[Mistake]) -> None:
    if mistakes:
        lines = list(dict.fromkeys(str(mistake) for mistake in sorted(mistakes)))
        more = len(lines) - _MOST_MISTAKES
        rest = [f"... and {more} more"] if more > 0 else []
        raise ScenarioError(*lines[:_MOST_MISTAKES], *rest)


def _scenario(source: Source, settings: Sequence[str]) -> Scenario:
    mistakes = list(source.mistakes)
    root = _with_settings(source.root, settings, mistakes)
    cells = _cells(root, 0, mistakes)
    _refuse(mistakes)
    document = plain(without(root, "extends"))
    head = cells[0] if cells else None
    if head is None:
        raise ScenarioError(f"{source.label}: no cell is left; give the matrix values")
    digest = hashlib.sha256("\0".join((*source.texts, *settings)).encode()).hexdigest()
    return Scenario(name=document["name"], about=str(document.get("about") or "").strip(),
                    seed=document.get("seed", 1), document=document, source=source.label,
                    digest=digest, root=root)


def _with_settings(root: Table, settings: Sequence[str], mistakes: list[Mistake]) -> Table:
    """The tree after `path=value` texts; their values are YAML."""
    for setting in settings:
        path, equals, text = setting.partition("=")
        label = f"--set {shown(setting)[1:-1]}"
        try:
            value, found = compose(text.encode("utf-8", "surrogatepass") or b"null", label)
        except Unreadable as err:
            mistakes.append(err.mistake)
            continue
        mistakes += found
        wrong = misplaced(path, value.place)
        if not equals:
            wrong = Mistake(value.place, "no '='; write path=value")
        wrong = wrong or _decided(root, path, value.place)
        if wrong:
            mistakes.append(wrong)
            continue
        try:
            changed = put(root, split(path), value, value.place)
        except Nowhere as err:
            mistakes.append(Mistake(value.place, str(err)))
            continue
        root = changed if isinstance(changed, Table) else root
    return root


def _decided(root: Table, path: str, place: Place) -> Mistake | None:
    """A mistake when an axis of the matrix has a say in what stands at `path`, or below it."""
    matrix = root.entries.get("matrix")
    for axis in read_matrix(matrix.node).axes if matrix else ():
        if meet(root, axis, path):
            what = "it" if axis == path else shown(path)[1:-1]
            return Mistake(place, f"the matrix varies {axis}, and that axis decides {what} in "
                                  "every cell; choose a cell with --only instead, or change the "
                                  "axis in a scenario that extends this one")
    return None


def _cells(root: Table, seed: int, mistakes: list[Mistake]) -> list[Cell]:
    """Every cell of the matrix, validated; what is wrong goes to `mistakes`."""
    entry = root.entries.get("matrix")
    matrix = read_matrix(entry.node if entry else None)
    mistakes += matrix.mistakes
    points = make_points(matrix, without(root, *_OUTSIDE_CELLS), mistakes)
    entries = _entries(root, mistakes)
    for one in entries:
        if one.condition:
            check_condition(one.condition, matrix, points, mistakes)
    if not points:  # the matrix is wrong: say at least what else is
        points = [Point((), without(root, *_OUTSIDE_CELLS))]
    ids = cell_ids(points, _name(root))
    cells = []
    for index, (point, name) in enumerate(zip(points, ids, strict=True)):
        try:
            file = cell_adapter().validate_python(plain(point.root))
        except ValidationError as err:
            mistakes += translate(err, point.root)
            continue
        cell = _cell(file, point, name, index, seed)
        expected = _expected(entries, point, cell, mistakes)
        cell = replace(cell, expect=tuple(expected))
        mistakes += check_cell(cell, file, point.root, expected)
        cells.append(cell)
    return cells


def _name(root: Table) -> str:
    entry = root.entries.get("name")
    return str(plain(entry.node)) if entry else "scenario"


def _cell(file: CellFile, point: Point, name: str, index: int, seed: int) -> Cell:
    faults = tuple(replace(fault, name=fault.name or f"f{number}")
                   for number, fault in enumerate(file.faults, 1))
    return Cell(id=name, index=index, seed=seed_of(seed, name),
                choices={choice.axis: choice.text for choice in point.choices},
                lab=_beside(file.lab, point.root), server=file.server,
                clients=file.all_clients, workload=file.workload,
                hosts=file.hosts, faults=faults, duration=file.duration)


def _beside(lab: LabSettings, root: Table) -> LabSettings:
    """A compose file is looked for beside the file that names it; else it is one that ships."""
    node = look(root, ("lab", "compose"))
    if lab.compose is None or node is None:
        return lab
    beside = Path(node.place.file).parent / lab.compose
    return replace(lab, compose=str(beside.resolve())) if beside.is_file() else lab


def _entries(root: Table, mistakes: list[Mistake]) -> list[_Entry]:
    """The entries of `expect`, parsed once for all cells."""
    held = root.entries.get("expect")
    if held is None:
        return []
    try:
        parsed = expect_adapter().validate_python(plain(held.node))
    except ValidationError as err:
        mistakes += translate(err, held.node, base=("expect",))
        return []
    nodes = held.node.items if isinstance(held.node, Listing) else (held.node,)
    found = []
    for node, entry in zip(nodes, parsed, strict=True):
        assert isinstance(node, Table)
        when = node.entries.get("when")
        condition = read_condition(when.node, mistakes) if when else None
        found.append(_Entry(condition, expectations(entry), node))
    return found


def _expected(entries: Sequence[_Entry], point: Point, cell: Cell,
              mistakes: list[Mistake]) -> dict[Expectation, Place]:
    """What is expected of a cell, and where that is written: an entry with `when` beats one
    without; two of a rank that speak of the same thing are a mistake."""
    chosen: dict[tuple[str, str | None], tuple[bool, Expectation, Place]] = {}
    for entry in entries:
        if entry.condition and not point.matches(entry.condition):
            continue
        rank = entry.condition is not None
        for one in entry.expectations:
            key = (one.kind, one.of)
            held = chosen.get(key)
            place = entry.place(one)
            if held and held[0] == rank:
                mistakes.append(Mistake(place, f"'{one.kind}' is expected twice of cell "
                                               f"{cell.id}; keep one"))
            elif not held or rank:
                chosen[key] = (rank, one, place)
    return {one: place for _, one, place in chosen.values()}
