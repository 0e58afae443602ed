"""How phpredis is started: PHP's command line with the shipped script, and what it lacks said."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netdiag.catalogue.settings import Unset
from netdiag.clients.apart import HERE, Apart
from netdiag.errors import LabError

if TYPE_CHECKING:
    from netdiag.catalogue.phpredis import PhpRedisClient
    from netdiag.clients.start import Start

PHP: Final = "php"

_SCRIPT: Final = Path(__file__).with_name("programs") / "phpredis.php"
_ASK: Final = "echo json_encode([PHP_VERSION, phpversion('redis')]);"
_INSTALL: Final = "on Debian: apt-get install php-cli php-redis"
_PATIENCE: Final = 30.0


def require(client: PhpRedisClient) -> None:
    """PHP and its extension must be there. Raises LabError."""
    del client
    _versions()


def warm(client: PhpRedisClient) -> None:
    """Ask once which versions these are."""
    del client
    _versions()


def version(client: PhpRedisClient) -> str:
    """phpredis' version."""
    del client
    return _versions()[1]


@cache
def _versions() -> tuple[str, str]:
    """PHP's and phpredis' versions. Raises LabError."""
    php = shutil.which(PHP)
    if php is None:
        raise LabError(f"a phpredis client needs PHP's command line; {_INSTALL}")
    try:
        asked = subprocess.run(
            [php, "-r", _ASK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
        own, extension = json.loads(asked.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as err:
        raise LabError(f"{php} cannot say its version; {_INSTALL}") from err
    if not isinstance(extension, str):
        raise LabError(f"{php} has no extension redis (phpredis); {_INSTALL}")
    return str(own), extension


def main(client: PhpRedisClient, start: Start) -> int:
    """Become PHP."""
    return start.execute(PHP, *_options(client), "-f", str(_SCRIPT))


def apart(client: PhpRedisClient) -> Apart:
    """The script under the other host's PHP."""
    return Apart((PHP, *_options(client), "-f", HERE), _SCRIPT.read_bytes(), (PHP, "-r", _ASK))


def _options(client: PhpRedisClient) -> tuple[str, ...]:
    ini = client.settings.default_socket_timeout
    if isinstance(ini, Unset):
        return ()
    return "-d", f"default_socket_timeout={-1 if ini is None else int(ini)}"
