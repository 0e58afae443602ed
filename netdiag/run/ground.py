"""Where a cell's hosts stand: how the cell's process is made, and where its labs come from.

The runner knows only this; a sandbox has one ground for all its cells.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from netdiag.lab.namespaces import namespace_labs
from netdiag.process import (
    CLONE_NEWNS,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    Child,
    fork_apart,
    mount,
    unshare,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from netdiag.lab import Lab
    from netdiag.recording import CellFiles
    from netdiag.scenario import Cell


class Ground(Protocol):
    """What the runner needs of the place where cells run."""

    name: str
    """What the recording calls it."""
    apart: bool
    """Whether hosts have programs of their own, so that nothing of ours is imported for them."""

    def fork(self, main: Callable[[], int], name: str) -> Child:
        """Fork a cell's process, whose programs all end with it. Raises OSError."""
        ...

    def labs(self, cell: Cell, files: CellFiles) -> AbstractContextManager[Sequence[Lab]]:
        """In that process: the cell's labs, one for each client. Raises LabError."""
        ...


class Namespaces:
    """Hosts are network namespaces of this kernel; the cell is pid 1 of a pid namespace."""

    name = "namespaces"
    apart = False

    def fork(self, main: Callable[[], int], name: str) -> Child:
        return fork_apart(main, name)

    @contextmanager
    def labs(self, cell: Cell, files: CellFiles) -> Iterator[Sequence[Lab]]:
        unshare(CLONE_NEWNS)
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        count = len(cell.clients)
        with namespace_labs(family=cell.lab.ip, clients=count, sysctls=sysctls(cell)) as labs:
            yield labs


def sysctls(cell: Cell) -> dict[str, dict[str, str]]:
    """The cell's sysctls by host, as text for /proc/sys."""
    return {
        host: {key: str(value) for key, value in values.items()}
        for host, values in cell.hosts.items()
    }
