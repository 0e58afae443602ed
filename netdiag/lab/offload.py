"""Segmentation and checksum offloads off, by the SIOCETHTOOL ioctl.

A veth otherwise hands over frames larger than the MTU with checksums that were never computed; the
cable must see what a wire would carry. Source: linux/ethtool.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import socket
import struct

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
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFF.values():
            value = ctypes.create_string_buffer(struct.pack("II", command, 0), 8)
            request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
            with (
                contextlib.suppress(OSError)
                if command != _OFF["tcp segmentation"]
                else contextlib.nullcontext()
            ):
                fcntl.ioctl(control, _SIOCETHTOOL, request)
