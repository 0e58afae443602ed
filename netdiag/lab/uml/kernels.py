"""The kernels for guests: where they are kept, which there are, which one a run takes.

Turns the user's cache directory into Kernels. Each lies in a directory of its own, named by its
version, its tick and its configuration, and appears there whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from netdiag.errors import LabError

NAMED: Final = "NETDIAG_KERNEL"
"""The environment variable that names a kernel file, for machines that share one."""

BUILD: Final = "netdiag warp build"

_CONFIG: Final = Path(__file__).with_name("kernel.config")
_FILE: Final = "linux"
_ABOUT: Final = "kernel.json"


@dataclass(frozen=True)
class Kernel:
    """A kernel for guests. `hz`: its tick, 1/s; `built_from`: the source, and what vouches for it.

    A kernel that only NETDIAG_KERNEL names has a path and nothing else.
    """

    path: Path
    version: str = ""
    hz: int = 0
    config: str = ""
    built_from: str = ""

    @property
    def key(self) -> str:
        """What tells it from other kernels: version, tick and configuration."""
        return f"{self.version}-hz{self.hz}-{self.config}"


def host_tick() -> int:
    """The tick of the machine's own kernel, 1/s: what its coarse clocks resolve."""
    return round(1 / time.clock_getres(_CLOCK_MONOTONIC_COARSE))


_CLOCK_MONOTONIC_COARSE: Final = 6  # linux/time.h


def fragment() -> Path:
    """The configuration that kernels are built with."""
    return _CONFIG


def digest() -> str:
    """Eight characters that change whenever the configuration does."""
    return hashlib.sha256(_CONFIG.read_bytes()).hexdigest()[:8]


def home() -> Path:
    """Where kernels are kept: `netdiag/kernels` in the user's cache directory."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(cache) if cache.startswith("/") else Path.home() / ".cache"
    return base / "netdiag" / "kernels"


def kernels() -> tuple[Kernel, ...]:
    """Every kernel in the cache, the newest build first."""
    found = []
    for about in sorted(home().glob(f"*/{_ABOUT}"), key=_built, reverse=True):
        kernel = _read(about)
        if kernel is not None:
            found.append(kernel)
    return tuple(found)


def _built(about: Path) -> float:
    try:
        return about.stat().st_mtime
    except OSError:
        return 0.0


def _read(about: Path) -> Kernel | None:
    try:
        row = json.loads(about.read_text(encoding="utf-8"))
        kernel = Kernel(
            path=about.with_name(_FILE),
            version=str(row["version"]),
            hz=int(row["hz"]),
            config=str(row["config"]),
            built_from=str(row["built_from"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return kernel if os.access(kernel.path, os.X_OK) else None


def choose() -> Kernel:
    """The kernel that a run takes: the one that NETDIAG_KERNEL names, else one of the cache.

    Of those in the cache, first one with the host's tick and today's configuration. Raises LabError
    when there is none.
    """
    named = os.environ.get(NAMED)
    if named:
        path = Path(named).absolute()
        if not path.is_file() or not os.access(path, os.X_OK):
            raise LabError(
                f"{NAMED}={named} is no kernel that can be run; give the file that `{BUILD}` made, "
                "or unset it"
            )
        return Kernel(path)
    tick, config = host_tick(), digest()
    fitting = sorted(kernels(), key=lambda one: (one.config != config, one.hz != tick))
    if not fitting:
        raise LabError(f"there is no kernel for the guest yet; build it once with `{BUILD}`")
    return fitting[0]


def keep(kernel: Kernel) -> Kernel:
    """Move a kernel that was built into the cache, in place of one with the same key.

    Raises OSError when the cache cannot be written.
    """
    place = home() / kernel.key
    fresh = home() / f".{kernel.key}.{os.getpid()}"
    fresh.mkdir(parents=True)
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, fresh, ignore_errors=True)
        shutil.copyfile(kernel.path, fresh / _FILE)
        (fresh / _FILE).chmod(0o755)
        row = {name: value for name, value in asdict(kernel).items() if name != "path"}
        (fresh / _ABOUT).write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
    return Kernel(place / _FILE, kernel.version, kernel.hz, kernel.config, kernel.built_from)


def remove() -> tuple[Kernel, ...]:
    """Take every kernel out of the cache; returns what there was. Raises OSError."""
    there = kernels()
    if home().exists():
        shutil.rmtree(home())
    return there
