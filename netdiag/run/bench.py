"""The programs of a cell: the cable, the server with connections to it, the client with its pipe.

Starts each and registers its undoing at once. The rule it guards: what cannot be started is a
LabError with a sentence that names the log.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netdiag.cable.core import Core
from netdiag.cable.loop import CableLoop
from netdiag.cable.tape import Tape
from netdiag.catalogue.servers import PORT
from netdiag.clients.apart import version_in
from netdiag.clients.start import client_main, kind_of, library_version
from netdiag.clients.task import workload_json
from netdiag.errors import LabError
from netdiag.faults import EventTrigger, StateTrigger
from netdiag.lab import CLIENT, SERVER, Lab
from netdiag.process import Child, fork
from netdiag.run.last_words import server_ended
from netdiag.run.mains import in_own_group, printing_to, with_a_limit
from netdiag.run.program import own_group
from netdiag.scenario.plan import seed_of
from netdiag.servers.admin import Admin, dial_unix
from netdiag.servers.redis import SOCKET, doze
from netdiag.servers.start import server_main
from netdiag.units import MILLISECOND, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack

    from netdiag.catalogue.clients import Client
    from netdiag.faults import Fault
    from netdiag.recording import CellFiles
    from netdiag.scenario import Cell

_SERVER_READY = 10 * SECOND
_RETRY = 5 * MILLISECOND
_VERSION_TOLD = 30.0  # s
_LONGEST_VERSION = 4096


@dataclass(frozen=True)
class Bench:
    """Where one client's programs (and the server) are started; all of them end with `undo`.

    `name` is the client's in the cell; `scratch` is a directory of the sandbox's own, `wall_offset`
    (ns) ties the tape to the wall. `virtual`: the clock skips whatever nobody works in.
    """

    cell: Cell
    name: str
    files: CellFiles
    scratch: Path
    wall_offset: int
    lab: Lab
    undo: ExitStack
    virtual: bool = False

    @property
    def who(self) -> str:
        """How events and files name the client: not at all when it is the only one."""
        return self.name if len(self.cell.clients) > 1 else ""

    @property
    def client_spec(self) -> Client:
        """What the scenario says of this client."""
        return self.cell.clients[self.name]

    @property
    def client_log(self) -> Path:
        """Where the client's output goes."""
        return self.files.logs / (f"client-{self.who}.log" if self.who else "client.log")

    @property
    def server_address(self) -> str:
        """The address at which this client finds the server."""
        return self.lab.address(SERVER)

    def cable(self) -> tuple[Child, socket.socket]:
        """Fork the cable; returns it and the cell's end of its control socket."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        theirs.setblocking(False)
        cell, lab = self.cell, self.lab
        producers = {str(index): entry.at for index, entry in enumerate(cell.workload.produce)}
        faults = [fault for fault in cell.faults if fault.name in self.carried]
        core = Core(faults, cell.workload.commands, producers)
        whose = f", client {self.who}" if self.who else ""
        about = f"netdiag cell {cell.id}{whose}; interface 0 is the client's end, 1 the server's"

        def forward() -> int:
            ours.close()
            ports = (lab.port(CLIENT), lab.port(SERVER))
            try:
                tape = Tape(self.files.tape_of(self.who), wall_offset=self.wall_offset, about=about)
                return CableLoop(core, ports, tape, theirs).run(lab.dropped)
            except OSError as err:
                theirs.send(json.dumps({"failed": err.errno or 0}).encode())
                return 1

        cable = fork(forward, "cable")
        theirs.close()
        self.undo.callback(ours.close)
        self.undo.callback(cable.kill)
        return cable, ours

    @property
    def carried(self) -> frozenset[str]:
        """The faults that this client's packets and events start."""
        return frozenset(fault.name for fault in self.cell.faults if self._carries(fault))

    @property
    def awaited(self) -> frozenset[str]:
        """The events for which triggers wait at this client's cable."""
        own = [fault for fault in self.cell.faults if fault.name in self.carried]
        triggers = [*(fault.at for fault in own), *(fault.heal for fault in own),
                    *(entry.at for entry in self.cell.workload.produce)]
        heard = EventTrigger, StateTrigger
        return frozenset(one.event for one in triggers if isinstance(one, heard))

    def _carries(self, fault: Fault) -> bool:
        """There is one server, so what happens to it happens once: without a client's name it is
        the first one's cable that counts.
        """
        if fault.client is None and fault.host == "server":
            return self.name == next(iter(self.cell.clients))
        return fault.client in (None, self.name)

    def server(self, addresses: Sequence[str]) -> Child:
        """Start the server, listening on these addresses; it is ready when `admin` returns.

        Where one runs already, it is that one: its own configuration is not touched here.
        """
        resident = self.lab.resident(SERVER)
        if resident is not None:
            return resident
        log = self._log("server.log")
        config = self.files.root / "server.conf"
        try:
            main = server_main(
                self.cell.server,
                addresses,
                config=config,
                scratch=self.scratch,
                log=log,
                unhurried=self.virtual,
            )
            server = self.lab.start(SERVER, in_own_group(main), "server")
        finally:
            os.close(log)
        self.undo.callback(server.kill)
        own_group(server)
        return server

    def admin(self, server: Child, pause: Callable[[int], object]) -> Admin:
        """A connection to the server, over no link of the lab, as soon as it listens.

        `pause` waits until a moment (ns). Raises LabError when the server ends or never listens.
        """
        limit = time.monotonic_ns() + _SERVER_READY
        while True:
            try:
                admin = Admin(self._dial, self.cell.server.greeting)
            except OSError as err:
                self._server_must_live(server, limit, err)
                pause(time.monotonic_ns() + _RETRY)
                continue
            self.undo.callback(admin.close)
            return admin

    def let_doze(self, server: Child) -> None:
        """On a virtual clock: let the server's own timers wait for one another, see `redis.doze`.

        Raises OSError. Source: proc(5), timerslack_ns.
        """
        if self.virtual:
            late = round(doze(self.cell.server, self.cell.workload.block) * SECOND)
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the loop hears of it
                Path(f"/proc/{server.pid}/timerslack_ns").write_text(str(late), encoding="ascii")

    def _dial(self) -> socket.socket:
        found = self.lab.dial(self.lab.listens(PORT))
        return dial_unix(self.scratch, SOCKET) if found is None else found

    def _server_must_live(self, server: Child, limit: int, err: OSError) -> None:
        log = self.files.logs / "server.log"
        if server.poll() is not None:
            raise LabError(server_ended(server, log)) from err
        if time.monotonic_ns() > limit:
            raise LabError(
                "the server did not listen within 10 s; see its log in logs/ of the cell"
            ) from err

    def client(self, life: int = 1) -> tuple[Child, int]:
        """Start the client, for the `life`th time; returns it and the reading end of its events
        pipe.
        """
        reading, writing = os.pipe2(os.O_CLOEXEC)
        self.undo.callback(os.close, reading)
        resident = self.lab.resident(CLIENT) if self.client_spec.kind == "service" else None
        if resident is not None:  # it says nothing, and its log is the container's
            os.close(writing)
            return resident, reading
        log = self._log(self.client_log.name)
        try:
            main = client_main(
                self.client_spec,
                workload_json(self.cell.workload, consumer=self.name, names=self._names(life)),
                server=(self.server_address, self.lab.listens(PORT)),
                log=log,
                events=writing,
                seed=seed_of(self.cell.seed, self.name),
                apart=self.lab.apart,
            )
            client = self.lab.start(CLIENT, in_own_group(with_a_limit(main)), "client")
        finally:
            os.close(writing)
            os.close(log)
        self.undo.callback(client.kill)
        own_group(client)
        return client, reading

    def _names(self, life: int) -> str:
        """What the names of the client's own messages begin with, different in each of its lives:
        `r`, `2:r`, and of several clients `a:r`, `a:2:r`.
        """
        return ":".join([*filter(None, (self.who, str(life) if life > 1 else "")), "r"])

    def version(self) -> str | None:
        """The version of the library under test, as it is on the client's host; None when nobody
        there can tell.
        """
        spec = self.client_spec
        if spec.kind == "service":
            return None
        if not self.lab.apart:
            return library_version(spec)
        ask = kind_of(spec).apart(spec).ask
        if not ask:
            return None
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
            main = printing_to(ask, said.fileno(), errors.fileno())
            asked = self.lab.start(CLIENT, main, "version")
            if not select.select([asked.pidfd], [], [], _VERSION_TOLD)[0]:
                asked.kill()
            asked.wait()
            said.seek(0)
            return version_in(said.read(_LONGEST_VERSION))

    def _log(self, name: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(self.files.logs / name, flags, 0o644)
