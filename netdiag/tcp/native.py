"""Machine code of the hot loop: whether it can be had, where it is kept, and how it is called.

The rule: a warm start imports no compiler. The object file that forge.py makes is kept in the
user's cache directory, and later starts hand it to the linker inside llvmlite (a part of numba).
Everything that could make an old file wrong is in its name: every byte of the sources, the
versions, the processor. It is our own code only if nobody else could have written it, so it lies in
a directory that is ours alone.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from contextlib import suppress
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Final

from netdiag.errors import LabError
from netdiag.tcp.entry import KERNEL

SOURCES: Final = (
    "account", "acks", "advance", "book", "copies", "dissect", "endings", "entry", "episodes",
    "exchange", "fields", "forge", "holes", "labels", "lifecycle", "lives", "moments", "native",
    "outages", "places", "pools", "probing", "records", "resent", "rows", "scan", "speech",
    "states", "tracker", "values", "wire", "words",
)  # fmt: skip
MISSING: Final = "the extra `fast` is not installed; pip install 'netdiag[fast]'"
Kernel = Any  # an instance of KERNEL


def available() -> bool:
    """Whether a compiler is installed. Imports nothing."""
    with suppress(metadata.PackageNotFoundError):
        metadata.version("numba")
        return True
    return False


def cached() -> bool:
    """Whether this version has been compiled here before. Imports nothing."""
    return available() and _kept() is not None


@cache
def kernel() -> Kernel:
    """The compiled entry. Raises LabError when there is no compiler."""
    if not available():
        raise LabError(MISSING)
    code = _kept()
    if code is None:
        from netdiag.tcp.forge import compile_scan  # noqa: PLC0415 - imports numba

        code = compile_scan()
        _keep(_file(), code)
    return _link(code)


def _file() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(root) / "netdiag" / "code" / f"scan-{_version()}.o"


def _kept() -> bytes | None:
    """What an earlier start has kept; None when there is nothing that we may trust."""
    path = _file()
    with suppress(OSError), path.open("rb") as file:
        if _ours(os.fstat(file.fileno())) and _ours(path.parent.stat()):
            return file.read()
    return None


def _ours(about: os.stat_result) -> bool:
    """Whether nobody but us, and root, can write it."""
    return about.st_uid in (0, os.geteuid()) and not about.st_mode & 0o022


def _version() -> str:
    """Everything that decides what the machine code is."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    for package in ("numba", "llvmlite"):
        digest.update(metadata.version(package).encode())
    digest.update(f"{sys.version_info[:3]} {sys.platform} {_processor()}".encode())
    return digest.hexdigest()[:24]


def _processor() -> str:
    """Its model and abilities, as far as the machine tells."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown"
    told = {line.split(":")[0].strip(): line for line in text.split("\n\n")[0].splitlines()}
    return "".join(told.get(key, "") for key in ("model name", "flags", "Features", "CPU part"))


def _keep(path: Path, code: bytes) -> None:
    """Whole or not at all; a machine that cannot keep it compiles again next time."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _ours(path.parent.stat()):
            return
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(code)
        Path(file.name).replace(path)


_ENGINES: Final[list[Any]] = []


def _link(code: bytes) -> Kernel:
    """Put the object file into this process."""
    binding: Any = import_module("llvmlite.binding")  # a tenth of a second
    name, _, body = code.partition(b"\n")
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(jit=True)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(body))
    engine.finalize_object()
    _ENGINES.append(engine)  # the code lives as long as its engine
    address = engine.get_function_address(name.decode())
    return KERNEL(address)
