"""A capture file -> Packets, whatever its kind, read plainly: what the engine's reading is held to.

Classic pcap in both byte orders, microseconds and nanoseconds. A last record that was cut off by
a crash ends the reading without an error. Format: draft-ietf-opsawg-pcap.
"""

from __future__ import annotations

from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING

from netdiag.errors import RecordingError
from netdiag.tcp.blocks import MAGIC as PCAPNG_MAGIC
from netdiag.tcp.container import MAGICS
from netdiag.tcp.pcapng import MAX_FRAME, Interface, Item, Packet, Truncated, scan_pcapng

if TYPE_CHECKING:
    from collections.abc import Iterator


def scan_pcap(data: bytes) -> Iterator[Packet | Interface | Truncated]:
    """The packets of a classic pcap held in memory, after its one interface.

    Raises RecordingError when the first four bytes are not those of a pcap.
    """
    if data[:4] not in MAGICS:
        raise RecordingError(f"not a pcap file: it begins with {data[:4].hex() or 'nothing'}")
    order, scale = MAGICS[data[:4]]
    if len(data) < 24:
        yield Truncated(len(data))
        return
    snaplen, link = Struct(order + "II").unpack_from(data, 16)
    link &= 0xFFFF
    yield Interface(0, "", link, snaplen)
    record = Struct(order + "IIII").unpack_from
    at, number, size = 24, 0, len(data)
    while at + 16 <= size:
        seconds, fraction, captured, length = record(data, at)
        end = at + 16 + captured
        if captured > MAX_FRAME or end > size:
            break
        number += 1
        t_ns = seconds * 1_000_000_000 + fraction * scale
        yield Packet(number, 0, t_ns, data[at + 16 : end], length, None, link)
        at = end
    if at != size:
        yield Truncated(at)


def scan_capture(data: bytes) -> Iterator[Item]:
    """The contents of a capture held in memory; its first four bytes tell the kind.

    Raises RecordingError when they are of no known kind.
    """
    if data[:4] == PCAPNG_MAGIC:
        return scan_pcapng(data)
    if data[:4] in MAGICS:
        return scan_pcap(data)
    if not data:
        raise RecordingError("neither pcap nor pcapng: the file is empty")
    raise RecordingError(
        f"neither pcap nor pcapng: it begins with {data[:4].hex()}; "
        "decompress it first if it is compressed"
    )


def read_capture(path: Path | str) -> Iterator[Item]:
    """The contents of a capture file, in order.

    Raises RecordingError (with the path) when the file cannot be read or is no capture.
    """
    try:
        return scan_capture(Path(path).read_bytes())
    except OSError as err:
        raise RecordingError(f"{path}: {err.strerror or err}") from err
    except RecordingError as err:
        raise RecordingError(f"{path}: {err}") from err
