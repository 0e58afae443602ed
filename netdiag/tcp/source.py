"""A path, `-` or an open file -> its bytes, decompressed, piece by piece.

The rule: what is readable is read; a compressed stream that is cut off or damaged ends there with
one sentence in `trouble`, and is no error.
"""

from __future__ import annotations

import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Protocol

from netdiag.errors import RecordingError

if TYPE_CHECKING:
    from types import TracebackType

PIECES: Final = {"gzip": 1 << 16, "zstd": 1 << 12}  # bytes read at once, so that bombs are bounded
GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"


_Gzip: Final = type(zlib.decompressobj())


class _Inflater(Protocol):
    """What gzip and zstd have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class Source:
    """Bytes of a capture. Raises RecordingError when it cannot be opened or read at all."""

    def __init__(self, source: str | Path | IO[bytes]) -> None:
        self.name = "standard input" if source == "-" else _name(source)
        self.compression = ""  # or `gzip`, `zstd`
        self.trouble = ""  # one sentence, without a full stop, about where it broke
        self.taken = 0  # bytes of the file itself that were read
        self.total = 0  # how many it has; 0 when that is not known
        self._own = False
        self._file = self._open(source)
        head = self._raw(4)
        self._ready = memoryview(head)  # bytes that were read and not yet asked for
        self._done = False
        self._inflater: _Inflater | None = None
        if head.startswith(GZIP_MAGIC):
            self.compression = "gzip"
        elif head == ZSTD_MAGIC:
            self.compression = "zstd"
        if self.compression:
            self._inflater = self._new_inflater()
            self._ready = memoryview(self._inflate(head))

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._own:
            self._file.close()

    def read_into(self, room: memoryview) -> int:
        """Fill the room, or a part of it; how many bytes were read, 0 at the end."""
        while not self._ready:
            if self._done:
                return 0
            if self._inflater is None:
                return self._file_into(room)
            self._ready = memoryview(self._inflate(self._raw(PIECES[self.compression])))
        got = min(len(self._ready), len(room))
        room[:got] = self._ready[:got]
        self._ready = self._ready[got:]
        return got

    def _file_into(self, room: memoryview) -> int:
        try:
            got = self._file.readinto(room) or 0  # type: ignore[attr-defined]
        except OSError as err:
            raise RecordingError(f"{self.name}: {err.strerror or err}") from err
        self.taken += got
        self._done = not got
        return int(got)

    def _inflate(self, piece: bytes) -> bytes:
        """What a piece of the file adds; of a damaged one, what can be had."""
        assert self._inflater is not None
        if not piece:
            self._done = True
            if not self._inflater.eof:
                self.trouble = f"the {self.compression} stream ends before its end mark"
            return b""
        before = self._inflater.copy() if isinstance(self._inflater, _Gzip) else None
        try:
            return self._step(piece)
        except (zlib.error, ValueError, _zstd_error()) as err:
            self.trouble = f"the {self.compression} stream is damaged ({err})"
            self._done = True
        return b"" if before is None else _salvage(before, piece)

    def _step(self, piece: bytes) -> bytes:
        out = []
        while piece:
            assert self._inflater is not None
            if self._inflater.eof:  # one stream after another is one file
                self._inflater = self._new_inflater()
            out.append(self._inflater.decompress(piece))
            piece = self._inflater.unused_data if self._inflater.eof else b""
        return b"".join(out)

    def _new_inflater(self) -> _Inflater:
        if self.compression == "gzip":
            return zlib.decompressobj(wbits=31)
        try:
            import zstandard  # noqa: PLC0415 - optional, and only for such files
        except ImportError as err:
            raise RecordingError(
                f"{self.name}: it is compressed with zstd, and the Python package `zstandard` is "
                "not installed; install it, or decompress the file with `zstd -d`"
            ) from err
        return zstandard.ZstdDecompressor().decompressobj()

    def _open(self, source: str | Path | IO[bytes]) -> IO[bytes]:
        if source == "-":
            return sys.stdin.buffer
        if not isinstance(source, str | Path):
            return source
        try:
            path = Path(source)
            self.total = path.stat().st_size
            self._own = True
            return path.open("rb", buffering=0)
        except OSError as err:
            raise RecordingError(f"{source}: {err.strerror or err}") from err

    def _raw(self, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the end."""
        pieces = []
        while size:
            try:
                piece = self._file.read(size)
            except OSError as err:
                raise RecordingError(f"{self.name}: {err.strerror or err}") from err
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        raw = b"".join(pieces)
        self.taken += len(raw)
        return raw


def _name(source: str | Path | IO[bytes]) -> str:
    return str(source if isinstance(source, str | Path) else getattr(source, "name", "a stream"))


def _salvage(inflater: _Inflater, piece: bytes) -> bytes:
    """Byte by byte, up to the damage."""
    out = []
    with suppress(zlib.error):
        for at in range(len(piece)):
            out.append(inflater.decompress(piece[at : at + 1]))
    return b"".join(out)


def _zstd_error() -> type[Exception]:
    """The error of the package `zstandard`, if that is in use."""
    module = sys.modules.get("zstandard")
    return module.ZstdError if module is not None else ValueError
