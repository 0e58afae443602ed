"""What a kernel says about a socket: crafted answers, a real kernel, and `ss` as a witness."""

from __future__ import annotations

import errno
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import time
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from pyroute2.iproute.linux import IPRoute
from pytest import param

from netdiag.run.sockets import DESTROY_GROUPS, SocketView, ask, deaths

if TYPE_CHECKING:
    from collections.abc import Iterator

V4 = ("10.0.0.1", 40000), ("10.0.0.2", 6379)
V6 = ("fd00::1", 40000), ("fd00::2", 6379)
SOCK_DIAG, ERROR = 20, 2


def message(
    ends: tuple[tuple[str, int], tuple[str, int]] = V4,
    *,
    state: int = 1,
    timer: int = 0,
    retrans: int = 0,
    expires: int = 0,
    queues: tuple[int, int] = (0, 0),
    inode: int = 77,
    info: bytes = b"",
) -> bytes:
    """An inet_diag_msg with a tcp_info attribute behind another one."""
    (local, sport), (remote, dport) = ends
    family = socket.AF_INET6 if ":" in local else socket.AF_INET
    packed = [ip_address(one).packed.ljust(16, b"\0") for one in (local, remote)]
    ident = struct.pack(">HH16s16s", sport, dport, *packed) + bytes(12)
    tail = struct.pack("=IIIII", expires, *queues, 0, inode)
    shutdown = struct.pack("=HHB3x", 5, 8, 0)
    attributes = shutdown + struct.pack("=HH", 4 + len(info), 2) + info
    return struct.pack("=BBBB", family, state, timer, retrans) + ident + tail + attributes


def netlink(body: bytes, kind: int = SOCK_DIAG) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


def refusal(code: int) -> bytes:
    return netlink(struct.pack("=i", -code), ERROR)


def tcp_info(*, probes: int = 0, backoff: int = 0, rto_us: int = 0, unacked: int = 0) -> bytes:
    """linux/tcp.h: eight bytes, then words of 32 bits, cut off as an older kernel would."""
    words = [rto_us, 0, 0, 0, unacked]
    return bytes([1, 0, 0, probes, backoff, 0, 0, 0]) + struct.pack("=5I", *words)


@contextmanager
def kernel(*answers: bytes) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A socket to ask, with the answers that it will get, and where the questions arrive."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        for answer in answers:
            theirs.send(answer)
        yield ours, theirs


VIEWS = [
    param(message(timer=2, expires=5999, info=tcp_info(probes=1, rto_us=204_000)),
          {"timer": "keepalive", "expires_ms": 5999, "probes": 1, "rto_ms": 204}, id="keepalive"),
    param(message(timer=1, retrans=3, queues=(0, 51),
                  info=tcp_info(backoff=3, unacked=1, rto_us=1_632_000)),
          {"timer": "retransmission", "retransmits": 3, "backoff": 3, "unacked": 1,
           "send_queue": 51, "rto_ms": 1632}, id="retransmission"),
    param(message(timer=4, queues=(7, 0)), {"timer": "persist", "receive_queue": 7}, id="persist"),
    param(message(state=4, inode=0), {"state": "FIN-WAIT-1", "orphan": True}, id="orphan"),
    param(message(state=4), {"state": "FIN-WAIT-1"}, id="shut down, not closed"),
    param(message(inode=0), {}, id="not accepted yet"),
    param(message(state=8, inode=0), {"state": "CLOSE-WAIT"}, id="not accepted, peer closed"),
    param(message(state=6, timer=3, inode=0), {"state": "TIME-WAIT", "timer": "time-wait"},
          id="time wait"),
    param(message(state=12, inode=0), {"state": "SYN-RECEIVED"}, id="half open"),
    param(message(state=99, timer=9), {"state": "99", "timer": "9"}, id="a newer kernel's"),
    param(message(V6), {}, id="IPv6"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "differs"), VIEWS)
def test_an_answer_is_a_view(answer, differs):
    plain = SocketView("ESTABLISHED", "none", 0, 0, 0, 0, 0, 0, 0, 0, orphan=False)
    with kernel(netlink(answer)) as (diag, _):
        view = ask(diag, *V4)
    assert view is not None
    assert view.as_json() == {**plain.as_json(), **differs}


