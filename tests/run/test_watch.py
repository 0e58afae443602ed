"""What the watchers record: on change, with the right sockets, to the end."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyroute2.iproute.linux import IPRoute

from netdiag.lab import CLIENT
from netdiag.process import fork
from netdiag.recording import read_events
from netdiag.run.loop import Loop
from netdiag.run.recorder import Recorder
from netdiag.run.watch import GONE, ServerWatch, SleepWatch, SocketWatch
from netdiag.tcp.resp import ErrorReply
from netdiag.units import MILLISECOND, SECOND
from tests.run.running import until

if TYPE_CHECKING:
    from collections.abc import Callable


class OneHost:
    """Both hosts of a cell on lo of this namespace: only what SocketWatch asks of a lab."""

    def netlink(self, side: int, groups: tuple[int, ...] = ()) -> socket.socket:
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
        made.bind((0, 0))
        for group in groups:
            made.setsockopt(270, 1, group)
        return made


class Watched:
    """A watched connection over lo."""

    def __init__(self, path: Path, undo: ExitStack) -> None:
        with IPRoute() as here:
            here.link("set", index=here.link_lookup(ifname="lo")[0], state="up")
        self.path, self.loop, self.dead, self.states = path, Loop(), [], []
        self.watch = SocketWatch(OneHost(), self.loop, Recorder(path), on_state=self.is_now)
        listener = undo.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.client = undo.enter_context(socket.create_connection(listener.getsockname()))
        self.server = undo.enter_context(listener.accept()[0])
        self.ends = self.client.getsockname(), self.client.getpeername()
        self.watch.seen([self.ends])

    def is_now(self, side: int, state: str) -> None:
        (self.dead.append(side) if state == GONE else self.states.append((side, state)))

    def told(self, lane: str) -> list[str]:
        return [
            f"{event.what} {event.data.get('state') or event.data['last_state']}"
            for event in read_events(self.path)
            if event.lane == lane
        ]

    def until(self, condition: Callable[[], bool]) -> None:
        """Serve the loop until something has been told."""
        end = time.monotonic_ns() + 5 * SECOND
        while not condition():
            assert time.monotonic_ns() < end, list(read_events(self.path))
            self.loop.run(until=time.monotonic_ns() + MILLISECOND)


def test_a_socket_is_told_when_it_is_seen_first_and_then_only_on_change(in_sandbox, tmp_path):
    def watch() -> None:
        with ExitStack() as undo:
            watched = Watched(tmp_path / "events.jsonl", undo)
            for _ in range(5):
                watched.watch.seen([watched.ends])
                watched.watch.look_at_all()
            assert watched.told("client.kernel") == ["socket ESTABLISHED"]
            assert watched.told("server.kernel") == ["socket ESTABLISHED"]
            names = [f"{address}:{port}" for address, port in watched.ends]
            ends = dict(zip(("client", "server"), names, strict=True))
            for event in read_events(watched.path):
                assert {key: event.data[key] for key in ends} == ends

    in_sandbox(watch)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_socket_is_followed_to_its_death_without_being_asked_again(how, in_sandbox, tmp_path):
    def watch() -> None:
        with ExitStack() as undo:
            began = time.monotonic_ns()
            watched = Watched(tmp_path / "events.jsonl", undo)
            if how == "rst":
                linger = struct.pack("ii", 1, 0)
                watched.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            else:
                watched.server.close()  # the one that closes last has no TIME-WAIT
                watched.until(lambda: True)
            watched.client.close()
            watched.until(lambda: "socket_gone" in " ".join(watched.told("client.kernel")))
            assert watched.dead[0] == CLIENT
            (gone,) = [one for one in read_events(watched.path)
                       if (one.lane, one.what) == ("client.kernel", "socket_gone")]
            alive = gone.data["alive"]
            assert isinstance(alive, int)
            assert began < alive < gone.t

    in_sandbox(watch)


def drops(netlink: socket.socket) -> int:
    """How many messages the kernel had no room for, as /proc/net/netlink has it."""
    inode = str(os.fstat(netlink.fileno()).st_ino)
    rows = [line.split() for line in Path("/proc/net/netlink").read_text().splitlines()]
    return next(int(row[8]) for row in rows if row[9] == inode)


def test_a_death_that_the_kernel_had_no_room_to_tell_of_is_found_at_once(in_sandbox, tmp_path):
    """Its queue is full of others' deaths, the real one is among those it dropped."""

    def watch() -> None:
        with ExitStack() as undo:
            watched = Watched(tmp_path / "events.jsonl", undo)
            dying = watched.watch._dying[CLIENT]
            dying.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            linger = struct.pack("ii", 1, 0)
            listener = undo.enter_context(socket.create_server(("127.0.0.1", 0)))
            watched.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            for _ in range(50):
                ends = socket.create_connection(listener.getsockname())
                ends.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                ends.close()
            assert until(lambda: drops(dying) > 0, 5)  # the kernel tells of deaths a little later
            watched.client.close()
            watched.until(lambda: CLIENT in watched.dead)
            assert [one.what for one in read_events(watched.path)
                    if one.lane == "client.kernel"][1:] == ["overrun", "socket_gone"]

    in_sandbox(watch)


