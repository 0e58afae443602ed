"""Waiting until the services of a stack run, and are healthy where they have a check.

The rule it guards: a service that ends with an error, or does not get there in time, is a sentence
with its name; one that ends well (a migration) has done what it was for.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdiag.lab.docker.described import Container
    from netdiag.lab.docker.engine import Engine

_LOOK_AGAIN: Final = 0.1  # s; Docker has no event that would tell of running and of healthy
_NOT_YET: Final = ("created", "restarting")


def healthy(
    engine: Engine, labels: Sequence[str], services: Sequence[str], *, patience: float
) -> tuple[Container, ...]:
    """Wait until every container of these services with these labels runs and is healthy, where it
    has a check.

    Raises LabError when one ends with an error, or is not there within `patience` seconds.
    """
    limit = time.monotonic() + patience
    while True:
        found = [one for one in engine.containers(*labels) if one.service in services]
        failed = [one for one in found if one.state in ("dead", "exited") and one.exit_code]
        waited = [
            one for one in found if one.state in _NOT_YET or one.health in ("starting", "unhealthy")
        ]
        if failed:
            raise LabError(_told(failed[0], f"exited with code {failed[0].exit_code}"))
        if not waited:
            return tuple(found)
        if time.monotonic() > limit:
            raise LabError(_told(waited[0], f"{_still(waited[0])} after {patience:g} s"))
        time.sleep(_LOOK_AGAIN)


def _still(one: Container) -> str:
    if one.state == "restarting":
        return f"keeps ending (last with code {one.exit_code}) and being started again"
    return f"is still {one.health or one.state}"


def _told(one: Container, what: str) -> str:
    log = f"logs/{one.service}-{one.number}.log"
    return f"the service {one.service!a} {what}; see {log} of the cell"
