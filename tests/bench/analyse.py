"""How fast `netdiag analyse` is, beside tcptrace and tshark; run it by hand, it is not a test.

python tests/bench/analyse.py make FILE [frames]    write the capture: the same bytes every time
python tests/bench/analyse.py compare FILE          whole processes, alternating, on one core
python tests/bench/analyse.py grow FILE FILE10      time and peak RssAnon against ten times as much
python tests/bench/analyse.py loop FILE             parsing and tracker alone, frames a second
python tests/bench/analyse.py cold FILE             the first run of a version, compiler included
python tests/bench/analyse.py plain                 10,000 frames without numba: process and core
python tests/bench/analyse.py short [connections]   many short connections: time and memory of each
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from struct import Struct
from typing import TYPE_CHECKING

from netdiag.tcp.choice import choose
from netdiag.tcp.compiled import Compiled
from netdiag.tcp.container import Container
from netdiag.tcp.interpreted import Interpreted
from netdiag.tcp.source import Source
from netdiag.tcp.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent.parent
NETDIAG = (sys.executable, "-c", "from netdiag.cli import main; main()")
FRAMES = 2_400_000
CONNECTIONS = 600
ROUNDS = 7
TENTH = 10
START = 1_700_000_000_000_000  # us

_head = Struct("<IIII").pack
_frame = Struct("!12sHBBHHHBBH4s4sHHIIBBHHHHHII").pack
_MACS = bytes(12)
_SIZE = 66  # bytes of headers
_COMMAND = b"*3\r\n$5\r\nBRPOP\r\n$7\r\njobs:%02d\r\n$1\r\n5\r\n"
_REPLY = b"*2\r\n$7\r\njobs:%02d\r\n$%d\r\n"
SYN, ACK, PUSH, FIN = 2, 16, 24, 17

Sent = tuple[int, "Connection", int, int, bytes, int, int]  # us, whose, side, flags, payload, back


class Connection:
    """Both ends of one, as far as headers need it."""

    def __init__(self, number: int, dice: Random) -> None:
        self.number = number
        client = bytes((10, number >> 16, number >> 8 & 255, number & 255))
        self.addresses = (client, bytes((10, 1, 0, 1)))
        self.ports = (20000 + number % 40000, 6379)
        self.next = [dice.getrandbits(32), dice.getrandbits(32)]
        self.ids = [dice.getrandbits(15), dice.getrandbits(15)]
        self.heard = [0, 0]  # the peer's last timestamp
        self.kind = dice.choices(("queue", "bulk", "lossy", "idle"), (70, 15, 10, 5))[0]

    def pack(self, us: int, side: int, flags: int, payload: bytes, back: int = 0) -> bytes:
        """A record; `back`: how many bytes before the next one it begins, 0 for new ones."""
        size = len(payload)
        own, peer = (0, 1) if side == 0 else (1, 0)
        self.ids[own] = self.ids[own] + 1 & 0xFFFF or 1
        tsval = (us - START) // 1000 + 1000 & 0xFFFFFFFF
        record = _head(us // 1_000_000, us % 1_000_000, _SIZE + size, _SIZE + size) + _frame(
            _MACS, 0x0800, 0x45, 0, 52 + size, self.ids[own], 0x4000, 64, 6, 0,
            self.addresses[own], self.addresses[peer], self.ports[own], self.ports[peer],
            self.next[own] - back & 0xFFFFFFFF, self.next[peer] if flags & ACK else 0,
            0x80, flags, 501, 0, 0, 0x0101, 0x080A, tsval, self.heard[own],
        )  # fmt: skip
        if not back:
            self.next[own] = self.next[own] + size + (flags & 1) + (flags >> 1 & 1) & 0xFFFFFFFF
        self.heard[peer] = tsval
        return record + payload

    def exchange(self, dice: Random) -> Iterator[tuple[int, int, int, bytes, int]]:
        """One round of traffic: (us after the one before, side, flags, payload, bytes back)."""
        if self.kind == "idle":
            yield 1_000_000, 0, ACK, b"", 1  # a keepalive probe
            yield 300, 1, ACK, b"", 0
            return
        queue = self.number % 100
        command = _COMMAND % queue
        yield dice.randrange(200, 2000), 0, PUSH, command, 0
        if self.kind == "lossy" and not dice.randrange(20):
            yield 210_000, 0, PUSH, command, len(command)
        yield 150, 1, ACK, b"", 0
        size = 1448 * 6 if self.kind == "bulk" else dice.randrange(40, 400)
        reply = _REPLY % (queue, size) + bytes(size) + b"\r\n"
        for at in range(0, len(reply), 1448):
            yield 30 if at else dice.randrange(500, 20_000), 1, PUSH, reply[at : at + 1448], 0
            if at % 2896 or len(reply) <= 1448:
                yield 40, 0, ACK, b"", 0


def make(path: Path, frames: int) -> None:
    """Write a capture of so many frames: connections open, take turns in groups, and close."""
    dice = Random(20)
    everyone = [Connection(number, dice) for number in range(CONNECTIONS)]
    left = frames - 6 * CONNECTIONS
    us = START
    with path.open("wb", buffering=1 << 20) as file:
        file.write(Struct("<IHHiIII").pack(0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for one in everyone:
            for side, flags in ((0, SYN), (1, SYN | ACK), (0, ACK)):
                us += 100
                file.write(one.pack(us, side, flags, b""))
        while left:
            group = [(one, one.exchange(dice)) for one in dice.sample(everyone, 8)]
            while group and left:
                for turn in list(group):
                    one, steps = turn
                    step = next(steps, None)
                    if step is None:
                        group.remove(turn)
                        continue
                    us += 1 + step[0] // 64
                    file.write(one.pack(us, *step[1:]))
                    left -= 1
                    if not left:
                        break
        for one in everyone:
            for side, flags in ((0, FIN), (1, FIN), (0, ACK)):
                us += 100
                file.write(one.pack(us, side, flags, b""))


def make_short(path: Path, connections: int) -> None:
    """A command and its answer on each connection, one after the other."""
    dice = Random(20)
    us = START
    with path.open("wb", buffering=1 << 20) as file:
        file.write(Struct("<IHHiIII").pack(0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for number in range(connections):
            one = Connection(number, dice)
            for side, flags, payload in (
                (0, SYN, b""), (1, SYN | ACK, b""), (0, ACK, b""), (0, PUSH, _COMMAND % 1),
                (1, PUSH, _REPLY % (1, 4) + b"done\r\n"), (0, FIN, b""), (1, FIN, b""),
                (0, ACK, b""),
            ):  # fmt: skip
                us += 50
                file.write(one.pack(us, side, flags, payload))


def short(connections: int = 200_000) -> None:
    """What a connection costs beyond the start of the process."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder) / "few.pcap", Path(folder) / "many.pcap"
        make_short(few, 1000)
        make_short(many, connections)
        for option in ("--json", "--csv", "--top=20"):
            command = [*NETDIAG, "analyse", option]
            base = timed([*command, str(few)])
            took = timed([*command, str(many)])
            each = (took[1] - base[1]) / connections
            print(f"{option:8} {took[0]:6.2f} s, {took[1] / 1024:.0f} MiB: {each:.2f} KiB each")


