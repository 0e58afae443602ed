"""Scenario settings -> redis-py's own options, and the words of the shipped consumer."""

from __future__ import annotations

import json
import os
import socket
import threading

import pytest
import redis
from pytest import param

from netdiag.clients.programs.redis_py.connection import connection_options
from netdiag.clients.programs.redis_py.driving import consume
from netdiag.clients.programs.redis_py.voice import Voice, describe

IDLE, INTERVAL, COUNT = socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT

OPTIONS = [
    param({}, {}, id="nothing is set: nothing is passed"),
    param({"read_timeout": 3.0}, {"socket_timeout": 3.0}, id="read timeout"),
    param({"read_timeout": None}, {"socket_timeout": None}, id="no read timeout"),
    param({"connect_timeout": 2.0}, {"socket_connect_timeout": 2.0}, id="connect timeout"),
    param({"health_check_interval": 30.0}, {"health_check_interval": 30.0}, id="health check"),
    param({"health_check_interval": None}, {"health_check_interval": 0}, id="no health check"),
    param({"keepalive": None},
          {"socket_keepalive": False, "socket_keepalive_options": {}}, id="keepalive off"),
    param({"keepalive": {"idle": None, "interval": None, "count": None}},
          {"socket_keepalive": True, "socket_keepalive_options": {}}, id="keepalive on"),
    param({"keepalive": {"idle": 30.0, "interval": 5.0, "count": 3}},
          {"socket_keepalive": True,
           "socket_keepalive_options": {IDLE: 30, INTERVAL: 5, COUNT: 3}}, id="keepalive timings"),
    param({"keepalive": {"idle": 30.0, "interval": None, "count": None}},
          {"socket_keepalive": True, "socket_keepalive_options": {IDLE: 30}}, id="partly"),
    param({"options": {"protocol": 3, "client_name": "worker"}},
          {"protocol": 3, "client_name": "worker"}, id="further options"),
    param({"user_timeout": 5.0}, {}, id="user timeout is set on the socket"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "options"), OPTIONS)
def test_only_what_is_set_is_passed_on(settings, options):
    assert connection_options(settings) == options


@pytest.mark.parametrize("retries", [0, 3])
def test_retries_are_counted_by_the_library(retries):
    retry = connection_options({"retry": retries})["retry"]
    attempts = []

    def fail() -> None:
        attempts.append(1)
        raise redis.ConnectionError

    retry._backoff = redis.backoff.NoBackoff()
    with pytest.raises(redis.ConnectionError):
        retry.call_with_retry(fail, lambda _: None)
    assert len(attempts) == retries + 1


def chained() -> Exception:
    try:
        try:
            raise ConnectionResetError(104, "Connection reset by peer")
        except OSError as inner:
            raise redis.ConnectionError("lost") from inner
    except redis.ConnectionError as outer:
        return outer


ERRORS = [
    param(TimeoutError("timed out"), ("TimeoutError", None, "timed out"), id="no errno"),
    param(OSError(113, "No route"), ("OSError", 113, "[Errno 113] No route"), id="its own"),
    param(chained(), ("ConnectionError", 104, "lost"), id="its cause's"),
]


@pytest.mark.parametrize(("error", "told"), ERRORS)
def test_an_error_tells_its_type_its_errno_and_its_message(error, told):
    assert tuple(describe(error).values()) == told


class Peer:
    """A server that answers the greeting and then what the test says, on a port of its own."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)
        self.options: dict[str, int] = {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            with connection:
                while data := connection.recv(65536):
                    if b"BRPOP" not in data:
                        connection.sendall(b"+OK\r\n" * data.count(b"\r\n*") + b"+OK\r\n")
                    elif self.replies:
                        connection.sendall(self.replies.pop(0))
                    else:
                        break


def words(after_error: object, settings: dict[str, object], *replies: bytes) -> list[dict]:
    """What the consumer says until it ends."""
    peer = Peer(*replies)
    reading, writing = os.pipe()
    task = {
        "host": "127.0.0.1",
        "port": peer.listener.getsockname()[1],
        "seed": 7,
        "settings": {"retry": 0, "read_timeout": 5.0, "options": {"protocol": 2}, **settings},
        "workload": {"pattern": "brpop", "key": "jobs", "block": 0.0, "after_error": after_error},
    }
    assert consume(task, Voice(writing)) == 1
    os.close(writing)
    with os.fdopen(reading) as lines:
        return [json.loads(line) for line in lines]


def test_the_consumer_says_what_it_does_in_the_words_of_the_contract():
    said = words("exit", {}, b"*2\r\n$4\r\njobs\r\n$2\r\nm1\r\n", b"*-1\r\n")
    assert [(row["what"], row["outcome"]) for row in said if row["what"] != "disconnect"] == [
        ("call", "start"),
        ("connect", "start"),
        ("connect", "ok"),
        ("got", "ok"),
        ("processed", "ok"),
        ("call", "start"),
        ("return", "ok"),
        ("call", "start"),
        ("error", "fail"),
    ]
    assert [row["data"]["id"] for row in said if row["what"] == "got"] == ["m1"]
    assert all(isinstance(row["t"], int) for row in said)
    assert [row["t"] for row in said] == sorted(row["t"] for row in said)


def pauses(seed: int, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long redis-py waits between its dials to a port that refuses them."""
    drawn: list[float] = []
    monkeypatch.setattr("redis.retry.sleep", drawn.append)
    with socket.socket() as closed, open(os.devnull, "w") as nothing:  # noqa: PTH123 - an fd
        closed.bind(("127.0.0.1", 0))
        task = {"host": "127.0.0.1", "port": closed.getsockname()[1], "seed": seed,
                "settings": {},
                "workload": {"pattern": "brpop", "key": "jobs", "block": 0.0,
                             "after_error": "exit"}}
        assert consume(task, Voice(nothing.fileno())) == 1
    return drawn


def test_the_seed_draws_the_librarys_pauses(monkeypatch: pytest.MonkeyPatch):
    first, again, other = (pauses(seed, monkeypatch) for seed in (7, 7, 8))
    assert first == again != other
    assert len(set(first)) > 3


def test_bytes_that_are_no_text_are_told_escaped():
    said = words("exit", {}, b"*2\r\n$4\r\njobs\r\n$2\r\n\xff\xfe\r\n")
    assert [row["data"]["id"] for row in said if row["what"] == "got"] == [r"\xff\xfe"]


@pytest.mark.parametrize("seconds", [None, 7.5])
def test_the_user_timeout_is_the_sockets_own(seconds, monkeypatch):
    set_to = []
    monkeypatch.setattr(
        redis.Connection,
        "disconnect",
        _noting(set_to, redis.Connection.disconnect),
    )
    words("exit", {} if seconds is None else {"user_timeout": seconds})
    assert set_to[0] == (0 if seconds is None else 7500)


def _noting(found: list[int], real):
    def disconnect(self, *args, **kwargs):
        if self._sock is not None:
            found.append(self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
        return real(self, *args, **kwargs)

    return disconnect
