"""The real lab: what its hosts have, what they have not, and what its wire carries."""

from __future__ import annotations

import errno
import gc
import os
import select
import socket
import struct
import time
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest import param

from netdiag.cable.core import Core
from netdiag.cable.loop import CableLoop
from netdiag.cable.tape import Tape
from netdiag.errors import LabError
from netdiag.lab import CLIENT, SERVER
from netdiag.lab.namespaces import NamespaceLab, namespace_lab
from netdiag.process import fork
from netdiag.tcp.blocks import INBOUND
from netdiag.tcp.pcapng import Packet, Statistics, read_pcapng
from netdiag.tcp.wire import parse_ethernet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PORT = 6379
MTU_AND_HEADER = 1514
BULK = 3 << 20
FAMILIES = pytest.mark.parametrize("family", [4, 6])


@dataclass
class Line:
    """A lab whose cable runs without any fault, and its tape, whole once the cable was stopped."""

    lab: NamespaceLab
    path: Path
    stop: Callable[[], None]

    def packets(self) -> list[Packet]:
        self.stop()
        return [one for one in read_pcapng(self.path) if isinstance(one, Packet)]


@contextmanager
def cabled(tape: Path, family: int = 4) -> Iterator[Line]:
    with namespace_lab(family=family, sysctls={}) as lab:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setblocking(False)

        def forward() -> int:
            ours.close()
            ports = (lab.port(CLIENT), lab.port(SERVER))
            made = Tape(tape, wall_offset=0, about="a test")
            return CableLoop(Core([], frozenset()), ports, made, theirs).run(lab.dropped)

        cable = fork(forward, "cable")
        theirs.close()

        def stop() -> None:
            ours.send(b'{"stop": true}')
            while b'"done"' not in ours.recv(1 << 20):
                pass
            assert cable.wait() == 0

        yield Line(lab, tape, stop)


def talk(lab: NamespaceLab, client: Callable[[socket.socket], None],
         server: Callable[[socket.socket], None]) -> None:  # fmt: skip
    """Both programs over one connection, each on its host; they must both succeed."""
    address = lab.address(SERVER)
    ready, told = os.pipe()

    def serve() -> int:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.create_server((address, PORT), family=family) as listener:
            os.write(told, b"!")
            with listener.accept()[0] as connection:
                server(connection)
        return 0

    def dial() -> int:
        with socket.create_connection((address, PORT), timeout=20) as connection:
            client(connection)
        return 0

    serving = lab.start(SERVER, serve, "server")
    assert os.read(ready, 1) == b"!"
    assert (lab.start(CLIENT, dial, "client").wait(), serving.wait()) == (0, 0)


def both_ways(seed: int) -> Callable[[socket.socket], None]:
    """Send BULK bytes and receive as many, and hold them against what the other must have sent."""

    def exchange(connection: socket.socket) -> None:
        connection.setblocking(False)
        mine, theirs = bulk(seed), sha256()
        sent = got = 0
        while got < BULK or sent < BULK:
            more = [connection] if sent < BULK else []
            reads, writes, _ = select.select([connection], more, [], 20)
            assert reads or writes
            if reads:
                data = connection.recv(1 << 16)
                assert data
                theirs.update(data)
                got += len(data)
            if writes:
                sent += connection.send(mine[sent : sent + (1 << 16)])
        assert theirs.digest() == sha256(bulk(1 - seed)).digest()

    return exchange


