"""Fields read back from a file: does each hold what its dataclass says?

The rule this file guards: what fits is as if the program had built it itself, so whoever uses it
asks no more; what does not is named with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from types import UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from netdiag.written import Written

_Value = TypeVar("_Value")
_NUMBERS: Final[dict[Any, tuple[type[int] | type[float], ...]]] = {
    int: (int,),
    float: (int, float),
}
_LARGEST: Final = 1 << 63
"""No number of a plan comes near it; what is larger cannot be reckoned with as a float."""


def build(cls: type[_Value], held: Mapping[str, object], where: str) -> _Value:
    """A `cls` of these fields. Raises ValueError that names the place: `cells[2].duration is 'x'`.

    What the annotations of `cls` name, beside Mapping, must be imported in its module.
    """
    hints = _hints(cls)  # type: ignore[arg-type] # a class is hashable
    for name in held:
        if name not in hints:
            raise ValueError(f"{where}.{name}: there is no such field")
    for one in fields(cls):  # type: ignore[arg-type]
        if one.name in held:
            if not fits(hints[one.name], held[one.name]):
                raise ValueError(f"{where}.{one.name} is {_shown(held[one.name])}")
        elif one.default is MISSING and one.default_factory is MISSING:
            raise ValueError(f"{where}.{one.name} is missing")
    return cls(**held)


@cache
def _hints(cls: type[Any]) -> dict[str, Any]:
    return get_type_hints(cls, localns={"Mapping": Mapping}, include_extras=True)


def fits(hint: Any, value: object) -> bool:  # noqa: ANN401 - any annotation
    """Whether a value is of a type; no NaN and no number beyond reckoning is a number."""
    if hint in _NUMBERS:
        kinds = _NUMBERS[hint]
        return isinstance(value, kinds) and type(value) is not bool and abs(value) < _LARGEST
    container = _CONTAINERS.get(get_origin(hint))
    return isinstance(value, hint) if container is None else container(get_args(hint), value)


def _annotated(hints: tuple[Any, ...], value: object) -> bool:
    """The bare type, and the bounds of whole numbers where their annotation has some."""
    bare, *about = hints
    bounds = (one.schema for one in about if isinstance(one, Written))
    return fits(bare, value) and all(_within(value, bound) for bound in bounds)


def _within(value: object, bound: Mapping[str, Any]) -> bool:
    if not isinstance(value, int | float):
        return True
    return bool(bound.get("minimum", value) <= value <= bound.get("maximum", value))


def _union(hints: tuple[Any, ...], value: object) -> bool:
    return any(fits(hint, value) for hint in hints)


def _literal(words: tuple[Any, ...], value: object) -> bool:
    return any(value == word and type(value) is type(word) for word in words)


def _tuple(hints: tuple[Any, ...], value: object) -> bool:
    return isinstance(value, tuple) and all(fits(hints[0], one) for one in value)


def _mapping(hints: tuple[Any, ...], value: object) -> bool:
    key, held = hints
    return isinstance(value, Mapping) and all(
        fits(key, name) and fits(held, one) for name, one in value.items()
    )


_CONTAINERS: Final[dict[Any, Callable[[tuple[Any, ...], object], bool]]] = {
    Annotated: _annotated,
    Union: _union,
    UnionType: _union,
    Literal: _literal,
    tuple: _tuple,
    Mapping: _mapping,
}


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
