"""How the fields of a scenario are written: the bridge from an annotation to the schema.

`Written` teaches pydantic how one kind of value is written. The rule this file guards: pydantic is
imported only when a schema is being built, so values annotated here cost nothing where no scenario
is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from netdiag.units import (
    NAME_PATTERN,
    did_you_mean,
    parse_duration,
    parse_name,
    parse_rate,
    parse_scalar,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

CLOSED: dict[str, Any] = {
    "extra": "forbid",
    "alias_generator": lambda name: name.rstrip("_"),
    "use_attribute_docstrings": True,
}
"""`__pydantic_config__` of every value a scenario can hold: unknown keys are errors, `from_` is
written `from`, and the string under a field is its description in the JSON Schema."""


@dataclass(frozen=True, eq=False)
class Written:
    """How one kind of value is written: `Annotated[float, Written(parse_duration, {...})]`.

    parse: the plain YAML value -> the value, or ValueError; schema: its JSON Schema, for editors.
    """

    parse: Callable[[Any], Any]
    schema: dict[str, Any] = field(default_factory=dict)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema  # noqa: PLC0415  (only where a schema is built)

        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, core: object, handler: object) -> dict[str, Any]:
        return dict(self.schema)


def one_of(*words: str) -> Written:
    """A closed set of words, for sets that are data and not a Literal."""

    def parse(raw: object) -> str:
        if isinstance(raw, str) and raw in words:
            return raw
        raise ValueError(f"{shown(raw)} is not known here; {did_you_mean(raw, words)}")

    return Written(parse, {"enum": list(words)})


def whole(low: int, high: int) -> Written:
    """A whole number from low to high, both included; true and 3.0 are none."""

    def parse(raw: object) -> int:
        if isinstance(raw, int) and not isinstance(raw, bool) and low <= raw <= high:
            return raw
        raise ValueError(f"{shown(raw)} is not a whole number from {low} to {high}; write one")

    return Written(parse, {"type": "integer", "minimum": low, "maximum": high})


def either(written: Written, words: dict[Any, Any]) -> Written:
    """What `written` reads, or one of a few words that stand for a value (`null`, `off`)."""

    def parse(raw: object) -> object:
        if isinstance(raw, str | None) and raw in words:
            return words[raw]
        try:
            return written.parse(raw)
        except ValueError as refusal:
            others = ", or ".join(shown(word).strip("'") for word in words)
            raise ValueError(f"{refusal}, or {others}") from None

    return Written(parse, {"anyOf": [written.schema, {"enum": list(words)}]})


DURATION = Written(
    parse_duration,
    {
        "anyOf": [
            {"type": "number", "minimum": 0},
            {"type": "string", "pattern": r"^\s*(\d+(\.\d+)?\s*(d|h|m|s|ms|us)?\s*)+$"},
        ],
        "description": "a duration: 500ms, 3s, 2m, 1h30m; a bare number is seconds",
    },
)
RATE = Written(
    parse_rate,
    {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*/\s*[smh]\s*$"},
        ],
        "description": "a rate: 2/s, 10/m, 1/h",
    },
)
Duration = Annotated[float, DURATION]
"""Seconds."""
Rate = Annotated[float, RATE]
"""Events a second."""
Count = Annotated[int, whole(0, 10**6)]
"""0 or more."""
Positive = Annotated[int, whole(1, 10**6)]
"""1 or more."""
SCALAR = Written(parse_scalar, {"type": ["string", "number", "boolean"]})
Scalar = Annotated[str | int | float | bool, SCALAR]
"""A value that is passed on as it is."""
Name = Annotated[str, Written(parse_name, {"type": "string", "pattern": NAME_PATTERN})]
"""A name a person gives: letters, digits, `.`, `_`, `-`; safe in paths and reports."""
