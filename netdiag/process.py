"""Linux processes and namespaces as functions: fork, unshare, setns, mount, parent-death signals.

Turns system calls that Python 3.11 has no name for into typed functions that raise OSError. The
rule it guards: a child is known by a pidfd from the moment it exists, and it dies with the process
that made it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x2, 0x4, 0x8
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000

CANNOT_RUN = 127

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_LONGEST_NAME = 15
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` (CLONE_NEW*) for new ones; unshare(2)."""
    _checked(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int = 0) -> None:
    """Enter the namespace that `fd` refers to; setns(2)."""
    _checked(_libc.setns(fd, kind), "setns")


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """mount(2); the command is of no use here, as it is set-uid."""
    made = _libc.mount(source.encode(), os.fsencode(target), kind.encode(), flags, data.encode())
    _checked(made, f"mount {kind} on {target}")


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the thread that forked us ends; prctl(2)."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def adopt_orphans() -> None:
    """Become the parent of whatever our descendants leave behind; prctl(2)."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def call_oneself(name: str) -> None:
    """Set the name that ps and top show; the kernel keeps 15 bytes of it; prctl(2)."""
    shown = ctypes.create_string_buffer(name.encode()[:_LONGEST_NAME])
    _checked(_libc.prctl(_PR_SET_NAME, shown, 0, 0, 0), "prctl")


def current_processor() -> int:
    """The number of the processor that we run on just now; sched_getcpu(3)."""
    return int(_libc.sched_getcpu())


def new_network_namespace() -> int:
    """Make a network namespace, held by the file descriptor that is returned; the caller stays
    where it is.
    """
    here = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(CLONE_NEWNET)
        made = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        setns(here, CLONE_NEWNET)
    finally:
        os.close(here)
    return made


@contextlib.contextmanager
def inside_network(fd: int) -> Iterator[None]:
    """Run a short block (make a socket, write a sysctl) inside another network namespace."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(fd, CLONE_NEWNET)
        try:
            yield
        finally:
            setns(here, CLONE_NEWNET)
    finally:
        os.close(here)


def how_it_ended(code: int) -> str:
    """An exit code as `Child.wait` gives it, in words: `code 1`, or `SIGKILL` for -9."""
    if code >= 0:
        return f"code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


@dataclass(frozen=True)
class Child:
    """A process we started: its pid in our pid namespace, and a pidfd that polls readable when it
    ends.
    """

    pid: int
    pidfd: int
    name: str
    _status: list[int] = field(default_factory=list, repr=False, compare=False)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; a child that has ended already is left alone."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def poll(self) -> int | None:
        """The exit code (negative for a signal), or None while it runs."""
        return self._collect(os.WNOHANG)

    def wait(self) -> int:
        """Wait for the end and return the exit code (negative for a signal)."""
        code = self._collect(0)
        return code if code is not None else 255

    def _collect(self, options: int) -> int | None:
        if self._status:
            return self._status[0]
        code = self._ended(options)
        if code is not None:
            self._status.append(code)
        return code

    def _ended(self, options: int) -> int | None:
        try:
            pid, status = os.waitpid(self.pid, options)
        except ChildProcessError:
            pid, status = self.pid, 255 << 8
        return None if pid == 0 else os.waitstatus_to_exitcode(status)


@dataclass(frozen=True)
class Stranger(Child):
    """A process that somebody else started and ends: it is watched, and no signal of ours, not even
    the last one, is meant for it.

    `code` is asked for its exit code when it has ended.
    """

    code: Callable[[], int] = field(default=lambda: 255, repr=False, compare=False)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """It is not ours to end."""

    def _ended(self, options: int) -> int | None:
        patience = 0 if options & os.WNOHANG else None
        watch = select.poll()
        watch.register(self.pidfd, select.POLLIN)
        return self.code() if watch.poll(patience) else None


def fork(main: Callable[[], int], name: str) -> Child:
    """Fork a child that runs `main` and exits with what it returns; it dies with this process.

    ps shows it as `name`. An exception in `main` is printed to the child's standard error and is
    exit code 1.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return Child(pid, os.pidfd_open(pid), name)
    code = 1
    try:
        die_with_parent()
        call_oneself(name)
        # 0: the parent lives in an outer pid namespace, where it cannot be told from init
        if os.getppid() in (parent, 0):
            code = main()
    except BaseException:  # noqa: BLE001 - the child's last word, whatever went wrong
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def fork_apart(main: Callable[[], int], name: str) -> Child:
    """Fork a child as pid 1 of a new pid namespace: whatever it starts ends with it, as `fork`.

    Source: pid_namespaces(7). Raises OSError when the namespace is refused.
    """
    here = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(CLONE_NEWPID)  # for the next child only; we ourselves stay
        try:
            return fork(main, name)
        finally:
            setns(here, CLONE_NEWPID)
    finally:
        os.close(here)


def fork_into(space: int, main: Callable[[], int], name: str) -> Child:
    """Fork a child in the pid namespace that `space` refers to, a descendant of ours; as `fork`.

    Its pid is the one it has here. Source: pid_namespaces(7). Raises OSError when it is refused.
    """
    here = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(space, CLONE_NEWPID)  # for the next child only; we ourselves stay
        try:
            return fork(main, name)
        finally:
            setns(here, CLONE_NEWPID)
    finally:
        os.close(here)


def reap(child: Child) -> int | None:
    """As pid 1: collect every process that has ended; the child's exit code when it is among them.

    The code is negative for a signal; None: the child still runs.
    """
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child.pid:
            code = os.waitstatus_to_exitcode(status)


def become(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    log: int,
    keep: Sequence[int] = (),
    network: int | None = None,
    cwd: str | None = None,
) -> int:
    """In a forked child: take the log as output, enter the network, and exec the program.

    `keep` are descriptors that stay open across the exec. Returns only when the program cannot be
    run: the log says why, and the value (127, as of a shell) is for the child's exit code.
    """
    settle(log=log, network=network, cwd=cwd)
    for fd in keep:
        os.set_inheritable(fd, True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(argv[0], list(argv), dict(env))  # noqa: S606
    except OSError as err:
        os.write(2, os.fsencode(f"{argv[0]}: cannot be run: {err.strerror}\n"))
    return CANNOT_RUN


def settle(*, log: int, network: int | None = None, cwd: str | None = None) -> None:
    """In a forked child: standard output and error to `log`, no standard input, another network and
    directory.
    """
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if network is not None:
        setns(network, CLONE_NEWNET)
    if cwd is not None:
        os.chdir(cwd)
