"""Durations, rates, sizes and shares: as people write them -> plain numbers -> as people read them.

The rule this file guards: a value is parsed once, at the edge, and is a number in SI units ever
after (seconds, events a second, bytes, a share of 1). Every refusal is a ValueError of one
sentence that says what is wrong and what would be right.

`Written` is the bridge to the schema: an annotation that teaches pydantic how one kind of value
is written. It imports pydantic only when a schema is being built, so values annotated with it
cost nothing where no scenario is read.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

SECOND: Final = 1_000_000_000
"""In ns, the unit of every clock."""
MILLISECOND: Final = 1_000_000
"""In ns."""

_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}
_LONGEST = 366 * 86400.0
_BYTES = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
_LARGEST = 2**50
_PER = {"s": 1.0, "m": 60.0, "h": 3600.0}

_NUMBER = r"(\d{1,15}(?:\.\d{1,15})?)"
_DURATION_PART = re.compile(_NUMBER + r"\s*([a-z]+)\s*", re.ASCII)
_BARE = re.compile(_NUMBER, re.ASCII)
_RATE = re.compile(_NUMBER + r"\s*/\s*([a-z]+)", re.ASCII)
_SIZE = re.compile(_NUMBER + r"\s*([a-z]*)", re.ASCII | re.IGNORECASE)
_SHARE = re.compile(_NUMBER + r"\s*%", re.ASCII)

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
HOW_DURATION = "write a duration such as 500ms, 3s, 2m, 1h30m (a bare number is seconds)"
HOW_RATE = "write a rate such as 2/s, 10/m or 1/h"
HOW_SIZE = "write a size such as 512, 64KiB, 10MB"
HOW_SHARE = "write a share such as 10%, or a number from 0 to 1"


def shown(value: object) -> str:
    """A value as an error message quotes it: short, on one line, without control characters."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    text = text if len(text) <= 40 else text[:37] + "..."
    text = "".join(c if c.isprintable() else "?" for c in text)
    return f"'{text}'" if isinstance(value, str) else text


_EQUALLY: Final = 0.02
"""Words whose likeness to a wrong one differs by less are equally near."""


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, other, one).ratio()


def did_you_mean(wrong: object, known: Sequence[str]) -> str:
    """`did you mean 'x'?` when one of the known words is near, or several equally; else what is
    allowed."""
    folded = {word.lower(): word for word in known}
    small = str(wrong)[:60].lower()
    near = get_close_matches(small, folded, n=3, cutoff=0.6)
    if near:
        best = _likeness(small, near[0])
        meant = [f"'{folded[word]}'" for word in near if best - _likeness(small, word) < _EQUALLY]
        return f"did you mean {' or '.join(meant)}?"
    return "write one of: " + ", ".join(known) if known else "nothing is allowed here"


def _is_number(raw: object) -> bool:
    return isinstance(raw, int | float) and not isinstance(raw, bool)


def _bounded(number: float, high: float, raw: object, noun: str, how: str) -> float:
    if not 0 <= number <= high:  # NaN and integers beyond any float end here, too
        raise ValueError(f"{shown(raw)} is out of range for a {noun}; {how}")
    return float(number)


def parse_duration(raw: object) -> float:
    """`500ms`, `2m`, `1h30m`, `2 h 11 m 15 s`, `3` -> seconds, 0 to 366 days.

    Raises ValueError for anything else; units go from large to small, each at most once.
    """
    refusal = ValueError(f"{shown(raw)} is not a duration; {HOW_DURATION}")
    if _is_number(raw):
        return _bounded(raw, _LONGEST, raw, "duration", HOW_DURATION)  # type: ignore[arg-type]
    if not isinstance(raw, str) or len(raw) > 100:
        raise refusal
    text = raw.strip()
    if _BARE.fullmatch(text):
        return _bounded(float(text), _LONGEST, raw, "duration", HOW_DURATION)
    total, at, last = 0.0, 0, math.inf
    while at < len(text):
        part = _DURATION_PART.match(text, at)
        scale = _SECONDS.get(part[2]) if part else None
        if part is None or scale is None or scale >= last:
            raise refusal
        total += float(part[1]) * scale
        at, last = part.end(), scale
    if not text:
        raise refusal
    return _bounded(round(total, 9), _LONGEST, raw, "duration", HOW_DURATION)


