"""The Docker SDK's one door: what the engine says as values, what it can do as methods.

Every refusal of the engine becomes a LabError with the engine's own words. The engine must be this
machine's: its containers' namespaces are entered, and their links spliced.
"""

from __future__ import annotations

import contextlib
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from netdiag.errors import LabError
from netdiag.lab.docker.described import Container
from netdiag.lab.docker.described import container as described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_TIMEOUT: Final = 30  # s, for one answer of the engine
_STOP_PATIENCE: Final = 10  # s until `docker stop` kills; Docker's own default
_LONGEST_LOG: Final = 64 << 20
_NOT_FOUND: Final = 404
_GONE: Final = (_NOT_FOUND, 409)  # no such thing (any more); its removal is under way


def connect() -> Engine:
    """This machine's engine. Raises LabError when the SDK or the engine is missing."""
    try:
        import docker  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as err:
        raise LabError(
            "the Docker lab needs the Docker SDK for Python; install it with "
            "`pip install 'netdiag[docker]'`"
        ) from err
    url = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if not url.startswith("unix://"):
        raise LabError(
            f"DOCKER_HOST={url!a} is another machine's engine, and the cable is spliced in on the "
            "engine's own; run netdiag there"
        )
    try:
        client = docker.DockerClient(base_url=url, timeout=_TIMEOUT)
        version = str(client.version()["Version"])
    except (docker.errors.DockerException, OSError) as err:
        raise LabError(
            f"no Docker engine answers at {url} ({_reason(err)}); start it "
            "(`systemctl start docker`), or run without --lab docker"
        ) from err
    return Engine(client, version, docker.errors.DockerException)


class GoneError(LabError):
    """What the engine was asked about is not there (any more)."""


