"""A machine with an engine and the images, or why there is none; and what can be listed of it."""

from __future__ import annotations

import difflib
import os
import subprocess
import time
from typing import TYPE_CHECKING, NoReturn

import pytest

from netdiag.errors import LabError
from netdiag.lab.docker.compose import command
from netdiag.lab.docker.engine import Engine, connect
from netdiag.lab.docker.images import IMAGES
from netdiag.lab.docker.journal import HOME

if TYPE_CHECKING:
    from pathlib import Path


def engine_or_skip(*images: str) -> Engine:
    """The engine, with these images; the test is skipped, with the reason, where it is missing,
    and fails instead where NETDIAG_REQUIRE_DOCKER says that it must be there.
    """
    if os.geteuid() != 0:
        _missing("the Docker lab needs root")
    try:
        engine = connect()
        command()
    except LabError as err:
        _missing(str(err))
    for name in images:
        if not engine.has_image(IMAGES[name].tag):
            _missing(f"the image {IMAGES[name].tag} is missing; `netdiag image build {name}`")
    return engine


def _missing(what: str) -> NoReturn:
    if os.environ.get("NETDIAG_REQUIRE_DOCKER"):
        pytest.fail(what)
    pytest.skip(what)


def listing() -> str:
    """The machine's links, rules, Docker's networks, volumes and containers, and our journals.

    Nothing that counts or that comes and goes by itself.
    """
    asked = {
        "links": "ip -o link | sed -E 's/^[0-9]+: //; s/ (state|qlen|qdisc) .*//; "
                 "s/NO-CARRIER,|,LOWER_UP//g' | sort",
        "addresses": "ip -o address | sed -E 's/^[0-9]+: //; s/ tentative//; s/ *valid_lft .*//'"
                     " | sort",
        "ports": "bridge link | sed -E 's/^[0-9]+: //' | sort",
        "rules": "iptables-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'",
        "networks": "docker network ls --format '{{.Name}} {{.ID}}' | sort",
        "volumes": "docker volume ls -q | sort",
        "containers": "docker ps -a --format '{{.Names}} {{.ID}} {{.State}}' | sort",
    }
    told = {
        name: subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout
        for name, line in asked.items()
    }
    journals = sorted(path.name for path in HOME.glob("*")) if HOME.is_dir() else []
    return "\n".join(f"{name}:\n{text}" for name, text in told.items()) + f"journals: {journals}"


def unchanged(before: str) -> bool:
    """Whether the machine is as it was, soon: the kernel takes namespaces away in its own time.
    Shows what is not.
    """
    limit = time.monotonic() + 60
    while (now := listing()) != before:
        if time.monotonic() > limit:
            print(*difflib.unified_diff(before.splitlines(), now.splitlines(), n=0), sep="\n")
            return False
        time.sleep(0.2)
    return True


def wait_for_journal(known: set[str]) -> Path:
    """The journal of the run that has just begun."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        fresh = [path for path in HOME.glob("docker-*") if path.name not in known]
        if fresh:
            return fresh[0]
        time.sleep(0.05)
    raise AssertionError("no run began within 60 s")
