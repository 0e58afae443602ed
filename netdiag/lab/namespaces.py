"""The default lab: three network namespaces (client, cable, server) held by descriptors, two veth
pairs.

Turns a cell's wishes (address family, sysctls) into hosts. Nothing has a name outside this process,
so the kernel takes everything away with the last process, however it ends. The hosts have no route
out.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from netdiag.errors import LabError
from netdiag.lab import CLIENT, SERVER, Side
from netdiag.lab.links import HostLink, settle, splice
from netdiag.lab.offload import switch_off
from netdiag.lab.own import OwnHosts
from netdiag.lab.ports import drops_of, frame_port, sock_diag
from netdiag.process import CLONE_NEWNET, Child, fork, inside_network, new_network_namespace, setns

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

_PORTS = ("client", "server")
_QUIET = {
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv6.conf.default.router_solicitations": "0",
    "net.ipv6.conf.default.accept_ra": "0",
    "net.ipv6.conf.default.addr_gen_mode": "1",
    "net.ipv6.conf.all.accept_dad": "0",
}
_SILENT = {"net.ipv6.conf.default.disable_ipv6": "1", "net.ipv6.conf.all.disable_ipv6": "1"}


class NamespaceLab(OwnHosts):
    """Two hosts and the cable's ends; make it with `namespace_lab` or `namespace_labs`."""

    def __init__(
        self,
        spaces: tuple[int, int],
        links: tuple[HostLink, HostLink],
        ports: tuple[socket.socket, socket.socket],
    ) -> None:
        self._spaces = spaces
        self._links = links
        self._ports = ports
        self._dropped = [0, 0]

    def address(self, side: Side) -> str:
        return self._links[side].ip

    def port(self, side: Side) -> socket.socket:
        return self._ports[side]

    def start(self, side: Side, main: Callable[[], int], name: str) -> Child:
        def on_host() -> int:
            setns(self._spaces[side], CLONE_NEWNET)
            return main()

        return fork(on_host, name)

    def netlink(self, side: Side, groups: tuple[int, ...] = ()) -> socket.socket | None:
        return sock_diag(self._spaces[side], groups)

    def dropped(self) -> tuple[int, int]:
        # PACKET_STATISTICS counts from its last reading, and every socket has its own count
        for side, port in enumerate(self._ports):
            self._dropped[side] += drops_of(port)
        return self._dropped[0], self._dropped[1]


def links_of(family: int, client: int) -> tuple[HostLink, HostLink]:
    """The two ends of the link between client number `client` (from 0) and the server."""
    net, prefix = (f"10.0.{client}.", 24) if family == 4 else (f"fd{client:02x}::", 64)
    mac = f"02:00:00:00:{client:02x}:"
    return HostLink(f"{net}1", prefix, f"{mac}01"), HostLink(f"{net}2", prefix, f"{mac}02")


@contextmanager
def namespace_lab(
    *, family: int = 4, sysctls: Mapping[str, Mapping[str, str]]
) -> Iterator[NamespaceLab]:
    """Hosts and a cable's ends for the length of the context; see `namespace_labs`."""
    with namespace_labs(family=family, clients=1, sysctls=sysctls) as (lab,):
        yield lab


@contextmanager
def namespace_labs(
    *, family: int = 4, clients: int, sysctls: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[NamespaceLab, ...]]:
    """One lab for each client; they share the server's host, where each cable has its interface.

    `family` is 4 or 6; `sysctls` maps "client" (meaning all of them) and "server" to dotted names
    and values. Must run where this process may make network namespaces (the sandbox sees to that).
    Raises LabError.
    """
    with ExitStack() as undo:
        try:
            server = _namespace(undo)
            _quieten(server)
            labs = tuple(
                _one_client(number, server, links_of(family, number), sysctls, undo)
                for number in range(clients)
            )
            _set_all(server, sysctls.get("server", {}))
        except OSError as err:
            raise LabError(
                f"the lab's network could not be made: {err.strerror or err}; try again as root"
            ) from err
        yield labs


def _one_client(
    number: int,
    server: int,
    links: tuple[HostLink, HostLink],
    sysctls: Mapping[str, Mapping[str, str]],
    undo: ExitStack,
) -> NamespaceLab:
    spaces = (_namespace(undo), server)
    cable = _namespace(undo)
    _quieten(spaces[CLIENT])
    _join(spaces, cable, links, ("eth0", f"eth{number}"))
    _set_all(spaces[CLIENT], sysctls.get("client", {}))
    ports = (frame_port(cable, _PORTS[CLIENT], undo), frame_port(cable, _PORTS[SERVER], undo))
    return NamespaceLab(spaces, links, ports)


def _namespace(undo: ExitStack) -> int:
    made = new_network_namespace()
    undo.callback(os.close, made)
    return made


def _quieten(space: int) -> None:
    """A host that says nothing of its own accord."""
    with inside_network(space):
        _write_all(_QUIET)


def _set_all(space: int, wanted: Mapping[str, str]) -> None:
    for key, value in wanted.items():
        write_sysctl(space, key, value)


def _join(
    spaces: tuple[int, int], cable: int, links: tuple[HostLink, HostLink], far: tuple[str, str]
) -> None:
    silence(cable)
    splice(spaces, cable, _PORTS, far)
    for own, (space, interface) in enumerate(zip(spaces, far, strict=True)):
        settle(space, interface, links[own], links[1 - own])
        with inside_network(space):
            switch_off(interface)
    with inside_network(cable):
        for name in _PORTS:
            switch_off(name)


def silence(cable: int) -> None:
    """A cable's own namespace never speaks."""
    with inside_network(cable):
        _write_all(_SILENT)


def _write_all(values: Mapping[str, str]) -> None:
    for key, value in values.items():
        path = _sysctl_path(key)
        if path.exists():
            path.write_text(value, encoding="ascii")


def _sysctl_path(key: str) -> Path:
    return Path("/proc/sys", *key.split("."))


def read_sysctl(space: int, key: str) -> str:
    """A sysctl's value on one host; empty where the kernel has none."""
    with inside_network(space):
        path = _sysctl_path(key)
        return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def write_sysctl(space: int, key: str, value: str) -> None:
    """Set a sysctl of one host. Raises LabError naming the key when the kernel refuses it."""
    try:
        with inside_network(space):
            _sysctl_path(key).write_text(value, encoding="utf-8")
    except FileNotFoundError as err:
        raise LabError(
            f"hosts: the sysctl {key} does not exist on kernel {os.uname().release} "
            "in a network namespace; see `ls /proc/sys/net`"
        ) from err
    except OSError as err:
        raise LabError(
            f"hosts: the sysctl {key} cannot be set to {value!r}: {err.strerror}"
        ) from err