class Engine:
    """A running engine; make it with `connect`. Methods raise LabError with the engine's words."""

    def __init__(self, client: Any, version: str, refusals: type[Exception]) -> None:  # noqa: ANN401
        self._client = client
        self._api = client.api
        self.version = version
        self._refusals = refusals

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except (self._refusals, OSError) as err:
            kind = GoneError if _status(err) == _NOT_FOUND else LabError
            raise kind(f"the Docker engine refused to {what}: {_reason(err)}") from err

    def close(self) -> None:
        self._client.close()

    def containers(self, *labels: str) -> tuple[Container, ...]:
        """Every container with all these labels (`name` or `name=value`), running or not, in the
        order of their numbers.
        """
        with self._asking("list containers"):
            found = self._api.containers(all=True, filters={"label": list(labels)})
        told = [self._told(one["Id"]) for one in found]
        return tuple(sorted(filter(None, told), key=lambda one: (one.service, one.number)))

    def _told(self, container: str) -> Container | None:
        with contextlib.suppress(LabError):  # it has just gone
            return self.inspect(container)
        return None

    def inspect(self, container: str) -> Container:
        """What there is to know of one container."""
        with self._asking("describe a container"):
            told = self._api.inspect_container(container)
        return described(told)

    def start(self, container: Container) -> None:
        with self._asking(f"start {container.name}"):
            self._api.start(container.id)

    def stop(self, container: Container) -> None:
        with self._asking(f"stop {container.name}"):
            self._api.stop(container.id, timeout=_STOP_PATIENCE)

    def restart(self, container: Container) -> None:
        with self._asking(f"restart {container.name}"):
            self._api.restart(container.id, timeout=_STOP_PATIENCE)

    def kill(self, container: Container) -> None:
        with self._asking(f"kill {container.name}"):
            self._api.kill(container.id)
            self._api.wait(container.id)

    def pause(self, container: Container) -> None:
        with self._asking(f"pause {container.name}"):
            self._api.pause(container.id)

    def unpause(self, container: Container) -> None:
        with self._asking(f"unpause {container.name}"):
            self._api.unpause(container.id)

    def disconnect(self, container: Container, network: str) -> None:
        with self._asking(f"disconnect {container.name}"):
            self._api.disconnect_container_from_network(container.id, network)

    def join(self, container: Container, network: str, aliases: Sequence[str] = ()) -> None:
        """Connect a container to a network, under these names."""
        with self._asking(f"connect {container.name}"):
            self._api.connect_container_to_network(container.id, network, aliases=list(aliases))

    def save_log(self, container: Container, path: Path) -> None:
        """Write what a container has printed, as it printed it, to a file."""
        with self._asking(f"give the log of {container.name}"), path.open("wb") as file:
            left = _LONGEST_LOG
            for block in self._api.logs(container.id, stream=True, follow=False):
                file.write(block[:left])
                left -= len(block)
                if left <= 0:
                    break

    def networks(self, *labels: str) -> tuple[tuple[str, str, str], ...]:
        """(id, name, value of the first label) of every network with these labels."""
        with self._asking("list networks"):
            found = self._api.networks(filters={"label": list(labels)})
        return tuple((one["Id"], one["Name"], _value(one, labels)) for one in found)

    def volumes(self, *labels: str) -> tuple[tuple[str, str], ...]:
        """(name, value of the first label) of every volume with these labels."""
        with self._asking("list volumes"):
            found = self._api.volumes(filters={"label": list(labels)})["Volumes"] or ()
        return tuple((one["Name"], _value(one, labels)) for one in found)

    def label_values(self, label: str) -> frozenset[str]:
        """Every value that any object here has for this label."""
        with self._asking("list containers"):
            found = self._api.containers(all=True, filters={"label": label})
        values = {_value(one, (label,)) for one in found}
        values |= {value for _, _, value in self.networks(label)}
        return frozenset(values | {value for _, value in self.volumes(label)})

    def remove(self, label: str) -> int:
        """Remove every container, then every network and volume with this label; how many.

        Goes on past what the engine refuses, and raises LabError at the end when something is
        left: a busy engine may hold a container for a while.
        """
        with self._asking("list containers"):
            found = self._api.containers(all=True, filters={"label": label})
        doing: list[Callable[[], Any]] = [
            partial(self._api.remove_container, one["Id"], force=True, v=True) for one in found
        ]
        left = [why for one in doing if (why := self._refusal(one)) is not None]
        objects: list[Callable[[], Any]] = [
            partial(self._api.remove_network, network) for network, _, _ in self.networks(label)
        ]
        objects += [
            partial(self._api.remove_volume, volume, force=True)
            for volume, _ in self.volumes(label)
        ]
        left += [why for one in objects if (why := self._refusal(one)) is not None]
        if left:
            raise LabError(f"the Docker engine refused to remove what is left: {left[0]}")
        return len(doing) + len(objects)

    def _refusal(self, remove: Callable[[], Any]) -> str | None:
        """Remove one thing; why it is still there. Somebody else may have been faster."""
        try:
            remove()
        except (self._refusals, OSError) as err:
            return None if _status(err) in _GONE else _reason(err)
        return None

    def has_image(self, name: str) -> bool:
        with self._asking("list images"):
            return bool(self._api.images(name=name))

    def load(self, archive: Path, repository: str, tag: str) -> None:
        """Make an image of a root file system's tar archive."""
        with self._asking(f"import {repository}:{tag}"):
            self._api.import_image_from_file(str(archive), repository=repository, tag=tag)

    def pull(self, repository: str, tag: str) -> None:
        with self._asking(f"pull {repository}:{tag}"):
            self._client.images.pull(repository, tag=tag)

    def build(
        self, context: Path, dockerfile: str, tag: str, arguments: Mapping[str, str]
    ) -> None:
        """Build an image with the machine's own network: mirrors are reached as it reaches them."""
        with self._asking(f"build {tag}"):
            self._client.images.build(
                path=str(context), dockerfile=dockerfile, tag=tag, buildargs=dict(arguments),
                network_mode="host", rm=True, forcerm=True,
            )


def _value(told: Mapping[str, Any], labels: Sequence[str]) -> str:
    held = told.get("Labels") or {}
    return str(held.get(labels[0].partition("=")[0], "")) if labels else ""


def _status(err: BaseException) -> int | None:
    """The HTTP status with which the engine refused; None when it did not answer."""
    return getattr(getattr(err, "response", None), "status_code", None)


def _reason(err: BaseException) -> str:
    """The innermost sentence that an SDK's error carries, on one line."""
    said = getattr(err, "explanation", None) or _os_error(err) or str(err) or type(err).__name__
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return "".join(c if c.isprintable() else " " for c in text)[:300]


def _os_error(err: BaseException) -> str:
    """What the kernel said, at the bottom of errors that were made of one another."""
    said, seen = "", set()
    cause: BaseException | None = err
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.strerror:
            said = cause.strerror
        cause = cause.__cause__ or cause.__context__
    return said
