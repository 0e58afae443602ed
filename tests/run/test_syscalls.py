"""/proc/PID/syscall in words."""

from __future__ import annotations

import os
import platform
import select
import socket
from pathlib import Path

import pytest
from pytest import param

from netdiag.process import fork
from netdiag.run.syscalls import asleep, describe, sleeps

LINES = [
    param("45 0x5 0x7f 0x1000 0x0 0x0 0x0 0x7ffd 0x7fcc", "x86_64", "recvfrom", 5, id="recvfrom"),
    param("0 0xc 0x7f 0x1000", "x86_64", "read", 12, id="read"),
    param("42 0x3 0x7ff 0x10", "x86_64", "connect", 3, id="connect"),
    param("232 0x4 0x7f 0x10 0xffffffff", "x86_64", "epoll_wait", 4, id="epoll_wait"),
    param("281 0x4 0x7f 0x10 0xffffffff", "x86_64", "epoll_pwait", 4, id="epoll_pwait"),
    param("7 0x7ffd 0x1 0xffffffff", "x86_64", "poll", None, id="poll has no descriptor"),
    param("271 0x7ffd 0x1 0x0", "x86_64", "ppoll", None, id="ppoll"),
    param("230 0x1 0x0 0x7ffd", "x86_64", "clock_nanosleep", None, id="asleep"),
    param("202 0x7f 0x80 0x0", "x86_64", "futex", None, id="futex"),
    param("207 0x5 0x7f 0x1000", "aarch64", "recvfrom", 5, id="recvfrom on arm"),
    param("73 0x7ffd 0x1", "riscv64", "ppoll", None, id="ppoll on risc-v"),
    param("999 0x1", "x86_64", "system call 999", None, id="unknown number"),
    param("45 0x5", "sparc", "system call 45", None, id="unknown machine"),
    param("45", "x86_64", "recvfrom", None, id="no arguments"),
    param("-1 0x7ffd 0x7fcc", "x86_64", "system call -1", None, id="stopped in none"),
    param("running", "x86_64", None, None, id="it runs"),
    param("", "x86_64", None, None, id="nothing"),
]


@pytest.mark.parametrize(("line", "machine", "name", "fd"), LINES)
def test_the_call_has_a_name_and_its_descriptor(line, machine, name, fd):
    wanted = {"syscall": name} if fd is None else {"syscall": name, "fd": fd}
    assert describe(line, machine) == wanted


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="tables of these two")
@pytest.mark.parametrize("call", ["recvfrom", "poll"])
def test_a_real_process_that_waits_for_its_peer(call):
    ours, theirs = socket.socketpair()

    def wait() -> int:
        if call == "recvfrom":
            theirs.recv(1)
        else:
            poll = select.poll()
            poll.register(theirs, select.POLLIN)
            poll.poll()
        return 0

    child = fork(wait, "waiter")
    found = until_it_sleeps(child.pid)
    fd = theirs.fileno()
    ours.send(b"!")
    child.wait()
    if not found:
        pytest.skip("/proc/PID/syscall cannot be read here")
    names = ("poll", "ppoll") if call == "poll" else (call,)
    assert found in [{"syscall": name, "fd": fd} if call == "recvfrom" else {"syscall": name}
                     for name in names]  # fmt: skip


def until_it_sleeps(pid: int) -> dict[str, object]:
    """What the process sleeps in, as soon as it sleeps in something this test means."""
    while True:
        try:
            line = Path(f"/proc/{pid}/syscall").read_text(encoding="ascii")
        except OSError:
            return {}
        found = describe(line)
        if found["syscall"] in ("recvfrom", "poll", "ppoll"):
            return dict(found)
        os.sched_yield()


STATUS = "Name:\tphp\nState:\t{state}\nvoluntary_ctxt_switches:\t{slept}\n"
SLEEPING = STATUS.format(state="S (sleeping)", slept=7)


@pytest.mark.parametrize(
    ("state", "syscall"),
    [("S (sleeping)", "a system call"), ("D (disk sleep)", "a system call"), ("R (running)", None)],
)
def test_where_no_call_is_named_the_state_tells_whether_it_sleeps(state, syscall):
    told = asleep(STATUS.format(state=state, slept=1))
    assert told == {"syscall": syscall, "told_by": "status"}


def test_a_process_that_has_slept_anew_is_told_from_one_that_sleeps_on():
    assert sleeps(SLEEPING) == sleeps(SLEEPING)
    assert sleeps(SLEEPING) != sleeps(STATUS.format(state="S (sleeping)", slept=8))


def test_a_status_that_tells_nothing_is_no_sleep():
    assert asleep("") == {"syscall": None, "told_by": "status"}
