"""Keeping guests where no namespace is to be had: two processes, one of which tidies up at the end.

Turns a function that keeps guests into one whose end, however it comes, takes all its guests along.
User-Mode Linux traces its processes; when it is killed, they go on by themselves, spinning. Here
they become children of the nearest subreaper (prctl(2), PR_SET_CHILD_SUBREAPER), which ends them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from netdiag.process import adopt_orphans, call_oneself

if TYPE_CHECKING:
    from collections.abc import Callable


def watched(keep: Callable[[], int]) -> int:
    """Run `keep` in a child, and when it has ended, end whatever it left; returns its exit code.

    `keep` must end by itself when the front does, for we may be killed then: it is not, as it
    does not die with us.
    """
    adopt_orphans()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            call_oneself("netdiag-keeper")
            adopt_orphans()
            code = keep()
        except BaseException:  # noqa: BLE001 - the child's last word, whatever went wrong
            traceback.print_exc()
        finally:
            end_children()
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    end_children()
    return os.waitstatus_to_exitcode(status)


def end_children() -> None:
    """Kill and reap every child of ours, and those that become ours by that, until there is none.

    A child cannot be taken for another one, as we have not reaped it.
    """
    while True:
        for pid in children(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def children(pid: int) -> list[int]:
    """The children of a process, those that have ended included; none where /proc tells nothing."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            _, _, rest = stat.read_text(encoding="utf-8", errors="replace").rpartition(") ")
            if int(rest.split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found
