"""The server of a cell: its process, the questions to it, its end, and its coming back.

A server that ends by itself ends the cell; one that a fault has ended is part of the experiment,
and when a fault starts it again it has the same addresses, and nothing in its memory. The rule it
guards: whoever asks the server keeps the same Admin, which dials again when the server is back.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netdiag.run.last_words import last_line, server_ended
from netdiag.run.program import Program
from netdiag.servers.queues import text
from netdiag.tcp.resp import ErrorReply
from netdiag.units import MILLISECOND, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdiag.process import Child
    from netdiag.run.bench import Bench
    from netdiag.run.loop import Loop
    from netdiag.run.recorder import Recorder
    from netdiag.servers.admin import Admin, Answer

_RETRY = 5 * MILLISECOND
_BACK = 10 * SECOND
_FACTS = ("server_name", "redis_version", "valkey_version", "process_id", "tcp_port")


class ServerSide:
    """Starts the server at once; `failed` is told when it ends and nobody wanted that."""

    def __init__(
        self,
        bench: Bench,
        addresses: Sequence[str],
        loop: Loop,
        recorder: Recorder,
        failed: Callable[[str], None],
    ) -> None:
        self._bench = bench
        self._addresses = addresses
        self._loop = loop
        self._recorder = recorder
        self._failed = failed
        self._admins: list[Admin] = []
        self.program = Program("server.app", self._start(), recorder, self._again)

    def admin(self, pause: Callable[[int], object]) -> Admin:
        """One more connection for questions; `pause` waits until a moment (ns).

        Raises LabError when the server ends or never listens.
        """
        admin = self._bench.admin(self.program.child, pause)
        self._admins.append(admin)
        self._serve(admin)
        return admin

    def ask_who_it_is(self) -> None:
        """Record name and version of the server, as it says them itself; where it was not us who
        configured it, do so now.
        """
        if self._bench.lab.apart:
            for key, value in self._bench.cell.server.config.items():
                self._admins[0].ask(self._configured(key), "CONFIG", "SET", key, str(value))
        self._admins[0].ask(self._told, "INFO", "server")

    def _configured(self, key: str) -> Callable[[Answer], None]:
        def answered(answer: Answer) -> None:
            if isinstance(answer, ErrorReply):
                self._failed(
                    f"server.config: {key} cannot be set on the running server ({text(answer)}); "
                    "set it in the compose file"
                )

        return answered

    def _start(self) -> Child:
        server = self._bench.server(self._addresses)
        self._loop.on_readable(server.pidfd, lambda: self._ended(server))
        return server

    def _ended(self, server: Child) -> None:
        self._loop.forget(server.pidfd)
        code, by = server.wait(), self.program.ended_by
        log = self._bench.files.logs / "server.log"
        wanted = {"said": last_line(log)} if by is None else {"fault": by}
        how = "fail" if code or by is None else "ok"
        self._recorder.record("server.app", "exit", how, {"code": code, **wanted})
        if by is None:
            self._failed(server_ended(server, log))
        self.program.ended()

    def _again(self) -> Child:
        server = self._start()
        self._readmit(time.monotonic_ns() + _BACK)
        return server

    def _readmit(self, limit: int) -> None:
        """Dial again until it listens."""
        try:
            for admin in self._admins:
                self._loop.forget(admin.fileno())
                admin.dial_again()
        except OSError as err:
            if time.monotonic_ns() > limit:
                self._failed(f"the server was started again and does not listen ({err.strerror})")
            elif self.program.running:
                self._loop.at(time.monotonic_ns() + _RETRY, lambda: self._readmit(limit))
            return
        for admin in self._admins:
            self._serve(admin)
        self.ask_who_it_is()

    def _serve(self, admin: Admin) -> None:
        self._loop.on_readable(admin.fileno(), lambda: self._admin_ready(admin))

    def _admin_ready(self, admin: Admin) -> None:
        if not admin.ready():
            self._loop.forget(admin.fileno())
            if self.program.ended_by is None:
                self._recorder.note("server.app", "admin_closed", "fail")

    def _told(self, answer: Answer) -> None:
        text = answer.decode("ascii", "replace") if isinstance(answer, bytes) else ""
        info = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        facts = {name: info[name] for name in _FACTS if name in info}
        self._recorder.record("server.app", "ready", "ok", facts)
        self._bench.let_doze(self.program.child)
