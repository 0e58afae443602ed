"""The whole command as a person runs it, in a home of its own, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import netdiag
from netdiag.errors import LabError
from netdiag.run.sandbox import sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Set

NETDIAG = (sys.executable, "-c", "from netdiag.cli import main; main()")
TOKEN = "RUN_TOKEN"
PACKAGE_HOME = str(Path(netdiag.__file__).parent.parent)
TWO_CELLS = """
name: two
workload:
  pattern: brpop
  key: jobs
  produce: [{at: {event: active, after: 100ms}, count: 1}]
faults:
  - {name: cut, at: {phase: blocked, after: 300ms}, do: blackhole}
matrix:
  client.settings:
    one: {keepalive: off, read_timeout: null, retry: 0}
    other: {keepalive: off, read_timeout: null, retry: 0}
expect: {detected_within: never}
duration: 4s
"""


def why_no_lab() -> str | None:
    """Why this machine lets us make no lab; None when it does."""
    try:
        with sandbox() as box:
            box.wait_until_ready()
    except LabError as err:
        return str(err)
    return None


def until(condition: Callable[[], Any], seconds: float) -> bool:
    """Wait for a condition, not for a time; false when it did not come within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


@dataclass
class Home:
    """Directories of one run: HOME, TMPDIR, the current one, and the one for recordings."""

    root: Path
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        for name in ("home", "tmp", "cwd"):
            (self.root / name).mkdir()

    @property
    def out(self) -> Path:
        return self.root / "out"

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            TOKEN: self.token,
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"),
            "PYTHONPATH": PACKAGE_HOME,
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "100",
        }

    def write(self, text: str, name: str = "scenario.yaml") -> Path:
        path = self.root / name
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        """Start netdiag in a process group of its own, as a shell does."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [*NETDIAG, *map(str, arguments)],
            cwd=self.root / "cwd",
            env=self.environment(),
            process_group=0,
            **{**pipes, **options},
        )

    def run(self, *arguments: str | Path, **options: Any) -> Done:
        """Run netdiag to its end."""
        with self.start(*arguments, **options) as process:
            return ended(process)

    def record(self, scenario: str, *arguments: str | Path, **options: Any) -> Done:
        """`netdiag run` for the text of a scenario, into `out`."""
        return self.run("run", self.write(scenario), "--out", self.out, *arguments, **options)

    def report(self) -> Done:
        """`netdiag report` of the only scenario that was run."""
        [scenario] = self.out.iterdir()
        return self.run("report", scenario)

    def cells(self) -> Mapping[str, dict[str, Any]]:
        """The recording's cells, as `netdiag report --json` judges them."""
        [scenario] = self.out.iterdir()
        done = self.run("report", "--json", scenario)
        return {cell["id"]: cell for cell in json.loads(done.out)["cells"]}

    def events(self, cell: str) -> bytes:
        """What a cell's events hold now; empty before it begins."""
        for path in self.out.glob(f"*/20*/cells/{cell}/events.jsonl"):
            return path.read_bytes()
        return b""

    def litter(self) -> list[str]:
        """Every file that lies in HOME, TMPDIR or the current directory."""
        places = (self.root / name for name in ("home", "tmp", "cwd"))
        return [str(path) for place in places for path in place.rglob("*")]

    def processes(self) -> dict[int, str]:
        """Every living process that descends from this run, by its token: pid -> name."""
        return dict(_processes(f"{TOKEN}={self.token}".encode()))


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def ended(process: subprocess.Popen[bytes], seconds: float = 60) -> Done:
    """Wait for the end of a command."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return Done(process.returncode, (out or b"").decode(), (err or b"").decode())


def _processes(token: bytes) -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if token in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name), (entry / "comm").read_text().strip()


@contextmanager
def lodging(home: Home) -> Iterator[frozenset[str]]:
    """The network namespaces in which the processes of a run live now, without our own.

    Those of a server too, which writes its title over its environment, and the token with it. They
    are held for the length of the context, or the kernel would give their numbers to others.
    """
    with ExitStack() as undo:
        held = []
        for pid in _family(home.processes().keys()):
            with suppress(OSError):
                fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
                undo.callback(os.close, fd)
                held.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        yield frozenset(held) - {_network(os.getpid())}


def _family(pids: Iterable[int]) -> set[int]:
    """These processes and all that descend from them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, waiting = set[int](), list(pids)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def lodgers(spaces: frozenset[str]) -> dict[int, str]:
    """Processes that live in those namespaces: pid -> name."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _network(int(entry.name)) in spaces:
            with suppress(OSError):
                found[int(entry.name)] = (entry / "comm").read_text().strip()
    return found


def _network(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    except OSError:
        return ""


def soon_alone(home: Home, keep: Set[int] = frozenset()) -> bool:
    """Whether within 2 s no process of the run but `keep` is left."""
    return until(lambda: not home.processes().keys() - keep, 2)


def assert_nothing_is_left(home: Home, spaces: frozenset[str], seconds: float = 2.0) -> None:
    """Soon no process of the run, nobody in its namespaces (see `lodging`); and no file outside of
    `out`.
    """
    gone = soon_alone(home) and until(lambda: not lodgers(spaces), seconds)
    assert gone, f"still there: {home.processes()}, in their namespaces: {lodgers(spaces)}"
    assert home.litter() == []


_WHY_NOT = why_no_lab()
needs_lab = pytest.mark.skipif(_WHY_NOT is not None, reason=_WHY_NOT or "")
