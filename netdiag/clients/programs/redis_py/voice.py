"""What a client does -> lines of the contract, each written at once."""

from __future__ import annotations

import json
import os
import time


class Voice:
    """Says what happens, one line of JSON a write."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def say(self, what: str, outcome: str = "info", **data: object) -> None:
        """One word of the contract, now."""
        row = {"t": time.monotonic_ns(), "what": what, "outcome": outcome, "data": data}
        os.write(self._fd, json.dumps(row).encode() + b"\n")


def describe(error: BaseException) -> dict[str, object]:
    """Type, errno and message of an error; the errno may sit on the error that caused it."""
    number: int | None = None
    link: BaseException | None = error
    while link is not None and number is None:
        number = getattr(link, "errno", None)
        link = link.__cause__ or link.__context__
    return {"type": type(error).__name__, "errno": number, "message": str(error)}


def text(value: object) -> str:
    """A message's name, whatever its bytes are."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
