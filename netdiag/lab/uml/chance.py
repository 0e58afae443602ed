"""No randomness of the machine's for a guest: what it throws follows from what it was given.

User-Mode Linux asks the machine for random bytes at boot and ever after (getrandom(2)). Where that
system call does not exist its generator lives on what pid 1 gives it and on its own clock, which is
virtual; so its ports, its hash keys and its programs' jitter are the same twice. Nothing secret is
made in a lab. Source: arch/um/include/asm/archrandom.h, seccomp(2).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from typing import Final

_INSTRUCTION: Final = struct.Struct("HBBI")  # linux/filter.h: code, jump if true, if not, operand
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000  # linux/seccomp.h
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_AUDIT_ARCH_X86_64: Final = 0xC000003E
_GETRANDOM, _SECCOMP = 318, 317  # of x86_64, the only machine whose User-Mode Linux has 64 bits
_SET_MODE_FILTER, _SPEC_ALLOW = 1, 4
_PR_SET_NO_NEW_PRIVS: Final = 38

_FILTER: Final = (
    (_LOAD, 0, 0, _ARCHITECTURE),
    (_IF_EQUAL, 0, 3, _AUDIT_ARCH_X86_64),
    (_LOAD, 0, 0, _NUMBER),
    (_IF_EQUAL, 0, 1, _GETRANDOM),
    (_RETURN, 0, 0, _REFUSE | errno.ENOSYS),
    (_RETURN, 0, 0, _ALLOW),
)


class _Program(ctypes.Structure):
    _fields_ = (("size", ctypes.c_ushort), ("rows", ctypes.c_char_p))


def refuse_randomness() -> None:
    """From here on, and after exec, getrandom(2) does not exist for this process.

    Where the kernel takes no filter it does exist, and a guest's ports differ from run to run.
    """
    if platform.machine() != "x86_64":
        return
    libc = ctypes.CDLL(None)
    program = _Program(len(_FILTER), b"".join(_INSTRUCTION.pack(*row) for row in _FILTER))
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.syscall(_SECCOMP, _SET_MODE_FILTER, _SPEC_ALLOW, ctypes.byref(program))
