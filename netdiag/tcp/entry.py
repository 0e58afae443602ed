"""How the compiled loop is called: what it is called for, and its arguments.

The rule: one list, from which the compiler (forge.py) makes the entry's signature and the caller
(native.py, compiled.py) its call, so that they cannot differ.
"""

from __future__ import annotations

import ctypes
from typing import Final

PORTS: Final = 65536
SCAN: Final = 0  # what the entry is called for: scan.scan
REFILL: Final = 1  # places.refill; `budget` is then the number of connections

# the entry's arguments, in order: addresses of arrays of ints or bytes, and numbers
ARGUMENTS: Final = {
    "work": "number",
    "walk": "ints", "walks": "number",
    "wires": "ints", "wires_size": "number",
    "ports": "octets",
    "hosts": "ints", "hosts_size": "number",
    "table": "ints", "slots": "number",
    "states": "ints", "books": "ints", "most": "number",
    "rows": "ints", "rows_size": "number", "rows_used": "ints",
    "copies": "ints", "copies_size": "number",
    "row": "ints",
    "data": "octets", "size": "number",
    "budget": "number",
}  # fmt: skip

# status = kernel(result, exception, *ARGUMENTS): numba's own calling convention
KERNEL: Final = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * len(ARGUMENTS)
)
