"""The default lab: three network namespaces (client, cable, server) held by descriptors, two veth
pairs.

Turns a cell's wishes (address family, sysctls) into hosts. Nothing has a name outside this process,
so the kernel takes everything away with the last process, however it ends. The hosts have no route
out.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from netdiag.errors import LabError
from netdiag.lab import CLIENT, SERVER, Side
from netdiag.lab.links import HostLink, settle, splice
from netdiag.lab.offload import switch_off
from netdiag.process import CLONE_NEWNET, Child, fork, inside_network, new_network_namespace, setns

if TYPE_CHECKING:
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

_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_PACKET_IGNORE_OUTGOING = 23
_SO_TIMESTAMPNS = 35
_SO_ATTACH_FILTER = 26
_INSTRUCTION = struct.Struct("HBBI")  # linux/filter.h: code, jump if true, jump if not, operand
_LOAD_4, _LOAD_2, _IF_EQUAL, _RETURN = 0x20, 0x28, 0x15, 0x06
_NO_REPORTS = (  # to 33:33:00:00:00:16, all MLDv2-capable routers: nothing; anything else: whole
    (_LOAD_4, 0, 0, 0),
    (_IF_EQUAL, 0, 3, 0x33330000),
    (_LOAD_2, 0, 0, 4),
    (_IF_EQUAL, 0, 1, 0x0016),
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, 0xFFFFFFFF),
)
_RECEIVE_BUFFER = 32 << 20
_SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 33, 32
_NETLINK_SOCK_DIAG = 4
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP = 1


class NamespaceLab:
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
        with inside_network(self._spaces[side]):
            made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
            made.bind((0, 0))
        for group in groups:
            made.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
        return made

    def dropped(self) -> tuple[int, int]:
        # PACKET_STATISTICS counts from its last reading, and every socket has its own count
        for side, port in enumerate(self._ports):
            _, drops = struct.unpack("II", port.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
            self._dropped[side] += drops
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
    ports = (_frame_port(cable, _PORTS[CLIENT], undo), _frame_port(cable, _PORTS[SERVER], undo))
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
    with inside_network(cable):
        _write_all(_SILENT)
    splice(spaces, cable, _PORTS, far)
    for own, (space, interface) in enumerate(zip(spaces, far, strict=True)):
        settle(space, interface, links[own], links[1 - own])
        with inside_network(space):
            switch_off(interface)
    with inside_network(cable):
        for name in _PORTS:
            switch_off(name)


def _write_all(values: Mapping[str, str]) -> None:
    for key, value in values.items():
        path = _sysctl_path(key)
        if path.exists():
            path.write_text(value, encoding="ascii")


def _sysctl_path(key: str) -> Path:
    return Path("/proc/sys", *key.split("."))


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


def _leave_out_multicast_reports(port: socket.socket) -> None:
    """IPv6 hosts report their multicast groups to routers (RFC 3810) and cannot be told not to.

    There is no router here, and a fault must not seem to have touched something because it took a
    report; so frames to their address are no part of the wire.
    """
    program = ctypes.create_string_buffer(b"".join(_INSTRUCTION.pack(*row) for row in _NO_REPORTS))
    size = len(_NO_REPORTS)
    port.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", size, ctypes.addressof(program))
    )


def _frame_port(cable: int, name: str, undo: ExitStack) -> socket.socket:
    """A packet socket on one end of the cable: inbound frames, with the kernel's time on each."""
    with inside_network(cable):
        port = undo.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        _leave_out_multicast_reports(port)
        port.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        port.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        for forced, plain in (
            (_SO_RCVBUFFORCE, socket.SO_RCVBUF),
            (_SO_SNDBUFFORCE, socket.SO_SNDBUF),
        ):
            try:
                port.setsockopt(socket.SOL_SOCKET, forced, _RECEIVE_BUFFER)
            except PermissionError:
                port.setsockopt(socket.SOL_SOCKET, plain, _RECEIVE_BUFFER)
        port.bind((name, _ETH_P_ALL))
    port.setblocking(False)
    return port
