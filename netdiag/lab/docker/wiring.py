"""Where a container's frames pass on the host, and the cable put in between.

    container's eth0 == host-side veth -- bridge        before
    container's eth0 == host-side veth   cable == veth of ours -- bridge        after

Nothing is guessed: the interface is the one that has the container's address, the host-side veth
the one that the interface names as its other end, the bridge the one that this veth is a port of.
The container notices nothing. One that is about to be started dials within milliseconds, before it
can be asked for anything: then the next link that is joined to the bridge is taken at once, and
what it is, is asked afterwards.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError
from netdiag.lab.links import (
    Interface,
    enslave,
    interface_at,
    interface_called,
    interface_name,
    interface_with,
    plug_in,
    ports_of,
    unplug,
)
from netdiag.lab.namespaces import silence
from netdiag.lab.offload import switch_off, switched_on
from netdiag.lab.ports import bind_port, frame_port
from netdiag.process import fork, inside_network

if TYPE_CHECKING:
    import socket
    from contextlib import ExitStack

    from netdiag.lab.docker.container import Inside
    from netdiag.lab.docker.undoing import Undoing
    from netdiag.process import Child

_NEAR: Final = "server"
_LOOK_AGAIN: Final = 0.001  # s, while a container is being started


@dataclass(frozen=True)
class Joint:
    """One container's interface and the host-side veth that is its other end."""

    inside: Interface
    outside: Interface


def joint(inside: Inside, address: str, *, spliced: bool = False) -> Joint:
    """Where the container with that address is joined to its bridge, or was (`spliced`) before the
    cable came in between. Raises LabError.
    """
    own = interface_with(inside.network, address)
    if own is None:
        raise LabError(f"no interface of {inside.name} has its address {address}; run it again")
    outside = interface_at(own.peer) if own.peer else None
    if outside is None or not (outside.master or spliced):
        raise LabError(
            f"{own.name} of {inside.name} is no veth whose other end is a port of a bridge here, "
            "so no cable can be spliced in; give the service a network with the bridge driver"
        )
    return Joint(own, outside)


class Splice:
    """A cable's two frame ports, between a container's host-side veth and its bridge; make it with
    `plugged`. `ahead`: the last link was taken before its container could use it.
    """

    def __init__(
        self, ports: tuple[socket.socket, socket.socket], bridge: int, undoing: Undoing
    ) -> None:
        self.ports = ports
        self._bridge = bridge
        self._undoing = undoing
        self._watcher: Child | None = None
        self.ahead = True

    def watch(self) -> None:
        """From now on, take the next link that is joined to the bridge: its container is about to
        be started, and may dial before anybody could ask where its link is.
        """
        self.rest()
        name, known = interface_name(self._bridge), ports_of(self._bridge)
        self._watcher = fork(lambda: self._take_next(name, known), "netdiag-splicer")

    def rest(self) -> None:
        """Take no link any more."""
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.wait()
            self._watcher = None

    def _take_next(self, bridge: str, known: frozenset[str]) -> int:
        while True:
            for name in ports_of(self._bridge, bridge) - known:
                self._take_over(interface_called(name))
                return 0
            time.sleep(_LOOK_AGAIN)

    def _take_over(self, link: Interface | None) -> None:
        """A link's frames are the cable's, and no more its bridge's."""
        if link is not None and link.master:
            bind_port(self.ports[0], link.name)
            self._undoing.before("bridge", None, index=link.index, name=link.name,
                                 bridge=link.master)
            enslave(link.index, 0)

    def join(self, inside: Inside, address: str) -> None:
        """The container has a link (a new one, if it was connected or started again): its frames
        are the cable's from now on, as they are on a wire. Raises LabError, OSError.
        """
        self.rest()
        found = joint(inside, address, spliced=True)
        with inside_network(inside.network):
            self._undoing.before("offload", inside, interface=found.inside.name,
                                 on=switched_on(found.inside.name))
            switch_off(found.inside.name)
        with contextlib.suppress(OSError):  # a veth without the knob has nothing to switch off
            self._undoing.before("offload_here", None, interface=found.outside.name,
                                 on=switched_on(found.outside.name))
            switch_off(found.outside.name)
        taken = self.ports[0].getsockname()[0]
        self.ahead = not found.outside.master
        self._take_over(found.outside)
        bind_port(self.ports[0], found.outside.name)
        other = interface_called(taken) if taken and taken != found.outside.name else None
        if other is not None and not other.master:  # another container of the network began, too
            enslave(other.index, self._bridge)


def plugged(bridge: int, *, cable: int, undoing: Undoing, undo: ExitStack) -> Splice:
    """A cable's ports, of which the far one is plugged into the bridge and the near one waits for a
    container's link; `cable` is the cable's own network namespace. Raises OSError.
    """
    far = f"nd-{secrets.token_hex(4)}"
    silence(cable)
    undoing.before("plug", None, name=far)
    undo.callback(unplug, far)
    plug_in(cable, _NEAR, far, bridge)
    switch_off(far)
    with inside_network(cable):
        switch_off(_NEAR)
    here = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        client = frame_port(here, "", undo)
    finally:
        os.close(here)
    made = Splice((client, frame_port(cable, _NEAR, undo)), bridge, undoing)
    undo.callback(made.rest)
    return made


def bridge_of(inside: Inside, address: str) -> int:
    """The index of the bridge to which the container with that address is joined. Raises LabError.
    """
    return joint(inside, address).outside.master
