"""Orders to a cable, in their order, however many come at once.

The rule this file guards: a client that talks faster than its cable listens is slowed, and never
costs the cell anything. What the cable's socket has no room for waits here, and the client's pipe
is not read while much waits.
"""

from __future__ import annotations

import json
import time
from collections import deque
from typing import TYPE_CHECKING

from netdiag.units import MILLISECOND

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from netdiag.run.loop import Loop

_MUCH = 256


class Orders:
    """A queue in front of a SOCK_SEQPACKET socket that does not block."""

    def __init__(self, control: socket.socket, loop: Loop) -> None:
        self._control = control
        self._loop = loop
        self._waiting: deque[bytes] = deque()
        self._relieved: list[Callable[[], None]] = []

    def give(self, order: Mapping[str, object]) -> None:
        """Send an order after all before it; to a cable that has ended, nothing."""
        self._waiting.append(json.dumps(order).encode())
        if len(self._waiting) == 1:
            self._send()

    @property
    def crowded(self) -> bool:
        """Whether whoever gives orders should wait."""
        return len(self._waiting) > _MUCH

    def when_relieved(self, call: Callable[[], None]) -> None:
        """Call once, when nothing waits any more."""
        self._relieved.append(call)

    def _send(self) -> None:
        while self._waiting:
            try:
                self._control.send(self._waiting[0])
            except BlockingIOError:
                self._loop.at(time.monotonic_ns() + MILLISECOND, self._send)
                return
            except ConnectionError:  # it has ended, and its pidfd is going to say how
                self._waiting.clear()
                break
            self._waiting.popleft()
        relieved, self._relieved = self._relieved, []
        for call in relieved:
            call()