@pytest.mark.parametrize("ends", [V4, V6])
def test_the_question_names_exactly_one_socket(ends):
    (local, sport), (remote, dport) = ends
    with kernel(netlink(message(ends))) as (diag, asked):
        ask(diag, *ends)
        request = asked.recv(1000)
    size, kind, flags, _, _ = struct.unpack_from("=IHHII", request)
    family, protocol, extensions, _, states = struct.unpack_from("=BBBBI", request, 16)
    assert (size, kind, flags) == (len(request), SOCK_DIAG, 1)  # a request and no dump
    assert (family, protocol) == (10 if ":" in local else 2, 6)
    assert (extensions, states) == (2, 0xFFFFFFFF)
    ports = struct.unpack_from(">HH", request, 24)
    width = 16 if ":" in local else 4
    assert ports == (sport, dport)
    assert request[28 : 28 + width] == ip_address(local).packed
    assert request[44 : 44 + width] == ip_address(remote).packed


@pytest.mark.parametrize("answer", [
    param(refusal(errno.ENOENT), id="none"),
    param(refusal(errno.ESTALE), id="another one by now"),
    param(netlink(message(state=10)), id="the listener that would take it"),
])  # fmt: skip
def test_no_socket_is_none(answer):
    with kernel(answer) as (diag, _):
        assert ask(diag, *V4) is None


def test_another_refusal_is_an_error_that_names_it():
    with kernel(refusal(errno.EPERM)) as (diag, _), pytest.raises(OSError, match="EPERM") as error:
        ask(diag, *V4)
    assert error.value.errno == errno.EPERM


def test_a_running_countdown_is_no_change_of_regime():
    with kernel(
        netlink(message(timer=2, expires=900)),
        netlink(message(timer=2, expires=100)),
        netlink(message(timer=2, expires=100, info=tcp_info(probes=1))),
    ) as (diag, _):
        first, later, probed = (ask(diag, *V4) for _ in range(3))
    assert later.same_regime(first)
    assert not probed.same_regime(later)
    assert not first.same_regime(None)


def test_deaths_are_told_in_order_several_in_one_message():
    two = netlink(message(state=7)) + netlink(message(V6, state=7, info=tcp_info(probes=3)))
    with kernel(two, netlink(b"x" * 8), netlink(message(state=7))) as (diag, _):
        told = [(local, remote, view.state) for local, remote, view in filter(None, deaths(diag))]
        assert list(deaths(diag)) == []
    assert told == [(*V4, "CLOSED"), (*V6, "CLOSED"), (*V4, "CLOSED")]


@pytest.mark.parametrize("raw", [b"", b"\0" * 40, netlink(message())[:50], b"\xff" * 100])
def test_damaged_messages_are_passed_over(raw):
    with kernel(raw) as (diag, _):
        assert list(deaths(diag)) == []


def test_an_ipv4_connection_of_an_ipv6_socket_is_named_as_the_wire_has_it():
    mapped = ("::ffff:10.0.0.1", 40000), ("::ffff:10.0.0.2", 6379)
    with kernel(netlink(message(mapped, state=7))) as (diag, _):
        assert [one and one[:2] for one in deaths(diag)] == [V4]


def test_too_many_deaths_at_once_are_told_as_such():
    class Overrun:
        """A socket whose kernel had to drop messages."""

        def __init__(self) -> None:
            self.answers = [OSError(errno.ENOBUFS, "no"), netlink(message(state=7))]

        def recv(self, size: int, flags: int) -> bytes:
            if not self.answers:
                raise BlockingIOError
            answer = self.answers.pop(0)
            if isinstance(answer, OSError):
                raise answer
            return answer

    lost, (local, remote, view) = deaths(Overrun())
    assert lost is None
    assert (local, remote, view.state) == (*V4, "CLOSED")


# The real kernel ------------------------------------------------------------


