"""A cell's stack: from the compose file to running containers, the client's last.

Turns names of services into containers, of a stack that is brought up for the cell or of one that
runs already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from netdiag.errors import LabError
from netdiag.lab.docker import RUN_LABEL
from netdiag.lab.docker.compose import Project, read
from netdiag.lab.docker.engine import PROJECT
from netdiag.lab.docker.isolate import isolate
from netdiag.lab.docker.lab import healthy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdiag.lab.docker.engine import Container, Engine

Ends: TypeAlias = "tuple[tuple[Container, ...], Container]"
"""The clients' containers, and the server's."""
_PATIENCE: Final = 120.0  # s, until every service is healthy


@dataclass(frozen=True)
class Services:
    """Which services of which compose file are the ends of the cable, and how many clients."""

    compose: Path
    client: str
    server: str
    clients: int = 1


def bring_up(
    engine: Engine, services: Services, *, run: str, name: str, into: Path, ip: int
) -> Ends:
    """Bring the whole stack up as project `name` of this run; the clients' containers and the
    server's. `into` is where the file that is brought up is kept. Raises LabError.
    """
    config = read(services.compose)
    _must_have(config["services"], services)
    home = services.compose.resolve().parent.name
    project = Project(name, into)
    project.write(isolate(config, run=run, project=name, home=home, ip=ip))
    labels = f"{RUN_LABEL}={run}", f"{PROJECT}={name}"
    others = [one for one in config["services"] if one != services.client]
    project.up(others)
    healthy(engine, labels, others, patience=_PATIENCE)
    count = max(services.clients, _replicas(config["services"][services.client]))
    project.up([services.client], start=False, scale=f"{services.client}={count}")
    clients = _of(engine, labels, services.client)
    for client in clients:
        engine.start(client)
    return (
        _of(engine, labels, services.client)[: services.clients],
        _of(engine, labels, services.server)[0],
    )


def running(engine: Engine, services: Services, project: str) -> Ends:
    """The containers of a stack that somebody else brought up. Raises LabError."""
    labels = (f"{PROJECT}={project}",)
    clients = _of(engine, labels, services.client)
    if len(clients) < services.clients:
        raise LabError(
            f"--attach {project}: the service {services.client} has {len(clients)} containers, and "
            f"the scenario {services.clients} clients; scale it up"
        )
    return clients[: services.clients], _of(engine, labels, services.server)[0]


def _of(engine: Engine, labels: Sequence[str], service: str) -> tuple[Container, ...]:
    found = tuple(one for one in engine.containers(*labels) if one.service == service)
    if not found:
        raise LabError(
            f"no container of a service {service!a} is there ({labels[-1]}); "
            "see `docker ps --all`, and the scenario's lab.client and lab.server"
        )
    return found


def _must_have(there: Mapping[str, object], services: Services) -> None:
    for role, name in (("client", services.client), ("server", services.server)):
        if name not in there:
            raise LabError(
                f"lab.{role}: {services.compose} has no service {name!a}; it has "
                f"{', '.join(sorted(there))}"
            )


def _replicas(service: object) -> int:
    deploy = service.get("deploy") if isinstance(service, dict) else None
    count = (deploy or {}).get("replicas") or (
        service.get("scale") if isinstance(service, dict) else 1)
    return count if isinstance(count, int) else 1
