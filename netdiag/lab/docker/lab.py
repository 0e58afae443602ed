"""The Docker lab: the containers of a compose file as the hosts of a cell.

Turns a cell's wishes into a running stack with a cable spliced in at each client's container. The
rule it guards: the client's container is started after everything else, and its frames cross the
cable before any program of ours runs there.
"""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError
from netdiag.lab import CLIENT, SERVER, SIDE_NAMES, Side
from netdiag.lab.docker.container import Inside
from netdiag.lab.docker.described import PROJECT
from netdiag.lab.docker.engine import connect
from netdiag.lab.docker.letting_in import let_in, listens
from netdiag.lab.docker.verbs import VERBS
from netdiag.lab.docker.wiring import Splice, bridge_of, plugged
from netdiag.lab.links import interface_with, remember
from netdiag.lab.namespaces import read_sysctl, write_sysctl
from netdiag.lab.ports import drops_of, sock_diag
from netdiag.process import inside_network, new_network_namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from netdiag.lab.docker.described import Attachment, Container
    from netdiag.lab.docker.engine import Engine
    from netdiag.lab.docker.undoing import Undoing
    from netdiag.process import Child

_LOOPBACK: Final = {4: "127.0.0.1", 6: "::1"}
_DIAL_PATIENCE: Final = 2.0  # s, on the loopback interface
_LOOK_AGAIN: Final = 0.1  # s


@dataclass(frozen=True)
class Wishes:
    """What a cell asks of its containers.

    `pinned`: neighbours are permanent, so that a dead path changes nothing but the path; not where
    the experiment is about the link itself.
    """

    family: int
    sysctls: Mapping[str, Mapping[str, str]]
    pinned: bool


class DockerLab:
    """One client's container, the server's, and the cable between; make it with `docker_labs`."""

    def __init__(
        self,
        engine: Engine,
        ends: tuple[Inside, Inside],
        places: tuple[Attachment, Attachment],
        wiring: Splice,
        wishes: Wishes,
        undoing: Undoing,
    ) -> None:
        self._engine = engine
        self._ends = ends
        self._places = list(places)
        self._wiring = wiring
        self._wishes = wishes
        self._undoing = undoing
        self._dropped = [0, 0]

    apart = True

    def address(self, side: Side) -> str:
        return self._places[side].address(self._wishes.family)

    def port(self, side: Side) -> socket.socket:
        return self._wiring.ports[side]

    def start(self, side: Side, main: Callable[[], int], name: str) -> Child:
        return self._ends[side].start(main, name)

    def start_in(self, service: str, main: Callable[[], int], name: str) -> Child:
        project = self._ends[SERVER].container.project
        there = self._engine.containers(f"{PROJECT}={project}")
        running = {one.service: one for one in reversed(there) if one.state == "running"}
        if service not in running:
            raise LabError(
                f"no service {service!a} runs in this stack; there are {', '.join(sorted(running))}"
            )
        with ExitStack() as held:  # the child has its own by then
            return Inside(running[service], held).start(main, name)

    def netlink(self, side: Side, groups: tuple[int, ...] = ()) -> socket.socket | None:
        return sock_diag(self._ends[side].network, groups)

    def dropped(self) -> tuple[int, int]:
        for side, port in enumerate(self._wiring.ports):
            self._dropped[side] += drops_of(port)
        return self._dropped[0], self._dropped[1]

    def resident(self, side: Side) -> Child:
        """The service's own process."""
        return self._ends[side].resident(self._engine)

    def act(self, side: Side, verb: str) -> None:
        row, container, place = VERBS[verb], self._ends[side].container, self._places[side]
        if row.undo:
            self._undoing.before(row.undo, None, container=container.id, network=place.name,
                                 aliases=list(place.aliases))
        if row.joins and side == CLIENT:
            self._wiring.watch()
        row.act(connect(), container, place)
        self._wiring.rest()

    def settle(self, side: Side, verb: str) -> str:
        row, inside = VERBS[verb], self._ends[side]
        container = self._engine.inspect(inside.container.id)
        before = self._places[side]
        told = row.seen(container, before)
        if row.renews:
            inside.renew(container)
            _set_all(inside, self._wishes.sysctls.get(SIDE_NAMES[side], {}), self._undoing)
        if row.joins:
            self._places[side] = container.networks[before.name]
            if side == CLIENT:
                self._wiring.join(inside, self.address(CLIENT))
        if row.renews and self._wishes.pinned:
            other: Side = SERVER if side == CLIENT else CLIENT
            _pin(inside, self._places[side], self._places[other], self._wishes.family,
                 self._undoing)
        return told

    def expects_back(self, side: Side, code: int) -> bool:
        back = self._ends[side].container.comes_back(code)
        if back and side == CLIENT:
            self._wiring.watch()
        return back

    def returned(self, side: Side) -> bool | None:
        held = self._ends[side]
        container = self._engine.inspect(held.container.id)
        if container.state != "running" or container.pid in (0, held.pid):
            return None
        self.settle(side, "start")
        return side != CLIENT or self._wiring.ahead

    def listens(self, port: int) -> int:
        return listens(self._ends[SERVER].pid, port)

    def dial(self, port: int) -> socket.socket:
        """A connection to the server over its container's own loopback interface: nothing of it
        crosses a link, and nothing is dialled from the machine. Raises OSError, and LabError when
        the server does not let us in.
        """
        family = self._wishes.family
        with inside_network(self._ends[SERVER].network):
            kind = socket.AF_INET6 if family == 6 else socket.AF_INET
            made = socket.socket(kind, socket.SOCK_STREAM)
        try:
            made.settimeout(_DIAL_PATIENCE)
            made.connect((_LOOPBACK[family], port))
            let_in(made, self._ends[SERVER].container)
        except (OSError, LabError):
            made.close()
            raise
        return made


