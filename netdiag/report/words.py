"""Measured numbers and text from outside -> words that are safe and short enough for any report.

The rule this file guards: whatever a program under test said, `plain` is the only way of its text
into a view, and after it no character of it can move a cursor, switch a colour or turn a line.
"""

from __future__ import annotations

import errno
import math
from typing import Final

_ENDLESS: Final = 366 * 86400.0 * 100
_BLANKS: Final = frozenset("\t\n\r\v\f\u0085\u2028\u2029")


def plain(text: object) -> str:
    """Text on one line: blanks become spaces, every other unprintable character its escape.

    Escape sequences, control characters, bidi overrides, lone surrogates and zero-width joiners are
    all unprintable in the Unicode database; letters of any script and emoji stay as they are.
    """
    raw = str(text)
    if raw.isprintable():
        return raw
    return "".join(_shown(character) for character in raw)


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if character in _BLANKS or character.isspace():
        return " "
    return (
        character.encode("ascii", "backslashreplace").decode()
        if ord(character) > 0x7F
        else (f"\\x{ord(character):02x}")
    )


def ascii_only(text: str) -> str:
    """The same for a console that knows only ASCII: other characters become their escapes."""
    return text if text.isascii() else text.encode("ascii", "backslashreplace").decode()


def span(seconds: float) -> str:
    """A measured length: `0.4 ms`, `12 ms`, `3.21 s`, `2 m 5.3 s`, `2 h 11 m 15 s`, `7 d 3 h`."""
    if math.isnan(seconds) or abs(seconds) > _ENDLESS:
        return "for ever"
    if seconds <= -0.00005:
        return "-" + span(-seconds)
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f} ms" if seconds >= 0.00005 else "0 s"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 119.995:
        return f"{seconds:.2f} s"
    return _long(seconds)


def _long(seconds: float) -> str:
    if seconds < 3599.95:
        minutes, tenths = divmod(round(seconds * 10), 600)
        return f"{minutes} m {tenths / 10:.1f} s"
    hours, rest = divmod(round(seconds), 3600)
    if hours < 48:
        return f"{hours} h {rest // 60} m {rest % 60} s"
    return f"{hours // 24} d {hours % 24} h"


def moment(t: float) -> str:
    """A time relative to the cell's origin: `+3.21 s`, `+12 ms`, `-64 ms`, `0 s`."""
    text = span(t)
    return text if text == "0 s" or text.startswith("-") or text == "for ever" else f"+{text}"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 message`, `2 messages`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def errno_name(number: int | None) -> str:
    """`ETIMEDOUT` for 110; the number itself when it has no name; empty for none."""
    return "" if number is None else errno.errorcode.get(number, f"errno {number}")


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
