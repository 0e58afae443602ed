"""The client's own words -> events, whatever it says.

Lines that keep the contract of `netdiag.clients` become events of the client's lane with the
client's own time; anything else becomes a `garbage` event, cut and escaped. Nothing a client writes
can disturb a cell.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from netdiag.event_data import CLIENTS_WORDS
from netdiag.recording import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdiag.run.recorder import Recorder

_WORDS = tuple(CLIENTS_WORDS)  # a word may be anything, also what cannot be hashed
_LONGEST_LINE = 65536
_SHOWN = 200
_GARBAGE_KEPT = 20
_HEAD_START = 1_000_000_000  # ns that the client may have run before anybody listened


class ClientVoice:
    """Reads the events pipe of one client; `heard` is told each word that keeps the contract."""

    def __init__(self, fd: int, recorder: Recorder, heard: Callable[[str], None]) -> None:
        self._fd = fd
        self._recorder = recorder
        self._heard = heard
        self._rest = b""
        self._began = time.monotonic_ns() - _HEAD_START
        self._garbage = 0

    def ready(self) -> bool:
        """Take what is there; false when the client has closed its end."""
        data = os.read(self._fd, _LONGEST_LINE)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE or (not data and self._rest):
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._line(line)
        return bool(data)

    def last_words(self) -> None:
        """The client has ended: take all that is still in the pipe."""
        os.set_blocking(self._fd, False)
        try:
            while self.ready():
                pass
        except BlockingIOError:
            return

    def _line(self, line: bytes) -> None:
        now = time.monotonic_ns()
        try:
            row = json.loads(line, parse_constant=_refuse)
            why = _against_the_contract(row)
        except (ValueError, RecursionError):
            why = "no JSON"
        if why:
            self._not_understood(line, why)
            return
        # a clock that is not CLOCK_MONOTONIC shows as a time before the start or in the future
        t = row.get("t", now)
        t = t if self._began <= t <= now else now
        what = row["what"]
        try:
            self._recorder.record("client.app", what, row["outcome"], row.get("data", {}), t=t)
        except RecursionError:  # it could just be read, and cannot be written
            self._not_understood(line, "data lies too deep")
            return
        self._heard(what)

    def _not_understood(self, line: bytes, why: str) -> None:
        self._garbage += 1
        if self._garbage <= _GARBAGE_KEPT:
            text = ascii(line[:_SHOWN])[2:-1]
            self._recorder.note("client.app", "garbage", "fail", text=text, why=why)


def _against_the_contract(row: object) -> str:
    """What is wrong with a line's value; empty when it keeps the contract."""
    if not isinstance(row, dict):
        return "no JSON object"
    wrong = (
        (row.get("what") not in _WORDS, "`what` is no word of the contract"),
        (row.get("outcome") not in OUTCOMES, "`outcome` is none of start, ok, fail, info"),
        (not isinstance(row.get("data", {}), dict), "`data` is no object"),
        (not isinstance(row.get("t", 0), int), "`t` is no whole number"),
    )
    return next((why for is_wrong, why in wrong if is_wrong), "")


def _refuse(constant: str) -> None:
    """NaN and Infinity: Python writes and reads them, JSON has none."""
    raise ValueError(constant)
