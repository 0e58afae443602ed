"""Segmentation and checksum offloads off, by the SIOCETHTOOL ioctl.

A veth otherwise hands over frames larger than the MTU with checksums that were never computed; the
cable must see what a wire would carry. Source: linux/ethtool.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import socket
import struct
from typing import TYPE_CHECKING

from netdiag.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Collection

_SIOCETHTOOL = 0x8946
_OFF = {
    "tx checksum": 0x17,
    "scatter-gather": 0x19,
    "tcp segmentation": 0x1F,
    "generic segmentation": 0x24,
    "generic receive": 0x2C,
}


def switch_off(interface: str) -> None:
    """Switch the offloads of an interface of this network namespace off. Raises OSError.

    A kernel that has no such knob for the interface has no such offload either (EOPNOTSUPP).
    """
    for name, command in _OFF.items():
        with (
            contextlib.suppress(OSError)
            if name != "tcp segmentation"
            else contextlib.nullcontext()
        ):
            _ask(interface, command, 0)


def switched_on(interface: str) -> list[str]:
    """The names of the offloads that are on."""
    found = []
    for name, command in _OFF.items():
        with contextlib.suppress(OSError):
            if _ask(interface, command - 1, 0):
                found.append(name)
    return found


def switch_on(interface: str, names: Collection[str]) -> None:
    """Switch these offloads on again, in an order that lets those follow that need others.

    All are tried. Raises OSError when the interface has gone, LabError that names those still off.
    """
    why = ""
    for name, command in _OFF.items():
        if name in names:
            try:
                _ask(interface, command, 1)
            except OSError as err:
                if err.errno == errno.ENODEV:
                    raise
                why = f" ({err.strerror})"
    on = switched_on(interface)
    still_off = [name for name in _OFF if name in names and name not in on]
    if still_off:
        raise LabError(
            f"{interface} has {', '.join(still_off)} off now, so it is slower than it was{why}; "
            f"switch on what `ethtool -k {interface}` shows, with `ethtool -K`"
        )


def _ask(interface: str, command: int, value: int) -> int:
    """One ETHTOOL_G* (value ignored) or ETHTOOL_S* request; returns the value afterwards."""
    buffer = ctypes.create_string_buffer(struct.pack("II", command, value), 8)
    request = struct.pack("16sP", interface.encode(), ctypes.addressof(buffer))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCETHTOOL, request)
    return int(struct.unpack("II", buffer.raw)[1])
