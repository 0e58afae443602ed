"""Pid 1 of a guest: mounts what programs expect, runs the runner, and halts the machine.

It is started by the guest's kernel, and the console is its only channel to the keeper outside (see
lab.uml.keeper): in comes the order, one line of JSON, and later perhaps a question; out go lines
that begin with `==`. The rule it guards: on a virtual clock nothing here sleeps before the order
has come, for every sleep would move the clock at once; so the clock always starts the same.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import struct
import sys
import termios
import time
import traceback
import tty
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from netdiag.errors import NetdiagError
from netdiag.process import MS_NODEV, MS_NOEXEC, MS_NOSUID, fork, mount, reap

if TYPE_CHECKING:
    from netdiag.process import Child

_HEARTBEAT_MS: Final = 60_000
_FILES: Final = 1 << 16
_VIRTUAL, _REAL = b"v", b"r"
_HALT: Final = 0xCDEF0123  # linux/reboot.h
_CODE: Final = 1
_RNDADDENTROPY: Final = 0x40085203  # linux/random.h
_SEED: Final = b"two runs of a cell are the same.".ljust(64, b".")
_PLACES: Final = (
    ("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, ""),
    ("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, ""),
    ("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=666"),
    ("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"),  # noqa: S108 - a new one
)
_LINKS: Final = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}


def main() -> int:
    """Be pid 1 until the runner has ended; returns its exit code.

    The runner imports for itself what it needs: what pid 1 had imported, the runner would copy page
    by page, and pages are what costs here (measured: 70 us each).
    """
    _settle()
    wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    told, tell = os.pipe2(os.O_CLOEXEC)
    runner = fork(lambda: _runner(tell), "netdiag-runner")
    os.close(tell)
    return _attend(runner, wake, told)


def _runner(tell: int) -> int:
    """Import, take the order, say on `tell` what the clock is, and run; returns an exit code."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    from netdiag.run.runner import run  # noqa: PLC0415

    _say("up", "")
    order = json.loads(_line())
    virtual = order["run"]["clock"] == "virtual"
    os.write(tell, _VIRTUAL if virtual else _REAL)
    os.close(tell)
    os.environ.clear()
    os.environ.update(order["env"])
    with contextlib.suppress(OSError):
        os.chdir(order["cwd"])
    directory = Path(order["directory"])
    mount("none", str(directory), "hostfs", MS_NOSUID | MS_NODEV, str(directory))
    if virtual:
        _give_way()
    try:
        return run(directory, **order["run"])
    except NetdiagError as err:
        print(err, file=sys.stderr)
        return err.exit_code


def _settle() -> None:
    """The console without echo, the file systems that programs expect, and room for descriptors."""
    tty.setraw(0, termios.TCSANOW)
    os.set_blocking(0, False)
    for name, target in _LINKS.items():
        with contextlib.suppress(FileExistsError):
            Path("/dev", name).symlink_to(target)
    for source, target, kind, flags, data in _PLACES:
        if target.startswith("/dev/"):
            Path(target).mkdir(exist_ok=True)
        mount(source, target, kind, flags, data)
    _seed()
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _seed() -> None:
    """Give the kernel's generator its start, or whoever first asks for randomness waits for it.

    Nothing secret is made in a lab. Source: random(4), RNDADDENTROPY.
    """
    credit = struct.pack("ii", len(_SEED) * 8, len(_SEED)) + _SEED
    with open("/dev/random", "wb", buffering=0) as device:  # noqa: PTH123 - a device
        fcntl.ioctl(device, _RNDADDENTROPY, credit)


def _line() -> bytes:
    """The order. Reads without ever sleeping: computing is free on a virtual clock, waiting not."""
    said = b""
    while b"\n" not in said:  # what follows it is a question that came early: it comes again
        with contextlib.suppress(BlockingIOError):
            said += os.read(0, 4096)
    return said.partition(b"\n")[0]


def _say(word: str, value: str) -> None:
    os.write(1, f"== {word} {value}\n".encode())


def _attend(runner: Child, wake: int, told: int) -> int:
    """Reap every orphan, tell the time, and answer the keeper, until the runner ends.

    Until the runner has `told` its clock the console is its own, and so is the processor.
    """
    virtual = os.read(told, 1) == _VIRTUAL
    _say("clock", str(time.monotonic_ns()))
    watch = select.poll()
    watch.register(wake, select.POLLIN)
    watch.register(0, select.POLLIN)
    while True:
        code = reap(runner)
        if code is not None:
            return code if code >= 0 else 128 - code
        ready = dict(watch.poll(_HEARTBEAT_MS if virtual else None))
        _say("clock", str(time.monotonic_ns()))
        if wake in ready:
            os.read(wake, 4096)
        if 0 in ready and os.read(0, 4096):
            _say("runs", json.dumps(running()))


def _give_way() -> None:
    """Let pid 1 and the kernel's workers have the processor whenever they want it.

    Computing costs no virtual time, so to the scheduler a process that only computes looks as if it
    had never run, and would never have to make room; one of policy idle has to. Among themselves
    our programs stay equals. Source: kernel/sched/fair.c, check_preempt_wakeup().
    """
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def running(proc: Path = Path("/proc")) -> list[dict[str, Any]]:
    """The processes that want to compute just now, other than us and the kernel's own.

    Each with its name, pid and where it prints (`output`): for a program of a cell, the cell's log.
    """
    found = []
    for entry in sorted(proc.glob("[0-9]*"), key=lambda one: int(one.name)):
        with contextlib.suppress(OSError, IndexError):
            name, _, rest = (
                (entry / "stat").read_text(encoding="utf-8").partition("(")[2].rpartition(")")
            )
            ours = entry.name == str(os.getpid()) or not (entry / "cmdline").read_bytes()
            if rest.split()[0] == "R" and not ours:
                found.append({"pid": int(entry.name), "name": name, "output": _output(entry)})
    return found


def _output(entry: Path) -> str:
    with contextlib.suppress(OSError):
        return str((entry / "fd" / "1").readlink())
    return ""


def halt() -> None:
    """Halt the machine: the guest's process ends; reboot(2)."""
    libc = ctypes.CDLL(None)
    os.sync()
    libc.reboot(ctypes.c_int(ctypes.c_uint32(_HALT).value - (1 << 32)))


if __name__ == "__main__":
    code = _CODE
    try:
        code = main()
    except BaseException:  # noqa: BLE001 - pid 1 must not end by itself: its kernel would panic
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        _say("exit", str(code))
        halt()
