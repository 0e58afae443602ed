"""Docker's own faults: what an operator, a script or the engine itself does to a container.

Turns a verb of the engine into orders for a fault's beginning and for its healing, as other faults
of a host have them. The rule this file guards: the engine does it, as `docker VERB` would, so that
whatever else it changes (links, addresses, namespaces) is changed, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from netdiag.faults.host import AskEngine, HostFault, Order
from netdiag.written import CLOSED, one_of

Verb = Literal[
    "network_disconnect", "network_connect", "pause", "unpause", "kill", "stop", "restart"
]
HEALING: Final[dict[str, str | None]] = {
    "network_disconnect": "network_connect",
    "network_connect": None,
    "pause": "unpause",
    "unpause": None,
    "kill": "start",
    "stop": "start",
    "restart": None,
}
"""Every verb, and the one that heals it; None: it is over at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerFault(HostFault):
    """A verb of the engine, done to a service's container; it runs nowhere else."""

    __pydantic_config__ = CLOSED

    verb: Annotated[Verb, one_of(*HEALING)] = "network_disconnect"
    """What the engine does."""

    @property
    def lasts(self) -> bool:
        """Whether another verb heals it."""
        return HEALING[self.verb] is not None

    @property
    def changes_links(self) -> bool:
        """Whether the experiment is about a link: neighbours are then as the kernels have them."""
        return self.verb not in ("pause", "unpause")

    def orders(self, edge: str) -> tuple[Order, ...]:
        if edge == "active":
            return (AskEngine(self.verb),)
        healing = HEALING[self.verb]
        return () if healing is None else (AskEngine(healing),)

    def __str__(self) -> str:
        return f"docker {self.verb} of the {self.host}"
