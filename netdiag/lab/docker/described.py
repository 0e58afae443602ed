"""What the engine says of a container, as a value.

Turns the answer of `docker inspect` into a Container and its places in networks. Pure. The rule it
guards: what the engine leaves out is empty here, never missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT: Final = "com.docker.compose.project"
SERVICE: Final = "com.docker.compose.service"
NETWORK: Final = "com.docker.compose.network"
NUMBER: Final = "com.docker.compose.container-number"
_COMES_BACK: Final = ("always", "unless-stopped", "on-failure")


@dataclass(frozen=True)
class Attachment:
    """A container's place in one network; addresses are empty where it has none."""

    network: str
    name: str
    ip4: str
    ip6: str
    mac: str
    aliases: tuple[str, ...] = ()

    def address(self, family: int) -> str:
        """Its IPv4 or IPv6 address, empty when it has none of that family."""
        return self.ip4 if family == 4 else self.ip6


@dataclass(frozen=True)
class Container:
    """A container as the engine describes it; `pid` is its first process, 0 when it does not run.

    `networks`: by the network's name. `health` is empty where no check is configured; `restart` is
    the policy by which the engine starts it again, empty where it does not; `command`: the words
    that it was started with.
    """

    id: str
    name: str
    project: str
    service: str
    number: int
    pid: int
    state: str
    health: str
    exit_code: int
    user: str
    directory: str
    environment: tuple[str, ...]
    networks: Mapping[str, Attachment] = field(default_factory=dict)
    restart: str = ""
    command: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        return self.state in ("running", "paused")

    def comes_back(self, code: int) -> bool:
        """Whether the engine starts it again after it has ended by itself with that exit code."""
        return self.restart in _COMES_BACK and (code != 0 or self.restart != "on-failure")


def container(told: Mapping[str, Any]) -> Container:
    """The answer to an inspection -> the container."""
    state, config = told["State"], told["Config"]
    labels = config.get("Labels") or {}
    networks = (told.get("NetworkSettings") or {}).get("Networks") or {}
    policy = (told.get("HostConfig") or {}).get("RestartPolicy") or {}
    return Container(
        id=told["Id"],
        name=told["Name"].lstrip("/"),
        project=labels.get(PROJECT, ""),
        service=labels.get(SERVICE, ""),
        number=_number(labels.get(NUMBER)),
        pid=state["Pid"],
        state=state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        exit_code=state["ExitCode"],
        user=config.get("User") or "",
        directory=config.get("WorkingDir") or "/",
        environment=tuple(config.get("Env") or ()),
        networks={name: _attachment(name, one) for name, one in networks.items()},
        restart=str(policy.get("Name") or ""),
        command=(str(told.get("Path") or ""), *(told.get("Args") or ())),
    )


def _attachment(name: str, told: Mapping[str, Any]) -> Attachment:
    return Attachment(
        network=told.get("NetworkID") or "",
        name=name,
        ip4=told.get("IPAddress") or "",
        ip6=told.get("GlobalIPv6Address") or "",
        mac=told.get("MacAddress") or "",
        aliases=tuple(told.get("Aliases") or ()),
    )


def _number(text: object) -> int:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else 0
