"""A team's compose file becomes a stack of a run: what is kept, and what must go."""

from __future__ import annotations

import copy

import pytest

from netdiag.errors import LabError
from netdiag.lab.docker import RUN_LABEL
from netdiag.lab.docker.isolate import isolate

TEAM = {
    "version": "3.8",
    "name": "shop",
    "services": {
        "redis": {
            "image": "redis:7", "container_name": "prod-redis", "ports": ["6379:6379"],
            "labels": ["team=shop"], "volumes": ["data:/data", "/etc/hosts:/etc/hosts:ro"],
            "networks": {"back": {"aliases": ["cache"], "ipv4_address": "10.1.2.3"}},
            "healthcheck": {"test": ["CMD", "redis-cli", "ping"]},
        },
        "worker": {"build": {"context": "/srv/shop"}, "command": ["celery"],
                   "depends_on": {"redis": {"condition": "service_healthy"}}},
    },
    "networks": {"back": {"external": True, "name": "prod", "ipam": {"config": [{}]}}},
    "volumes": {"data": {"external": True, "name": "prod-data"}},
}


IMAGES = {"redis": "redis:7", "worker": "shop_worker"}


def stack(ip: int = 4, team: dict | None = None, images: dict | None = None) -> dict:
    return isolate(team or TEAM, run="r1", project="p1", images=images or IMAGES, ip=ip)


def test_images_commands_checks_and_dependencies_stay():
    made = stack()["services"]
    assert made["redis"]["image"] == "redis:7"
    assert made["redis"]["healthcheck"] == TEAM["services"]["redis"]["healthcheck"]
    assert made["redis"]["volumes"] == ["data:/data", "/etc/hosts:/etc/hosts:ro"]
    assert made["worker"]["command"] == ["celery"]
    assert made["worker"]["depends_on"] == {"redis": {"condition": "service_healthy"}}


def test_a_service_that_is_built_has_the_image_that_was_built_for_it():
    worker = stack()["services"]["worker"]
    assert (worker["image"], "build" in worker) == ("shop_worker", False)


def test_who_was_found_by_a_containers_name_is_still_found_by_it():
    """A worker may dial `prod-redis`, which is no service."""
    assert stack()["services"]["redis"]["networks"]["back"]["aliases"] == ["cache", "prod-redis"]
    team = copy.deepcopy(TEAM)
    team["services"]["worker"]["container_name"] = "the-worker"
    worker = stack(team=team)["services"]["worker"]
    assert worker["networks"] == {"default": {"aliases": ["the-worker"]}}


def test_services_that_do_not_run_are_left_out_of_what_others_depend_on():
    team = copy.deepcopy(TEAM)
    team["services"]["debug"] = {"image": "busybox", "profiles": ["debug"]}
    team["services"]["worker"]["depends_on"]["debug"] = {"condition": "service_started"}
    team["services"]["redis"] |= {"depends_on": ["debug"], "links": ["debug:d", "worker"]}
    made = stack(team=team)["services"]
    assert set(made) == {"redis", "worker"}
    assert made["worker"]["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert (made["redis"]["depends_on"], made["redis"]["links"]) == ([], ["worker"])


def test_every_object_carries_the_run():
    made = stack()
    held = [*made["services"].values(), *made["networks"].values(), *made["volumes"].values()]
    assert all(one["labels"][RUN_LABEL] == "r1" for one in held)
    assert made["services"]["redis"]["labels"]["team"] == "shop"


def test_nothing_reaches_the_machine_or_another_stack():
    made = stack()
    redis = made["services"]["redis"]
    assert not {"ports", "container_name"} & redis.keys()
    assert redis["networks"]["back"].keys() == {"aliases"}
    assert all(net["internal"] for net in made["networks"].values())
    assert not any({"external", "name"} & one.keys()
                   for one in (*made["networks"].values(), *made["volumes"].values()))
    assert not {"version", "name"} & made.keys()


def test_services_without_networks_meet_in_the_default_one():
    assert set(stack()["networks"]) == {"back", "default"}


def test_with_ipv6_every_network_has_a_prefix_of_its_own():
    first = stack(6)["networks"]
    other = isolate(TEAM, run="r1", project="p2", images=IMAGES, ip=6)["networks"]
    prefixes = {net["ipam"]["config"][0]["subnet"] for net in (*first.values(), *other.values())}
    assert len(prefixes) == 4
    assert all(prefix.startswith("fd") and prefix.endswith("::/64") for prefix in prefixes)


def test_a_service_on_the_machines_own_network_is_refused_with_its_name():
    team = copy.deepcopy(TEAM)
    team["services"]["worker"]["network_mode"] = "host"
    with pytest.raises(LabError, match="'worker' has network_mode 'host'"):
        stack(team=team)


def test_what_the_team_wrote_is_not_changed():
    before = copy.deepcopy(TEAM)
    stack(6)
    assert before == TEAM


V2 = {
    "name": "shop",
    "services": {
        "worker": {
            "build": {"context": "/srv/shop", "dockerfile": "Dockerfile"},
            "command": ["celery", "worker"], "entrypoint": None,
            "depends_on": {"redis": {"condition": "service_started", "required": True}},
            "deploy": {"replicas": 2, "resources": {}, "placement": {}},
            "networks": {"default": None},
            "volumes": [{"type": "bind", "source": "/srv/shop", "target": "/app", "bind": {}}],
        },
        "redis": {
            "image": "redis:7", "command": None, "entrypoint": None, "networks": {"default": None},
            "ports": [{"mode": "ingress", "target": 6379, "published": "6379"}],
            "volumes": [{"type": "volume", "source": "data", "target": "/data", "volume": {}}],
        },
    },
    "networks": {"default": {"name": "shop_default", "ipam": {}}},
    "volumes": {"data": {"name": "shop_data"}},
}
"""As `docker compose config` (v2) prints it, with everything written out."""


def test_what_compose_v2_writes_out_is_the_same_to_us():
    images = {"redis": "redis:7", "worker": "shop-worker"}
    made = isolate(V2, run="r1", project="p1", images=images, ip=4)
    worker, redis = made["services"]["worker"], made["services"]["redis"]
    assert (worker["image"], worker["networks"]) == ("shop-worker", {"default": {}})
    assert "ports" not in redis
    assert made["networks"]["default"] == {"internal": True, "labels": {RUN_LABEL: "r1"}}
    assert made["volumes"]["data"] == {"labels": {RUN_LABEL: "r1"}}
    assert worker["depends_on"]["redis"]["required"] is True
