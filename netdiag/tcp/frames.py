"""A capture's bytes -> its frames, one after another, in a window of bounded size.

The rule: the same as that of scan.py, which reads the same records compiled; what is no frame goes
to container.py.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from netdiag.tcp.blocks import ENHANCED, SIMPLE
from netdiag.tcp.moments import ticks_ns
from netdiag.tcp.pcapng import MAX_FRAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netdiag.tcp.container import Container

_HEAD: Final = 28  # bytes of an enhanced packet block before its frame


# number, wire (an index into the container's), ns since the epoch, bytes: a bare tuple, because a
# named one takes as long to make as the frame to find
Frame = tuple[int, int, int, bytes]


def read_frames(container: Container) -> Iterator[Frame]:
    """All frames, in order; where the file ends or breaks is told to the container."""
    return _pcap(container) if container.scale else _pcapng(container)


def _pcap(container: Container) -> Iterator[Frame]:
    window, at, scale = container.window, container.at, container.scale
    number = container.number
    record = Struct(container.order + "III").unpack_from
    while container.truncated < 0:
        size = window.size
        data = bytes(memoryview(window.data)[:size])
        need = 16
        while at + 16 <= size:
            seconds, fraction, captured = record(data, at)
            if captured > MAX_FRAME:
                container.number = number
                container.broken(at)
                return
            need = 16 + captured
            end = at + need
            if end > size:
                break
            number += 1
            t_ns = seconds * 1_000_000_000 + fraction * scale
            yield number, 0, t_ns, data[at + 16 : end]
            at, need = end, 16
        if not window.more(at, need):
            if window.size:
                container.ends_inside(0)
            return
        at = 0


def _pcapng(container: Container) -> Iterator[Frame]:
    window, at = container.window, container.at
    while True:
        total = container.block_size(at)
        if total < 0:
            container.broken(at)
            return
        if total == 0 or at + total > window.size:
            if not window.more(at, total):
                if window.size:
                    container.ends_inside(0)
                return
            at = 0
            continue
        (kind,) = Struct(container.order + "I").unpack_from(window.data, at)
        if kind in (ENHANCED, SIMPLE):
            container.number += 1
            frame = (_enhanced if kind == ENHANCED else _simple)(container, at, total)
            if frame is not None:
                yield frame
        else:
            container.control(at, total)
        at += total


def _enhanced(container: Container, at: int, total: int) -> Frame | None:
    if total < _HEAD + 4:
        return None
    data = container.window.data
    index, high, low, captured = Struct(container.order + "IIII").unpack_from(data, at + 8)
    wire = container.section + index
    begin = at + _HEAD
    if captured > total - _HEAD - 4 or wire >= len(container.wires):
        return None
    _, _, resolution, offset_s, _, _ = container.wires[wire]
    frame = bytes(memoryview(data)[begin : begin + captured])
    return container.number, wire, ticks_ns(resolution, high, low, offset_s), frame


def _simple(container: Container, at: int, total: int) -> Frame | None:
    wire = container.section
    if total < 16 or wire >= len(container.wires):
        return None
    data = container.window.data
    (length,) = Struct(container.order + "I").unpack_from(data, at + 8)
    captured = min(length, container.wires[wire].snaplen or length, total - 16)
    frame = bytes(memoryview(data)[at + 12 : at + 12 + captured])
    return container.number, wire, 0, frame
