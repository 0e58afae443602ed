"""How a server is started: each kind of the catalogue has a file here of its own name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from netdiag.catalogue.servers import Server


class Kind(Protocol):
    """What the file of a kind holds."""

    def require(self, server: Any) -> None:  # noqa: ANN401 - the kind's own model
        """Raises LabError, with what to install, when its program is not there."""

    def server_main(
        self,
        server: Any,  # noqa: ANN401
        addresses: Sequence[str],
        *,
        config: Path,
        scratch: Path,
        log: int,
        unhurried: bool = False,
    ) -> Callable[[], int]:
        """What to run in a forked child on the server's host: it listens on `addresses`, and on a
        unix socket in `scratch`, which answers INFO and CLIENT LIST. Raises LabError.
        """


def require(server: Server) -> None:
    """Look for the program that this server needs. Raises LabError."""
    _kind_of(server).require(server)


def server_main(
    server: Server,
    addresses: Sequence[str],
    *,
    config: Path,
    scratch: Path,
    log: int,
    unhurried: bool = False,
) -> Callable[[], int]:
    """See Kind."""
    return _kind_of(server).server_main(
        server, addresses, config=config, scratch=scratch, log=log, unhurried=unhurried
    )


def _kind_of(server: Server) -> Kind:
    """The file that knows how servers of this kind are started."""
    return cast("Kind", importlib.import_module(f"{__package__}.{server.kind}"))
