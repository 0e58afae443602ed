"""A server that somebody else configured: where it listens, and the password that it wants."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from netdiag.errors import LabError
from netdiag.lab.docker.described import container
from netdiag.lab.docker.letting_in import let_in, listens, passwords


def told(*command: str, env: tuple[str, ...] = (), pid: int = 0):
    return container({
        "Id": "c", "Name": "/shop_redis_1", "Path": command[0] if command else "",
        "Args": list(command[1:]), "State": {"Pid": pid, "Status": "running", "ExitCode": 0},
        "Config": {"Env": list(env), "Labels": {"com.docker.compose.service": "redis"}},
        "HostConfig": {"RestartPolicy": {"Name": "always"}},
    })


@pytest.mark.parametrize(("command", "env", "found"), [
    (("redis-server", "--requirepass", "s3cret"), (), ["s3cret"]),
    (("sh", "-c", "redis-server --requirepass 's3cret' --save ''"), (), ["s3cret"]),
    (("redis-server", "--requirepass=s3cret"), (), ["s3cret"]),
    (("/opt/run.sh",), ("REDIS_PASSWORD=s3cret", "PATH=/bin"), ["s3cret"]),
    (("redis-server",), ("REDIS_PASSWORD=",), []),
])
def test_a_containers_password_is_where_it_was_written(command, env, found):
    assert list(passwords(told(*command, env=env))) == found


def test_the_servers_own_configuration_file_is_read(tmp_path):
    file = tmp_path / "redis.conf"
    file.write_text('port 6379\n# requirepass no\nrequirepass "s3cret"\n')
    server = told("redis-server", str(file), pid=os.getpid())
    assert list(passwords(server)) == ["s3cret"]


class Server:
    """A server that wants this password; "" lets everybody in."""

    def __init__(self, password: str) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._password = password
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        inside = not self._password
        while said := self._ours.recv(4096):
            if b"AUTH" in said:
                inside = inside or self._password.encode() in said
                self._ours.sendall(b"+OK\r\n" if inside else b"-WRONGPASS invalid\x1b[31m\r\n")
            else:
                self._ours.sendall(b"+PONG\r\n" if inside
                                   else b"-NOAUTH Authentication required.\r\n")


@pytest.mark.parametrize("server", [
    pytest.param(told("redis-server"), id="no password is asked for"),
    pytest.param(told("redis-server", "--requirepass", "other"), id="none is asked for after all"),
])
def test_a_server_without_a_password_lets_us_in(server):
    let_in(Server("").theirs, server)


def test_a_server_with_a_password_lets_in_who_knows_it():
    let_in(Server("s3cret").theirs, told("redis-server", "--requirepass", "s3cret"))


@pytest.mark.parametrize(("server", "sentence"), [
    (told("redis-server"), r"wants a password \(NOAUTH .*its environment \(REDIS_PASSWORD\) tells"),
    (told("redis-server", "--requirepass", "old"), "does not take the one"),
])
def test_a_server_that_does_not_let_us_in_is_a_sentence(server, sentence):
    with pytest.raises(LabError, match=sentence) as refusal:
        let_in(Server("s3cret").theirs, server)
    assert "s3cret" not in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_a_server_is_found_where_it_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert listens(os.getpid(), port) == port
    assert listens(1 << 30, 6379) == 6379, "nothing listens (yet)"


def test_a_container_that_ended_comes_back_as_its_policy_says():
    always, failed = told("x"), container({
        "Id": "c", "Name": "c", "Config": {},
        "State": {"Pid": 0, "Status": "exited", "ExitCode": 1},
        "HostConfig": {"RestartPolicy": {"Name": "on-failure"}}})
    assert always.comes_back(0)
    assert (failed.comes_back(0), failed.comes_back(1)) == (False, True)
