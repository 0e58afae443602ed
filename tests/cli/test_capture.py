"""`netdiag capture`: files, limits, the kernel's filter, and a loopback in a namespace."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from pytest import param

from netdiag.capturing import CaptureFile, Files, Heard, Limits, record
from netdiag.cli.capture import command
from netdiag.errors import NetdiagError, ScenarioError
from netdiag.packet_filter import MOST, MOST_PORTS, Instruction, attach, tcp_filter
from netdiag.tcp.pcapng import Interface, Packet, Statistics, Truncated
from tests.tcp.plainly import read_capture

SECOND = 1_000_000_000
NONE = Limits()


class Story:
    """Frames that come one after the other, and a clock that goes on by `step` when it is asked."""

    link = 1

    def __init__(self, frames: list[bytes], *, dropped: int = 0, step: float = 0.0) -> None:
        self.waiting = [Heard((n + 1) * SECOND + n, frame) for n, frame in enumerate(frames)]
        self.dropped = dropped
        self.received = len(frames) + dropped
        self.now = 0.0
        self.step = step
        self.waits: list[float] = []

    def hear(self) -> Heard | None:
        return self.waiting.pop(0) if self.waiting else None

    def counts(self) -> tuple[int, int]:
        return self.received, self.dropped

    def clock(self) -> float:
        self.now += self.step
        return self.now

    def wait(self, seconds: float) -> bool:
        """Nothing more comes: it ends."""
        self.waits.append(seconds)
        return not self.waiting


def recorded(path: Path, story: Story, limits: Limits = NONE, snaplen: int = 1000) -> Files:
    files = Files(path, link=1, interface="eth0", snaplen=snaplen, limits=limits)
    record(story, files, limits, wait=story.wait, clock=story.clock)
    return files


def frames_of(path: Path) -> list[tuple[int, bytes, int]]:
    return [
        (item.t_ns, item.frame, item.length)
        for item in read_capture(path)
        if isinstance(item, Packet)
    ]


@pytest.mark.parametrize("name", ["a.pcap", "a.pcapng", "a"])
def test_what_was_heard_is_read_back(tmp_path: Path, name: str) -> None:
    recorded(tmp_path / name, Story([b"x" * 60, b"y" * 1500]))
    assert frames_of(tmp_path / name) == [
        (1_000_000_000, b"x" * 60, 60),
        (2_000_000_001, b"y" * 1000, 1500),
    ]


def test_a_pcapng_says_where_and_what_was_dropped(tmp_path: Path) -> None:
    recorded(tmp_path / "a.pcapng", Story([b"x" * 60], dropped=7))
    first, *_, last = read_capture(tmp_path / "a.pcapng")
    assert isinstance(first, Interface)
    assert (first.name, first.link, first.snaplen) == ("eth0", 1, 1000)
    assert isinstance(last, Statistics)
    assert (last.received, last.dropped) == (8, 7)


@pytest.mark.parametrize("name", ["a.pcap", "a.pcapng"])
def test_a_killed_capture_can_be_read(tmp_path: Path, name: str) -> None:
    file = CaptureFile(tmp_path / name, 1, 1000, "eth0")
    for heard in Story([b"x" * 60] * 3).waiting:
        file.add(heard)
    file.flush()
    assert len(frames_of(tmp_path / name)) == 3
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[:-5])
    *_, last = read_capture(tmp_path / name)
    assert isinstance(last, Truncated)
    assert len(frames_of(tmp_path / name)) == 2


def test_files_take_turns_and_the_oldest_go(tmp_path: Path) -> None:
    story = Story([bytes([n]) * 600 for n in range(10)])
    files = recorded(tmp_path / "a.pcap", story, Limits(file_bytes=1000, files=3))
    names = ["a-00003.pcap", "a-00004.pcap", "a-00005.pcap"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert [path.name for path in files.paths] == names
    assert files.removed == 2
    kept = [frame[0] for path in files.paths for _, frame, _ in frames_of(path)]
    assert kept == list(range(4, 10))


@pytest.mark.parametrize(
    ("limits", "step", "expected"),
    [
        param(Limits(), 0.0, 1000, id="none"),
        param(Limits(frames=7), 0.0, 7, id="so many frames"),
        param(Limits(seconds=2.0), 0.9, 768, id="so many seconds, asked every 256 frames"),
    ],
)
def test_a_capture_ends_at_its_limit(
    tmp_path: Path, limits: Limits, step: float, expected: int
) -> None:
    story = Story([b"x" * 60] * 1000, step=step)
    story.received = 0  # what is waiting when the time is over came after it
    assert recorded(tmp_path / "a.pcapng", story, limits).frames == expected


def test_what_came_before_the_end_is_written(tmp_path: Path) -> None:
    story = Story([b"x" * 60] * 1000)
    story.wait = lambda seconds: True  # type: ignore[method-assign]
    assert recorded(tmp_path / "a.pcapng", story).frames == 1000


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with pytest.raises(NetdiagError, match="the capture ends here: No space left") as caught:
        recorded(Path("/dev/full"), Story([b"x" * 600] * 500))
    assert caught.value.exit_code == 1


def test_a_file_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be written: No such file"):
        recorded(tmp_path / "no" / "a.pcap", Story([]))


def run_filter(program: tuple[Instruction, ...], frame: bytes) -> int:
    """What the program keeps of a frame: a BPF machine for the instructions that are used."""
    a = x = at = 0
    while True:
        code, jt, jf, k = program[at]
        at += 1
        if code == 0x06:
            return k
        if code in (0x28, 0x30, 0x48):
            size = 1 if code == 0x30 else 2
            place = k + (x if code == 0x48 else 0)
            if place + size > len(frame):
                return 0
            a = int.from_bytes(frame[place : place + size], "big")
        elif code == 0xB1:
            x = 4 * (frame[k] & 15)
        elif code == 0x54:
            a &= k
        elif code in (0x15, 0x45):
            at += jt if (a == k if code == 0x15 else a & k) else jf
        else:
            raise AssertionError(f"no such instruction: {code:#x}")


def ip4(*, ports: tuple[int, int] = (1, 2), protocol: int = 6, words: int = 5,
        fragment: int = 0) -> bytes:  # fmt: skip
    head = bytes([0x40 | words, 0, 0, 0, 0, 0]) + fragment.to_bytes(2, "big")
    head += bytes([64, protocol]) + bytes(10) + bytes(4 * (words - 5))
    return bytes(14) + head + b"".join(port.to_bytes(2, "big") for port in ports) + bytes(16)


def ip6(*, ports: tuple[int, int] = (1, 2), protocol: int = 6) -> bytes:
    head = bytes([0x60, 0, 0, 0, 0, 0, protocol, 64]) + bytes(32)
    return bytes(14) + head + b"".join(port.to_bytes(2, "big") for port in ports) + bytes(16)


@pytest.mark.parametrize(
    ("frame", "any_port", "port_6379"),
    [
        param(ip4(ports=(40000, 6379)), True, True, id="to the port"),
        param(ip4(ports=(6379, 40000)), True, True, id="from the port"),
        param(ip4(ports=(40000, 6380)), True, False, id="another port"),
        param(ip4(ports=(40000, 6379), words=15), True, True, id="behind IP options"),
        param(ip4(protocol=17, ports=(1, 6379)), False, False, id="UDP"),
        param(ip4(fragment=100), True, True, id="a later fragment has no ports"),
        param(ip4(fragment=0x2000, ports=(1, 6379)), True, True, id="the first fragment has"),
        param(ip6(ports=(40000, 6379)), True, True, id="IPv6"),
        param(ip6(ports=(40000, 6380)), True, False, id="IPv6, another port"),
        param(ip6(protocol=17, ports=(1, 6379)), False, False, id="IPv6, UDP"),
        param(ip6(protocol=44), True, False, id="IPv6 with a fragment header"),
        param(bytes(14) + bytes([0x10]) + bytes(60), False, False, id="no IP"),
        param(bytes(8), False, False, id="too short for anything"),
    ],
)
def test_the_filter_keeps(frame: bytes, any_port: bool, port_6379: bool) -> None:
    assert run_filter(tcp_filter((), 14), frame) == (MOST if any_port else 0)
    assert run_filter(tcp_filter((5432, 6379), 14), frame) == (MOST if port_6379 else 0)
    assert run_filter(tcp_filter((), 0), frame[14:]) == (MOST if any_port else 0)


def test_the_longest_filter_fits_its_jumps() -> None:
    program = tcp_filter(tuple(range(1, MOST_PORTS + 1)), 14)
    assert all(0 <= jump <= 255 for one in program for jump in (one.jt, one.jf))
    assert run_filter(program, ip4(ports=(40000, MOST_PORTS))) == MOST
    assert run_filter(program, ip4(ports=(40000, MOST_PORTS + 1))) == 0


def test_the_kernel_takes_the_filter() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        attach(sock, tcp_filter((6379,), 14))


SCRIPT = """
import json, os, signal, socket, subprocess, sys, threading
from netdiag.process import CLONE_NEWNET, CLONE_NEWUSER, unshare
try:
    unshare(CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWUSER | CLONE_NEWNET)
