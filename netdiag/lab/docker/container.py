"""A running container from within: its namespaces held by descriptors, and programs started there.

A program that netdiag starts lives in all of the container's namespaces and in its control groups,
as one that `docker exec` starts, but it is our child: it has our pipes, a pidfd, and dies with us.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError
from netdiag.process import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUTS,
    Child,
    Stranger,
    die_with_parent,
    fork_into,
    setns,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from netdiag.lab.docker.described import Container
    from netdiag.lab.docker.engine import Engine

# the file system comes last: what is opened before it, is opened in ours
_KINDS: Final = {
    "ipc": CLONE_NEWIPC,
    "uts": CLONE_NEWUTS,
    "net": CLONE_NEWNET,
    "cgroup": CLONE_NEWCGROUP,
    "mnt": CLONE_NEWNS,
}
_TOLD: Final = 2.0  # s
_LOOK_AGAIN: Final = 0.005  # s
_CGROUPS: Final = Path("/sys/fs/cgroup")


class Inside:
    """The namespaces of a running container, held until `undo` ends. Raises LabError when it does
    not run.

    `network` is its network namespace's descriptor, `space` that namespace's inode number.
    """

    def __init__(self, container: Container, undo: ExitStack) -> None:
        self.name = container.name
        self._undo = undo
        self.renew(container)

    def renew(self, container: Container) -> None:
        """Hold the namespaces that the container has now. Raises LabError when it does not run."""
        self.container = container
        self.pid = container.pid
        self._spaces = _hold(container, self._undo)
        self.network = self._spaces["net"]
        self.space = os.fstat(self.network).st_ino

    def start(self, main: Callable[[], int], name: str) -> Child:
        """Fork a child in the container; `main` usually ends in an exec."""

        def within() -> int:
            self._become_one_of_them()
            return main()

        return fork_into(self._spaces["pid"], within, name)

    def resident(self, engine: Engine) -> Stranger:
        """The container's own first process."""

        pid, container = self.pid, self.container

        def code() -> int:
            limit = time.monotonic() + _TOLD
            while True:  # the engine hears of the end a little later than our pidfd
                told = engine.inspect(container.id)
                if not told.running or told.pid != pid or time.monotonic() > limit:
                    return told.exit_code
                time.sleep(_LOOK_AGAIN)

        return Stranger(pid, os.pidfd_open(pid), container.service, code=code)

    def _become_one_of_them(self) -> None:
        """Take the container's control groups, namespaces, directory, environment and user."""
        user = _user(self.pid)
        _join_control_groups(self.pid)
        for kind, flag in _KINDS.items():
            setns(self._spaces[kind], flag)
        os.chdir(self.container.directory)
        pairs = (one.partition("=") for one in self.container.environment)
        os.environ.clear()
        os.environ.update({name: value for name, _, value in pairs})
        if user != (0, 0):
            os.setgroups([])
            os.setgid(user[1])
            os.setuid(user[0])
            die_with_parent()  # a change of credentials has taken it back


def _hold(container: Container, undo: ExitStack) -> dict[str, int]:
    spaces: dict[str, int] = {}
    for kind in (*_KINDS, "pid"):
        try:
            fd = os.open(f"/proc/{container.pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as err:
            if kind == "cgroup" and container.pid:
                continue
            log = f"logs/{container.service}-{container.number}.log"
            raise LabError(
                f"the service {container.service!a} does not run (it is {container.state}, exit "
                f"code {container.exit_code}); see {log} of the cell"
            ) from err
        undo.callback(os.close, fd)
        spaces[kind] = fd
    return spaces


def _user(pid: int) -> tuple[int, int]:
    """User and group of a process; proc(5), status."""
    rows = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    told = dict(row.split(":", 1) for row in rows if ":" in row)
    return int(told["Uid"].split()[0]), int(told["Gid"].split()[0])


def _join_control_groups(pid: int) -> None:
    """Move ourselves to a process's control groups, of either version; cgroups(7)."""
    for row in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines():
        number, controllers, path = row.split(":", 2)
        below = controllers.removeprefix("name=") if number != "0" else ""
        with contextlib.suppress(OSError):  # a hierarchy that is not mounted freezes nobody
            procs = _CGROUPS / below / path.lstrip("/") / "cgroup.procs"
            procs.write_text("0", encoding="ascii")
