"""A service's own program as the client under test: started by its compose file, and watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.errors import LabError

if TYPE_CHECKING:
    from netdiag.catalogue.clients import ServiceClient
    from netdiag.clients.apart import Apart
    from netdiag.clients.start import Start

_ELSEWHERE = "a client of kind service is a container's own program; run it with --lab docker"


def require(client: ServiceClient) -> None:
    """It is in no other lab. Raises LabError."""
    raise LabError(_ELSEWHERE)


def warm(client: ServiceClient) -> None:
    """Nothing: it is not ours to start."""


def version(client: ServiceClient) -> None:
    """Nobody knows."""


def apart(client: ServiceClient) -> Apart:
    """Nothing is run for it. Raises LabError."""
    raise LabError(_ELSEWHERE)


def main(client: ServiceClient, start: Start) -> int:
    """It is not ours to start. Raises LabError."""
    raise LabError(_ELSEWHERE)