except OSError as err:
    sys.exit(f"SKIP: {err}")
from pyroute2 import IPRoute
with IPRoute() as links:
    links.link("set", index=links.link_lookup(ifname="lo")[0], state="up")
netdiag = [sys.executable, "-c", "from netdiag.cli import main; main()", "capture", "-i", "lo"]
capture = subprocess.Popen([*netdiag, *sys.argv[1:]], stderr=subprocess.PIPE, text=True)
said = [capture.stderr.readline()]
listener = socket.create_server(("127.0.0.1", 7001))
other = socket.create_server(("127.0.0.1", 7002))
def serve():
    for sock in (listener, other) * 3:
        with sock.accept()[0] as peer:
            peer.sendall(peer.recv(100))
            peer.recv(1)
server = threading.Thread(target=serve)
server.start()
for port in (7001, 7002) * 3:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"PING")
        assert client.recv(100) == b"PING"
server.join()
if "--count" not in sys.argv:
    capture.send_signal(signal.SIGINT)
said += capture.stderr.read().splitlines()
print(json.dumps({"said": said, "code": capture.wait()}))
"""


def on_loopback(*arguments: str) -> dict[str, object]:
    """Six connections to two ports on a loopback of its own, captured meanwhile."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    if done.stderr.startswith("SKIP"):
        pytest.skip(f"no network namespace here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_captures_a_port_until_ctrl_c(tmp_path: Path) -> None:
    path = tmp_path / "lo.pcapng"
    told = on_loopback("--port", "7001", str(path))
    assert told["code"] == 0
    assert "capturing on lo" in told["said"][0]
    assert ", 0 dropped by the kernel -> " in told["said"][1]
    frames = frames_of(path)
    ports = {(frame[34:36], frame[36:38]) for _, frame, _ in frames}
    assert all((7001).to_bytes(2, "big") in pair for pair in ports)
    syns = [frame for _, frame, _ in frames if frame[47] == 0x02]
    assert len(syns) == 3  # each heard once, although loopback shows it twice
    fins = [frame for _, frame, _ in frames if frame[47] & 0x01]
    assert len(fins) == 6
    times = [t_ns for t_ns, _, _ in frames]
    assert times == sorted(times)


def test_captures_so_many_frames(tmp_path: Path) -> None:
    path = tmp_path / "lo.pcap"
    told = on_loopback("--count", "5", "--snaplen", "64", str(path))
    assert told["code"] == 0
    assert told["said"][1].startswith("5 frames")
    assert [len(frame) for _, frame, _ in frames_of(path)] == [64] * 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        param(["-i", "lo", "--rotate-count", "2", "x"], "needs --rotate-size", id="count alone"),
        param(["-i", "lo", "--duration", "soon", "x"], "not a duration", id="no duration"),
        param(["-i", "lo", "--rotate-size", "0", "x"], "more than nothing", id="no size"),
        param(["x"], "--interface", id="no interface"),
        param(["-i", "lo", "--port", "70000", "x"], "70000", id="no port"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2  # the group turns click's own code into 64
    assert says in result.output


def test_an_interface_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["-i", "no-such-one", str(tmp_path / "x")])
    assert isinstance(result.exception, NetdiagError)
    said = str(result.exception)
    assert "no-such-one" in said
    assert "sudo" in said or "there are: " in said


def test_sigterm_ends_it_too() -> None:
    """Its handlers are back afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    CliRunner().invoke(command, ["-i", "no-such-one", "x"])
    assert signal.getsignal(signal.SIGTERM) is before
