"""A source's bytes -> a window that moves over them, so that memory does not grow with the file.

The rule: what has been used is dropped only when more is asked for, and a record that does not
fit makes the window wider, up to what the formats allow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from netdiag.tcp.source import Source

LEAST: Final = 1 << 18  # bytes: they stay in the processor's cache
SMALL: Final = 1 << 22  # what is read at first, so that small captures are known as such


class Window:
    """Bytes `0..size` of `data` are those of the file from `base` on."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.data = bytearray(LEAST)
        self.size = 0
        self.base = 0  # offset in the file, decompressed
        self.ended = False
        self._target = SMALL

    def more(self, used: int, wanted: int = 0) -> bool:
        """Drop the first `used` bytes and read on; False when there is nothing more to read.

        `wanted` is how many bytes the next record needs, when that is known.
        """
        rest = self.size - used
        if used:
            self.data[:rest] = self.data[used : self.size]
            self.base += used
            self.size = rest
        before = self.size
        target = max(self._target, wanted)
        self._target = LEAST
        if target > len(self.data):
            self.data = self.data + bytes(target - len(self.data))
        while self.size < target and not self.ended:
            got = self.source.read_into(memoryview(self.data)[self.size :])
            self.size += got
            self.ended = not got
        return self.size > before
