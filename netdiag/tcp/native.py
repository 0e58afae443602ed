"""Machine code of the hot loop: whether it can be had, where it is kept, and how it is called.

The rule: a warm start imports no compiler. The object file that forge.py makes is kept in the
user's cache directory, and later starts hand it to the linker inside llvmlite (a part of numba).
Everything that could make an old file wrong is in its name: every byte of the sources, the
versions, the processor.
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
    "places", "pools", "records", "resent", "rows", "scan", "speech", "states", "tracker", "values",
    "wire", "words",
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
    return available() and _file().exists()


@cache
def kernel() -> Kernel:
    """The compiled entry. Raises LabError when there is no compiler."""
    if not available():
        raise LabError(MISSING)
    path = _file()
    try:
        code = path.read_bytes()
    except OSError:
        from netdiag.tcp.forge import compile_scan  # noqa: PLC0415 - imports numba

        code = compile_scan()
        _keep(path, code)
    return _link(code)


def _file() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(root) / "netdiag" / f"scan-{_version()}.o"


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
