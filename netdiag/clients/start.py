"""What a client's process does: the contract's environment, the events pipe, the log.

Each kind of the catalogue has a file here of its own name that knows the rest (see Kind).
"""

from __future__ import annotations

import importlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from netdiag.catalogue.settings import Keepalive, written
from netdiag.process import become

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from netdiag.catalogue.clients import Client
    from netdiag.clients.apart import Apart


@dataclass(frozen=True)
class Start:
    """What a client is started with. task: the contract's JSON; log, events: descriptors that are
    open here.
    """

    task: dict[str, Any]
    log: int
    events: int

    def execute(self, *argv: str, keep: tuple[int, ...] = ()) -> int:
        """In a forked child: become this program, with the contract's environment."""
        told = {"NETDIAG_CLIENT": json.dumps(self.task), "NETDIAG_EVENTS": str(self.events)}
        keep = (self.events, *keep)
        return become(argv, env={**os.environ, **told}, log=self.log, keep=keep)


class Kind(Protocol):
    """What the file of a kind holds: `netdiag.clients.redis_py` for `redis-py`."""

    def require(self, client: Any) -> None:  # noqa: ANN401 - the kind's own model
        """Raises LabError, with what to install, when what it needs is not there."""

    def warm(self, client: Any) -> None:  # noqa: ANN401
        """Import once what every forked client needs."""

    def version(self, client: Any) -> str | None:  # noqa: ANN401
        """The version of the library under test; None where only the program knows."""

    def apart(self, client: Any) -> Apart:  # noqa: ANN401
        """What is run on a host that has programs of its own."""

    def main(self, client: Any, start: Start) -> int:  # noqa: ANN401
        """In a forked child on the client's host: be the client; returns its exit code."""


def kind_of(client: Client) -> Kind:
    """The file that knows how clients of this kind are started."""
    return cast("Kind", importlib.import_module(f"{__package__}.{client.kind.replace('-', '_')}"))


def require(clients: Iterable[Client]) -> None:
    """Look for everything that these clients need. Raises LabError."""
    for client in clients:
        kind_of(client).require(client)


def warm(clients: Iterable[Client]) -> None:
    """Import what the shipped clients need, once, before anything is forked."""
    for client in clients:
        kind_of(client).warm(client)


def library_version(client: Client) -> str | None:
    """The version of the library under test, or None where only the program knows."""
    return kind_of(client).version(client)


def settings_json(settings: Any) -> dict[str, Any]:  # noqa: ANN401 - any client's settings
    """Only what the scenario sets, as the contract has it: durations in seconds, keepalive null or
    a mapping.
    """
    return {
        name: {one: getattr(value, one) for one in ("idle", "interval", "count")}
        if isinstance(value, Keepalive)
        else value
        for name, value in written(settings).items()
    }


def client_main(
    client: Client,
    workload: Mapping[str, Any],
    *,
    server: tuple[str, int],
    log: int,
    events: int,
    seed: int,
    apart: bool = False,
) -> Callable[[], int]:
    """What to run in a forked child on the client's host.

    It writes its events to `events` and its output to `log`. On a host that is `apart`, the host's
    own programs are run. `seed`: where the pauses begin that it draws. Raises LabError when what
    the client needs cannot be found.
    """
    kind = kind_of(client)
    if not apart:
        kind.require(client)
    mode = getattr(client, "mode", None)
    task = {
        "host": server[0],
        "port": server[1],
        **({} if mode is None else {"mode": mode}),
        "seed": seed,
        "settings": settings_json(client.settings),
        "workload": dict(workload),
    }
    start = Start(task, log, events)
    if not apart:
        return lambda: kind.main(client, start)
    words, keep = kind.apart(client).hand_over()
    return lambda: start.execute(*words, keep=keep)
