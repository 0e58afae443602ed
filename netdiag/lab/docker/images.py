"""The images of the shipped compose files: from a registry's base where one answers, else from the
machine's own Debian mirror.

Turns Dockerfiles of `compose/` into images of the local engine. Where no registry can be reached,
the base is a root file system that debootstrap makes. The rule it guards: the same Dockerfiles
either way; only their base differs.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdiag.lab.docker.engine import Engine

REGISTRY: Final = ("debian", "bookworm-slim")
OWN: Final = ("netdiag/base", "bookworm")
_SUITE: Final = "bookworm"
_MIRROR: Final = "http://deb.debian.org/debian"
_INSTALL: Final = "apt-get install debootstrap"
# what a Dockerfile may take as given; the rest of the image is its own affair
_NOT_NEEDED: Final = ("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./var/cache/apt")


@dataclass(frozen=True)
class Image:
    """One image: its tag, its context below `compose/`, its Dockerfile; `site`, `wheels`: what of
    Python's packages is put into the context, from our own environment's index.
    """

    tag: str
    context: str
    dockerfile: str
    site: tuple[str, ...] = ()
    wheels: tuple[str, ...] = ()


IMAGES: Final[dict[str, Image]] = {
    "redis": Image("netdiag/redis", "docker", "redis.Dockerfile"),
    "redis-py": Image("netdiag/redis-py", "docker", "redis-py.Dockerfile",
                      site=("redis=={redis}", "async-timeout")),
    "phpredis": Image("netdiag/phpredis", "docker", "phpredis.Dockerfile"),
    "shop": Image("netdiag/shop", "shop", "Dockerfile", wheels=("celery[redis]>=5.3",)),
}


def build(
    engine: Engine, names: Sequence[str], *, compose: Path, base: str | None, tell: Callable[[str],
    None],
) -> tuple[str, ...]:
    """Build these images (all of IMAGES when none is named); returns their tags.

    `base` is an image that the engine has or can pull; None: the registry's, or one that is made
    here. `tell` is told what is being done. Raises LabError.
    """
    chosen = base or _base(engine, tell)
    tags = []
    for name in names or IMAGES:
        if name not in IMAGES:
            raise LabError(f"no image is called {name!a}; there are {', '.join(IMAGES)}")
        image = IMAGES[name]
        tell(f"building {image.tag} on {chosen}")
        with tempfile.TemporaryDirectory() as place:
            context = Path(place, "context")
            shutil.copytree(compose / image.context, context)
            _packages(image, context, tell)
            engine.build(context, image.dockerfile, image.tag, {"BASE": chosen})
        tags.append(image.tag)
    return tuple(tags)


def _base(engine: Engine, tell: Callable[[str], None]) -> str:
    """The registry's base, or our own, made now if it has not been."""
    registry, own = ":".join(REGISTRY), ":".join(OWN)
    if engine.has_image(registry):
        return registry
    if engine.has_image(own):
        return own
    tell(f"pulling {registry}")
    try:
        engine.pull(*REGISTRY)
    except LabError as err:
        tell(f"{err}; making a base from the machine's own mirror instead")
        _debootstrap(engine, tell)
        return own
    return registry


def _debootstrap(engine: Engine, tell: Callable[[str], None]) -> None:
    if shutil.which("debootstrap") is None:
        raise LabError(
            "no registry answers and debootstrap is missing, so there is no base for the images; "
            f"install it with `{_INSTALL}`, or name a base that the engine has with --base"
        )
    mirror = machines_mirror()
    tell(f"debootstrap {_SUITE} from {mirror}")
    with tempfile.TemporaryDirectory(dir=_roomy()) as place:
        root = Path(place, "root")
        _run("debootstrap", "--variant=minbase", "--include=ca-certificates", _SUITE, str(root),
             mirror)
        archive = Path(place, "root.tar")
        left_out = [f"--exclude={path}" for path in _NOT_NEEDED]
        _run("tar", "-C", str(root), *left_out, "-cf", str(archive), ".")
        engine.load(archive, *OWN)


def _roomy() -> str | None:
    """Not on a small tmpfs: a root file system has 300 MB, and needs devices and set-uid."""
    return "/var/tmp" if os.access("/var/tmp", os.W_OK) else None  # noqa: S108 - a new directory in it


def machines_mirror(etc: Path = Path("/etc/apt")) -> str:
    """Where this machine's own apt fetches Debian from; Debian's own address when it tells none."""
    files = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list")),
             *sorted((etc / "sources.list.d").glob("*.sources"))]
    for file in files:
        if not file.is_file():
            continue
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            found = re.match(r"(?:deb\s+(?:\[[^\]]*\]\s+)?|URIs:\s*)(https?://\S+/debian)/?(?:\s|$)",
                             line.strip())
            if found is not None:
                return found[1]
    return _MIRROR


def _packages(image: Image, context: Path, tell: Callable[[str], None]) -> None:
    """Put Python packages into the context; without an index Debian's own must do."""
    asked = [("site", image.site, ("install", "--target")),
             ("wheels", image.wheels, ("download", "--dest"))]
    for folder, packages, (verb, where) in asked:
        if not packages:
            continue
        wanted = [one.format(redis=importlib.metadata.version("redis")) for one in packages]
        try:
            _run(sys.executable, "-m", "pip", verb, "--quiet", "--disable-pip-version-check",
                 "--no-input", where, str(context / folder), *wanted)
        except LabError as err:
            tell(f"{err}; the image takes what it finds by itself")


def _run(*words: str) -> None:
    """Run a program. Raises LabError with the last line that it printed."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    except OSError as err:
        raise LabError(f"{words[0]} cannot be run: {err.strerror}") from err
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        last = "".join(c if c.isprintable() else " " for c in (said or ["it said nothing"])[-1])
        raise LabError(f"{Path(words[0]).name} failed: {last[:300]}")
