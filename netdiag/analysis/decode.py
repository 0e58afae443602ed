"""Plain JSON -> the frozen values that gave it, for any dataclass of the analysis.

The rule this file guards: what is read back has the types it was written with, or is refused with
the place of what is wrong; keys that are not known are left alone, so that a later version's file
can still be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin, get_type_hints

_Value = TypeVar("_Value")
_SCALARS: Final[dict[Any, tuple[type, ...]]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (int, float),
    type(None): (type(None),),
}


@cache
def hints_of(cls: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    """The types of a dataclass' fields, resolved."""
    return get_type_hints(cls, localns={"Mapping": Mapping})


def decode(cls: type[_Value], plain: object, where: str = "") -> _Value:
    """A JSON value -> a `cls`. Raises ValueError that names the place: `cells[2].noticed.t`."""
    return cast("_Value", _decode(cls, plain, where))


def _decode(hint: Any, plain: object, where: str) -> object:  # noqa: ANN401 - any annotation
    if hint in _SCALARS:
        return _scalar(hint, plain, where)
    if is_dataclass(hint) and isinstance(hint, type):
        return _dataclass(hint, plain, where)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint, plain, where)
    return _CONTAINERS[get_origin(hint)](hint, plain, where)


def _scalar(hint: Any, plain: object, where: str) -> object:  # noqa: ANN401
    allowed = _SCALARS[hint]
    if not isinstance(plain, allowed) or (isinstance(plain, bool) and hint is not bool):
        raise ValueError(f"{where or 'the value'} is no {hint.__name__}")
    return float(plain) if hint is float and isinstance(plain, int | float) else plain


def _enum(hint: type[Enum], plain: object, where: str) -> Enum:
    try:
        return hint(plain)
    except ValueError:
        known = ", ".join(str(one.value) for one in hint)
        raise ValueError(f"{where or 'the value'} is none of {known}") from None


def _dataclass(hint: Any, plain: object, where: str) -> object:  # noqa: ANN401
    if not isinstance(plain, Mapping):
        raise ValueError(f"{where or 'the value'} is no object")
    types = hints_of(hint)
    held = {}
    for one in fields(hint):
        place = f"{where}.{one.name}" if where else one.name
        if one.name in plain:
            held[one.name] = _decode(types[one.name], plain[one.name], place)
        elif one.default is MISSING and one.default_factory is MISSING:
            raise ValueError(f"{place} is missing")
    return hint(**held)


def _tuple(hint: Any, plain: object, where: str) -> object:  # noqa: ANN401
    if not isinstance(plain, list | tuple):
        raise ValueError(f"{where or 'the value'} is no list")
    (inner, *_) = get_args(hint)
    return tuple(_decode(inner, one, f"{where}[{index}]") for index, one in enumerate(plain))


def _mapping(hint: Any, plain: object, where: str) -> object:  # noqa: ANN401
    if not isinstance(plain, Mapping):
        raise ValueError(f"{where or 'the value'} is no object")
    _, inner = get_args(hint)
    return {str(key): _decode(inner, one, f"{where}.{key}") for key, one in plain.items()}


def _union(hint: Any, plain: object, where: str) -> object:  # noqa: ANN401
    if plain is None:
        if type(None) in get_args(hint):
            return None
        raise ValueError(f"{where or 'the value'} is null")
    (inner,) = [one for one in get_args(hint) if one is not type(None)]
    return _decode(inner, plain, where)


_CONTAINERS: Final[dict[Any, Callable[[Any, object, str], object]]] = {
    tuple: _tuple,
    Mapping: _mapping,
    Union: _union,
    UnionType: _union,
}
