"""What Docker Compose calls a team's project, and so the images that it builds for it.

The rule it guards: the project's own word (`name:`, COMPOSE_PROJECT_NAME) comes before its
directory's, which Compose writes in small letters without anything else but digits, - and _.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_JOINTS: Final = ("_", "-")
"""Compose v1 builds `shop_worker`, v2 `shop-worker`."""


def project_of(file: Path, config: Mapping[str, Any]) -> str:
    """The name of a team's project."""
    told = config.get("name") or setting("COMPOSE_PROJECT_NAME", file)
    return re.sub(r"[^-_a-z0-9]", "", str(told or file.resolve().parent.name).lower())


def images_of(project: str, service: str) -> tuple[str, ...]:
    """What the image of a service that names none may be called."""
    return tuple(f"{project}{joint}{service}" for joint in _JOINTS)


def profiles_of(file: Path) -> tuple[str, ...]:
    """The profiles that are active."""
    return tuple(filter(None, (setting("COMPOSE_PROFILES", file) or "").split(",")))


def setting(name: str, file: Path) -> str | None:
    """One of Compose's own settings, of the environment or of the file `.env` beside the compose
    file.
    """
    if name in os.environ:
        return os.environ[name]
    try:
        text = (file.parent / ".env").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(rf"^\s*(?:export\s+)?{name}\s*=(.*)$", text, re.MULTILINE)
    return found[1].strip().strip("'\"") if found else None
