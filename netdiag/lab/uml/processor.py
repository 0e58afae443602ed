"""What a guest on a virtual clock says of its processor: all but that its counter keeps time.

The time stamp counter (TSC) is the machine's own and runs in real time, whatever the guest's clock
does. A program that finds `constant_tsc` among the flags may take it for a clock, as Valkey before
9.2 does, and then waits by a clock that stands almost still, and never twice alike. The rule this
file guards: where the clock is virtual, no program is told of another one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from netdiag.process import MS_BIND, mount

_COUNTERS: Final = re.compile(r" \w*tsc\w*")
_TOLD: Final = "/proc/cpuinfo"


def without_counters(cpuinfo: str) -> str:
    """/proc/cpuinfo without the flags of the time stamp counter."""
    return "".join(
        _COUNTERS.sub("", line) if line.startswith("flags") else line
        for line in cpuinfo.splitlines(keepends=True)
    )


def hide_counters(place: Path) -> None:
    """Cover this mount namespace's /proc/cpuinfo by one that tells of no counter.

    `place` is a directory where a small file can be left. Raises OSError.
    """
    told = place / "cpuinfo"
    told.write_text(without_counters(Path(_TOLD).read_text(encoding="ascii")), encoding="ascii")
    mount(str(told), _TOLD, "", MS_BIND)