def _trimmed(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_duration(seconds: float) -> str:
    """Seconds -> `3 s`, `500 ms`, `40.2 ms`, `2 m 5 s`, `2 h 11 m 15 s`; to the millisecond,
    below a second to the microsecond; negative ones with a leading minus."""
    if math.isinf(seconds) or math.isnan(seconds):
        return "never"
    if seconds < 0:
        return "-" + format_duration(-seconds)
    micros = round(seconds * 1e6)
    if micros == 0:
        return "0 s"
    if micros < 1000:
        return f"{micros} us"
    if micros < 1_000_000:
        return f"{_trimmed(micros / 1000, 3)} ms"
    millis = round(seconds * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        count, millis = divmod(millis, size)
        if count:
            parts.append(f"{count} {unit}")
    if millis or not parts:
        parts.append(f"{_trimmed(millis / 1000, 3)} s")
    return " ".join(parts)


def parse_rate(raw: object) -> float:
    """`2/s`, `10/m`, `1/h` -> events a second, above 0; a bare number is already a second's."""
    if _is_number(raw):
        number: float = raw  # type: ignore[assignment]
    else:
        match = _RATE.fullmatch(raw.strip()) if isinstance(raw, str) else None
        if match is None or match[2] not in _PER:
            raise ValueError(f"{shown(raw)} is not a rate; {HOW_RATE}")
        number = float(match[1]) / _PER[match[2]]
    if number == 0:
        raise ValueError(f"a rate of {shown(raw)} never happens; {HOW_RATE}")
    return _bounded(number, 1e6, raw, "rate", HOW_RATE)


def format_rate(per_second: float) -> str:
    """Events a second -> `2/s`, `10/m`, `1/h`: the first unit that shows at least one."""
    for unit, scale in _PER.items():
        if per_second * scale >= 1 or unit == "h":
            return f"{_trimmed(per_second * scale, 3)}/{unit}"
    raise AssertionError("the loop returns at the last unit")


def parse_size(raw: object) -> int:
    """`512`, `64KiB`, `10MB` -> bytes; kB, MB, GB are powers of 1000, KiB, MiB, GiB of 1024."""
    if _is_number(raw):
        number: float = raw  # type: ignore[assignment]
    else:
        match = _SIZE.fullmatch(raw.strip()) if isinstance(raw, str) else None
        if match is None or match[2].lower() not in _BYTES:
            raise ValueError(f"{shown(raw)} is not a size; {HOW_SIZE}")
        number = float(match[1]) * _BYTES[match[2].lower()]
    if isinstance(number, float) and math.isfinite(number) and not number.is_integer():
        raise ValueError(f"{shown(raw)} is not a whole number of bytes; {HOW_SIZE}")
    return int(_bounded(number, _LARGEST, raw, "size", HOW_SIZE))


def format_size(count: int) -> str:
    """Bytes -> `512 B`, `64 KiB`, `1.5 MiB`."""
    for unit, scale in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= scale:
            return f"{_trimmed(count / scale, 2)} {unit}"
    return f"{count} B"


def parse_share(raw: object) -> float:
    """`10%`, `0.1` -> a share of 1."""
    if _is_number(raw):
        return _bounded(raw, 1.0, raw, "share", HOW_SHARE)  # type: ignore[arg-type]
    match = _SHARE.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if match is None:
        raise ValueError(f"{shown(raw)} is not a share; {HOW_SHARE}")
    return _bounded(float(match[1]) / 100, 1.0, raw, "share", HOW_SHARE)


def parse_name(raw: object) -> str:
    """A name: begins with a letter or digit, then letters, digits, `.`, `_`, `-`; at most 64."""
    if isinstance(raw, str) and re.fullmatch(NAME_PATTERN, raw):
        return raw
    raise ValueError(
        f"{shown(raw)} is not a name; write 1 to 64 letters, digits, '.', '_' or '-', "
        "beginning with a letter or a digit"
    )


def parse_scalar(raw: object) -> str | int | float | bool:
    """Text, a number, true or false, as it is; no list, no mapping, no null."""
    if isinstance(raw, str | int | float):
        return raw
    raise ValueError(f"{shown(raw)} is not a plain value; write text or a number")


def format_share(share: float) -> str:
    """A share of 1 -> `10%`, `0.5%`."""
    return f"{_trimmed(share * 100, 3)}%"


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
SIZE = Written(
    parse_size,
    {
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*([kKmMgG]?[iI]?[bB])?\s*$"},
        ],
        "description": "a size in bytes: 512, 64KiB, 10MB",
    },
)
SHARE = Written(
    parse_share,
    {
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": 1},
            {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%\s*$"},
        ],
        "description": "a share: 10%, or a number from 0 to 1",
    },
)

Duration = Annotated[float, DURATION]
"""Seconds."""
Rate = Annotated[float, RATE]
"""Events a second."""
Size = Annotated[int, SIZE]
"""Bytes."""
Share = Annotated[float, SHARE]
"""A share of 1."""
Count = Annotated[int, whole(0, 10**6)]
"""0 or more."""
Positive = Annotated[int, whole(1, 10**6)]
"""1 or more."""
SCALAR = Written(parse_scalar, {"type": ["string", "number", "boolean"]})
Scalar = Annotated[str | int | float | bool, SCALAR]
"""A value that is passed on as it is."""
Name = Annotated[str, Written(parse_name, {"type": "string", "pattern": NAME_PATTERN})]
"""A name a person gives: letters, digits, `.`, `_`, `-`; safe in paths and reports."""
