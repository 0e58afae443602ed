"""A cell's stack: from the compose file to running containers, the client's last.

Turns names of services into containers, of a stack that is brought up for the cell or of one that
runs already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from netdiag.errors import LabError
from netdiag.lab.docker import RUN_LABEL
from netdiag.lab.docker.compose import Project, command, read
from netdiag.lab.docker.described import NETWORK, PROJECT
from netdiag.lab.docker.health import healthy
from netdiag.lab.docker.isolate import isolate
from netdiag.lab.docker.naming import images_of, profiles_of, project_of
from netdiag.lab.docker.order import Order, order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdiag.lab.docker.described import Container
    from netdiag.lab.docker.engine import Engine

Ends: TypeAlias = "tuple[tuple[Container, ...], Container]"
"""The clients' containers, and the server's."""
_PATIENCE: Final = 120.0  # s, until every service is healthy


@dataclass(frozen=True)
class Services:
    """Which services of which compose file are the ends of the cable, how many clients there are,
    in which other services messages are made, and which are not needed.
    """

    compose: Path
    client: str
    server: str
    clients: int = 1
    makers: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


def bring_up(
    engine: Engine, services: Services, *, run: str, name: str, into: Path, ip: int
) -> Ends:
    """Bring the whole stack up as project `name` of this run; the clients' containers, which are
    made and not started yet, and the server's. `into` is where the file that is brought up is kept.
    Raises LabError.
    """
    file = services.compose
    config, start = _chosen(services)
    project = Project(name, into)
    images = _images(engine, file, config, start)
    made = isolate(config, run=run, project=name, images=images, ip=ip)
    project.write(made)
    labels = f"{RUN_LABEL}={run}", f"{PROJECT}={name}"
    if start.first:
        project.up(start.first)
        healthy(engine, labels, start.first, patience=_PATIENCE)
    count = max(services.clients, _replicas(config["services"][services.client]))
    project.up([services.client], start=False, scale=f"{services.client}={count}")
    if start.then:
        project.up(start.then, alone=True)
        healthy(engine, labels, start.then, patience=_PATIENCE)
    for client in _of(engine, labels, services.client):
        _join_all(engine, client, made["services"][services.client]["networks"])
    clients = _of(engine, labels, services.client)
    for replica in clients[services.clients :]:  # nobody watches these
        engine.start(replica)
    return clients[: services.clients], _of(engine, labels, services.server)[0]


def _join_all(engine: Engine, client: Container, wanted: Mapping[str, Mapping[str, Any]]) -> None:
    """Join a container that is made and not started to all its networks: Compose v1 leaves all but
    one until it starts a container itself.
    """
    there = {net: name for _, name, net in engine.networks(NETWORK, f"{PROJECT}={client.project}")}
    for net, place in wanted.items():
        if there[net] not in client.networks:
            engine.join(client, there[net], (client.service, *(place.get("aliases") or ())))


def look_ahead(engine: Engine, services: Services) -> None:
    """Whether the stack could be brought up: its file, its services, its images. Raises LabError.
    """
    config, start = _chosen(services)
    _images(engine, services.compose, config, start)


def _chosen(services: Services) -> tuple[dict[str, Any], Order]:
    """The compose file, and which of its services run. Raises LabError."""
    config = read(services.compose)
    _must_have(config["services"], services)
    return config, order(
        config["services"],
        client=services.client,
        server=services.server,
        profiles=profiles_of(services.compose),
        without=services.without,
    )


def _images(
    engine: Engine, file: Path, config: Mapping[str, Any], start: Order
) -> dict[str, str]:
    """Each service's image by its name. Raises LabError when one has not been built."""
    project, images = project_of(file, config), {}
    for name in sorted(start.names):
        service = config["services"][name]
        called = service.get("image")
        names = (str(called),) if called else images_of(project, name)
        if "build" in service and not any(map(engine.has_image, names)):
            raise LabError(
                f"{file}: the image {' or '.join(names)} of the service {name!a} has not been "
                f"built; build it first, with `{' '.join(command())} --file {file} build`"
            )
        images[name] = next(filter(engine.has_image, names), names[0])
    return images


def running(engine: Engine, services: Services, project: str) -> Ends:
    """The containers of a stack that somebody else brought up. Raises LabError."""
    labels = (f"{PROJECT}={project}",)
    if not engine.containers(*labels):
        raise LabError(
            f"--attach {project}: no compose project of that name has containers here; "
            "`docker ps --all` shows what there is"
        )
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
        there = sorted({one.service for one in engine.containers(*labels)})
        raise LabError(
            f"no container of a service {service!a} is there, only of {', '.join(there)}; "
            "see the scenario's lab.client and lab.server"
        )
    return found


def _must_have(there: Mapping[str, object], services: Services) -> None:
    named = [("lab.client", services.client), ("lab.server", services.server)]
    named += [("workload.produce.by", one) for one in services.makers]
    named += [("lab.without", one) for one in services.without]
    for role, name in named:
        if name not in there:
            raise LabError(
                f"{role}: {services.compose} has no service {name!a}; it has "
                f"{', '.join(sorted(there))}"
            )


def _replicas(service: object) -> int:
    deploy = service.get("deploy") if isinstance(service, dict) else None
    count = (deploy or {}).get("replicas") or (
        service.get("scale") if isinstance(service, dict) else 1)
    return count if isinstance(count, int) else 1
