"""The sandbox's first processes: new namespaces, a tiny pid 1 that reaps, the runner as its child.

Started by `run.sandbox` with the number of a descriptor, the lifeline, and with no thread running.
The lifeline is a pipe that the front holds open. The runner reads its order from it, one line of
JSON; when it closes, however the front ends, pid 1 exits and the kernel takes every process of the
run away, with the namespaces and all that is in them.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Final, NamedTuple

from netdiag.errors import LabError, NetdiagError
from netdiag.process import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    call_oneself,
    die_with_parent,
    fork,
    mount,
    reap,
    unshare,
)

FRONT_GONE: Final = 130
READY: Final = b"ready\n"
_IN_A_CONTAINER: Final = (
    "in a container start it with --privileged, or run netdiag on the machine itself"
)

_IN_A_GUEST: Final = "or add `--lab uml`, which needs none (see `netdiag warp`)"


class _Switch(NamedTuple):
    """A sysctl that forbids namespaces when it has the value `off`; root is free of some."""

    name: str
    off: str
    on: str
    binds_root: bool


_SWITCHES: Final = (
    _Switch("user.max_user_namespaces", "0", "15000", binds_root=False),
    _Switch("kernel.unprivileged_userns_clone", "0", "1", binds_root=False),
    _Switch("kernel.apparmor_restrict_unprivileged_userns", "1", "0", binds_root=False),
    _Switch("user.max_pid_namespaces", "0", "15000", binds_root=True),
    _Switch("user.max_mnt_namespaces", "0", "15000", binds_root=True),
    _Switch("user.max_net_namespaces", "0", "15000", binds_root=True),
)


def main(arguments: list[str]) -> int:
    """Make the sandbox, run the runner in it, and return its exit code.

    A second argument asks for guests (`run.keeping.Guests`): they need no namespaces, though where
    there are some, nothing can outlive them; or for containers (`run.docked.Containers`).
    """
    lifeline = int(arguments[0])
    guests = arguments[1] if len(arguments) > 1 else None
    if guests is not None and "containers" in json.loads(guests):
        return _docked(lifeline, guests)
    die_with_parent()
    call_oneself("netdiag-sandbox")
    if _front_has_gone(lifeline):
        return FRONT_GONE
    if guests is not None and fork(_enters, "netdiag-sandbox").wait() != 0:
        _say_ready()
        return _alone(lifeline, guests)
    try:
        _enter_namespaces()
    except LabError as err:
        print(f"{err}; {_IN_A_GUEST}", file=sys.stderr)
        return err.exit_code
    die_with_parent()  # a change of credentials may have taken it back
    return _as_shells_do(fork(lambda: _pid_one(lifeline, guests), "netdiag-reaper").wait())


def _enters() -> int:
    """In a child: whether namespaces can be had, as an exit code. Some systems let us make a user
    namespace and then nothing in it, so we must not try that ourselves.
    """
    try:
        _enter_namespaces()
    except LabError as err:
        return err.exit_code
    return 0


def _alone(lifeline: int, guests: str) -> int:
    """Where no namespace is to be had: two processes, each of which tidies up after the other."""
    from netdiag.lab.uml.alone import watched  # noqa: PLC0415 - only here

    return _as_shells_do(watched(lambda: _keeping(lifeline, guests)))


def _docked(lifeline: int, asked: str) -> int:
    """Containers: one of us must outlive the front, and remove them. It does not die with us."""
    from netdiag.run.docked import warden  # noqa: PLC0415 - only where there are containers

    call_oneself("netdiag-warden")
    return warden(lifeline, asked, _say_ready)


def _front_has_gone(lifeline: int) -> bool:
    watch = select.poll()
    watch.register(lifeline, 0)
    return bool(watch.poll(0))


def _as_shells_do(code: int) -> int:
    return code if code >= 0 else 128 - code


def _enter_namespaces() -> None:
    uid, gid = os.getuid(), os.getgid()
    new_user = 0 if uid == 0 else CLONE_NEWUSER
    try:
        unshare(new_user | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET)
        if new_user:
            Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")
        mount("none", "/", "", MS_REC | MS_PRIVATE)
    except OSError as err:
        raise LabError(why_not(err, root=uid == 0)) from err


def why_not(err: OSError, *, root: bool, proc: Path = Path("/proc/sys")) -> str:
    """One sentence: which setting forbids namespaces here, and the ways out."""
    for switch in _SWITCHES:
        if root and not switch.binds_root:
            continue
        try:
            value = proc.joinpath(*switch.name.split(".")).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if value == switch.off:
            kind = "namespaces" if switch.binds_root else "user namespaces"
            ways = "" if switch.binds_root else ", or run netdiag as root"
            return (
                f"{kind} are switched off here ({switch.name}={value}), so no lab can be made; "
                f"allow them with `sysctl -w {switch.name}={switch.on}`{ways}"
            )
    if err.errno == errno.ENOSPC:
        return (
            "the limit of namespaces is used up here, so no lab can be made; "
            "see `sysctl user` and raise user.max_*_namespaces, or end what uses them"
        )
    return (
        f"this machine lets us make no namespaces ({err.strerror}), so no lab can be made; "
        f"{_IN_A_CONTAINER}"
    )


def _pid_one(lifeline: int, guests: str | None) -> int:
    """Pid 1 of the sandbox: mount its /proc, start the runner, reap until it or the front ends."""
    try:
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except OSError as err:
        if guests is None:  # a guest has a /proc of its own
            print(
                f"the sandbox cannot mount its own /proc ({err.strerror}), so no lab can be made; "
                f"{_IN_A_CONTAINER}; {_IN_A_GUEST}",
                file=sys.stderr,
            )
            return LabError.exit_code
    _say_ready()
    wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    runner = fork(lambda: _runner(lifeline, guests), "netdiag-runner")
    watch = select.poll()
    watch.register(lifeline, 0)  # nothing but the front's end
    watch.register(wake, select.POLLIN)
    while True:
        code = reap(runner)
        if code is not None:
            return _as_shells_do(code)
        for fd, _ in watch.poll():
            if fd == lifeline:
                return FRONT_GONE
            os.read(wake, 4096)


def _say_ready() -> None:
    os.write(1, READY)
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(null, 1)
    os.close(null)


def _runner(order: int, guests: str | None) -> int:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if guests is not None:
        return _keeping(order, guests)
    from netdiag.run.runner import serve  # noqa: PLC0415 - pid 1 itself stays small

    try:
        return serve(order)
    except NetdiagError as err:
        print(err, file=sys.stderr)
        return err.exit_code


def _keeping(order: int, guests: str) -> int:
    from netdiag.run.keeping import Guests, serve  # noqa: PLC0415 - only where there are guests

    return serve(order, Guests.from_json(guests))
