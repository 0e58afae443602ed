"""What is said where there is no SDK, no engine, or another machine's; and where mirrors are."""

from __future__ import annotations

import shutil
import sys

import pytest

from netdiag.errors import LabError
from netdiag.lab.docker.compose import command
from netdiag.lab.docker.described import Attachment, Container
from netdiag.lab.docker.engine import connect
from netdiag.lab.docker.images import machines_mirror
from netdiag.lab.docker.lab import meeting
from netdiag.lab.docker.verbs import VERBS


def test_a_missing_sdk_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(LabError, match=r"pip install 'netdiag\[docker\]'"):
        connect()


def test_a_missing_engine_is_one_sentence(monkeypatch, tmp_path):
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(LabError, match="no Docker engine answers") as refusal:
        connect()
    assert "\n" not in str(refusal.value)
    assert "(No such file or directory)" in str(refusal.value)


def test_a_missing_compose_command_is_one_sentence(monkeypatch):
    command.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(LabError, match="neither `docker compose` nor `docker-compose` is there"):
        command()
    command.cache_clear()


def test_another_machines_engine_is_refused(monkeypatch):
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.9.9.9:2375")
    with pytest.raises(LabError, match="another machine"):
        connect()


def container(state: str = "running", **places: str) -> Container:
    networks = {net: Attachment(net, net, ip, "", "02:42:00:00:00:02")
                for net, ip in places.items()}
    return Container(id="c", name="shop_redis_1", project="shop", service="redis", number=1, pid=7,
                     state=state, health="", exit_code=137, user="", directory="/", environment=(),
                     networks=networks)


def test_two_containers_meet_in_the_first_network_that_both_have():
    near, far = meeting(container(a="1.1.1.1", c="3.3.3.3", b="2.2.2.2"),
                        container(b="2.2.2.3", c="3.3.3.4"), 4)
    assert (near.ip4, far.ip4) == ("2.2.2.2", "2.2.2.3")


@pytest.mark.parametrize(("client", "server", "family"), [
    pytest.param({"a": "1.1.1.1"}, {"b": "2.2.2.2"}, 4, id="no network in common"),
    pytest.param({"a": "1.1.1.1"}, {"a": "1.1.1.2"}, 6, id="none with IPv6"),
])
def test_containers_that_never_meet_are_told_apart(client, server, family):
    with pytest.raises(LabError, match=f"no network with IPv{family} addresses in common"):
        meeting(container(**client), container(**server), family)


BEFORE = Attachment("n", "n", "10.0.0.2", "", "02:42:00:00:00:02")


@pytest.mark.parametrize(("verb", "after", "told"), [
    ("network_disconnect", container(), "no link any more, 10.0.0.2 is free"),
    ("network_connect", container(n="10.0.0.2"), "a new link, 10.0.0.2 came back"),
    ("network_connect", container(n="10.0.0.9"), "a new link, 10.0.0.9 and not 10.0.0.2 as before"),
    ("pause", container("paused"), "paused"),
    ("kill", container("exited"), "exited with code 137"),
    ("restart", container(n="10.0.0.2"), "started anew: a new link, 10.0.0.2 came back"),
])
def test_what_the_engine_says_afterwards_is_the_proof(verb, after, told):
    assert told in VERBS[verb].seen(after, BEFORE)


@pytest.mark.parametrize(("verb", "after"), [
    ("network_disconnect", container(n="10.0.0.2")), ("network_connect", container()),
    ("pause", container()), ("unpause", container("paused")), ("kill", container()),
    ("start", container("exited")),
])
def test_a_verb_without_its_effect_has_not_been_done(verb, after):
    with pytest.raises(LabError):
        VERBS[verb].seen(after, BEFORE)


@pytest.mark.parametrize(("name", "text", "mirror"), [
    ("sources.list", "# x\ndeb http://mirror.lan/debian bookworm main\n", "http://mirror.lan/debian"),
    ("sources.list", "deb [arch=amd64] https://m/debian/ bookworm main\n", "https://m/debian"),
    ("sources.list.d/d.sources", "Types: deb\nURIs: http://m/debian\n", "http://m/debian"),
    ("sources.list.d/n.list", "deb https://packages.cloud/apt c main\n",
     "http://deb.debian.org/debian"),
])
def test_the_mirror_is_the_machines_own(tmp_path, name, text, mirror):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / name).write_text(text)
    assert machines_mirror(tmp_path) == mirror
