"""One guest as seen from outside: a process, and the lines that it says on its console.

Turns console bytes into facts (it is up, its clock reads so, it has ended) and complaints. The rule
it guards: a guest is one process group, and when it is to end, all of the group ends; User-Mode
Linux itself would leave processes spinning behind (ptrace lets them go when their tracer dies).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from netdiag.errors import LabError
from netdiag.lab.uml.alone import children
from netdiag.lab.uml.chance import refuse_randomness
from netdiag.process import die_with_parent, how_it_ended

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MARK: Final = "== "
_MOVED: Final = 10_000_000  # ns; to read a virtual clock moves it, too, but by much less
_LAST_WORDS: Final = 12
_LONGEST: Final = 1 << 16


@dataclass(frozen=True)
class Place:
    """Where a guest's process lives: on which processor, and whether it is told what chance is.

    A guest computes on one processor. Its kernel traces its programs and takes turns with them at
    every system call; were the two on two processors, each turn would have to wake one of them up
    (measured: 50 us a call instead of 12).
    """

    processor: int
    chance: bool = True

    def enter(self) -> None:
        """In the guest's own process, before its exec."""
        die_with_parent()
        os.sched_setaffinity(0, {self.processor})
        if not self.chance:
            refuse_randomness()


class Guest:
    """A guest that was started; its attributes say what it has told so far.

    `mute`: it has closed its console; `up`: it waits for its order; `code`: what its pid 1 ended
    with; `clock` (ns, its own) and
    `heard` (ns, ours): when it last told its time; `runs`: its answer to `ask`.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], place: Place) -> None:
        """Start it. Raises LabError when the kernel cannot be run."""
        try:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd="/",
                process_group=0,
                preexec_fn=place.enter,  # noqa: PLW1509 - no thread runs here
            )
        except OSError as err:
            raise LabError(
                f"the guest's kernel {argv[0]} cannot be run: {err.strerror}; "
                "build it again with `netdiag warp build`"
            ) from err
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("a guest has pipes for its console")
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._out, False)
        self.pidfd = os.pidfd_open(self._process.pid)
        self._undo = contextlib.ExitStack()
        self._undo.callback(os.close, self.pidfd)
        self._undo.callback(self._process.stdout.close)
        self._undo.callback(_close, self._process.stdin)
        self._half = b""
        self._words: deque[str] = deque(maxlen=_LAST_WORDS)
        self.mute = False
        self.up = False
        self.code: int | None = None
        self.clock = 0
        self.heard = time.monotonic_ns()
        self.runs: list[dict[str, Any]] | None = None

    def fileno(self) -> int:
        """Where it speaks. Only `pidfd` shows its end: whom it leaves behind holds this open."""
        return self._out

    @property
    def pid(self) -> int:
        """The process of its kernel, and the number of its group."""
        return self._process.pid

    def delayed(self) -> int:
        """How long its kernel wanted to compute and could not, ns since its start; 0 if unknown.

        Source: Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat.
        """
        with contextlib.suppress(OSError, IndexError, ValueError):
            return int(Path(f"/proc/{self.pid}/schedstat").read_text(encoding="ascii").split()[1])
        return 0

    def move(self, processor: int) -> None:
        """Go on computing on another processor, with all of its programs."""
        for pid in (self.pid, *children(self.pid)):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(pid, {processor})

    def tell(self, order: Mapping[str, Any]) -> None:
        """Give it its order, once."""
        self._write(json.dumps(order).encode() + b"\n")
        self.heard = time.monotonic_ns()

    def ask(self) -> None:
        """Ask which processes want to compute; the answer becomes `runs`.

        User-Mode Linux looks at its console when the process that it traces stops; one that only
        computes never does, so we stop it, by the one signal
        that is safe at any time. Source: arch/um/os-Linux/skas/process.c, STUB_SIG_MASK.
        """
        self._write(b"?")
        for traced in children(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(traced, signal.SIGALRM)

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._in, data) :]

    def listen(self) -> list[str]:
        """Take what it has said; the complaints among it, in order."""
        said = b""
        with contextlib.suppress(BlockingIOError):
            while len(said) < _LONGEST:
                data = os.read(self._out, _LONGEST)
                if not data:
                    self.mute = True
                    break
                said += data
        *lines, self._half = (self._half + said).split(b"\n")
        texts = (line.decode("utf-8", "replace").rstrip("\r") for line in lines)
        return [text for text in texts if self._is_complaint(text)]

    def _is_complaint(self, text: str) -> bool:
        if not text.startswith(_MARK):
            self._words.append(text)
            return self.up and self.code is None and bool(text.strip())
        word, _, value = text.removeprefix(_MARK).partition(" ")
        with contextlib.suppress(ValueError):
            match word:
                case "up":
                    self.up, self.heard = True, time.monotonic_ns()
                case "clock":
                    self._beat(int(value))
                case "runs":
                    self.runs = json.loads(value)
                case "exit":
                    self.code = int(value)
        return False

    def _beat(self, clock: int) -> None:
        if clock - self.clock >= _MOVED:
            self.clock, self.heard = clock, time.monotonic_ns()

    def kill(self) -> int:
        """End all of its processes; returns the exit code of its kernel's process."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()

    def end(self) -> None:
        """The same, and let go of its console."""
        self.kill()
        self._undo.close()

    def obituary(self, code: int) -> str:
        """One sentence for a guest that ended too soon, with its last words: without a word of its
        pid 1, or before it was up.
        """
        said = " / ".join(filter(None, (word.strip() for word in self._words)))
        last = f"; it said: {said}" if said else ""
        when = "by itself" if self.code is None else "before it was ready"
        return f"the guest ended {when} ({how_it_ended(self.code or code)}){last}"


def _close(stream: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):
        stream.close()