class Loopback:
    """A connection over lo of this namespace, with sockets to ask about it."""

    def __init__(self, undo: ExitStack, *, accept: bool = True) -> None:
        with IPRoute() as here:
            here.link("set", index=here.link_lookup(ifname="lo")[0], state="up")
        self.diag = undo.enter_context(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4))
        self.dying = undo.enter_context(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4))
        self.dying.bind((0, 0))
        for group in DESTROY_GROUPS:
            self.dying.setsockopt(270, 1, group)
        self.listener = undo.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.client = undo.enter_context(socket.create_connection(self.listener.getsockname()))
        self.ends = self.client.getsockname(), self.client.getpeername()
        if accept:
            self.server = undo.enter_context(self.listener.accept()[0])

    def until(self, side: int, state: str) -> SocketView:
        """Its view as soon as it is in that state: peers' ACKs may be delayed."""
        end = time.monotonic() + 5
        while (view := self.view(side)) is None or view.state != state:
            assert time.monotonic() < end, view
            os.sched_yield()
        return view

    def view(self, side: int) -> SocketView | None:
        return ask(self.diag, *self.ends[:: -1 if side else 1])

    def ss(self) -> dict[str, str]:
        """state, timer and Send-Q of the client's socket, as `ss` has them."""
        where = f"sport = :{self.ends[0][1]}"
        told = subprocess.run(
            ["ss", "-tanoH", where], capture_output=True, text=True, check=True
        ).stdout
        state, _, send_queue, *_ = told.split()
        timer = re.search(r"timer:\((\w+),", told)
        return {
            "state": SS_STATES[state],
            "send": send_queue,
            "timer": SS_TIMERS.get(timer[1], timer[1]) if timer else "none",
        }


def keepalive_on(pair: Loopback) -> None:
    pair.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def full_queue(pair: Loopback) -> None:
    pair.client.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            pair.client.send(bytes(1 << 16))


REAL = [
    param(lambda pair: None, "ESTABLISHED", "none", id="idle"),
    param(keepalive_on, "ESTABLISHED", "keepalive", id="keepalive"),
    param(full_queue, "ESTABLISHED", None, id="full queues"),
    param(lambda pair: pair.server.close(), "CLOSE-WAIT", "none", id="close wait"),
    param(lambda pair: pair.client.shutdown(socket.SHUT_WR), "FIN-WAIT-2", "none", id="shut down"),
]
SS_STATES = {"ESTAB": "ESTABLISHED", "CLOSE-WAIT": "CLOSE-WAIT", "FIN-WAIT-2": "FIN-WAIT-2"}
SS_TIMERS = {"on": "retransmission"}


@pytest.mark.parametrize(("happens", "state", "timer"), REAL)
def test_a_real_kernel_is_understood_and_ss_agrees(happens, state, timer, in_sandbox):
    def look() -> None:
        with ExitStack() as undo:
            pair = Loopback(undo)
            happens(pair)
            view = pair.until(0, state)
            assert not view.orphan
            assert timer in (None, view.timer)
            if shutil.which("ss"):
                told = pair.ss()
                view = pair.view(0)
                assert told == {
                    "state": view.state,
                    "timer": view.timer,
                    "send": str(view.send_queue),
                }

    in_sandbox(look)


def test_a_closed_socket_is_an_orphan_and_its_death_is_told(in_sandbox):
    def look() -> None:
        with ExitStack() as undo:
            pair = Loopback(undo)
            pair.client.close()
            assert pair.until(0, "FIN-WAIT-2").orphan
            assert not pair.until(1, "CLOSE-WAIT").orphan
            pair.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            pair.server.close()  # with a reset
            assert (pair.view(0), pair.view(1)) == (None, None)
            client, server = pair.ends
            told: set[object] = set()  # a reset makes the server's socket forget its peer
            while not {(client, server), (server[1], 0)} <= told:
                assert select.select([pair.dying], [], [], 5)[0]
                for local, remote, _ in deaths(pair.dying):
                    told |= {(local, remote), (local[1], remote[1])}

    in_sandbox(look)


def test_a_connection_that_nobody_has_accepted_is_no_orphan(in_sandbox):
    def look() -> None:
        with ExitStack() as undo:
            pair = Loopback(undo, accept=False)
            view = pair.view(1)
            assert view is not None
            assert (view.state, view.orphan) == ("ESTABLISHED", False)

    in_sandbox(look)


def test_time_wait_is_found_and_nobody_takes_it_for_an_orphan(in_sandbox):
    def look() -> None:
        with ExitStack() as undo:
            pair = Loopback(undo)
            pair.client.close()
            pair.server.close()
            view = pair.until(0, "TIME-WAIT")
            assert (view.timer, view.orphan) == ("time-wait", False)

    in_sandbox(look)
