"""Any program as the client under test."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from netdiag.clients.apart import Apart
from netdiag.errors import LabError

if TYPE_CHECKING:
    from netdiag.catalogue.clients import ExecClient
    from netdiag.clients.start import Start


def require(client: ExecClient) -> None:
    """The program must be there. Raises LabError."""
    if shutil.which(client.command[0]) is None:
        raise LabError(
            f"client.command: the program {client.command[0]!a} cannot be found; "
            "install it, or give its path or a name on PATH"
        )


def warm(client: ExecClient) -> None:
    """Nothing: it is executed."""


def version(client: ExecClient) -> None:
    """Only the program knows."""


def apart(client: ExecClient) -> Apart:
    """The other host's program of that name."""
    return Apart(client.command)


def main(client: ExecClient, start: Start) -> int:
    """Become the program."""
    return start.execute(*client.command)
