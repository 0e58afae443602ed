"""What a run changes on a stack that is not its own, and how each change is undone.

`Undoing.before` writes a change to the journal before it is made; `undo` plays one backwards. On a
stack that the run brought up itself nothing is written down: it is removed as a whole. The rule it
guards: a change is undone only where it was made. A namespace or a link that has been replaced
since (the container was started again) is left alone. What could not be undone, though what it was
made on is there, stays in the journal for the next try.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netdiag.errors import LabError
from netdiag.lab.docker.engine import GoneError
from netdiag.lab.links import enslave, interface_at, remember, unplug
from netdiag.lab.offload import switch_on
from netdiag.process import inside_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from netdiag.lab.docker.container import Inside
    from netdiag.lab.docker.engine import Engine
    from netdiag.lab.docker.journal import Change, Journal


_NO_LINK: Final = (errno.ENODEV, errno.ENXIO)
_KINDS: Final[dict[str, type]] = {
    "pid": int, "space": int, "index": int, "bridge": int, "interface": str, "name": str,
    "address": str, "mac": str, "key": str, "value": str, "container": str, "network": str,
    "on": list, "aliases": list,
}  # fmt: skip
_ABOUT: Final = ("container", "network", "pid", "interface", "name", "address", "key")


class Undoing:
    """Keeps the journal of a run's changes; `journal` is None where there is nothing to keep."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal

    def before(self, undo: str, inside: Inside | None, **about: str | int | list[str]) -> None:
        """Write down that something is about to change; `inside` says in whose namespaces."""
        if self._journal is None:
            return
        where: Change = {} if inside is None else {"pid": inside.pid, "space": inside.space}
        self._journal.note({"undo": undo, **where, **about})


@dataclass(frozen=True)
class Undone:
    """How many changes were undone, and a sentence for each that could not be."""

    count: int
    refused: tuple[str, ...] = ()


def play_back(journal: Journal, engine: Engine) -> Undone:
    """Undo every change of a journal, the latest first; what cannot be undone is kept there, and
    keeps nothing else from being undone.
    """
    count, left, refused = 0, [], []
    changes = journal.changes()
    for change in changes:
        try:
            count += _undo(change, engine)
        except (OSError, LabError) as err:
            left.append(change)
            what = f"{_in_words(change)} of run {journal.run} could not be undone"
            refused.append(f"{what}: {getattr(err, 'strerror', None) or err}")
    if len(left) < len(changes):
        journal.keep(left)
    return Undone(count, tuple(refused))


def _undo(change: Change, engine: Engine) -> bool:
    """Undo one change; False when what it was made on has gone. Raises OSError, LabError."""
    undo = UNDO.get(str(change.get("undo")))
    if undo is None:
        raise LabError("this netdiag does not know such a change")
    damaged = [name for name, kind in _KINDS.items() if type(change.get(name, kind())) is not kind]
    if damaged:
        raise LabError(f"its line in the journal is damaged at {', '.join(map(repr, damaged))}")
    try:
        undo(change, engine)
    except (GoneError, FileNotFoundError, ProcessLookupError):
        return False
    except OSError as err:
        if err.errno in _NO_LINK:
            return False
        raise
    except KeyError as err:
        raise LabError(f"its line in the journal lacks {err}") from err
    return True


def _in_words(change: Change) -> str:
    """`the change undone by "join" (container 3f2a..., network bench)`."""
    about = ", ".join(f"{key} {change[key]!a}" for key in _ABOUT if key in change)
    return f"the change undone by {change.get('undo')!a} ({about})"


@contextlib.contextmanager
def _there(change: Mapping[str, Any]) -> Iterator[int]:
    """The network namespace in which the change was made. Raises OSError when it has gone."""
    space = os.open(f"/proc/{change['pid']}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.fstat(space).st_ino != change["space"]:
            raise ProcessLookupError
        yield space
    finally:
        os.close(space)


def _offload(change: Mapping[str, Any], _: Engine) -> None:
    with _there(change) as space, inside_network(space):
        switch_on(change["interface"], change["on"])


def _offload_here(change: Mapping[str, Any], _: Engine) -> None:
    switch_on(change["interface"], change["on"])


def _plug(change: Mapping[str, Any], _: Engine) -> None:
    unplug(change["name"])


def _bridge(change: Mapping[str, Any], _: Engine) -> None:
    link = interface_at(change["index"])
    if link is not None and link.name == change["name"] and not link.master:
        enslave(link.index, change["bridge"])


def _neighbour(change: Mapping[str, Any], _: Engine) -> None:
    with _there(change) as space:
        remember(space, change["interface"], (change["address"], change["mac"]), always=False)


def _sysctl(change: Mapping[str, Any], _: Engine) -> None:
    with _there(change) as space, inside_network(space):
        Path("/proc/sys", *change["key"].split(".")).write_text(change["value"], encoding="utf-8")


def _unpause(change: Mapping[str, Any], engine: Engine) -> None:
    container = engine.inspect(change["container"])
    if container.state == "paused":
        engine.unpause(container)


def _start(change: Mapping[str, Any], engine: Engine) -> None:
    container = engine.inspect(change["container"])
    if not container.running:
        engine.start(container)


def _join(change: Mapping[str, Any], engine: Engine) -> None:
    container = engine.inspect(change["container"])
    if change["network"] not in container.networks:
        engine.join(container, change["network"], change["aliases"])


UNDO: dict[str, Callable[[Mapping[str, Any], Engine], None]] = {
    "offload": _offload,
    "offload_here": _offload_here,
    "bridge": _bridge,
    "plug": _plug,
    "neighbour": _neighbour,
    "sysctl": _sysctl,
    "unpause": _unpause,
    "start": _start,
    "join": _join,
}
