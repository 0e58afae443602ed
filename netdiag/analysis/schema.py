"""The analysis' dataclasses -> the JSON Schema of `analysis.json` and of `run --json`.

The rule this file guards: the schema is drawn from the types that write the JSON, so the two cannot
part. VERSION in `model` rises when a field goes or changes its meaning, not when one is added.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from netdiag.analysis.decode import hints_of
from netdiag.analysis.fields import ABOUT
from netdiag.analysis.model import VERSION, Analysis

Schema = dict[str, Any]

_SCALARS: Final[dict[Any, Schema]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
}
_ORIGIN: Final = (
    "Times are seconds since the cell's origin: the moment its first fault took effect, or without "
    "one the client's first SYN. Names that end in _ns are nanoseconds of CLOCK_MONOTONIC. Of "
    "several scenarios `run --json` prints a list of these; one that was not run is not in it, and "
    "is named on standard error."
)


def analysis_schema() -> Schema:
    """The JSON Schema (draft 2020-12) of an analysis; unknown keys are allowed, a later version of
    netdiag may write more.
    """
    classes: dict[str, Schema] = {}
    _reference(Analysis, classes)
    whole = classes.pop(Analysis.__name__)
    whole["properties"] = {**whole["properties"], "version": {"const": VERSION}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"netdiag analysis, version {VERSION}",
        **whole,
        "description": f"{whole['description']} {_ORIGIN}",
        "$defs": dict(sorted(classes.items())),
    }


def _schema(hint: Any, classes: dict[str, Schema]) -> Schema:  # noqa: ANN401 - any annotation
    if hint in _SCALARS:
        return dict(_SCALARS[hint])
    if is_dataclass(hint) and isinstance(hint, type):
        return _reference(hint, classes)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [one.value for one in hint]}
    return _CONTAINERS[get_origin(hint)](get_args(hint), classes)


def _reference(cls: type[Any], classes: dict[str, Schema]) -> Schema:
    """Describe a class once, and refer to it."""
    if cls.__name__ not in classes:
        classes[cls.__name__] = {}
        classes[cls.__name__] = _class(cls, classes)
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _class(cls: Any, classes: dict[str, Schema]) -> Schema:  # noqa: ANN401
    about, types = ABOUT[cls.__name__], hints_of(cls)
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(cls) or "").split()),
        "properties": {
            one.name: {**_schema(types[one.name], classes), "description": about.get(one.name, "")}
            for one in fields(cls)
        },
        "required": [one.name for one in fields(cls)],
    }


def _tuple(inner: tuple[Any, ...], classes: dict[str, Schema]) -> Schema:
    return {"type": "array", "items": _schema(inner[0], classes)}


def _mapping(inner: tuple[Any, ...], classes: dict[str, Schema]) -> Schema:
    return {"type": "object", "additionalProperties": _schema(inner[1], classes)}


def _union(inner: tuple[Any, ...], classes: dict[str, Schema]) -> Schema:
    return {"anyOf": [_schema(one, classes) for one in inner]}


_CONTAINERS: Final[dict[Any, Callable[[tuple[Any, ...], dict[str, Schema]], Schema]]] = {
    tuple: _tuple,
    Mapping: _mapping,
    Union: _union,
    UnionType: _union,
}
