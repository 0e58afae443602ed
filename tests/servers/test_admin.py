"""Questions that never wait: answers in order, whole, and a server that does not answer."""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netdiag.catalogue.servers import RedisServer
from netdiag.servers import admin as admin_module
from netdiag.servers.admin import Admin, Answer, client_rows, dial_unix, encode
from netdiag.servers.redis import SOCKET, configuration, find_binary
from netdiag.tcp.resp import ErrorReply

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def scripted(scratch: Path) -> Iterator[tuple[Admin, socket.socket]]:
    """An Admin and the server's end of its connection."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(scratch / "s"))
        listener.listen()
        admin = Admin(lambda: dial_unix(scratch, "s"))
        with listener.accept()[0] as server:
            server.settimeout(5)
            yield admin, server
        admin.close()


def hear(admin: Admin) -> bool:
    """Wait until there is something, and take it."""
    assert select.select([admin], [], [], 5)[0]
    return admin.ready()


def test_the_greeting_comes_first_on_each_connection(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        admin, got = Admin(lambda: dial_unix(tmp_path, "s"), ("AUTH", "secret")), []
        for _ in range(2):
            with listener.accept()[0] as server:
                admin.ask(got.append, "PING")
                assert server.recv(1000) == encode("AUTH", "secret") + encode("PING")
                server.send(b"+OK\r\n+PONG\r\n")
                assert hear(admin)
            admin.dial_again()
        admin.close()
    assert got == [b"PONG", b"PONG"]


def test_a_command_is_an_array_of_bulk_strings():
    assert encode("LPUSH", "schl\u00fcssel", "") == (
        "*3\r\n$5\r\nLPUSH\r\n$10\r\nschl\u00fcssel\r\n$0\r\n\r\n".encode()
    )


def test_answers_reach_their_callbacks_in_the_order_of_the_questions(tmp_path):
    got: list[tuple[str, Answer]] = []
    with scripted(tmp_path) as (admin, server):
        for name in ("one", "two", "three"):
            assert admin.ask(lambda answer, name=name: got.append((name, answer)), "PING", name)
        assert server.recv(1000) == encode("PING", "one") + encode("PING", "two") + encode(
            "PING", "three"
        )
        assert admin.busy
        server.send(b":1\r\n-ERR no\r\n$2\r")
        assert hear(admin)
        assert got == [("one", 1), ("two", b"ERR no")]
        assert isinstance(got[1][1], ErrorReply)
        server.send(b"\nok\r\n")
        assert hear(admin)
        assert got[2] == ("three", b"ok")
        assert not admin.busy


def test_nothing_there_is_no_end_and_an_answer_too_many_is_no_error(tmp_path):
    with scripted(tmp_path) as (admin, server):
        assert admin.ready()
        server.send(b"+unasked\r\n")
        assert hear(admin)


@pytest.mark.parametrize("reset", [False, True])
def test_when_the_server_goes_away_it_says_so_and_takes_no_more(tmp_path, reset):
    got: list[Answer] = []
    with scripted(tmp_path) as (admin, server):
        assert admin.ask(got.append, "PING")
        if not reset:
            server.recv(100)
        server.close()  # with the question unread, the connection is reset
        assert not hear(admin)
        assert not admin.ask(got.append, "PING")
        assert got == []


def test_a_server_that_does_not_read_is_waited_for_by_nobody_and_gets_all_later(tmp_path):
    count, got = 20_000, []
    with scripted(tmp_path) as (admin, server):
        for number in range(count):
            assert admin.ask(got.append, "LPUSH", "jobs", f"m{number}")
        wanted = b"".join(encode("LPUSH", "jobs", f"m{number}") for number in range(count))
        heard = b""
        while len(heard) < len(wanted):
            heard += server.recv(1 << 20)
            server.send(b":1\r\n")
            hear(admin)
        assert heard == wanted


def test_a_server_that_never_reads_is_given_up_at_last(tmp_path, monkeypatch):
    monkeypatch.setattr(admin_module, "UNSENT", 1 << 20)
    with scripted(tmp_path) as (admin, _):
        asked = 0
        while admin.ask(lambda _: None, "SET", "key", "x" * 10_000):
            asked += 1
            assert asked < 1000
        assert asked >= 100


def test_a_long_answer_and_one_of_many_items_come_whole(tmp_path):
    got: list[Answer] = []
    rows, items = b"id=1 addr=1.2.3.4:5\n" * 50_000, 30_000
    with scripted(tmp_path) as (admin, server):
        server.settimeout(None)
        admin.ask(got.append, "CLIENT", "LIST")
        admin.ask(got.append, "LRANGE", "jobs", "0", "-1")
        answer = b"$%d\r\n%s\r\n*%d\r\n" % (len(rows), rows, items) + b"$2\r\nm1\r\n" * items
        sent = 0
        server.setblocking(False)
        while len(got) < 2:
            if sent < len(answer):
                sent += server.send(answer[sent : sent + 100_000])
            hear(admin)
    assert got == [rows, (b"m1",) * items]


def test_the_path_may_be_longer_than_a_socket_address_holds(tmp_path):
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    with contextlib.chdir(deep), socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        listener.listen()
        Admin(lambda: dial_unix(deep, "s")).close()


def test_a_server_that_does_not_listen_is_an_error_and_no_descriptor_is_lost(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(FileNotFoundError):
        Admin(lambda: dial_unix(tmp_path, "s"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


LIST = (
    b"id=3 addr=10.0.0.1:40000 laddr=10.0.0.2:6379 name= flags=b cmd=brpop age=1\n"
    b"id=4 addr=redis.sock:0 name= flags=U cmd=client|list\n"
    b"id=5 addr=[fd00::1]:40000 name=a=b flags=N cmd=NULL\n"
)


def test_client_list_is_rows_without_those_who_watch():
    rows = client_rows(LIST)
    assert [(row["id"], row["addr"], row["name"], row["cmd"]) for row in rows] == [
        ("3", "10.0.0.1:40000", "", "brpop"),
        ("5", "[fd00::1]:40000", "a=b", "NULL"),
    ]


@pytest.mark.parametrize("answer", [b"", b"\xff\n\n = \n", ErrorReply(b"NOPERM"), None, 5, (b"x",)])
def test_an_answer_that_is_no_list_has_no_rows(answer):
    assert client_rows(answer) == []


@pytest.fixture
def valkey(tmp_path):
    """A real server, on its unix socket alone."""
    config = tmp_path / "server.conf"
    text = configuration(RedisServer(), ["127.0.0.1"]).replace("port 6379", "port 0")
    config.write_text(text)
    with subprocess.Popen(
        [find_binary(None), str(config)], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as server:
        said = ""
        while "ready to accept connections" not in said.lower():
            said = server.stdout.readline()
            assert said
        yield tmp_path
        server.kill()


def test_a_real_server_answers(valkey):
    admin, got = Admin(lambda: dial_unix(valkey, SOCKET)), []
    for number in range(2000):
        assert admin.ask(got.append, "LPUSH", "jobs", f"m{number}")
    admin.ask(got.append, "LRANGE", "jobs", "0", "-1")
    admin.ask(got.append, "CLIENT", "LIST")
    admin.ask(got.append, "NO-SUCH-COMMAND")
    while admin.busy:
        assert hear(admin)
    admin.close()
    assert got[:2000] == list(range(1, 2001))
    assert got[2000] == tuple(b"m%d" % number for number in reversed(range(2000)))
    assert b"cmd=client" in got[2001]
    assert client_rows(got[2001]) == []
    assert isinstance(got[2002], ErrorReply)
