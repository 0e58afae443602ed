"""A compose file as plain data -> the same stack for one run: labelled, and with no way out.

Images, commands, environments, dependencies, health checks and bind mounts stay as the team wrote
them. What would touch the machine or another stack goes: published ports, fixed container names
(they stay names in the stack's networks), external networks and volumes (fresh ones of the same
name take their place). Pure.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from typing import Any

from netdiag.errors import LabError
from netdiag.lab.docker import RUN_LABEL

_DEFAULT = "default"


def isolate(config: Mapping[str, Any], *, run: str, project: str, images: Mapping[str, str], ip: int
            ) -> dict[str, Any]:
    """The stack for `run`; `project` names its objects. `images`: by service, every service that
    is to run, its image.

    `ip`: with 6, every network has IPv6. Raises LabError when a service has no network that could
    be spliced.
    """
    stack = copy.deepcopy(dict(config))
    labels = {RUN_LABEL: run}
    services: dict[str, Any] = {
        name: service for name, service in stack["services"].items() if name in images
    }
    stack["services"] = services
    for name, service in services.items():
        _service(name, service, labels, images)
    networks = stack.get("networks") or {}
    used = {net for service in services.values() for net in service.get("networks") or (_DEFAULT,)}
    stack["networks"] = {
        net: _network(networks.get(net), labels, ip, f"{project}/{net}") for net in sorted(used)
    }
    stack["volumes"] = {
        name: _volume(volume, labels) for name, volume in (stack.get("volumes") or {}).items()
    }
    # a project name of v2's config would beat ours, and a version of v1's forbids IPv6 networks
    kept = ("services", "networks", "volumes", "configs", "secrets")
    return {name: held for name, held in stack.items() if name in kept and held}


def _service(
    name: str, service: dict[str, Any], labels: Mapping[str, str], images: Mapping[str, str]
) -> None:
    called = service.pop("container_name", None)
    for word in ("ports", "external_links", "profiles", "build"):
        service.pop(word, None)
    if service.get("network_mode", "bridge") not in ("bridge", "none"):
        raise LabError(
            f"lab.compose: the service {name!a} has network_mode {service['network_mode']!a}, so "
            "it has no link of its own; give it a network"
        )
    service.pop("network_mode", None)
    service["networks"] = {
        net: _place(place, called)
        for net, place in (_mapping(service.get("networks")) or {_DEFAULT: None}).items()
    }
    for word in ("depends_on", "links", "volumes_from"):  # some of them may stay away
        if word in service:
            service[word] = _those_that_run(service[word], images)
    service["image"] = images[name]
    service["labels"] = {**_mapping(service.get("labels")), **labels}


def _those_that_run(told: Any, images: Mapping[str, str]) -> Any:  # noqa: ANN401
    """The same list or mapping of services without those that do not run."""
    if isinstance(told, Mapping):
        return {name: how for name, how in told.items() if name in images}
    return [one for one in told if str(one).partition(":")[0] in images]


def _place(told: Any, called: str | None) -> dict[str, Any]:  # noqa: ANN401
    """A service's place in a network: without an address of the team's own plan, which is not
    ours, and found by its container's name.
    """
    fixed = ("ipv4_address", "ipv6_address", "link_local_ips")
    place = {word: held for word, held in (told or {}).items() if word not in fixed}
    if called is not None:
        place["aliases"] = [*(place.get("aliases") or ()), called]
    return place


def _mapping(held: Any) -> dict[str, Any]:  # noqa: ANN401 - a list or a mapping, as compose has it
    if isinstance(held, Mapping):
        return dict(held)
    pairs = (str(one).partition("=") for one in held or ())
    return {name: value for name, _, value in pairs}


def _network(told: Any, labels: Mapping[str, str], ip: int, seed: str) -> dict[str, Any]:  # noqa: ANN401
    net = dict(told or {})
    fresh: dict[str, Any] = {"internal": True, "labels": {**_mapping(net.get("labels")), **labels}}
    if net.get("external") is None and net.get("driver", "bridge") == "bridge":
        fresh |= {word: net[word] for word in ("driver_opts", "enable_ipv6") if word in net}
    if ip == 6 or fresh.get("enable_ipv6"):
        # addresses of the team's own plan may be in use by the team's own stack
        fresh |= {"enable_ipv6": True, "ipam": {"config": [{"subnet": _private_prefix(seed)}]}}
    return fresh


def _private_prefix(seed: str) -> str:
    """A unique local prefix (RFC 4193) that no other network has by chance."""
    digits = hashlib.sha256(seed.encode()).hexdigest()
    return f"fd{digits[:2]}:{digits[2:6]}:{digits[6:10]}:{digits[10:14]}::/64"


def _volume(told: Any, labels: Mapping[str, str]) -> dict[str, Any]:  # noqa: ANN401
    volume = dict(told or {})
    kept = {word: volume[word] for word in ("driver", "driver_opts") if word in volume}
    fresh = {} if volume.get("external") is not None else kept
    return {**fresh, "labels": {**_mapping(volume.get("labels")), **labels}}
