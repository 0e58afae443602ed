"""What a scenario can name: clients, servers, patterns, sysctls; their meaning and defaults.

A new client or server is one row here and one file in `netdiag.clients` or `netdiag.servers`.
"""

from netdiag.catalogue.clients import (
    CLIENTS,
    REDIS_PY_BACKOFF,
    REDIS_PY_DEFAULTS,
    UNSET,
    Backoff,
    Client,
    ExecClient,
    Keepalive,
    RedisPyClient,
    RedisPySettings,
    Unset,
    known_major,
    redis_py_defaults,
)
from netdiag.catalogue.hosts import SYSCTLS
from netdiag.catalogue.patterns import PATTERNS, Pattern
from netdiag.catalogue.servers import REDIS_DEFAULTS, SERVERS, RedisServer, Server

__all__ = [
    "CLIENTS",
    "PATTERNS",
    "REDIS_DEFAULTS",
    "REDIS_PY_BACKOFF",
    "REDIS_PY_DEFAULTS",
    "SERVERS",
    "SYSCTLS",
    "UNSET",
    "Backoff",
    "Client",
    "ExecClient",
    "Keepalive",
    "Pattern",
    "RedisPyClient",
    "RedisPySettings",
    "RedisServer",
    "Server",
    "Unset",
    "known_major",
    "redis_py_defaults",
]
