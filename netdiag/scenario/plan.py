"""A Plan: the cells of a scenario, fully resolved, in a fixed order; and its way through JSON.

The rule this file guards: a plan is complete. Whoever runs a cell or judges it needs nothing of
the scenario file any more; and reading a plan is fast, because every runner does it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from netdiag.catalogue.clients import Client  # noqa: TC001 - build resolves the annotations
from netdiag.catalogue.hosts import numbers
from netdiag.catalogue.redis_py import RedisPyClient
from netdiag.catalogue.servers import RedisServer, Server
from netdiag.catalogue.settings import UNSET, Keepalive, Timeouts
from netdiag.faults.fault import Fault  # noqa: TC001
from netdiag.scenario.codec import pack, unpack
from netdiag.scenario.expectation import Expectation  # noqa: TC001
from netdiag.scenario.typed import build
from netdiag.scenario.workload import LabSettings, Pause, Workload

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1


def seed_of(seed: int, name: str) -> int:
    """The own seed of one of several, 0 to 2**63 - 1: it depends on nothing but theirs and its
    name.
    """
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the matrix.

    id: short, readable, a safe directory name, unique in the plan; seed: where the pauses begin
    that its clients draw; choices: axis path -> what was chosen, as text; duration: seconds from
    the client's first SYN; hosts: host -> sysctl -> value.
    """

    id: str
    index: int
    seed: int
    choices: Mapping[str, str] = field(default_factory=dict)
    lab: LabSettings = LabSettings()  # noqa: RUF009  (frozen)
    server: Server = RedisServer()  # noqa: RUF009
    clients: Mapping[str, Client] = field(default_factory=lambda: {"client": RedisPyClient()})
    workload: Workload = Workload()  # noqa: RUF009
    hosts: Mapping[str, Mapping[str, str | int]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    expect: tuple[Expectation, ...] = ()
    duration: float = 30.0

    @property
    def client(self) -> Client:
        """The client; of several, the first."""
        return next(iter(self.clients.values()))

    @property
    def needs_containers(self) -> str | None:
        """What it has that only containers have, in words; None: it runs anywhere."""
        for fault in self.faults:
            if fault.kind == "docker":
                return f"fault {fault.name} is the Docker engine's ({fault.do})"
        if any(client.kind == "service" for client in self.clients.values()):
            return "a client of kind service is a container's own program"
        if any(entry.by is not None for entry in self.workload.produce):
            return "its messages are made in a service's container"
        return None if self.lab.compose is None else "lab.compose names a stack of containers"

    def values(self, version: str | None = None) -> dict[str, float | None]:
        """What formulas may speak of: name (formula.NAMES) -> seconds or count; None: it has no
        value. Unset settings are left out unless the library's version tells their default."""
        after = self.workload.after_error
        client, server = (numbers(self.hosts.get(host, {})) for host in ("client", "server"))
        found: dict[str, float | None] = {
            **_values(self.client.timeouts(version), client),
            "block": self.workload.block,
            "pause": after.pause if isinstance(after, Pause) else None,
            "tcp_keepalive": self.server.tcp_keepalive(server.get),
            "duration": self.duration,
        }
        return found


def _values(settings: Timeouts, sysctls: Mapping[str, int]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name in ("read_timeout", "connect_timeout", "user_timeout", "health_check_interval",
                 "retry"):
        value = getattr(settings, name)
        if value is not UNSET:
            found[name] = value
    keepalive = settings.keepalive
    if isinstance(keepalive, Keepalive):
        keepalive = keepalive.on(sysctls.get)
        found |= dict(zip(_KEEPALIVE, (keepalive.total, *keepalive.timings), strict=True))
    elif keepalive is None:
        found |= dict.fromkeys(_KEEPALIVE)
    return found


_KEEPALIVE = ("keepalive", "keepalive_idle", "keepalive_interval", "keepalive_count")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A scenario, expanded. digest: sha256 of the text(s) that it was read from."""

    scenario: str
    about: str
    digest: str
    seed: int
    cells: tuple[Cell, ...]

    @property
    def place(self) -> Literal["here", "warp", "docker"]:
        """Where it runs when nobody says: containers for what only those have, a virtual clock for
        times that are long."""
        if any(cell.needs_containers for cell in self.cells):
            return "docker"
        virtual = any(cell.lab.clock == "virtual" for cell in self.cells)
        return "warp" if virtual else "here"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: dicts, lists and scalars."""
        return {"version": VERSION, "scenario": self.scenario, "about": self.about,
                "digest": self.digest, "seed": self.seed,
                "cells": [{name: pack(getattr(cell, name)) for name in _CELL} for cell in
                          self.cells]}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Plan:
        """What `to_json` gave -> the same Plan. Raises ValueError when it is something else."""
        if plain.get("version") != VERSION:
            raise ValueError(f"the plan has version {plain.get('version')!a}, this netdiag reads "
                             f"{VERSION}; run the scenario again")
        cells = plain.get("cells")
        if not isinstance(cells, list) or not cells:
            raise ValueError("the plan holds no cells")
        head = {name: plain[name] for name in _HEAD if name in plain}
        read = tuple(_read_cell(one, f"cells[{index}]") for index, one in enumerate(cells))
        return build(cls, {**head, "cells": read}, "plan")


def _read_cell(packed: object, where: str) -> Cell:
    """One cell of a plan, as `to_json` gave it. Raises ValueError with the place."""
    held = unpack(packed, where)
    if not isinstance(held, dict):
        raise ValueError(f"{where} is no cell")
    cell = build(Cell, {name: held[name] for name in _CELL if name in held}, where)
    if not cell.clients:
        raise ValueError(f"{where}.clients: there are none")
    return cell


_CELL = tuple(Cell.__dataclass_fields__)
_HEAD = ("scenario", "about", "digest", "seed")
