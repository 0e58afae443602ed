"""What a kernel is built from: the distribution's `linux-source`, a tarball, or a directory.

Turns a place into a Source whose bytes were compared with what vouches for them, and a Source into
a tree of its own to build in: nobody else's source is ever written to.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGES: Final = "linux-source flex bison bc gcc make xz-utils libelf-dev"
INSTALL: Final = f"sudo apt-get install -y {PACKAGES}"

_SHELF: Final = Path("/usr/src")
_DPKG: Final = Path("/var/lib/dpkg/info")
_TARBALL: Final = re.compile(r"linux-source-(\d+(?:\.\d+)+)\.tar\.(xz|gz|bz2|zst)")
_DIRECTORY: Final = re.compile(r"linux-source-(\d+(?:\.\d+)+)")
_LISTS: Final = ("sha256sums.asc", "SHA256SUMS", "sha256sums.txt")
_BLOCK: Final = 1 << 20
# Code that no guest has; the Kconfig files beside it stay, as the tree refers to them.
_NEEDLESS: Final = tuple(
    f"*/{folder}/*.[chS]"
    for folder in (
        "drivers/gpu",
        "drivers/media",
        "drivers/net/ethernet",
        "drivers/net/wireless",
        "drivers/staging",
        "sound",
    )
)


@dataclass(frozen=True)
class Source:
    """A tarball or a directory with a kernel's source; `vouched` says who vouches for its bytes."""

    path: Path
    vouched: str

    def __str__(self) -> str:
        return f"{self.path} ({self.vouched})"


def find(named: Path | None, *, shelf: Path = _SHELF, dpkg: Path = _DPKG) -> Source:
    """The source that is named, or else the distribution's newest; verified where that is possible.

    Raises LabError when there is none, or when its bytes are not what they should be.
    """
    path = (_newest(shelf) if named is None else named).absolute()
    if path.is_dir():
        if not (path / "arch" / "um" / "Kconfig").is_file():
            raise LabError(f"{path} holds no kernel's source (no arch/um/Kconfig in it)")
        return Source(path, "a directory, taken as it is")
    if not path.is_file():
        raise LabError(f"{path}: no such file or directory; give a tarball or a directory")
    return Source(path, _vouched(path, dpkg))


def _newest(shelf: Path) -> Path:
    found = {
        tuple(map(int, match[1].split("."))): path
        for path in sorted(shelf.glob("linux-source-*"))
        if (match := _TARBALL.fullmatch(path.name) or _DIRECTORY.fullmatch(path.name))
    }
    if not found:
        raise LabError(
            f"there is no kernel's source under {shelf}; install the distribution's with\n"
            f"  {INSTALL}\n"
            "or give one with --source DIRECTORY or TARBALL (from https://kernel.org, "
            "6.1 or later)"
        )
    best = found[max(found)]
    inner = sorted(best.glob("linux-source-*.tar.*")) if best.is_dir() else []
    return inner[0] if inner else best  # Ubuntu's package has the tarball in a directory


def _vouched(path: Path, dpkg: Path) -> str:
    """Compare a tarball with the sums that came with it, and say whose they are."""
    for where, kind, wanted in (*_of_package(path, dpkg), *_beside(path)):
        if _sum(path, kind) != wanted:
            raise LabError(
                f"{path} is damaged: its {kind} sum is not the one in {where}; fetch it again"
            )
        return f"{kind} sum as in {where}"
    return "no checksum came with it"


def _of_package(path: Path, dpkg: Path) -> Iterator[tuple[Path, str, str]]:
    name = str(path.resolve()).lstrip("/")
    for sums in sorted(dpkg.glob("linux-source-*.md5sums")):
        yield from ((sums, "md5", value) for value, listed in _listed(sums) if listed == name)


def _beside(path: Path) -> Iterator[tuple[Path, str, str]]:
    for name in (f"{path.name}.sha256", *_LISTS):
        sums = path.with_name(name)
        yield from (
            (sums, "sha256", value) for value, listed in _listed(sums) if listed == path.name
        )


def _listed(sums: Path) -> Iterable[tuple[str, str]]:
    try:
        lines = sums.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    pairs = (line.split(maxsplit=1) for line in lines if len(line.split()) == 2)
    return [(value.lower(), name.lstrip("*")) for value, name in pairs]


def _sum(path: Path, kind: str) -> str:
    digest = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def unpack(source: Source, place: Path) -> Path:
    """Make a tree of our own under `place` and return its top. Raises LabError."""
    if source.path.is_dir():
        top = place / "source"
        shutil.copytree(
            source.path, top, symlinks=True, ignore=shutil.ignore_patterns(".git", "*.o")
        )
        return top
    exclude = [f"--exclude={pattern}" for pattern in _NEEDLESS]
    argv = ["tar", "--extract", "--file", str(source.path), "--directory", str(place), *exclude]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    tops = [path for path in place.iterdir() if (path / "arch" / "um" / "Kconfig").is_file()]
    if done.returncode != 0 or len(tops) != 1:
        said = done.stderr.strip().splitlines()
        raise LabError(
            f"{source.path} cannot be unpacked: {said[-1] if said else 'no kernel is in it'}"
        )
    return tops[0]
