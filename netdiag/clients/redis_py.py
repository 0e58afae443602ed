"""How redis-py is started: forked from this process, which has imported its library already (32
clients must not import 32 times), or as a script under another environment's interpreter.
"""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netdiag.clients.apart import HERE, Apart, package
from netdiag.clients.environments import ALONE, interpreter
from netdiag.errors import LabError
from netdiag.process import settle

if TYPE_CHECKING:
    from netdiag.catalogue.redis_py import RedisPyClient
    from netdiag.clients.start import Start

_SCRIPT: Final = Path(__file__).with_name("programs") / "redis_py"
_ASK: Final = "import json, redis; print(json.dumps(redis.__version__))"
_PATIENCE: Final = 30.0


def require(client: RedisPyClient) -> None:
    """The interpreter must be there and have redis-py. Raises LabError."""
    if client.python is not None:
        _version_of(interpreter(client.python), client.python)


def warm(client: RedisPyClient) -> None:
    """Import redis-py, or ask another environment for its version: once."""
    if client.python is None:
        import netdiag.clients.programs.redis_py.driving  # noqa: F401, PLC0415 - the import is it
    else:
        version(client)


def version(client: RedisPyClient) -> str:
    """redis-py's version, in its own environment."""
    if client.python is None:
        import redis  # noqa: PLC0415 - imported already, by `warm`

        return redis.__version__
    return _version_of(interpreter(client.python), client.python)


@cache
def _version_of(python: str, named: str) -> str:
    """Ask the interpreter. Raises LabError when it has no redis-py."""
    try:
        asked = subprocess.run(
            [python, ALONE, "-c", _ASK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
        return str(json.loads(asked.stdout))
    except (OSError, subprocess.TimeoutExpired, ValueError) as err:
        raise LabError(
            f"client.python: {named!a} has no redis-py that can be imported; install it there, or "
            "make an environment with `netdiag clients add redis-py==5.0`"
        ) from err


def apart(client: RedisPyClient) -> Apart:
    """The script under the other host's interpreter."""
    python = client.python or "python3"
    return Apart((python, HERE), package(_SCRIPT, "driving"), (python, "-c", _ASK))


def main(client: RedisPyClient, start: Start) -> int:
    """Consume in this process, or become the script."""
    if client.python is not None:
        return start.execute(interpreter(client.python), ALONE, "-B", str(_SCRIPT))
    from netdiag.clients.programs.redis_py.driving import consume  # noqa: PLC0415
    from netdiag.clients.programs.redis_py.voice import Voice  # noqa: PLC0415

    settle(log=start.log)
    return consume(start.task, Voice(start.events))
