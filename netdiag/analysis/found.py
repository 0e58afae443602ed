"""A cell's tape -> what the rules for captures find on it, at each of its ends.

The same as `netdiag analyse tape.pcapng` says. The rule this file guards: an end's capture holds
what that host sent and what was handed to it, so what one end proves the other may not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.analysis.findings import find
from netdiag.errors import RecordingError
from netdiag.tcp.engine import analyse_capture

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdiag.scenario.expectation import Expectation

ENDS: Final = ("client", "server")


def found(tape: Path, expected: Sequence[Expectation]) -> Mapping[str, tuple[str, ...]] | None:
    """End -> the names of the rules that speak there, in the order of their harm; None when the
    tape cannot be read, or nobody expects a finding: reading it once more takes its time.
    """
    if not any(one.kind == "finding" for one in expected):
        return None
    try:
        ends = {end: analyse_capture(tape, interface=number) for number, end in enumerate(ENDS)}
    except RecordingError:
        return None
    return {
        end: tuple(dict.fromkeys(one.rule for one in find(facts))) for end, facts in ends.items()
    }
