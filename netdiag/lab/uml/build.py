"""A kernel's source -> a kernel for guests, tried out, in the cache.

Turns a Source into a Kernel. The rule it guards: a kernel comes into the cache only after it has
slept two hours on its virtual clock, and then whole; a build that fails leaves nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError
from netdiag.lab.uml import kernels, source
from netdiag.lab.uml.boot import command, python, surroundings
from netdiag.lab.uml.kernels import Kernel
from netdiag.lab.uml.trial import SLEEP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from netdiag.lab.uml.source import Source

TOOLS: Final = ("gcc", "make", "flex", "bison", "bc", "tar", "xz", "strip")
OBJECTS: Final = 1_000
"""About how many steps `make` tells of; only progress is drawn from it."""

_HZ: Final = re.compile(r"(?m)^(config HZ\n(?:\s+.*\n)*?\s+default )\d+$")
_LAST_LINES: Final = 15
_TRIAL_LIMIT: Final = 60.0
_TRIAL_MEMORY: Final = 256
_ROOM: Final = 2_500  # MiB, of source and objects
_MEBIBYTE: Final = 1 << 20


def missing() -> tuple[str, ...]:
    """The tools that a build needs and that are not there."""
    return tuple(tool for tool in TOOLS if shutil.which(tool) is None)


def build(
    found: Source, *, hz: int, jobs: int, tell: Callable[[str, float | None], None]
) -> Kernel:
    """Build, try out and keep a kernel with that tick (1/s).

    `tell` hears what is going on, and how much of it is done (0 to 1, or None). Raises LabError.
    """
    try:
        kernels.home().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".build-", dir=kernels.home()) as place:
            _must_have_room(Path(place))
            tell(f"unpacking {found.path.name}", None)
            top = source.unpack(found, Path(place))
            _set_tick(top, hz)
            tell("configuring", None)
            _make(top, "allnoconfig", f"KCONFIG_ALLCONFIG={kernels.fragment()}")
            _must_be_configured(top)
            _compile(top, jobs, tell)
            _run(["strip", "linux"], top)
            raw = Kernel(top / "linux", _version(top), hz, kernels.digest(), str(found))
            tell("trying it out: two hours on its own clock", None)
            try_out(raw)
            return kernels.keep(raw)
    except OSError as err:
        raise LabError(
            f"the kernel cannot be built under {kernels.home()}: {err.strerror or err}; "
            "make room, or set XDG_CACHE_HOME to another directory"
        ) from err


def _must_have_room(place: Path) -> None:
    free = shutil.disk_usage(place).free // _MEBIBYTE
    if free < _ROOM:
        raise LabError(
            f"a build needs {_ROOM} MiB for a while, and {place.parent} has {free}; "
            "make room, or set XDG_CACHE_HOME to another directory"
        )


def _set_tick(top: Path, hz: int) -> None:
    """User-Mode Linux has its tick in its Kconfig, where no configuration can change it."""
    file = top / "arch" / "um" / "Kconfig"
    text, changes = _HZ.subn(rf"\g<1>{hz}", file.read_text(encoding="utf-8"))
    if changes != 1:
        raise LabError(f"{file}: no tick (config HZ) was found in it, so it cannot be set to {hz}")
    file.write_text(text, encoding="utf-8")


def _must_be_configured(top: Path) -> None:
    got = set((top / ".config").read_text(encoding="utf-8").splitlines())
    wanted = kernels.fragment().read_text(encoding="utf-8").splitlines()
    lost = [line for line in wanted if line.startswith("CONFIG_") and line not in got]
    if lost:
        raise LabError(
            f"this kernel's source does not know {', '.join(lost)}; give 6.1 or later with --source"
        )


def _compile(top: Path, jobs: int, tell: Callable[[str, float | None], None]) -> None:
    argv = ["make", "ARCH=um", f"-j{jobs}", "linux"]
    said: list[str] = []
    with _started(argv, top) as lines:
        for count, line in enumerate(lines):
            said = [*said[1 - _LAST_LINES :], line]
            tell("compiling", min(0.99, count / OBJECTS))
    if not (top / "linux").is_file():
        raise LabError("the kernel cannot be compiled; make said\n  " + "\n  ".join(said))


@contextlib.contextmanager
def _started(argv: Sequence[str], top: Path) -> Iterator[Iterator[str]]:
    """The lines that a program prints, while it runs; it ends with the context."""
    with subprocess.Popen(
        argv,
        cwd=top,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            yield (line.rstrip() for line in process.stdout or ())
        finally:
            process.terminate()


def _make(top: Path, *words: str) -> None:
    _run(["make", "ARCH=um", *words], top)


def _run(argv: Sequence[str], top: Path) -> str:
    done = subprocess.run(
        argv, cwd=top, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = "\n  ".join((done.stdout + done.stderr).splitlines()[-_LAST_LINES:])
        raise LabError(f"{' '.join(argv)} failed; it said\n  {said}")
    return done.stdout.strip()


def _environment() -> dict[str, str]:
    """Ours without what would change a build, and in English."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MAKE", "KBUILD", "KCONFIG", "CONFIG_"))
        and name not in ("ARCH", "CROSS_COMPILE", "O", "V", "W")
    }
    return {**ours, "LC_ALL": "C", "KBUILD_BUILD_USER": "netdiag", "KBUILD_BUILD_HOST": "netdiag"}


def _version(top: Path) -> str:
    return _run(["make", "-s", "ARCH=um", "kernelrelease"], top).splitlines()[-1]


def try_out(kernel: Kernel) -> float:
    """Boot it and let it sleep two hours; returns how long that took, in seconds of ours.

    Raises LabError when it does not come back, or its clock, tick or version are not as they
    should be.
    """
    argv = command(
        kernel, python(Path(__file__).with_name("trial.py")), virtual=True, memory=_TRIAL_MEMORY
    )
    began = time.monotonic()
    try:
        done = subprocess.run(
            argv,
            env=surroundings(_TRIAL_MEMORY),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TRIAL_LIMIT,
            check=False,
            process_group=0,
        )
    except subprocess.TimeoutExpired as err:
        raise LabError(
            f"the kernel {kernel.path} did not come back from its trial within "
            f"{_TRIAL_LIMIT:g} s; try again when the machine is less busy"
        ) from err
    took = time.monotonic() - began
    _judge(kernel, done.stdout.decode("utf-8", "replace"))
    return took


def _judge(kernel: Kernel, said: str) -> None:
    row = next((line for line in said.splitlines() if line.startswith("== trial ")), None)
    if row is None:
        last = " / ".join(line.strip() for line in said.splitlines()[-_LAST_LINES:])
        raise LabError(f"the kernel {kernel.path} did not get through its trial; it said: {last}")
    about = json.loads(row.removeprefix("== trial "))
    wrong = [
        f"its {what} is {got}, and not {wanted}"
        for what, got, wanted, fits in (
            ("sleep", f"{about['slept']:.3f} s", f"{SLEEP:g} s", 0 <= about["slept"] - SLEEP < 1),
            ("tick", about["tick"], kernel.hz, kernel.hz in (0, about["tick"])),
            ("version", about["release"], kernel.version, kernel.version in ("", about["release"])),
        )
        if not fits
    ]
    if wrong:
        raise LabError(f"the kernel {kernel.path} failed its trial: {'; '.join(wrong)}")
