"""Where a container's frames pass on the host, and the cable put in between.

    container's eth0 == host-side veth -- bridge        before
    container's eth0 == host-side veth   cable == veth of ours -- bridge        after

Nothing is guessed: the interface is the one that has the container's address, the host-side veth
the one that the interface names as its other end, the bridge the one that this veth is a port of.
The container notices nothing.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError
from netdiag.lab.links import Interface, enslave, interface_at, interface_with, plug_in, unplug
from netdiag.lab.namespaces import silence
from netdiag.lab.offload import switch_off, switched_on
from netdiag.lab.ports import bind_port, frame_port
from netdiag.process import inside_network

if TYPE_CHECKING:
    import socket
    from contextlib import ExitStack

    from netdiag.lab.docker.container import Inside
    from netdiag.lab.docker.undoing import Undoing

_NEAR: Final = "server"


@dataclass(frozen=True)
class Joint:
    """One container's interface and the host-side veth that is its other end."""

    inside: Interface
    outside: Interface


def joint(inside: Inside, address: str) -> Joint:
    """Where the container with that address is joined to its bridge. Raises LabError."""
    own = interface_with(inside.network, address)
    if own is None:
        raise LabError(f"no interface of {inside.name} has its address {address}; run it again")
    outside = interface_at(own.peer) if own.peer else None
    if outside is None or not outside.master:
        raise LabError(
            f"{own.name} of {inside.name} is no veth whose other end is a port of a bridge here, "
            "so no cable can be spliced in; give the service a network with the bridge driver"
        )
    return Joint(own, outside)


class Splice:
    """A cable's two frame ports, between a container's host-side veth and its bridge."""

    def __init__(self, ports: tuple[socket.socket, socket.socket], undoing: Undoing) -> None:
        self.ports = ports
        self._undoing = undoing

    def again(self, inside: Inside, address: str) -> None:
        """The container has a new link (it was connected or started again): splice that one."""
        found = joint(inside, address)
        _take_out(inside, found, self._undoing)
        bind_port(self.ports[0], found.outside.name)


def splice(
    inside: Inside, address: str, *, cable: int, undoing: Undoing, undo: ExitStack
) -> Splice:
    """Put a cable's ports in between; `cable` is the cable's own network namespace.

    Raises LabError and OSError.
    """
    found = joint(inside, address)
    far = f"nd-{secrets.token_hex(4)}"
    silence(cable)
    undoing.before("plug", None, name=far)
    undo.callback(unplug, far)
    plug_in(cable, _NEAR, far, found.outside.master)
    switch_off(far)
    with inside_network(cable):
        switch_off(_NEAR)
    here = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        client = frame_port(here, found.outside.name, undo)
    finally:
        os.close(here)
    ports = client, frame_port(cable, _NEAR, undo)
    _take_out(inside, found, undoing)
    return Splice(ports, undoing)


def _take_out(inside: Inside, found: Joint, undoing: Undoing) -> None:
    """The container's veth is no port of its bridge any more, and its frames are as on a wire."""
    with inside_network(inside.network):
        undoing.before("offload", inside, interface=found.inside.name,
                       on=switched_on(found.inside.name))
        switch_off(found.inside.name)
    with contextlib.suppress(OSError):  # a veth without the knob has nothing to switch off
        undoing.before("offload_here", None, interface=found.outside.name,
                       on=switched_on(found.outside.name))
        switch_off(found.outside.name)
    undoing.before("bridge", None, index=found.outside.index, name=found.outside.name,
                   bridge=found.outside.master)
    enslave(found.outside.index, 0)
