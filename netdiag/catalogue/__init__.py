"""What a scenario can name: clients, servers, patterns, sysctls; their meaning and defaults.

A new client or server is one row here and one file in `netdiag.clients` or `netdiag.servers`.
"""

from netdiag.catalogue.clients import CLIENTS, Client, ClientKind, ExecClient
from netdiag.catalogue.hosts import SYSCTLS
from netdiag.catalogue.patterns import PATTERNS, Pattern
from netdiag.catalogue.phpredis import PhpRedisClient, PhpRedisSettings
from netdiag.catalogue.redis_py import (
    REDIS_PY_BACKOFF,
    REDIS_PY_DEFAULTS,
    Backoff,
    RedisPyClient,
    RedisPySettings,
    known_major,
    redis_py_defaults,
)
from netdiag.catalogue.servers import REDIS_DEFAULTS, SERVERS, RedisServer, Server
from netdiag.catalogue.settings import UNSET, Keepalive, Timeouts, Unset, over, written

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
    "ClientKind",
    "ExecClient",
    "Keepalive",
    "Pattern",
    "PhpRedisClient",
    "PhpRedisSettings",
    "RedisPyClient",
    "RedisPySettings",
    "RedisServer",
    "Server",
    "Timeouts",
    "Unset",
    "known_major",
    "over",
    "redis_py_defaults",
    "written",
]