def bulk(seed: int) -> bytes:
    return b"".join(sha256(struct.pack("II", seed, at)).digest() for at in range(BULK // 32))


@FAMILIES
def test_bulk_both_ways_arrives_unchanged_in_order_in_real_frames(family, tmp_path, in_sandbox):
    def transfer() -> None:
        with cabled(tmp_path / "tape.pcapng", family) as line:
            talk(line.lab, both_ways(0), both_ways(1))
            packets = line.packets()
        came: list[list[bytes]] = [[], []]
        left: list[list[bytes]] = [[], []]
        for packet in packets:
            (came if packet.flags == INBOUND else left)[packet.interface].append(packet.frame)
        assert came[0] == left[1]
        assert came[1] == left[0]
        statistics = [one for one in read_pcapng(line.path) if isinstance(one, Statistics)]
        assert [one.dropped for one in statistics] == [0, 0]
        for frames in came:
            assert max(map(len, frames)) == MTU_AND_HEADER
            assert sum(len(parse_ethernet(one).payload) for one in frames) >= BULK
            assert all(checksum_holds(one, family) for one in frames)

    in_sandbox(transfer)


def checksum_holds(frame: bytes, family: int) -> bool:
    """Whether the TCP checksum was really computed (RFC 1071, RFC 9293)."""
    if family == 4:
        end = 14 + int.from_bytes(frame[16:18], "big")
        addresses, tcp = frame[26:34], frame[34:end]
    else:
        end = 54 + int.from_bytes(frame[18:20], "big")
        addresses, tcp = frame[22:54], frame[54:end]
    pseudo = addresses + struct.pack("!II", len(tcp), 6)
    data = pseudo + tcp + bytes(len(tcp) & 1)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return total % 0xFFFF == 0


@FAMILIES
def test_nothing_but_tcp_is_ever_on_the_wire(family, tmp_path, in_sandbox):
    def quiet() -> None:
        with cabled(tmp_path / "tape.pcapng", family) as line:
            end = time.monotonic() + 2.5  # hosts report their multicast groups within 2 s
            talk(line.lab, lambda one: one.send(b"?") and None, lambda one: one.recv(1) and None)
            select.select([], [], [], end - time.monotonic())
            packets = line.packets()
        assert len(packets) >= 2 * 8
        assert [one.frame for one in packets if parse_ethernet(one.frame) is None] == []

    in_sandbox(quiet)


@FAMILIES
def test_hosts_know_each_other_and_nobody_else(family, in_sandbox):
    def look() -> None:
        with namespace_lab(family=family, sysctls={}) as lab:
            for side in (CLIENT, SERVER):
                assert lab.start(side, lambda lab=lab, side=side: alone(lab, side), "").wait() == 0

    def alone(lab: NamespaceLab, side: int) -> int:
        outside = "192.0.2.1" if family == 4 else "2001:db8::1"
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        assert sorted(name for _, name in socket.if_nameindex()) == ["eth0", "lo"]
        with socket.socket(kind, socket.SOCK_DGRAM) as way, pytest.raises(OSError) as refused:
            way.connect((outside, 9))
        assert refused.value.errno == errno.ENETUNREACH
        with socket.socket(kind, socket.SOCK_DGRAM) as way:
            way.connect((lab.address(1 - side), 9))
            assert way.getsockname()[0] == lab.address(side)
        return 0

    in_sandbox(look)


def test_neighbours_are_permanent(in_sandbox):
    def look() -> int:
        with namespace_lab(sysctls={}) as lab:
            return lab.start(CLIENT, read, "").wait()

    def read() -> int:
        rows = Path("/proc/self/net/arp").read_text().splitlines()[1:]
        assert [row.split()[:4] for row in rows] == [
            ["10.0.0.2", "0x1", "0x6", "02:00:00:00:00:02"]  # ATF_COM | ATF_PERM
        ]
        return 0

    assert in_sandbox(look) == 0


def test_no_name_of_the_lab_is_in_the_callers_namespace(in_sandbox):
    def look() -> None:
        before = socket.if_nameindex()
        with namespace_lab(sysctls={}):
            assert socket.if_nameindex() == before
        assert socket.if_nameindex() == before

    in_sandbox(look)


def test_descriptors_are_given_back(in_sandbox):
    def look() -> None:
        with namespace_lab(sysctls={}):
            pass
        gc.collect()  # or what other tests have left open is closed in between
        before = sorted(Path("/proc/self/fd").iterdir())
        for _ in range(3):
            with namespace_lab(sysctls={}):
                pass
        assert sorted(Path("/proc/self/fd").iterdir()) == before

    in_sandbox(look)


def test_two_labs_stand_side_by_side(in_sandbox):
    def look() -> None:
        with namespace_lab(sysctls={}) as one, namespace_lab(sysctls={}) as other:
            for lab in (one, other):
                address = lab.address(SERVER)
                child = lab.start(SERVER, lambda address=address: bound(address), "")
                assert child.wait() == 0

    def bound(address: str) -> int:
        socket.create_server((address, PORT)).close()
        return 0

    in_sandbox(look)


def test_each_host_has_its_own_sysctls(in_sandbox):
    wanted = {
        "client": {"net.ipv4.tcp_retries2": "5", "net.ipv4.tcp_rmem": "4096 8192 16384"},
        "server": {"net.ipv4.tcp_retries2": "7"},
    }

    def look() -> list[str]:
        reading, writing = os.pipe()
        with namespace_lab(sysctls=wanted) as lab:
            for side in (CLIENT, SERVER):
                lab.start(side, lambda: tell(writing), "").wait()
        return os.read(reading, 1000).decode().splitlines()

    def tell(writing: int) -> int:
        values = [
            Path("/proc/sys/net/ipv4", name).read_text() for name in ("tcp_retries2", "tcp_rmem")
        ]
        os.write(writing, (" ".join(" ".join(values).split()) + "\n").encode())
        return 0

    client, server = in_sandbox(look)
    assert client == "5 4096 8192 16384"
    assert server.startswith("7 ")


WRONG = [
    param("net.ipv4.tcp_retris2", "5", "the sysctl net.ipv4.tcp_retris2 does not exist on kernel",
          id="no such name"),
    param("net.ipv4.tcp_retries2", "many",
          "the sysctl net.ipv4.tcp_retries2 cannot be set to 'many': Invalid argument",
          id="no such value"),
    param("net.ipv4.tcp_retries2", "f\u00fcnf", "cannot be set to 'f\u00fcnf'", id="no ASCII"),
    param("net.ipv4", "1", "cannot be set to '1'", id="a directory"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "sentence"), WRONG)
def test_a_wrong_sysctl_is_a_sentence_that_names_it(key, value, sentence, in_sandbox):
    def refuse() -> str:
        with pytest.raises(LabError) as refused, namespace_lab(sysctls={"server": {key: value}}):
            pass
        return str(refused.value)

    told = in_sandbox(refuse)
    assert told.startswith("hosts: ")
    assert sentence in told
    assert "\n" not in told


def test_frames_that_come_faster_than_they_are_taken_are_counted_once_and_stay_counted(in_sandbox):
    def flood() -> tuple[tuple[int, int], ...]:
        with namespace_lab(sysctls={}) as lab:
            lab.port(CLIENT).setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            assert lab.start(CLIENT, lambda: burst(lab.address(SERVER)), "").wait() == 0
            return lab.dropped(), lab.dropped()

    def burst(address: str) -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for _ in range(200):
                out.sendto(bytes(1000), (address, 9))
        return 0

    first, second = in_sandbox(flood)
    assert first[0] > 100
    assert first[1] == 0
    assert second == first


def test_the_kernels_view_is_the_hosts_own(in_sandbox):
    def look() -> list[bool]:
        with namespace_lab(sysctls={}) as lab:
            return [lab.netlink(side) is not None for side in (CLIENT, SERVER)]

    assert in_sandbox(look) == [True, True]


def test_without_the_right_to_make_namespaces_it_says_what_to_try(monkeypatch):
    def refuse() -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("netdiag.lab.namespaces.new_network_namespace", refuse)
    with pytest.raises(LabError, match="Operation not permitted; try again as root"), namespace_lab(
        sysctls={}
    ):
        pass
