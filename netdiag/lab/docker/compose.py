"""The compose command, v2 (`docker compose`) or v1 (`docker-compose`), whichever there is.

Turns a compose file into plain data, and plain data into running containers. The rule it guards:
only `config`, `up` and `build` are asked of it, which both versions have; everything else the
engine knows by the labels that both set.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from netdiag.errors import LabError
from netdiag.process import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PATIENCE: Final = 300  # s; it may build an image
_NO_IMAGE: Final = ("No such image", "not found", "pull access denied", "registry")
_OURS: Final = "see `netdiag image build`"
_THEIRS: Final = "pull the image, build it, or leave the service out with lab.without"
_INSTALL: Final = "`apt-get install docker-compose`"


@functools.cache
def command() -> tuple[str, ...]:
    """The words that begin a compose command here. Raises LabError when there is none."""
    if shutil.which("docker") is not None:
        asked = subprocess.run(
            ["docker", "compose", "version"],  # noqa: S607 - the one on PATH
            capture_output=True, check=False,
        )
        if asked.returncode == 0:
            return ("docker", "compose")
    if shutil.which("docker-compose") is not None:
        return ("docker-compose",)
    raise LabError(
        "the Docker lab needs Docker Compose, and neither `docker compose` nor `docker-compose` is "
        f"there; install it with {_INSTALL}"
    )


def read(file: Path) -> dict[str, Any]:
    """A compose file as the command itself understands it: variables filled in, paths absolute.

    Raises LabError with the command's own words.
    """
    told = _run(["--file", str(file), "config"], f"{file}: ")
    try:
        held = YAML(typ="safe", pure=True).load(told)
    except YAMLError as err:
        raise LabError(f"{file}: `{' '.join(command())} config` gave no YAML ({err})") from err
    if not isinstance(held, dict) or not isinstance(held.get("services"), dict):
        raise LabError(f"{file}: no services are in it; give a compose file")
    return held


@dataclass(frozen=True)
class Project:
    """One project that is brought up from a file of our own making."""

    name: str
    file: Path

    def write(self, content: dict[str, Any]) -> None:
        """Save what is to be brought up, for nobody else's eyes: passwords stand in environments.
        JSON is YAML, and needs no quoting rules.
        """
        self.file.touch(mode=0o600)
        self.file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    def up(
        self, services: Sequence[str], *, start: bool = True, alone: bool = False, scale: str = ""
    ) -> None:
        """Bring services up, with what they depend on or `alone`; or only create them, alone."""
        how = ["--detach"] if start else ["--no-start"]
        if alone or not start:
            how.append("--no-deps")
        if scale:
            how += ["--scale", scale]
        what = ["--project-name", self.name, "--file", str(self.file), "up", "--no-build", *how]
        _run([*what, *services], "")


def _run(arguments: Sequence[str], where: str) -> str:
    words = [*command(), *arguments]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False,
            stdin=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # nobody makes containers for a run that is over
        )
    except subprocess.TimeoutExpired as err:
        raise LabError(f"{where}`{_shown(words)}` did not end within {_PATIENCE} s") from err
    if done.returncode != 0:
        raise LabError(f"{where}`{_shown(words)}` failed: {_last_words(done.stderr)}")
    return done.stdout


def _shown(words: Sequence[str]) -> str:
    return " ".join(word for word in words if "/" not in word)


def _last_words(text: str) -> str:
    """What it complained about: its errors or its last lines, safe for a terminal."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    told = "; ".join(errors[-2:] or lines[-3:]) or "it said nothing"
    said = "".join(c if c.isprintable() else " " for c in told)[:400]
    if not any(word in said for word in _NO_IMAGE):
        return said
    ours = "netdiag/" in text
    return f"{said}; {_OURS if ours else _THEIRS}"
