"""Init of a guest on trial: sleep for two hours and say what the clocks and the kernel showed.

Run by the guest's own kernel, which has nothing mounted; one line of JSON, then it halts.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time

SLEEP = 7200.0
_HALT = 0xCDEF0123 - (1 << 32)
_CLOCK_MONOTONIC_COARSE = 6

if __name__ == "__main__":
    before = time.monotonic()
    time.sleep(SLEEP)
    slept = time.monotonic() - before
    tick = round(1 / time.clock_getres(_CLOCK_MONOTONIC_COARSE))
    row = {"slept": slept, "tick": tick, "release": os.uname().release}
    print(f"== trial {json.dumps(row)}", flush=True)
    sys.stdout.flush()
    ctypes.CDLL(None).reboot(ctypes.c_int(_HALT))
