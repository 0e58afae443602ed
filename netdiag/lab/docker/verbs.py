"""What the engine can do to a container in mid-run, and how its effect is seen.

A table: the verb, the call, what the engine must say of the container afterwards, and what the lab
has to take up again. The rule it guards: a verb whose effect cannot be seen has not been done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdiag.lab.docker.described import Attachment, Container
    from netdiag.lab.docker.engine import Engine


@dataclass(frozen=True)
class EngineVerb:
    """One verb. `seen` says in words what became of the container, given its place in the lab's
    network before, or raises LabError; `renews`: its namespaces are new; `joins`: its link is;
    `undo`: how it is undone on a stack that is not ours.
    """

    act: Callable[[Engine, Container, Attachment], None]
    seen: Callable[[Container, Attachment], str]
    renews: bool = False
    joins: bool = False
    undo: str = ""


def _must(holds: bool, container: Container, what: str) -> None:
    if not holds:
        raise LabError(f"{container.name} is {container.state}, {what}")


def _left(container: Container, before: Attachment) -> str:
    _must(before.name not in container.networks, container, "and its link is still there")
    return f"no link any more, {_address(before)} is free"


def _joined(container: Container, before: Attachment) -> str:
    place = container.networks.get(before.name)
    if place is None or not _address(place):
        raise LabError(f"{container.name} has no link in {before.name}")
    mac = "" if place.mac == before.mac else ", with another hardware address"
    if _address(place) == _address(before):
        return f"a new link, {_address(place)} came back{mac}"
    return f"a new link, {_address(place)} and not {_address(before)} as before{mac}"


def _paused(container: Container, _: Attachment) -> str:
    _must(container.state == "paused", container, "not paused")
    return "paused: no process of it runs"


def _unpaused(container: Container, _: Attachment) -> str:
    _must(container.state == "running", container, "not running")
    return "running again"


def _ended(container: Container, _: Attachment) -> str:
    _must(not container.running, container, "not ended")
    return f"exited with code {container.exit_code}, its link is gone"


def _started(container: Container, before: Attachment) -> str:
    _must(container.state == "running", container, "not running")
    return f"started anew: {_joined(container, before)}"


def _address(place: Attachment) -> str:
    return " and ".join(filter(None, (place.ip4, place.ip6)))


VERBS: Final[dict[str, EngineVerb]] = {
    "network_disconnect": EngineVerb(
        lambda engine, container, place: engine.disconnect(container, place.name), _left,
        undo="join"),
    "network_connect": EngineVerb(
        lambda engine, container, place: engine.join(container, place.name, place.aliases),
        _joined, joins=True),
    "pause": EngineVerb(lambda engine, container, _: engine.pause(container), _paused,
                        undo="unpause"),
    "unpause": EngineVerb(lambda engine, container, _: engine.unpause(container), _unpaused),
    "kill": EngineVerb(lambda engine, container, _: engine.kill(container), _ended,
                       undo="start"),
    "stop": EngineVerb(lambda engine, container, _: engine.stop(container), _ended,
                       undo="start"),
    "start": EngineVerb(
        lambda engine, container, _: engine.start(container), _started, renews=True, joins=True),
    "restart": EngineVerb(
        lambda engine, container, _: engine.restart(container), _started, renews=True, joins=True),
}
