"""What the kernels, the server and /proc say about both ends, recorded on change.

Sockets are asked for by exact GET after their frames and events, once more when things have
settled, and followed to their end by the destroy group; CLIENT LIST and the client's system call on
a slow clock besides. Nothing here polls on a fast clock: a virtual one could not afford it.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from netdiag.lab import CLIENT, SERVER, SIDE_NAMES, Lab, Side
from netdiag.run.sockets import DESTROY_GROUPS, Endpoint, SocketView, ask, deaths
from netdiag.run.syscalls import asleep, describe, sleeps
from netdiag.servers.admin import Admin, Answer, client_rows
from netdiag.servers.queues import text
from netdiag.tcp.resp import ErrorReply
from netdiag.units import MILLISECOND, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from socket import socket

    from netdiag.recording import Json
    from netdiag.run.loop import Loop
    from netdiag.run.recorder import Recorder

_SLOW_CLOCK = SECOND
_SLOWEST = 600 * SECOND
_SETTLED = 250 * MILLISECOND
_TRAILING = 50 * MILLISECOND
_ROW_IS_NEW = ("id", "addr", "name", "flags", "cmd")
_ROW_KEPT = (*_ROW_IS_NEW, "age", "idle", "omem", "tot-mem")

GONE = "CLOSED"
"""The state of a socket that the kernel has not got any more."""

Connection = tuple[Endpoint, Endpoint]


class Pace:
    """When to look next where no event tells: every second; on a virtual clock less and less often.

    There an hour of silence would otherwise cost 3600 looks: each waits twice as long as the one
    before, ten minutes at most, and after a change a second again.
    """

    def __init__(self, *, virtual: bool) -> None:
        self._growth = 2 if virtual else 1
        self._next = _SLOW_CLOCK

    def next(self) -> int:
        """How long to wait now, ns."""
        wait = self._next
        self._next = min(wait * self._growth, _SLOWEST)
        return wait

    def quicken(self) -> None:
        """Something has changed."""
        self._next = _SLOW_CLOCK


class SocketWatch:
    """Every connection of the cell at both kernels, from its first frame to its death."""

    def __init__(
        self, lab: Lab, loop: Loop, recorder: Recorder, *, on_state: Callable[[Side, str], None]
    ) -> None:
        self._lab = lab
        self._loop = loop
        self._recorder = recorder
        self._on_state = on_state
        self._ask: list[socket | None] = [None, None]
        self._dying: list[socket | None] = [None, None]
        self._last: dict[tuple[Side, Connection], SocketView] = {}
        self._alive: dict[tuple[Side, Connection], int] = {}
        self._known: dict[Connection, bool] = {}
        for side in (CLIENT, SERVER):
            self._listen(side)

    def _listen(self, side: Side) -> None:
        self._ask[side] = self._lab.netlink(side)
        dying = self._dying[side] = self._lab.netlink(side, DESTROY_GROUPS)
        if dying is not None:
            self._loop.on_readable(dying.fileno(), self._burial(side, dying))

    def renew(self, side: Side) -> None:
        """The host has a new network namespace: its sockets are gone with the old one."""
        for (where, connection), view in list(self._last.items()):
            if where == side:
                self._gone(side, connection, view)
        old = self._dying[side]
        if old is not None:
            self._loop.forget(old.fileno())
        self._listen(side)

    def seen(self, connections: Iterable[Connection]) -> None:
        """These connections (client's end, server's end) had frames: look at both their sockets."""
        for connection in connections:
            self._look(connection)
            if not self._known.get(connection):
                self._known[connection] = True
                self._loop.at(time.monotonic_ns() + _SETTLED, self._settled(connection))

    def look_at_all(self) -> None:
        """Look at every socket that lived when it was last seen."""
        for connection in dict.fromkeys(connection for _, connection in self._last):
            self._look(connection)

    def _settled(self, connection: Connection) -> Callable[[], None]:
        def look() -> None:
            self._known[connection] = False
            self._look(connection)

        return look

    def _look(self, connection: Connection) -> None:
        self._look_at(CLIENT, connection)
        self._look_at(SERVER, connection)

    def _look_at(self, side: Side, connection: Connection) -> None:
        diag = self._ask[side]
        if diag is None:
            return
        client, server = connection
        asked = time.monotonic_ns()
        view = ask(diag, *((client, server) if side == CLIENT else (server, client)))
        before = self._last.get((side, connection))
        if view is None:
            if before is not None:
                self._gone(side, connection, before)
            return
        self._alive[side, connection] = asked
        if not view.same_regime(before):
            self._last[side, connection] = view
            self._recorder.record(
                f"{SIDE_NAMES[side]}.kernel",
                "socket",
                "info",
                {**_ends(connection), **view.as_json()},
            )
            if before is None or before.state != view.state:
                self._on_state(side, view.state)

    def _burial(self, side: Side, dying: socket) -> Callable[[], None]:
        def bury() -> None:
            for death in deaths(dying):
                if death is None:
                    self._overrun(side)
                    continue
                local, remote, _ = death
                connection = (local, remote) if side == CLIENT else (remote, local)
                # a socket that leaves a TIME-WAIT behind is not gone yet, and a listener never was
                # one
                if (side, connection) in self._last:
                    self._look_at(side, connection)
                elif not remote[1]:
                    self._forgotten_peer(side, local[1])

        return bury

    def _overrun(self, side: Side) -> None:
        """Deaths that were not told: find them out now, or they would seem to come much later."""
        self._recorder.note(f"{SIDE_NAMES[side]}.kernel", "overrun", "fail")
        for where, connection in list(self._last):
            if where == side:
                self._look_at(side, connection)

    def _forgotten_peer(self, side: Side, port: int) -> None:
        """A socket that was closed with a reset (SO_LINGER 0) has forgotten its peer when it dies,
        and its own address with it: look at all that had its port.
        """
        for where, connection in list(self._last):
            if where == side and connection[side][1] == port:
                self._look_at(side, connection)

    def _gone(self, side: Side, connection: Connection, last: SocketView) -> None:
        """Told when it is found out, which on a busy machine is later than it was: `alive` says
        when the kernel had it still.
        """
        del self._last[side, connection]
        alive = self._alive.pop((side, connection))
        self._recorder.record(
            f"{SIDE_NAMES[side]}.kernel",
            "socket_gone",
            "info",
            {**_ends(connection), "last_state": last.state, "orphan": last.orphan, "alive": alive},
        )
        self._on_state(side, GONE)


def _ends(connection: Connection) -> dict[str, Json]:
    (client, client_port), (server, server_port) = connection
    return {
        "client": f"{client}:{client_port}" if ":" not in client else f"[{client}]:{client_port}",
        "server": f"{server}:{server_port}" if ":" not in server else f"[{server}]:{server_port}",
    }


class ServerWatch:
    """The server's own view: CLIENT LIST, recorded when a client appears, changes or is gone; an
    error says nothing of them.
    """

    def __init__(self, admin: Admin, loop: Loop, recorder: Recorder) -> None:
        self._admin = admin
        self._loop = loop
        self._recorder = recorder
        self._last: list[tuple[str, ...]] | None = None
        self._refused = ""
        self._trailing = False

    def look(self) -> None:
        """Ask now, unless an answer is still outstanding."""
        if not self._admin.busy:
            self._admin.ask(self._answer, "CLIENT", "LIST")

    def look_twice(self) -> None:
        """Something changed: ask now, and again when the server has had time to see it, too."""
        self.look()
        if not self._trailing:
            self._trailing = True
            self._loop.at(time.monotonic_ns() + _TRAILING, self._trail)

    def _trail(self) -> None:
        self._trailing = False
        self.look()

    def _answer(self, answer: Answer) -> None:
        refused = text(answer) if isinstance(answer, ErrorReply) else ""
        if refused and refused != self._refused:
            self._recorder.note(
                "server.app", "refused", "fail", asked="client_list", reason=refused
            )
        self._refused = refused
        if refused:
            self._last = None  # the next list is news, whoever is on it
            return
        rows = client_rows(answer)
        now = [tuple(row.get(key, "") for key in _ROW_IS_NEW) for row in rows]
        if now != self._last:
            self._last = now
            clients: list[Json] = [
                {key: row[key] for key in _ROW_KEPT if key in row} for row in rows
            ]
            self._recorder.note("server.app", "client_list", clients=clients)


class BacklogWatch:
    """How many messages wait in a queue that others fill and empty, recorded on change."""

    def __init__(
        self, admin: Admin, recorder: Recorder, *, key: str, ask: Sequence[str]
    ) -> None:
        """`ask`: the command that says how long the queue `key` is."""
        self._admin = admin
        self._recorder = recorder
        self._key = key
        self._words = ask
        self._last: int | None = None

    def look(self) -> None:
        """Ask now."""
        self._admin.ask(self._answer, *self._words)

    def _answer(self, answer: Answer) -> None:
        if isinstance(answer, int) and answer != self._last:
            self._last = answer
            asked = self._words[0]
            self._recorder.note("server.app", "backlog", length=answer, key=self._key, asked=asked)


class SleepWatch:
    """The system call in which the client's main thread sleeps (/proc/PID/syscall), recorded on
    change; where the kernel names none (a guest's), that it sleeps (/proc/PID/status).
    """

    def __init__(self, pid: int, recorder: Recorder) -> None:
        self._files = Path(f"/proc/{pid}")
        self._recorder = recorder
        self._last: str | None = None

    def look(self) -> None:
        """Read it now; a process that has ended has nothing to say."""
        with contextlib.suppress(OSError):
            line, said = self._read()
            if line and line != self._last:
                self._last = line
                self._recorder.record("client.app", "sleep", "info", said)

    def _read(self) -> tuple[str, dict[str, Json]]:
        try:
            line = (self._files / "syscall").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            status = (self._files / "status").read_text(encoding="utf-8", errors="replace")
            return sleeps(status), asleep(status)
        return line, describe(line)
