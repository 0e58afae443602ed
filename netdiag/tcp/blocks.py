"""Values -> pcapng blocks, as our own captures have them: little endian, nanoseconds.

Pure functions that return bytes; who calls them decides when they reach the disk. What reads them
back is pcapng.py. Format: draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

MAGIC: Final = b"\x0a\x0d\x0d\x0a"
SECTION: Final = 0x0A0D0D0A  # kinds of blocks
INTERFACE: Final = 1
SIMPLE: Final = 3
STATISTICS: Final = 5
ENHANCED: Final = 6
INBOUND: Final = 1  # a packet's direction, its `flags`
OUTBOUND: Final = 2

_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
_NO_OPTIONS: Final = b""

_enhanced: Final = Struct("<IIIIIII").pack
_total: Final = Struct("<I").pack
_option: Final = Struct("<HH").pack
_u64: Final = Struct("<Q").pack
_flags: Final = {value: _option(2, 4) + _total(value) for value in range(4)}


def section_header(comment: str = "") -> bytes:
    """The block that begins a file; it names the format's byte order."""
    body = b"\x4d\x3c\x2b\x1a\x01\0\0\0" + b"\xff" * 8 + _options(1, comment)
    return _block(SECTION, body)


def interface_block(
    name: str, snaplen: int = 0, linktype: int = 1, tsresol: int = 9, comment: str = ""
) -> bytes:
    """Describe the next interface; interfaces are numbered from 0 in order."""
    head = Struct("<HHI").pack(linktype, 0, snaplen)
    resolution = _option(9, 1) + bytes((tsresol,)) + b"\0\0\0"
    text = _options(1, comment, end=False) + _options(2, name, end=False)
    return _block(INTERFACE, head + text + resolution + b"\0\0\0\0")


def packet_block(
    interface: int,
    t_ns: int,
    frame: bytes,
    *,
    comment: str | None = None,
    flags: int | None = None,
    length: int | None = None,
) -> bytes:
    """One frame at wall-clock time `t_ns`; `length` when less than the whole frame is written."""
    size = len(frame)
    pad = _PADDING[size & 3]
    options = _NO_OPTIONS
    if comment is not None:
        options = _options(1, comment, end=False)
    if flags is not None:
        options += _flags.get(flags) or _option(2, 4) + _total(flags)
    if options:
        options += b"\0\0\0\0"
    total = 32 + size + len(pad) + len(options)
    head = _enhanced(
        ENHANCED,
        total,
        interface,
        t_ns >> 32,
        t_ns & 0xFFFFFFFF,
        size,
        size if length is None else length,
    )
    return head + frame + pad + options + _total(total)


def statistics_block(
    interface: int, t_ns: int, received: int, dropped: int, comment: str = ""
) -> bytes:
    """What an interface counted until `t_ns`: frames received, and frames lost by the recorder."""
    body = _total(interface) + _total(t_ns >> 32) + _total(t_ns & 0xFFFFFFFF)
    body += _options(1, comment, end=False)
    body += _option(4, 8) + _u64(received) + _option(5, 8) + _u64(dropped)
    return _block(STATISTICS, body + b"\0\0\0\0")


def _block(kind: int, body: bytes) -> bytes:
    total = len(body) + 12
    return _total(kind) + _total(total) + body + _total(total)


def _options(code: int, text: str, *, end: bool = True) -> bytes:
    raw = text.encode("utf-8", "replace")
    if len(raw) > 0xFFFF:
        raw = raw[:0xFFFF].decode("utf-8", "ignore").encode()
    if not raw:
        return b""
    return _option(code, len(raw)) + raw + _PADDING[len(raw) & 3] + (b"\0\0\0\0" if end else b"")