def test_without_a_kernels_view_nothing_is_told_and_nothing_fails(tmp_path):
    class NoView:
        def netlink(self, side: int, groups: tuple[int, ...] = ()) -> None:
            return None

    path = tmp_path / "events.jsonl"
    watch = SocketWatch(NoView(), Loop(), Recorder(path), on_state=pytest.fail)
    watch.seen([(("10.0.0.1", 1), ("10.0.0.2", 2))])
    watch.look_at_all()
    assert read_events(path) == ()


class ScriptedAdmin:
    """An Admin whose answers the test gives."""

    def __init__(self) -> None:
        self.asked: list[Callable[[object], None]] = []

    @property
    def busy(self) -> bool:
        return bool(self.asked)

    def ask(self, callback: Callable[[object], None], *words: str) -> bool:
        assert words == ("CLIENT", "LIST")
        self.asked.append(callback)
        return True

    def answer(self, text: bytes) -> None:
        self.asked.pop()(text)


def row(age: int, cmd: str = "brpop") -> bytes:
    return b"id=3 addr=10.0.0.1:40000 name= age=%d idle=%d flags=b cmd=%s\n" % (
        age,
        age,
        cmd.encode(),
    )


def test_client_list_is_told_when_a_client_comes_changes_or_goes_and_not_when_it_ages(tmp_path):
    path, admin = tmp_path / "events.jsonl", ScriptedAdmin()
    watch = ServerWatch(admin, Loop(), Recorder(path))
    for answer in (b"", row(1), row(2), row(3), row(4, "ping"), b"", b""):
        watch.look()
        admin.answer(answer)
    told = [event.data["clients"] for event in read_events(path)]
    assert [[one["cmd"] for one in clients] for clients in told] == [[], ["brpop"], ["ping"], []]
    assert told[1][0]["age"] == "1"


def test_an_error_says_nothing_of_who_is_connected(tmp_path):
    path, admin = tmp_path / "events.jsonl", ScriptedAdmin()
    watch = ServerWatch(admin, Loop(), Recorder(path))
    busy = ErrorReply(b"BUSY Redis is busy running a script")
    for answer in (row(1), busy, busy, row(2), row(3)):
        watch.look()
        admin.answer(answer)
    told = [(event.what, event.outcome) for event in read_events(path)]
    assert told == [("client_list", "info"), ("refused", "fail"), ("client_list", "info")]
    assert read_events(path)[1].data == {"asked": "client_list", "reason": busy.decode()}


def test_a_question_that_is_not_answered_is_not_asked_again(tmp_path):
    admin = ScriptedAdmin()
    watch = ServerWatch(admin, Loop(), Recorder(tmp_path / "events.jsonl"))
    for _ in range(5):
        watch.look()
    assert len(admin.asked) == 1


def test_where_a_process_sleeps_is_told_on_change_and_its_end_is_no_error(tmp_path):
    path = tmp_path / "events.jsonl"
    reading, writing = os.pipe()
    child = fork(lambda: len(os.read(reading, 1)) and 0, "sleeper")
    watch = SleepWatch(child.pid, Recorder(path))
    while "read" not in {event.data["syscall"] for event in read_events(path)}:
        watch.look()
        if child.poll() is not None:
            pytest.skip("/proc/PID/syscall cannot be read here")
    before = len(read_events(path))
    watch.look()
    assert len(read_events(path)) == before
    assert read_events(path)[-1].data == {"syscall": "read", "fd": reading}
    os.write(writing, b"!")
    assert select.select([child.pidfd], [], [], 5)[0]
    child.wait()
    watch.look()