def analyse(path: Path) -> list[str]:
    """The command that is measured."""
    return [*NETDIAG, "analyse", str(path), "--json"]


def timed(command: list[str], *, cwd: Path = ROOT, cpu: int | None = None) -> tuple[float, int]:
    """Seconds, and peak RssAnon in KiB as seen every 10 ms."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.DEVNULL,
            cwd=cwd,
        )
        if cpu is not None:
            os.sched_setaffinity(process.pid, {cpu})
        peak = 0
        while process.poll() is None:
            peak = max(peak, anonymous(process.pid))
            time.sleep(0.01)
    assert process.returncode in (0, 1), command
    return time.perf_counter() - began, peak


def anonymous(pid: int) -> int:
    """RssAnon in KiB."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    line = next((line for line in text.splitlines() if line.startswith("RssAnon")), "RssAnon: 0")
    return int(line.split()[1])


def compare(path: Path) -> None:
    """Median of alternating runs, with the cache warm; tshark reads a tenth of it."""
    cpu = max(os.sched_getaffinity(0))
    commands = {"netdiag": analyse(path)}
    if shutil.which("tcptrace"):
        commands["tcptrace -n"] = ["tcptrace", "-n", str(path)]
    timed(commands["netdiag"], cpu=cpu)
    took: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            took[name].append(timed(command, cpu=cpu)[0])
    medians = {name: statistics.median(times) for name, times in took.items()}
    if shutil.which("tshark"):
        tenth = path.with_suffix(".tenth.pcap")
        make(tenth, FRAMES // TENTH)
        field = "tcp.analysis.retransmission"
        command = ["tshark", "-r", str(tenth), "-q", "-z", f"io,stat,0,COUNT({field}){field}"]
        medians["tshark, a tenth, scaled"] = TENTH * statistics.median(
            timed(command, cpu=cpu)[0] for _ in range(3)
        )
        tenth.unlink()
    for name, seconds in medians.items():
        print(f"{name:24} {seconds:8.2f} s   {seconds / medians['netdiag']:7.2f} times netdiag's")


def grow(path: Path, tenfold: Path) -> None:
    """Ten times the frames, as many connections."""
    cpu = max(os.sched_getaffinity(0))
    once = [timed(analyse(path), cpu=cpu) for _ in range(3)]
    ten = [timed(analyse(tenfold), cpu=cpu) for _ in range(3)]
    seconds = [statistics.median(took for took, _ in runs) for runs in (once, ten)]
    memory = [statistics.median(peak for _, peak in runs) for runs in (once, ten)]
    print(f"time   {seconds[0]:.2f} s -> {seconds[1]:.2f} s   {seconds[1] / seconds[0]:.2f} times")
    print(f"memory {memory[0]} KiB -> {memory[1]} KiB   {memory[1] / memory[0]:.3f} times")


def loop(path: Path) -> None:
    """What the compiled loop takes, without starting and without facts; best of five."""
    best, frames = float("inf"), 0
    for _ in range(5):
        with Source(path) as source:
            engine = Compiled(Container(Window(source)), choose(None, None, None, None))
            began = time.perf_counter()
            engine.run()
            best = min(best, time.perf_counter() - began)
            frames = engine.tally.frames
    print(f"{frames} frames in {best:.3f} s: {frames / best / 1e6:.2f} million a second")


def cold(path: Path) -> None:
    """With an empty cache directory."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        print(f"cold {timed(analyse(path))[0]:.2f} s, then {timed(analyse(path))[0]:.2f} s")


def plain() -> None:
    """Small files never see numba, whether it is installed or not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.pcap"
        make(path, 10_000)
        took = statistics.median(timed(analyse(path))[0] for _ in range(ROUNDS))
        print(f"10000 frames, interpreted, whole process: {took:.2f} s")
        core = statistics.median(interpreted(path) for _ in range(4 * ROUNDS))
        print(f"10000 frames, interpreted, parsing and tracker alone: {core:.2f} us a frame")


def interpreted(path: Path) -> float:
    """What the same loop takes over lists, in us of processor time a frame."""
    with Source(path) as source:
        engine = Interpreted(Container(Window(source)), choose(None, None, None, None))
        began = time.process_time()
        engine.run()
        return (time.process_time() - began) / engine.tally.frames * 1e6


if __name__ == "__main__":
    what, *names = sys.argv[1:] or ["plain"]
    paths = [Path(name) for name in names if not name.isdigit()]
    if what == "make":
        make(paths[0], int(names[1]) if len(names) > 1 else FRAMES)
    elif what == "short":
        short(*map(int, names))
    else:
        tasks: dict[str, Callable[..., None]] = {
            "compare": compare, "grow": grow, "loop": loop, "cold": cold, "plain": plain,
        }  # fmt: skip
        tasks[what](*paths)
