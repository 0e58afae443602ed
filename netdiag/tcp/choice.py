"""What a person asked to look at -> whether a segment is meant.

The rule: one segment is enough to tell, so that nothing needs to be remembered: a port or a host
at either end, and a span of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Final

from netdiag.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netdiag.tcp.wire import Segment

FOREVER: Final = (1 << 62) - 1
SECOND: Final = 1_000_000_000
Moment = int | float


@dataclass(frozen=True)
class Choice:
    """An int is a moment in ns since the epoch; a float counts seconds from the first frame."""

    ports: frozenset[int]  # empty: any
    hosts: tuple[tuple[int, int, int], ...]  # (family, network, mask); empty: any
    since: Moment | None = None
    until: Moment | None = None

    @property
    def all(self) -> bool:
        """Whether everything is meant."""
        return not (self.ports or self.hosts) and self.since is None and self.until is None

    def means(self, segment: Segment) -> bool:
        """Whether a segment is one of those asked for, whenever it passed."""
        if self.ports and segment.sport not in self.ports and segment.dport not in self.ports:
            return False
        return not self.hosts or self._has(segment.src) or self._has(segment.dst)

    def span(self, first_ns: int) -> tuple[int, int]:
        """From when to when, in ns since the epoch."""
        return _moment(self.since, first_ns, -FOREVER), _moment(self.until, first_ns, FOREVER)

    def _has(self, address: bytes) -> bool:
        family = 4 if len(address) == 4 else 6
        value = int.from_bytes(address, "big")
        return any(family == of and value & mask == net for of, net, mask in self.hosts)


def choose(
    ports: Iterable[int] | None,
    hosts: Iterable[str] | None,
    since: Moment | None,
    until: Moment | None,
) -> Choice:
    """Read what was asked for. Raises ScenarioError for a host that is no address or network."""
    networks = []
    for host in hosts or ():
        try:
            networks.append(_network(ip_network(host, strict=False)))
        except ValueError as err:
            raise ScenarioError(
                f"{host!r} is no address and no network; write 10.0.0.1, 10.0.0.0/8 or fd00::/8"
            ) from err
    return Choice(frozenset(ports or ()), tuple(networks), since, until)


def _network(network: IPv4Network | IPv6Network) -> tuple[int, int, int]:
    return network.version, int(network.network_address), int(network.netmask)


def _moment(moment: Moment | None, first_ns: int, default: int) -> int:
    if moment is None:
        return default
    return first_ns + round(moment * SECOND) if isinstance(moment, float) else moment
