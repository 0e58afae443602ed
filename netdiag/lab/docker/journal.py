"""What a run has changed on things that are not its own, and the lock that says it lives.

One file a run, `/run/netdiag/docker-RUN`: a line of JSON is written before each change, and the
lines are played backwards to undo them, by the run itself or, when it was killed, by whoever cleans
up. The rule it guards: a run lives as long as somebody holds the lock on its file; the kernel lets
go of it with the last of the run's processes. A lock on a file that has lost its name is none.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from netdiag.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOME: Final = Path("/run/netdiag")
_PREFIX: Final = "docker-"
Change: TypeAlias = "dict[str, str | int | list[str]]"
_ANEW: Final[Change] = {"undone": "all before"}


class Journal:
    """The journal of a living run, which holds its lock; make it with `begin` or `dead`."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.run = path.name.removeprefix(_PREFIX)
        self._fd = fd

    def note(self, change: Change) -> None:
        """Write down a change before it is made."""
        os.write(self._fd, json.dumps(change).encode() + b"\n")

    def changes(self) -> list[Change]:
        """Every change that is not undone, the latest first; a line that a crash cut was not
        carried out.
        """
        found: list[Change] = []
        for line in self.path.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError, RecursionError):
                row = json.loads(line)
                if row == _ANEW:
                    found = []
                elif isinstance(row, dict):
                    found.append(row)
        return found[::-1]

    def keep(self, left: Sequence[Change]) -> None:
        """Only these changes, the latest first, are not undone: forget the others."""
        if left:  # in one write, so that nothing is lost when we are killed
            rows = [_ANEW, *reversed(left)]
            os.write(self._fd, b"".join(json.dumps(row).encode() + b"\n" for row in rows))
        else:
            os.ftruncate(self._fd, 0)

    def end(self) -> None:
        """Let go of the run: it is forgotten, or left to whoever cleans up next when there is
        something to be undone.
        """
        with contextlib.suppress(FileNotFoundError):
            if not self.changes():
                self.path.unlink()
        self.leave()

    def leave(self) -> None:
        """Let go of the run, and leave it to whoever cleans up next."""
        os.close(self._fd)


def begin(home: Path = HOME) -> Journal:
    """A journal for a new run. Raises LabError when it cannot be kept."""
    while True:
        path = home / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(3)}"
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC,
                         0o600)
        except OSError as err:
            raise LabError(
                f"the Docker lab cannot keep its journal in {home} ({err.strerror}); run it as root"
            ) from err
        fcntl.flock(fd, fcntl.LOCK_EX)
        if _named(path, fd):
            return Journal(path, fd)
        os.close(fd)  # who cleans up found it before it was locked, and took it for a dead run's


def _named(path: Path, fd: int) -> bool:
    """Whether the open file is (still) the one at this path."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), path.stat())
    return False


def dead(home: Path = HOME) -> Iterator[Journal]:
    """The journals of runs that live no more, each locked so that nobody else undoes it too."""
    for path in sorted(home.glob(f"{_PREFIX}*")):
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                continue
            if _named(path, fd):  # else its owner has just undone everything
                yield Journal(path, fd)
            else:
                os.close(fd)


def known(home: Path = HOME) -> frozenset[str]:
    """The runs that have a journal."""
    return frozenset(path.name.removeprefix(_PREFIX) for path in home.glob(f"{_PREFIX}*"))
