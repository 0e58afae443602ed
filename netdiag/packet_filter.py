"""TCP ports -> a packet filter in classic BPF, attached to a socket.

It is made here because compiling one takes libpcap, and that is what a machine without tcpdump
lacks. The rule it guards: whatever the kernel cannot tell apart (fragments without ports) passes,
so the filter never hides what was asked for. Source: linux/filter.h, bpf(4).
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Final, NamedTuple

MOST: Final = 262144  # bytes of a frame; merged segments are larger than any MTU
MOST_PORTS: Final = 32  # jumps are one byte wide

_SO_ATTACH_FILTER: Final = 26


class Instruction(NamedTuple):
    """One instruction of classic BPF: linux/filter.h, struct sock_filter."""

    code: int
    jt: int
    jf: int
    k: int


_LDH_ABS, _LDB_ABS, _LDH_IND, _LDX_MSH, _JEQ, _JSET, _AND, _RET = (
    0x28, 0x30, 0x48, 0xB1, 0x15, 0x45, 0x54, 0x06,
)  # fmt: skip


def tcp_filter(ports: tuple[int, ...], network: int) -> tuple[Instruction, ...]:
    """TCP over IPv4 and IPv6, on these ports only if there are any; `network` is where IP begins.

    Non-first fragments of IPv4 pass (they have no ports), and IPv6 with extension headers does when
    no port is asked for. A VLAN tag is no part of what a socket's filter sees.
    """
    four = [
        _at(_LDB_ABS, network + 9), _if(_JEQ, 6, "next", "drop"),
        *_port_part(ports, [_at(_LDH_ABS, network + 6), _if(_JSET, 0x1FFF, "keep", "next"),
                            _at(_LDX_MSH, network)], _LDH_IND, network),
    ]  # fmt: skip
    extensions = () if ports else (0, 43, 44, 51, 60, 135)
    six = [
        _at(_LDB_ABS, network + 6),
        *(_if(_JEQ, kind, "keep", "next") for kind in extensions),
        _if(_JEQ, 6, "next", "drop"),
        *_port_part(ports, [], _LDH_ABS, network + 40),
    ]
    steps: list[_Step] = [
        _at(_LDB_ABS, network), _at(_AND, 0xF0),
        _if(_JEQ, 0x40, "next", len(four)), *four,
        _if(_JEQ, 0x60, "next", "drop"), *six,
        _at(_RET, MOST), _at(_RET, 0),
    ]  # fmt: skip
    return tuple(_resolved(step, at, len(steps)) for at, step in enumerate(steps))


_Step = tuple[int, int, int | str, int | str]  # code, k, where to go if true and if not


def _at(code: int, k: int) -> _Step:
    return code, k, 0, 0


def _if(code: int, k: int, true: int | str, false: int | str) -> _Step:
    return code, k, true, false


def _port_part(ports: tuple[int, ...], before: list[_Step], load: int, at: int) -> list[_Step]:
    """Steps that keep the frame when either port is one of `ports`, and drop it otherwise."""
    if not ports:
        return [_if(_JEQ, 6, "keep", "drop")]  # the accumulator still holds the protocol
    steps = list(before)
    for offset in (0, 2):
        steps.append(_at(load, at + offset))
        steps += [_if(_JEQ, port, "keep", "next") for port in ports]
    code, k, true, _ = steps[-1]
    steps[-1] = code, k, true, "drop"
    return steps


def _resolved(step: _Step, at: int, size: int) -> Instruction:
    code, k, true, false = step
    places = {"next": 0, "keep": size - 2 - at - 1, "drop": size - 1 - at - 1}
    jumps = [places[name] if isinstance(name, str) else name for name in (true, false)]
    return Instruction(code, jumps[0], jumps[1], k)


def attach(sock: socket.socket, program: tuple[Instruction, ...]) -> None:
    """Let the kernel pass only what the program keeps; socket(7), SO_ATTACH_FILTER."""
    raw = b"".join(struct.pack("=HBBI", *one) for one in program)
    held = ctypes.create_string_buffer(raw, len(raw))
    where = struct.pack("@HP", len(program), ctypes.addressof(held))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, where)
