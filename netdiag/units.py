"""Durations, rates and sizes: as people write them -> plain numbers -> as people read them.

The rule this file guards: a value is parsed once, at the edge, and is a number in SI units ever
after (seconds, events a second, bytes). Every refusal is a ValueError of one
sentence that says what is wrong and what would be right.

How the fields of a scenario say that they are written so: written.py.
"""

from __future__ import annotations

import math
import re
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

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

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
HOW_DURATION = "write a duration such as 500ms, 3s, 2m, 1h30m (a bare number is seconds)"
HOW_RATE = "write a rate such as 2/s, 10/m or 1/h"
HOW_SIZE = "write a size such as 512, 64KiB, 10MB"


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


def ordinal(nth: int) -> str:
    """`1st`, `2nd`, `11th`."""
    if nth % 100 in (11, 12, 13):
        return f"{nth}th"
    return f"{nth}" + {1: "st", 2: "nd", 3: "rd"}.get(nth % 10, "th")


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