@contextmanager
def docker_labs(
    engine: Engine,
    clients: Sequence[Container],
    server: Container,
    wishes: Wishes,
    *,
    undoing: Undoing,
) -> Iterator[tuple[DockerLab, ...]]:
    """One lab for each of these running containers, which share the server's.

    Raises LabError.
    """
    with ExitStack() as undo:
        try:
            far = Inside(server, undo)
            _set_all(far, wishes.sysctls.get("server", {}), undoing)
            labs = tuple(_one(engine, client, far, wishes, (undoing, undo)) for client in clients)
        except OSError as err:
            raise LabError(
                f"the cable could not be spliced in: {err.strerror or err}; run netdiag as root"
            ) from err
        yield labs


def _one(
    engine: Engine,
    client: Container,
    far: Inside,
    wishes: Wishes,
    undo: tuple[Undoing, ExitStack],
) -> DockerLab:
    """The lab of one client; a client that does not run yet is started when the cable is there."""
    undoing, stack = undo
    cable = new_network_namespace()
    stack.callback(os.close, cable)
    net = common(client, far.container, wishes.family)
    bridge = bridge_of(far, far.container.networks[net].address(wishes.family))
    wiring = plugged(bridge, cable=cable, undoing=undoing, undo=stack)
    if not client.running:
        wiring.watch()
        engine.start(client)
        client = engine.inspect(client.id)
    near = Inside(client, stack)
    places = meeting(client, far.container, wishes.family)
    wiring.join(near, places[CLIENT].address(wishes.family))
    _set_all(near, wishes.sysctls.get("client", {}), undoing)
    if wishes.pinned:
        _pin(near, places[CLIENT], places[SERVER], wishes.family, undoing)
        _pin(far, places[SERVER], places[CLIENT], wishes.family, undoing)
    return DockerLab(engine, (near, far), places, wiring, wishes, undoing)


def common(client: Container, server: Container, family: int) -> str:
    """The network in which two containers meet, by name: of several the first. A client that does
    not run yet has no addresses. Raises LabError when they never meet.
    """
    for name in sorted(client.networks.keys() & server.networks.keys()):
        ends = (server, client) if client.running else (server,)
        if all(one.networks[name].address(family) for one in ends):
            return name
    raise LabError(
        f"{client.service or client.name} and {server.service or server.name} have no network with "
        f"IPv{family} addresses in common; give them one in the compose file"
    )


def meeting(
    client: Container, server: Container, family: int
) -> tuple[Attachment, Attachment]:
    """Each one's place in the network in which two running containers meet. Raises LabError."""
    name = common(client, server, family)
    return client.networks[name], server.networks[name]


def _pin(
    host: Inside, own: Attachment, other: Attachment, family: int, undoing: Undoing
) -> None:
    interface = interface_with(host.network, own.address(family))
    if interface is None:
        raise LabError(f"{host.name} has lost its address {own.address(family)}; run it again")
    neighbour = other.address(family), other.mac
    undoing.before("neighbour", host, interface=interface.name, address=neighbour[0],
                   mac=neighbour[1])
    remember(host.network, interface.name, neighbour, always=True)


def _set_all(host: Inside, wanted: Mapping[str, str], undoing: Undoing) -> None:
    for key, value in wanted.items():
        undoing.before("sysctl", host, key=key, value=read_sysctl(host.network, key))
        write_sysctl(host.network, key, value)
