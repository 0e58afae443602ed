"""pyroute2's one door: veth pairs, addresses and permanent neighbour entries.

Turns namespace descriptors into connected hosts. Neighbours are permanent, because an experiment in
which ARP crosses a dead cable turns into another one (EHOSTUNREACH instead of the kernel's own TCP
timers).
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from pyroute2.iproute.linux import IPRoute

from netdiag.process import inside_network

_NUD_PERMANENT = 0x80


@dataclass(frozen=True)
class HostLink:
    """How a host is reached: its address, the prefix length of the lab's net and its hardware
    address.
    """

    ip: str
    prefix: int
    mac: str


def splice(
    hosts: tuple[int, int], cable: int, names: tuple[str, str], far: tuple[str, str]
) -> None:
    """Join two host namespaces to the cable's: interfaces `far` there, `names` here, all up.

    Raises OSError (pyroute2's NetlinkError is one by its code) when links cannot be made.
    """
    with inside_network(cable), IPRoute() as here:
        for name, host, there in zip(names, hosts, far, strict=True):
            here.link("add", ifname=name, kind="veth", peer={"ifname": there, "net_ns_fd": host})
            here.link("set", index=here.link_lookup(ifname=name)[0], state="up")


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
