"""The catalogue: unset is not null, defaults follow the library's version, config goes as it is."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest
import redis
from pydantic import TypeAdapter, ValidationError

from netdiag.catalogue import (
    CLIENTS,
    REDIS_PY_BACKOFF,
    REDIS_PY_DEFAULTS,
    UNSET,
    Keepalive,
    RedisPyClient,
    RedisPySettings,
    RedisServer,
    over,
    redis_py_defaults,
    written,
)
from netdiag.catalogue.clients import ClientField
from netdiag.catalogue.hosts import Sysctls
from netdiag.catalogue.servers import ServerField

settings_of = TypeAdapter(RedisPySettings).validate_python
client_of = TypeAdapter(ClientField).validate_python
server_of = TypeAdapter(ServerField).validate_python


def test_unset_is_kept_apart_from_null() -> None:
    settings = settings_of({"read_timeout": None, "connect_timeout": "2s", "retry": None})
    assert settings.read_timeout is None
    assert settings.keepalive is UNSET
    assert settings.retry == 0
    assert written(settings).keys() == {"read_timeout", "connect_timeout", "retry"}
    assert written(settings_of({})) == {}


@pytest.mark.parametrize(("written", "keepalive"), [
    ("off", None), (None, None), ("on", Keepalive()),
    ({"idle": "2s", "interval": 1, "count": 3}, Keepalive(idle=2, interval=1, count=3)),
    ({"idle": "30s"}, Keepalive(idle=30)),
])
def test_keepalive_is_off_or_on_or_timed(written: object, keepalive: object) -> None:
    assert settings_of({"keepalive": written}).keepalive == keepalive


@pytest.mark.parametrize(("keepalive", "total"), [
    (Keepalive(), 7875), (Keepalive(idle=30, interval=5, count=3), 45), (Keepalive(idle=60), 735),
])
def test_a_silent_peer_is_given_up_after_idle_and_all_probes(keepalive, total: int) -> None:
    assert keepalive.total == total


@pytest.mark.parametrize(("version", "read", "retry", "total"), [
    ("4.6.0", None, 0, None), ("5.2.1", None, 0, None), ("6.4.0", None, 3, None),
    ("7.1.0", None, 3, None), ("8.1.0", 5.0, 10, 45), ("12.0", 5.0, 10, 45), ("dev", 5.0, 10, 45),
])
def test_defaults_follow_the_version(version, read, retry, total) -> None:
    defaults = redis_py_defaults(version)
    assert (defaults.read_timeout, defaults.retry) == (read, retry)
    assert (defaults.keepalive.total if defaults.keepalive else None) == total


def test_the_table_agrees_with_the_library_that_is_installed() -> None:
    defaults = redis_py_defaults(redis.__version__)
    default = {name: one.default for name, one in
               inspect.signature(redis.Redis.__init__).parameters.items()}
    assert default["socket_timeout"] == defaults.read_timeout
    assert default["socket_connect_timeout"] == defaults.connect_timeout
    assert bool(default["socket_keepalive"]) == (defaults.keepalive is not None)
    assert redis.Redis().get_retry().get_retries() == defaults.retry


def test_every_version_says_everything_and_its_pauses() -> None:
    assert REDIS_PY_DEFAULTS.keys() == REDIS_PY_BACKOFF.keys()
    for defaults in REDIS_PY_DEFAULTS.values():
        assert [f.name for f in fields(defaults) if getattr(defaults, f.name) is UNSET] == []


def test_what_was_written_lies_over_the_defaults() -> None:
    settings = over(RedisPySettings(read_timeout=None), redis_py_defaults("8.1.0"))
    assert (settings.read_timeout, settings.connect_timeout) == (None, 5.0)


def test_the_kind_chooses_the_model() -> None:
    assert client_of({}) == RedisPyClient()
    assert client_of({"kind": "exec", "command": ["php", "c.php"]}).command == ("php", "c.php")
    assert set(CLIENTS) == {"redis-py", "phpredis", "raw", "exec", "service"}


@pytest.mark.parametrize(("read", "written", "what"), [
    (client_of, {"kind": "redis-pi"}, "did you mean 'redis-py'?"),
    (client_of, {"kind": "exec"}, "Field required"),
    (client_of, {"kind": "exec", "command": "php c.php"}, "write a list of words"),
    (client_of, "redis-py", "write {kind: redis-py}"),
    (settings_of, {"keepalive": "of"}, "'of' is not a keepalive; write off, on"),
    (settings_of, {"keepalive": {"idle": "500ms"}}, "the kernel takes whole seconds"),
    (settings_of, {"read_timeout": "never"}, "is not a duration"),
    (settings_of, {"options": {"socket_timeout": 3}}, "is the setting 'read_timeout'"),
    (settings_of, {"options": {"host": "h"}}, "is chosen by the lab"),
    (server_of, {"config": {"unixsocket": "/x"}}, "is chosen by the lab"),
    (server_of, {"config": {"daemonize": True}}, "is chosen by the lab"),
    (server_of, {"config": {"port": 7000}}, "the clients of the lab dial port 6379"),
    (server_of, {"config": {"port": 0, "tls-port": 6380}}, "the clients of the lab dial"),
    (server_of, {"config": {"a b": 1}}, "not a server parameter"),
    (server_of, {"config": {"save": [1]}}, "a list is not a plain value"),
    (server_of, {"binary": ""}, "is not a program"),
    (TypeAdapter(Sysctls).validate_python, {"tcp_retries2": 8}, "mean 'net.ipv4.tcp_retries2'?"),
    (TypeAdapter(Sysctls).validate_python, {"kernel.pid_max": 8}, "not a network sysctl"),
    (TypeAdapter(Sysctls).validate_python, {"net.ipv4.tcp_sack": False}, "no sysctl's value"),
    (TypeAdapter(Sysctls).validate_python, {"net.../../x": 1}, "not a network sysctl"),
])
def test_what_cannot_be_is_refused_with_a_cure(read, written: object, what: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        read(written)
    assert what in str(refusal.value)


@pytest.mark.parametrize(("config", "seconds"), [
    ({}, 300), ({"tcp-keepalive": 6}, 6), ({"tcp-keepalive": "60"}, 60),
    ({"tcp-keepalive": 0}, None), ({"tcp-keepalive": "x"}, None),
])
def test_the_servers_own_keepalive_is_known(config, seconds) -> None:
    assert RedisServer(config=config).tcp_keepalive({}.get) == seconds


def test_config_goes_to_the_server_as_it_is_but_for_booleans() -> None:
    config = {"appendonly": False, "save": "", "maxclients": 10}
    assert server_of({"config": config}).config == {**config, "appendonly": "no"}
