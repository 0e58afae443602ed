"""pyroute2's one door: veth pairs, bridges, addresses and permanent neighbour entries.

Turns namespace descriptors into connected hosts. Neighbours are permanent, because an experiment in
which ARP crosses a dead cable turns into another one (EHOSTUNREACH instead of the kernel's own TCP
timers).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from netdiag.process import inside_network

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUD_STALE, _NUD_PERMANENT = 0x04, 0x80


@dataclass(frozen=True)
class HostLink:
    """How a host is reached: its address, the prefix length of the lab's net and its hardware
    address.
    """

    ip: str
    prefix: int
    mac: str


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """What the kernel refuses is an OSError here, as everywhere else."""
    try:
        yield
    except NetlinkError as err:
        raise OSError(err.code, os.strerror(err.code)) from err


@_refusals()
def splice(
    hosts: tuple[int, int], cable: int, names: tuple[str, str], far: tuple[str, str]
) -> None:
    """Join two host namespaces to the cable's: interfaces `far` there, `names` here, all up.

    Raises OSError when links cannot be made.
    """
    with inside_network(cable), IPRoute() as here:
        for name, host, there in zip(names, hosts, far, strict=True):
            here.link("add", ifname=name, kind="veth", peer={"ifname": there, "net_ns_fd": host})
            here.link("set", index=here.link_lookup(ifname=name)[0], state="up")


@_refusals()
def settle(host: int, interface: str, own: HostLink, peer: HostLink) -> None:
    """Give a host's interface its address and the permanent entry for its peer; bring it up."""
    with inside_network(host), IPRoute() as here:
        link = here.link_lookup(ifname=interface)[0]
        family = socket.AF_INET6 if ":" in own.ip else socket.AF_INET
        here.link("set", index=link, address=own.mac)
        here.addr("add", index=link, address=own.ip, prefixlen=own.prefix, family=family)
        here.link("set", index=link, state="up")
        here.link("set", index=here.link_lookup(ifname="lo")[0], state="up")
        here.neigh(
            "add", dst=peer.ip, lladdr=peer.mac, ifindex=link, state=_NUD_PERMANENT, family=family
        )


@dataclass(frozen=True)
class Interface:
    """A link as its kernel describes it: its own index, that of its other end (a veth's, in
    another namespace), and that of its bridge; 0 where there is none.
    """

    index: int
    name: str
    peer: int
    master: int
    mac: str


def interface_with(space: int, address: str) -> Interface | None:
    """The interface of a host that has this address; None when none has."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside_network(space), IPRoute() as there:
        for row in there.get_addr(family=family):
            if row.get_attr("IFA_ADDRESS") == address:
                return _told(there.get_links(row["index"])[0])
    return None


def interface_at(index: int) -> Interface | None:
    """The interface of this namespace with that index; None when there is none (any more)."""
    with IPRoute() as here:
        return next((_told(row) for row in here.get_links() if row["index"] == index), None)


def interface_called(name: str) -> Interface | None:
    """The interface of this namespace with that name; None when there is none (any more)."""
    try:
        return interface_at(socket.if_nametoindex(name))
    except OSError:
        return None


def interface_name(index: int) -> str:
    """The name of this namespace's interface with that index. Raises OSError."""
    return socket.if_indextoname(index)


def ports_of(index: int, name: str = "") -> frozenset[str]:
    """The names of the interfaces that are ports of a bridge of this namespace; its own name spares
    a question. Source: the kernel's Documentation/ABI/testing/sysfs-class-net, brif.
    """
    try:
        bridge = Path("/sys/class/net", name or interface_name(index), "brif")
        return frozenset(port.name for port in bridge.iterdir())
    except OSError:
        return frozenset()


def _told(row: Any) -> Interface:  # noqa: ANN401 - pyroute2's message
    return Interface(
        row["index"],
        row.get_attr("IFLA_IFNAME"),
        row.get_attr("IFLA_LINK") or 0,
        row.get_attr("IFLA_MASTER") or 0,
        row.get_attr("IFLA_ADDRESS") or "",
    )


@_refusals()
def enslave(index: int, bridge: int) -> None:
    """Make an interface of this namespace a port of a bridge, or of none (0)."""
    with IPRoute() as here:
        here.link("set", index=index, master=bridge)


@_refusals()
def plug_in(cable: int, near: str, far: str, bridge: int) -> None:
    """A veth pair from the cable's namespace (`near`) to a bridge of this one (`far`), up."""
    ours = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with inside_network(cable), IPRoute() as there:
            there.link("add", ifname=near, kind="veth", peer={"ifname": far, "net_ns_fd": ours})
            there.link("set", index=there.link_lookup(ifname=near)[0], state="up")
    finally:
        os.close(ours)
    quiet = Path("/proc/sys/net/ipv6/conf", far, "disable_ipv6")
    if quiet.exists():  # or the machine itself would speak on the wire: solicitations, reports
        quiet.write_text("1", encoding="ascii")
    with IPRoute() as here:
        index = here.link_lookup(ifname=far)[0]
        here.link("set", index=index, master=bridge, state="up")


@_refusals()
def unplug(name: str) -> None:
    """Remove a veth pair by its end in this namespace; it may have gone already."""
    with IPRoute() as here:
        for index in here.link_lookup(ifname=name):
            here.link("del", index=index)


@_refusals()
def remember(space: int, interface: str, neighbour: tuple[str, str], *, always: bool) -> None:
    """Tell a host its neighbour's (address, hardware address): for good, or until it doubts it."""
    address, mac = neighbour
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    state = _NUD_PERMANENT if always else _NUD_STALE
    with inside_network(space), IPRoute() as there:
        found = there.link_lookup(ifname=interface)
        if not found:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        index = found[0]
        there.neigh(
            "replace", dst=address, lladdr=mac, ifindex=index, state=state, family=family
        )
