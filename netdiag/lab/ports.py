"""Sockets made inside another namespace: the cable's frame ports, and questions to a host's kernel.

Turns an interface's name into a packet socket that hands over whole frames with the kernel's time.
The rule it guards: a socket belongs to the namespace in which it was made, wherever it is used.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import TYPE_CHECKING

from netdiag.process import inside_network

if TYPE_CHECKING:
    from contextlib import ExitStack

_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_PACKET_IGNORE_OUTGOING = 23
_SO_TIMESTAMPNS = 35
_SO_ATTACH_FILTER = 26
_INSTRUCTION = struct.Struct("HBBI")  # linux/filter.h: code, jump if true, jump if not, operand
_LOAD_4, _LOAD_2, _IF_EQUAL, _RETURN = 0x20, 0x28, 0x15, 0x06
_NO_REPORTS = (  # to 33:33:00:00:00:16, all MLDv2-capable routers: nothing; anything else: whole
    (_LOAD_4, 0, 0, 0),
    (_IF_EQUAL, 0, 3, 0x33330000),
    (_LOAD_2, 0, 0, 4),
    (_IF_EQUAL, 0, 1, 0x0016),
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, 0xFFFFFFFF),
)
_RECEIVE_BUFFER = 32 << 20
_SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 33, 32
_NETLINK_SOCK_DIAG = 4
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP = 1


def _leave_out_multicast_reports(port: socket.socket) -> None:
    """IPv6 hosts report their multicast groups to routers (RFC 3810) and cannot be told not to.

    There is no router here, and a fault must not seem to have touched something because it took a
    report; so frames to their address are no part of the wire.
    """
    program = ctypes.create_string_buffer(b"".join(_INSTRUCTION.pack(*row) for row in _NO_REPORTS))
    size = len(_NO_REPORTS)
    port.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", size, ctypes.addressof(program))
    )


def frame_port(cable: int, name: str, undo: ExitStack) -> socket.socket:
    """A packet socket on one end of the cable: inbound frames, with the kernel's time on each; with
    no name it sees none until `bind_port` says where.
    """
    with inside_network(cable):
        port = undo.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        _leave_out_multicast_reports(port)
        port.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        port.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        for forced, plain in (
            (_SO_RCVBUFFORCE, socket.SO_RCVBUF),
            (_SO_SNDBUFFORCE, socket.SO_SNDBUF),
        ):
            try:
                port.setsockopt(socket.SOL_SOCKET, forced, _RECEIVE_BUFFER)
            except PermissionError:
                port.setsockopt(socket.SOL_SOCKET, plain, _RECEIVE_BUFFER)
        if name:
            bind_port(port, name)
    port.setblocking(False)
    return port


def bind_port(port: socket.socket, name: str) -> None:
    """Let a frame port see another interface of its namespace; its statistics go on."""
    port.bind((name, _ETH_P_ALL))


def drops_of(port: socket.socket) -> int:
    """Frames that the kernel dropped at this port since the last call."""
    _, drops = struct.unpack("II", port.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
    return int(drops)


def sock_diag(space: int, groups: tuple[int, ...] = ()) -> socket.socket:
    """A NETLINK_SOCK_DIAG socket of a host's kernel, member of these groups."""
    with inside_network(space):
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
        made.bind((0, 0))
    for group in groups:
        made.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
    return made
