"""The end of whatever a run has left: its changes undone, its containers, networks, volumes gone.

Runs are known by label and by journal. One whose lock is held lives and is left alone; every other
one was killed, and whoever comes next cleans up after it. The rule it guards: nothing without our
label is removed, and nothing that is not in a journal is changed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError
from netdiag.lab.docker import RUN_LABEL
from netdiag.lab.docker.journal import HOME, Journal, dead, known
from netdiag.lab.docker.undoing import play_back

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netdiag.lab.docker.engine import Engine


_ATTEMPTS: Final = 5
_ON_ITS_WAY: Final = 0.5  # s


@dataclass(frozen=True)
class Reaped:
    """What was cleaned up after one run: objects removed, changes undone, and a sentence for each
    change that could not be.
    """

    run: str
    removed: int
    undone: int
    refused: tuple[str, ...] = ()


def end(journal: Journal, engine: Engine, *, killed: bool = False) -> Reaped:
    """End a run: undo its changes, remove its objects, forget it unless a change could not be
    undone. `killed`: just now. Raises LabError when something stays: it is left to the next.
    """
    undone = play_back(journal, engine)
    try:
        removed = _remove(engine, f"{RUN_LABEL}={journal.run}", killed=killed)
    except LabError:
        journal.leave()
        raise
    journal.end()
    return Reaped(journal.run, removed, undone.count, undone.refused)


def _remove(engine: Engine, label: str, *, killed: bool = False) -> int:
    """Remove what has this label, until nothing has. What a busy engine would not let go is tried
    again, and what a `killed` run asked of it last may still be on its way. Raises LabError when
    something stays.
    """
    gone, refused = 0, None
    for attempt in range(_ATTEMPTS):
        try:
            found = engine.remove(label)
        except LabError as err:
            refused = err
            time.sleep(_ON_ITS_WAY)
            continue
        gone, refused = gone + found, None
        if not found and not (killed and attempt == 0):
            break
        if killed:
            time.sleep(_ON_ITS_WAY)
    if refused is not None:
        raise refused
    return gone


def reap(engine: Engine, home: Path = HOME) -> tuple[Reaped, ...]:
    """Clean up after every run that lives no more; one that cannot be cleaned up keeps none of the
    others, nor a new run, and is left to the next.
    """
    found = [_told(journal.run, partial(end, journal, engine)) for journal in dead(home)]
    for run in sorted(engine.label_values(RUN_LABEL) - known(home)):
        found.append(_told(run, partial(_left_by, run, engine)))
    return tuple(found)


def _left_by(run: str, engine: Engine) -> Reaped:
    return Reaped(run, _remove(engine, f"{RUN_LABEL}={run}"), 0)


def _told(run: str, clean: Callable[[], Reaped]) -> Reaped:
    """What was cleaned up, or why it could not be."""
    try:
        return clean()
    except LabError as err:
        return Reaped(run, 0, 0, (f"what run {run} has left is still there: {err}",))
