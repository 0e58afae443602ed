"""A process that is told no randomness of the machine's."""

from __future__ import annotations

import subprocess
import sys

from netdiag.lab.uml.chance import refuse_randomness

ASKS = """
import errno, os, time
try:
    os.getrandom(8)
except OSError as err:
    print(errno.errorcode[err.errno], time.time() > 0)
"""


def test_getrandom_does_not_exist_and_everything_else_does() -> None:
    asked = [sys.executable, "-c", ASKS]
    done = subprocess.run(
        asked, preexec_fn=refuse_randomness, capture_output=True, text=True, check=True
    )
    assert done.stdout == "ENOSYS True\n"
