"""What a program that has ended printed last, in a sentence that is safe for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.process import Stranger, how_it_ended

if TYPE_CHECKING:
    from pathlib import Path

    from netdiag.process import Child


def server_ended(server: Child, log: Path) -> str:
    """A sentence for a server that is not there any more: how it ended and what it said last."""
    if isinstance(server, Stranger):  # its log is its container's, and is kept at the end
        how = how_it_ended(server.wait())
        return f"the server's container ended ({how}); see logs/{server.name}-1.log"
    said = last_line(log)
    last = f": {said}" if said else " and said nothing"
    return f"the server ended ({how_it_ended(server.wait())}){last}; see logs/server.log"


def last_line(path: Path) -> str:
    """The last line that a program printed, safe for a terminal; empty when there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 4096))
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    last = lines[-1] if lines else ""
    return "".join(c if c.isprintable() else " " for c in last)[:300]
