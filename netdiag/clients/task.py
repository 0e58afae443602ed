"""What a client is told of its workload, as the contract of `netdiag.clients` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.catalogue.patterns import PATTERNS
from netdiag.scenario.workload import Pause

if TYPE_CHECKING:
    from netdiag.recording import Json
    from netdiag.scenario.workload import Workload


def workload_json(workload: Workload, *, consumer: str, names: str) -> dict[str, Json]:
    """The part of the workload that the client needs to know, as the contract has it.

    `names`: what the names of the messages begin with that the client makes itself; no other
    client, and no earlier life of this one, has the same.
    """
    after, keys = workload.after_error, workload.names
    reaper = workload.reaper
    own: dict[str, Json] = {
        "processing": keys["processing"],
        "group": keys["group"],
        "reaper": None if reaper is None else {"idle": reaper.idle},
        "pool": workload.pool or 1,
        "every": workload.every or (1.0 if "pool" in workload.own_settings else None),
    }
    return {
        "pattern": workload.pattern,
        "key": workload.key,
        "consumer": consumer,
        "block": workload.block,
        "work": workload.work,
        "after_error": {"pause": after.pause} if isinstance(after, Pause) else "exit",
        **{name: own[name] for name in sorted(workload.own_settings)},
        **({"names": names} if PATTERNS[workload.pattern].own_messages else {}),
    }
