"""Which services of a compose file a run needs, and in which order they are started. Pure.

The rule it guards: the cable must be there before the client dials, so the client's service is
started last, whoever depends on it; what its own dependencies are, is waited for as the team wrote.
Services of a profile that nobody asked for stay away, as with `docker compose up`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Services = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Order:
    """Names of services. first: neither the client nor dependent on it; then: those that depend on
    it; last comes the client.
    """

    first: tuple[str, ...]
    then: tuple[str, ...]
    client: str

    @property
    def names(self) -> frozenset[str]:
        """Every service that runs."""
        return frozenset((*self.first, *self.then, self.client))


def order(
    services: Services,
    *,
    client: str,
    server: str,
    profiles: Sequence[str],
    without: Collection[str] = (),
) -> Order:
    """The order for this client and server; `profiles` are the active ones, and `without` names
    services that nobody needs, whoever depends on them.
    """
    away = set(without) - {client, server}
    services = {name: one for name, one in services.items() if name not in away}
    wanted = {name for name, one in services.items() if _active(one.get("profiles"), profiles)}
    for name in (*wanted, client, server):
        wanted |= _reach(services, name)
    others = [name for name in services if name in wanted and name != client]
    then = tuple(name for name in others if client in _reach(services, name))
    return Order(tuple(name for name in others if name not in then), then, client)


def _active(own: Sequence[str] | None, profiles: Sequence[str]) -> bool:
    return not own or "*" in profiles or not set(own).isdisjoint(profiles)


def _reach(services: Services, name: str) -> set[str]:
    """A service with all that it depends on, directly or not."""
    reached, ahead = set(), [name]
    while ahead:
        one = ahead.pop()
        if one in services and one not in reached:
            reached.add(one)
            ahead += _needs(services[one])
    return reached


def _needs(service: Mapping[str, Any]) -> Iterator[str]:
    """What a service depends on: `depends_on`, and the older `links` and `volumes_from`."""
    yield from service.get("depends_on") or ()
    for word in ("links", "volumes_from"):
        yield from (str(one).partition(":")[0] for one in service.get(word) or ())
