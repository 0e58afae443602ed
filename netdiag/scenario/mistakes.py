"""Pydantic's errors -> one sentence each, at the place in the file where the mistake is written.

The rule this file guards: a person sees their own words and what would be right instead, never the
validator's vocabulary. The path of an error is walked along the tree of nodes; steps that are not
in the file (the shape that a trigger was taken for) only choose which model's keys are proposed.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from netdiag.catalogue.clients import CLIENTS
from netdiag.catalogue.servers import SERVERS
from netdiag.catalogue.settings import LIBRARY_NAMES
from netdiag.faults.fault import FAULTS
from netdiag.faults.trigger import SHAPES
from netdiag.scenario.expectation import KINDS
from netdiag.scenario.nodes import Leaf, Listing, Mistake, Node, Place, Table
from netdiag.scenario.schema import ScenarioFile
from netdiag.units import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationError

_TOP = "the scenario"
_WANTED = {
    "tuple_type": "a list", "list_type": "a list", "dict_type": "a mapping",
    "mapping_type": "a mapping", "dataclass_type": "a mapping", "dataclass_exact_type": "a mapping",
    "string_type": "text", "model_type": "a mapping", "dict_attributes_type": "a mapping",
}
_UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")
_BY_TAG: dict[str, type[Any]] = {
    **SHAPES,
    **{name: row.model for name, row in (CLIENTS | SERVERS).items()},
    **{name: row.params for name, row in FAULTS.items()},
}

Step = str | int


def translate(error: ValidationError, root: Node, *, base: tuple[Step, ...] = ()
              ) -> Iterator[Mistake]:
    """Every error of a validation, in our words; base: the path of `root` in the scenario."""
    found = error.errors(include_url=False, include_input=False)
    unknown = [tuple(one["loc"]) for one in found if one["type"] in _UNKNOWN]
    for one in found:
        loc, kind = tuple(one["loc"]), one["type"]
        if kind == "missing":
            near = [path[-1] for path in unknown if path[:-1] == loc[:-1]]
            if get_close_matches(str(loc[-1]), [str(key) for key in near], n=1, cutoff=0.6):
                continue  # it is there, misspelt, and said so already
        yield _mistake(kind, loc, one, root, base)


def _mistake(kind: str, loc: tuple[Step, ...], one: Any, root: Node,  # noqa: ANN401
             base: tuple[Step, ...]) -> Mistake:
    if kind in _UNKNOWN:
        key = _node(root, loc[:-1])
        known = known_keys((*base, *loc[:-1]))
        return Mistake(_key_place(key, str(loc[-1])),
                       f"unknown key {shown(str(loc[-1]))} in {_named(root, loc[:-1], base)}; "
                       f"{_meant(str(loc[-1]), known)}")
    if kind == "missing":
        where = _named(root, loc[:-1], base)
        return Mistake(_node(root, loc[:-1]).place,
                       f"'{loc[-1]}' is missing in {where}; write it")
    if loc and loc[-1] == "[key]":
        return Mistake(_key_place(_node(root, loc[:-2]), str(loc[-2])), _message(one))
    node = _node(root, loc)
    if kind in _WANTED:
        held = shown(node.value) if isinstance(node, Leaf) else \
            "a list" if isinstance(node, Listing) else "a mapping"
        return Mistake(node.place, f"{held} stands where {_named(root, loc, base)} should be "
                                   f"{_WANTED[kind]}; write {_WANTED[kind]}")
    return Mistake(node.place, _message(one))


def _meant(key: str, known: tuple[str, ...]) -> str:
    """What would be right; a library's name of a setting is not the nearest word's."""
    here = LIBRARY_NAMES.get(key.lower())
    return f"it is called '{here}' here" if here in known else did_you_mean(key, known)


def _message(one: Any) -> str:  # noqa: ANN401  (pydantic's error details)
    cause = one.get("ctx", {}).get("error")
    return str(cause) if isinstance(cause, ValueError) else str(one["msg"])


def _steps(root: Node, loc: tuple[Step, ...]) -> Iterator[tuple[Step, Node]]:
    """The steps of a path that are in the tree, with the node each leads to."""
    node = root
    for step in loc:
        if isinstance(node, Table) and str(step) in node.entries:
            node = node.entries[str(step)].node
        elif isinstance(node, Listing) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            continue
        yield step, node


def _node(root: Node, loc: tuple[Step, ...]) -> Node:
    return next(reversed([root, *(node for _, node in _steps(root, loc))]))


def _named(root: Node, loc: tuple[Step, ...], base: tuple[Step, ...]) -> str:
    """How a person would call the place: `client.settings`, `faults[0].do`."""
    text = ""
    for step in (*base, *(step for step, _ in _steps(root, loc))):
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return f"'{text[1:]}'" if text else _TOP


def _key_place(node: Node, key: str) -> Place:
    if isinstance(node, Table) and key in node.entries:
        return node.entries[key].key
    return node.place


def known_keys(loc: tuple[Step, ...]) -> tuple[str, ...]:
    """The keys that a mapping at this path may hold; the empty path is the whole file."""
    if loc[:1] == ("expect",):
        return ("when", *KINDS)
    models: list[type[Any]] = [ScenarioFile]
    for step in loc:
        if isinstance(step, int):
            continue
        if step in _BY_TAG and _BY_TAG[str(step)] in models:
            models = [_BY_TAG[str(step)]]
            continue
        hints = [get_type_hints(model, include_extras=True) for model in models]
        inner = [hint.get(str(step), hint.get(f"{step}_")) for hint in hints]
        models = [found for hint in inner if hint is not None for found in _models(hint)] or models
    return tuple(dict.fromkeys(f.name.rstrip("_") for model in models for f in fields(model)))


def _models(hint: Any) -> list[type[Any]]:  # noqa: ANN401  (any annotation)
    """The dataclasses inside an annotation."""
    if isinstance(hint, type) and is_dataclass(hint):
        return [hint]
    return [found for part in get_args(hint) for found in _models(part)]


