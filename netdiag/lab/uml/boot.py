"""A kernel and an init -> the command line and the surroundings of a guest.

The rule it guards: a guest writes nothing of its own to the machine. Its memory is a file without a
name, its root is read-only, and the directory in which User-Mode Linux would keep its pid is one in
which nothing can be made. Source: arch/um/os-Linux/{umid,mem}.c, Documentation/virt/uml.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netdiag.lab.uml.kernels import Kernel

WALL_START: Final = 1_767_225_600
"""When a virtual clock starts: 2026-01-01T00:00:00Z, in seconds. Always the same, so that timers
that are rounded to the tick are rounded the same way twice."""

_NOWHERE: Final = "/proc/self/"
_MEBIBYTE: Final = 1 << 20


def command(
    kernel: Kernel, program: Iterable[str], *, virtual: bool, memory: int = 1024
) -> list[str]:
    """The guest's command line; `program` is its init with arguments, `memory` is in MiB.

    Raises LabError for a word that a kernel's command line cannot carry.
    """
    init, *arguments = [_quoted(word) for word in program]
    clock = (
        ["time-travel=inf-cpu", f"time-travel-start={WALL_START * 1_000_000_000}"]
        if virtual
        else []
    )
    return [
        str(kernel.path),
        f"mem={memory}M",
        "root=/dev/root",
        "rootfstype=hostfs",
        "rootflags=/",
        "ro",
        f"uml_dir={_NOWHERE}",
        "con=null",
        "con0=fd:0,fd:1",
        "quiet",
        "loglevel=1",
        "panic=-1",
        "PYTHONHASHSEED=0",
        *_packages(),
        *clock,
        f"init={init}",
        "--",
        *arguments,
    ]


def _packages(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Where this interpreter was told to find packages, for the guest's, whose directory is /."""
    told = [str(Path(one).absolute()) for one in environ.get("PYTHONPATH", "").split(":") if one]
    return [_quoted(f"PYTHONPATH={':'.join(told)}")] if told else []


def python(script: Path, *arguments: str) -> list[str]:
    """This interpreter running that script, and nothing of the directory where the script lies."""
    return [sys.executable, "-P", str(script), *arguments]


def _quoted(word: str) -> str:
    if '"' in word or any(ord(c) < 32 for c in word):
        raise LabError(
            f"the guest's kernel cannot be told {word!a} on its command line (a quotation mark or "
            "a control character); use another path"
        )
    return f'"{word}"' if " " in word else word


def surroundings(memory: int = 1024) -> dict[str, str]:
    """The environment of the guest's own process: ours, and where its memory is.

    `memory` in MiB. Raises LabError when no directory has room for it.
    """
    return {"HOME": "/", **os.environ, "TMPDIR": str(_room(memory))}


def _room(memory: int, environ: Mapping[str, str] = os.environ) -> Path:
    """A directory for the memory's file: writable, executable, with room; best one in memory."""
    places = ["/dev/shm", environ.get("TMPDIR", ""), "/tmp", "/var/tmp", str(Path.cwd())]  # noqa: S108
    for place in filter(None, places):
        try:
            about = os.statvfs(place)
        except OSError:
            continue
        if about.f_flag & (os.ST_NOEXEC | os.ST_RDONLY) or not os.access(place, os.W_OK | os.X_OK):
            continue
        if about.f_bavail * about.f_frsize >= memory * _MEBIBYTE:
            return Path(place)
    raise LabError(
        f"no directory has {memory} MiB for the guest's memory and lets it be executed "
        f"(tried {', '.join(filter(None, places))}); set TMPDIR to one that does"
    )
