"""A file that grows -> its new lines, each once and whole.

The rule this file guards: following a run costs what is new in it, never what is already known.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_AT_ONCE: Final = 1 << 22
_LONGEST: Final = 1 << 20


class Tail:
    """The lines of one growing file. A file that is not there yet, or not readable, has none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._half = b""

    def lines(self) -> list[bytes]:
        """The lines that were completed since the last call; a half line waits for its end.

        A line longer than a megabyte is no event of ours: it is dropped.
        """
        block = self._read()
        if not block:
            return []
        *whole, self._half = (self._half + block).split(b"\n")
        if len(self._half) > _LONGEST:
            self._half = b"?"
        return whole

    def _read(self) -> bytes:
        try:
            if self._path.stat().st_size <= self._offset:
                return b""
            with self._path.open("rb", buffering=0) as file:
                file.seek(self._offset, os.SEEK_SET)
                block = file.read(_AT_ONCE)
        except OSError:
            return b""
        self._offset += len(block)
        return block
