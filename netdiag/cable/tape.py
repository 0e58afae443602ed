"""tape.pcapng: interface 0 is the client's end of the cable, interface 1 the server's.

Turns frames into pcapng blocks and writes them once a batch, so that a crash loses nothing but the
batch under way. Times on the tape are wall-clock nanoseconds: CLOCK_MONOTONIC plus the run's one
recorded offset.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from netdiag.tcp.blocks import (
    INBOUND,
    OUTBOUND,
    interface_block,
    packet_block,
    section_header,
    statistics_block,
)

if TYPE_CHECKING:
    from pathlib import Path

_SNAPLEN = 262144


class Tape:
    """Numbers the packets as tshark does (from 1) and counts what each end received.

    Raises OSError from `flush` when the disk is full.
    """

    def __init__(self, path: Path, *, wall_offset: int, about: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._offset = wall_offset
        self._number = 0
        self._received = [0, 0]
        self._blocks = [
            section_header(about),
            interface_block("client", _SNAPLEN),
            interface_block("server", _SNAPLEN),
        ]
        self.flush()

    def arrived(self, side: int, t: int, frame: bytes, comment: str | None = None) -> int:
        """A frame that came in from a host; returns its number. A comment says why it was taken."""
        self._received[side] += 1
        return self._add(
            packet_block(side, t + self._offset, frame, comment=comment, flags=INBOUND)
        )

    def left(self, side: int, t: int, frame: bytes, comment: str | None = None) -> int:
        """A frame that was handed to a host; a comment says that the cable made it."""
        return self._add(
            packet_block(side, t + self._offset, frame, comment=comment, flags=OUTBOUND)
        )

    def _add(self, block: bytes) -> int:
        self._blocks.append(block)
        self._number += 1
        return self._number

    @property
    def next_number(self) -> int:
        """The number that the next packet will have."""
        return self._number + 1

    def flush(self) -> None:
        if not self._blocks:
            return
        data = memoryview(b"".join(self._blocks))
        self._blocks = []
        while data:
            data = data[os.write(self._fd, data) :]

    def close(self, t: int, dropped: tuple[int, int]) -> None:
        """Write the statistics of both interfaces (`dropped`: by the kernel, unseen by us) and
        close.
        """
        for side in (0, 1):
            self._blocks.append(
                statistics_block(side, t + self._offset, self._received[side], dropped[side])
            )
        self.flush()
        os.close(self._fd)
