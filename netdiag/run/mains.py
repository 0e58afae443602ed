"""What a forked child does before it is the program: its process group, its limits, its output.

Each turns the `main` of a child (see `process.fork`) into another one.
"""

from __future__ import annotations

import os
import resource
import signal
from typing import TYPE_CHECKING

from netdiag.process import CANNOT_RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LONGEST_LOG = 64 << 20


def in_own_group(main: Callable[[], int]) -> Callable[[], int]:
    """The same as the leader of a process group, so that a fault reaches all that it starts."""

    def leading() -> int:
        os.setpgid(0, 0)
        return main()

    return leading


def with_a_limit(main: Callable[[], int]) -> Callable[[], int]:
    """The same with a limit on what it can write to a file: a client that babbles fills no disk."""

    def limited() -> int:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # its write fails then, and it lives on
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        if most == resource.RLIM_INFINITY or most > _LONGEST_LOG:
            resource.setrlimit(resource.RLIMIT_FSIZE, (_LONGEST_LOG, most))
        return main()

    return limited


def printing_to(words: Sequence[str], said: int, errors: int) -> Callable[[], int]:
    """Run a program for what it prints on standard output."""

    def main() -> int:
        os.dup2(said, 1)
        os.dup2(errors, 2)
        try:
            os.execvpe(words[0], list(words), dict(os.environ))  # noqa: S606 - no shell is meant
        except OSError:
            return CANNOT_RUN

    return main
