"""Clients on a host with programs of its own: what is run there, and what is handed over.

A shipped client is handed over as an open file without a place, which the host's own interpreter
reads by its descriptor: no file of ours need be there, and the library under test is the host's.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

HERE: Final = "{}"
_RUN: Final = "import sys\nfrom {}.{} import main\nsys.exit(main())\n"


@dataclass(frozen=True)
class Apart:
    """A client as another host's programs run it. words: its command line, HERE is where `program`
    is read; ask: what prints the library's version as JSON, alone or as the last of a list.
    """

    words: tuple[str, ...]
    program: bytes = b""
    ask: tuple[str, ...] = ()

    def hand_over(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The command line, and the descriptors that must stay open for it."""
        if not self.program:
            return self.words, ()
        fd = os.memfd_create("netdiag-client", os.MFD_CLOEXEC)
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(self.program)
        words = tuple(f"/proc/self/fd/{fd}" if word == HERE else word for word in self.words)
        return words, (fd,)


def version_in(said: bytes) -> str | None:
    """The version that `ask` printed; None when it printed something else."""
    try:
        told = json.loads(said)
    except ValueError:
        return None
    found = told[-1] if isinstance(told, list) and told else told
    return found if isinstance(found, str) else None


def package(folder: Path, module: str) -> bytes:
    """A Python package as an archive that an interpreter runs: `main` of one of its modules."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for file in sorted(folder.glob("*.py")):
            archive.writestr(f"{folder.name}/{file.name}", file.read_bytes())
        archive.writestr("__main__.py", _RUN.format(folder.name, module))
    return made.getvalue()
