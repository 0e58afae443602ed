"""Which Redis is run, and with which configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pytest import param

from netdiag.catalogue.servers import RedisServer
from netdiag.errors import LabError
from netdiag.servers.redis import configuration, doze, find_binary


def lines(*addresses: str, **config: object) -> list[str]:
    written = {key.replace("_", "-"): value for key, value in config.items()}
    return configuration(RedisServer(config=written), addresses).splitlines()


def test_the_lab_asks_for_one_port_a_unix_socket_and_no_files():
    assert lines("10.0.0.2") == [
        "port 6379",
        "bind 10.0.0.2",
        "unixsocket redis.sock",
        "unixsocketperm 700",
        "protected-mode no",
        "daemonize no",
        'save ""',
        "appendonly no",
        'logfile ""',
        "loglevel verbose",
    ]


def test_it_listens_at_every_address_it_has():
    assert "bind 10.0.0.2 10.0.1.2" in lines("10.0.0.2", "10.0.1.2")


CONFIG = [
    param({"tcp_keepalive": 6}, "tcp-keepalive 6", id="number"),
    param(
        {"client_output_buffer_limit": "normal 0 0 0"},
        "client-output-buffer-limit normal 0 0 0",
        id="words",
    ),
    param({"save": ""}, 'save ""', id="nothing"),
    param({"appendonly": "yes"}, "appendonly yes", id="the lab's own is overruled"),
]


@pytest.mark.parametrize(("config", "line"), CONFIG)
def test_what_the_scenario_says_comes_last_and_as_it_is(config, line):
    assert lines("10.0.0.2", **config)[-1] == line


@pytest.mark.parametrize("text", ["a\nrequirepass x", "a\r"])
def test_one_key_is_one_line(text):
    with pytest.raises(LabError, match=r"server\.config: save is more than one line"):
        lines("10.0.0.2", save=text)


def test_the_embedded_valkey_is_a_program():
    found = find_binary(None)
    assert Path(found).name == "valkey-server"
    assert os.access(found, os.X_OK)


def test_a_named_program_is_found_on_the_path_or_where_it_is(tmp_path, monkeypatch):
    program = tmp_path / "my-redis"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary("my-redis") == find_binary(str(program)) == str(program.resolve())


def test_a_missing_program_says_what_can_be_done():
    with pytest.raises(LabError, match=r"binary: 'no-such-redis' cannot be found; .*Valkey"):
        find_binary("no-such-redis")


def test_without_the_wheel_it_says_what_can_be_done(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(LabError, match="the embedded Valkey is missing"):
        find_binary(None)


DOZES = [
    param(0.0, {}, 4.0, id="it keeps no time itself"),
    param(5.0, {}, 0.05, id="a blocking command's"),
    param(3600.0, {}, 4.0, id="never longer"),
    param(0.0, {"timeout": 60}, 0.6, id="an idle limit"),
    param(30.0, {"timeout": 60}, 0.3, id="the shorter one"),
    param(0.0, {"timeout": 0}, 4.0, id="no idle limit"),
    param(0.0, {"timeout": "60"}, 0.6, id="as text"),
    param(0.0, {"timeout": "soon"}, 4.0, id="no number: the server will refuse it"),
]


@pytest.mark.parametrize(("block", "config", "late"), DOZES)
def test_a_server_may_be_late_by_a_hundredth_of_what_it_times(block, config, late):
    assert doze(RedisServer(config=config), block) == pytest.approx(late)
