"""/proc/PID/syscall -> a name and a descriptor, for the calls in which network programs sleep.

Source: proc(5); the kernel's syscall tables for x86_64 and the generic one (aarch64, riscv64).
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from netdiag.recording import Json

_X86_64: Final = {
    0: "read",
    1: "write",
    7: "poll",
    19: "readv",
    20: "writev",
    23: "select",
    34: "pause",
    35: "nanosleep",
    42: "connect",
    43: "accept",
    44: "sendto",
    45: "recvfrom",
    46: "sendmsg",
    47: "recvmsg",
    61: "wait4",
    202: "futex",
    230: "clock_nanosleep",
    232: "epoll_wait",
    270: "pselect6",
    271: "ppoll",
    281: "epoll_pwait",
    288: "accept4",
    426: "io_uring_enter",
}
_GENERIC: Final = {
    22: "epoll_pwait",
    63: "read",
    64: "write",
    65: "readv",
    66: "writev",
    72: "pselect6",
    73: "ppoll",
    98: "futex",
    101: "nanosleep",
    115: "clock_nanosleep",
    202: "accept",
    203: "connect",
    206: "sendto",
    207: "recvfrom",
    211: "sendmsg",
    212: "recvmsg",
    242: "accept4",
    260: "wait4",
    426: "io_uring_enter",
}
_UNNAMED: Final = "a system call"
_TABLES: Final = {"x86_64": _X86_64, "aarch64": _GENERIC, "riscv64": _GENERIC}
_ON_DESCRIPTOR: Final = frozenset(
    {
        "read",
        "write",
        "readv",
        "writev",
        "connect",
        "accept",
        "accept4",
        "sendto",
        "recvfrom",
        "sendmsg",
        "recvmsg",
        "epoll_wait",
        "epoll_pwait",
    }
)


def describe(line: str, machine: str | None = None) -> dict[str, Json]:
    """`45 0x5 ...` -> {"syscall": "recvfrom", "fd": 5}; `running` says that it does not sleep."""
    words = line.split()
    if not words or not words[0].lstrip("-").isdigit():
        return {"syscall": None}
    number = int(words[0])
    name = _TABLES.get(machine or platform.machine(), {}).get(number, f"system call {number}")
    if name in _ON_DESCRIPTOR and len(words) > 1:
        return {"syscall": name, "fd": int(words[1], 16)}
    return {"syscall": name}


def asleep(status: str) -> dict[str, Json]:
    """/proc/PID/status, where a kernel names no system calls (User-Mode Linux): whether it sleeps.

    Source: proc(5).
    """
    state = _field(status, "State")[:1]
    name = _UNNAMED if state in ("S", "D") else None
    return {"syscall": name, "told_by": "status"}


def sleeps(status: str) -> str:
    """What is another text whenever the process has slept anew, by /proc/PID/status."""
    return f"{_field(status, 'State')[:1]} {_field(status, 'voluntary_ctxt_switches')}"


def _field(status: str, name: str) -> str:
    found = (line.partition(":") for line in status.splitlines())
    return next((value.strip() for key, _, value in found if key == name), "")
