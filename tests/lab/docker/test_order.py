"""Who of a team's services runs, who is started first, and what Compose has called their images."""

from __future__ import annotations

from pathlib import Path

import pytest

from netdiag.lab.docker.naming import images_of, profiles_of, project_of
from netdiag.lab.docker.order import order

STACK = {
    "redis": {},
    "migrate": {"depends_on": {"redis": {"condition": "service_healthy"}}},
    "web": {"depends_on": ["redis", "migrate"]},
    "worker": {"depends_on": {"web": {"condition": "service_started"}}, "links": ["redis:cache"]},
    "flower": {"depends_on": ["worker"]},
    "proxy": {"links": ["flower"]},
    "tests": {"profiles": ["ci"], "depends_on": ["redis"]},
}


def test_the_clients_service_is_started_last_whoever_depends_on_it():
    made = order(STACK, client="worker", server="redis", profiles=())
    assert made.first == ("redis", "migrate", "web")
    assert made.then == ("flower", "proxy")
    assert made.names == {"redis", "migrate", "web", "flower", "proxy", "worker"}


@pytest.mark.parametrize(("client", "profiles", "runs"), [
    pytest.param("worker", (), False, id="nobody asked for the profile"),
    pytest.param("worker", ("ci",), True, id="it is active"),
    pytest.param("worker", ("*",), True, id="all are"),
    pytest.param("tests", (), True, id="it is the client itself"),
])
def test_services_of_a_profile_run_when_somebody_wants_them(client, profiles, runs):
    made = order(STACK, client=client, server="redis", profiles=profiles)
    assert ("tests" in made.names) == runs


def test_what_the_client_depends_on_runs_whatever_its_profile():
    services = {"redis": {"profiles": ["db"]}, "worker": {"depends_on": ["redis"]}}
    made = order(services, client="worker", server="redis", profiles=())
    assert made.first == ("redis",)


def test_services_that_nobody_needs_stay_away_with_what_only_they_need():
    made = order(STACK, client="worker", server="redis", profiles=(), without=("flower", "migrate"))
    assert made.first == ("redis", "web", "proxy")
    assert made.then == ()


def test_services_that_depend_on_each_other_come_to_an_end():
    services = {"a": {"links": ["b"]}, "b": {"links": ["a"]}, "redis": {}}
    made = order(services, client="a", server="redis", profiles=())
    assert (made.first, made.then) == (("redis",), ("b",))


@pytest.mark.parametrize(("where", "config", "dotenv", "name"), [
    ("My Shop.v2", {}, "", "myshopv2"),
    ("shop", {"name": "store"}, "", "store"),
    ("shop", {}, "A=1\nCOMPOSE_PROJECT_NAME='till'\n", "till"),
])
def test_a_project_is_called_as_compose_calls_it(
    tmp_path, monkeypatch, where, config, dotenv, name
):
    monkeypatch.delenv("COMPOSE_PROJECT_NAME", raising=False)
    file = tmp_path / where / "docker-compose.yml"
    file.parent.mkdir()
    (file.parent / ".env").write_text(dotenv)
    assert project_of(file, config) == name
    assert images_of(name, "worker") == (f"{name}_worker", f"{name}-worker")


def test_the_environment_comes_before_the_file(monkeypatch):
    monkeypatch.setenv("COMPOSE_PROFILES", "web,worker")
    assert profiles_of(Path("docker-compose.yml")) == ("web", "worker")
