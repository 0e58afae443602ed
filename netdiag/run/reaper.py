"""The sandbox's first processes: new namespaces, a tiny pid 1 that reaps, the runner as its child.

Started by the front as `python -m netdiag.run.reaper RUN_DIRECTORY JOBS LIFELINE` with no thread
running. LIFELINE is a pipe that the front holds open: when it closes, however the front ends, pid 1
exits and the kernel takes every process of the run away, with the namespaces and all that is in
them.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path

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
    Child,
    die_with_parent,
    fork,
    mount,
    unshare,
)

_SWITCHES = (
    (
        "user/max_user_namespaces",
        "0",
        "user.max_user_namespaces",
        "sysctl -w user.max_user_namespaces=15000",
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "kernel.unprivileged_userns_clone",
        "sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "kernel.apparmor_restrict_unprivileged_userns",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)
_IN_A_CONTAINER = "in a container start it with --privileged, or run netdiag on the machine itself"


def main(arguments: list[str]) -> int:
    """Make the sandbox, run the runner in it, and return its exit code."""
    run_directory, jobs, lifeline = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    die_with_parent()
    if os.getppid() == 1:
        return 1
    try:
        _enter_namespaces()
        return fork(lambda: _pid_one(run_directory, jobs, lifeline), "reaper").wait()
    except NetdiagError as err:
        print(err, file=sys.stderr)
        return err.exit_code


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
        raise LabError(_why_not(err)) from err


def _why_not(err: OSError) -> str:
    """One sentence: which setting forbids namespaces here, and the ways out."""
    for path, bad, name, cure in _SWITCHES:
        try:
            value = Path("/proc/sys", path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if value == bad and not (os.getuid() == 0 and name.startswith("kernel.")):
            return (
                f"user namespaces are switched off here ({name}={value}), so no lab can be made; "
                f"allow them with `{cure}`"
                + ("" if os.getuid() == 0 else ", or run netdiag as root")
            )
    return (
        f"this machine lets us make no namespaces ({err.strerror}), so no lab can be made; "
        f"{_IN_A_CONTAINER}"
    )


def _pid_one(run_directory: Path, jobs: int, lifeline: int) -> int:
    """Pid 1 of the sandbox: mount what the run needs, start the runner, reap until it or the front
    ends.
    """
    try:
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        mount("tmpfs", str(run_directory / "scratch"), "tmpfs", MS_NOSUID | MS_NODEV, "mode=700")
    except OSError as err:
        print(
            f"the sandbox cannot mount its own /proc ({err.strerror}), so no lab can be made; "
            f"{_IN_A_CONTAINER}",
            file=sys.stderr,
        )
        return LabError.exit_code
    wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    runner = fork(lambda: _runner(run_directory, jobs, lifeline), "runner")
    while True:
        code = _reap(runner)
        if code is not None:
            return code
        readable = select.select([lifeline, wake], [], [])[0]
        if lifeline in readable:
            return 130
        os.read(wake, 4096)


def _reap(runner: Child) -> int | None:
    """Collect every child that has ended; the runner's exit code when it is among them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == runner.pid:
            code = os.waitstatus_to_exitcode(status)


def _runner(run_directory: Path, jobs: int, lifeline: int) -> int:
    os.close(lifeline)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    from netdiag.run.runner import run  # noqa: PLC0415 - pid 1 itself stays small

    return run(run_directory, jobs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
