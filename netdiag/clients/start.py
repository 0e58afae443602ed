"""What a client's process does: the contract's environment, the events pipe, the log.

A shipped Python client is forked from this process, which has imported its library already (32
clients must not import 32 times); any other program is executed.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from netdiag.catalogue.clients import ExecClient
from netdiag.errors import LabError
from netdiag.process import become, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netdiag.catalogue.clients import Client, RedisPySettings


def settings_json(settings: RedisPySettings) -> dict[str, Any]:
    """Only what the scenario sets, as the contract has it: durations in seconds, keepalive null or
    a mapping.
    """
    every = asdict(settings)
    return {name: every[name] for name in sorted(settings.model_fields_set)}


def warm(clients: list[Client]) -> None:
    """Import what the shipped clients need, once, before anything is forked."""
    if not all(isinstance(client, ExecClient) for client in clients):
        import netdiag.clients.redis_py.driving  # noqa: F401, PLC0415 - the import is the point


def library_version(client: Client) -> str | None:
    """The version of the library under test, or None where only the program knows."""
    return None if isinstance(client, ExecClient) else importlib.metadata.version("redis")


def client_main(
    client: Client,
    workload: Mapping[str, Any],
    *,
    server: tuple[str, int],
    log: int,
    events: int,
) -> Callable[[], int]:
    """What to run in a forked child on the client's host.

    It writes its events to `events` and its output to `log`, descriptors that are open here. Raises
    LabError when the program of an `exec` client cannot be found.
    """
    task = {
        "host": server[0],
        "port": server[1],
        "settings": settings_json(client.settings),
        "workload": dict(workload),
    }
    env = {**os.environ, "NETDIAG_CLIENT": json.dumps(task), "NETDIAG_EVENTS": str(events)}
    if isinstance(client, ExecClient):
        argv = list(client.command)
        if shutil.which(argv[0]) is None:
            raise LabError(
                f"client.command: the program {argv[0]!r} cannot be found; "
                "give a path or a name on PATH"
            )

        def execute() -> int:
            return become(argv, env=env, log=log, keep=(events,))

        return execute

    def consume() -> int:
        from netdiag.clients.redis_py.driving import consume as redis_py  # noqa: PLC0415
        from netdiag.clients.redis_py.voice import Voice  # noqa: PLC0415

        settle(log=log)
        return redis_py(task, Voice(events))

    return consume
