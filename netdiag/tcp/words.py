"""Short strings as ints: seven bytes an int, upper case, so that a compiler can compare commands.

The rule: what does not fit is cut, and equality of what fits is enough to know a command by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 7  # bytes an int
KEPT: Final = 3 * WIDTH  # bytes of a word


UPPER: Final = tuple(byte - 32 if 97 <= byte <= 122 else byte for byte in range(256))


def word(data: Sequence[int], at: int, stop: int) -> int:
    """The int of up to seven bytes."""
    value = 0
    for index in range(at, stop):
        value = value << 8 | UPPER[data[index]]
    return value


def packed(text: str) -> tuple[int, int, int]:
    """The three ints of a word."""
    raw = text.upper().encode("latin-1", "replace")[:KEPT]
    first, second, third = (
        int.from_bytes(raw[at : at + WIDTH], "big") for at in range(0, KEPT, WIDTH)
    )
    return first, second, third


def unpacked(ints: Sequence[int]) -> str:
    """The text of a word; what is not ASCII is written as `?`."""
    raw = b"".join(int(value).to_bytes(WIDTH, "big").lstrip(b"\0") for value in ints)
    return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in raw)
