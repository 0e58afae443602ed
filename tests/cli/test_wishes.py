"""Where a run takes place: what was asked for, or else what the scenario needs, and never less."""

from __future__ import annotations

import click
import pytest
from pytest import param

from netdiag.cli.wishes import Where
from netdiag.errors import ScenarioError
from netdiag.run.docked import Containers
from netdiag.run.front import preflight
from netdiag.scenario import expand, loads

HERE = "name: x"
STACK = "name: x\nlab: {compose: /stack.yml}"
SERVICE = "name: x\nclient: {kind: service}"
ENGINE = "name: x\nfaults: [{at: 1s, do: {docker: pause}}]"


@pytest.mark.parametrize(
    ("lab", "text", "docker"),
    [
        param(None, HERE, False, id="nothing asked, nothing needed"),
        param(None, STACK, True, id="a compose file"),
        param(None, SERVICE, True, id="a service"),
        param(None, ENGINE, True, id="a fault of the engine's"),
        param("docker", HERE, True, id="containers asked for"),
    ],
)
def test_a_scenario_that_needs_containers_gets_them(
    lab: str | None, text: str, docker: bool
) -> None:
    hosts = Where(lab, warp=False, attach=None).hosts(expand(loads(text)))
    assert isinstance(hosts, Containers) is docker


@pytest.mark.parametrize("lab", ["namespaces", "docker"])
def test_a_virtual_clock_is_for_guests(lab: str) -> None:
    with pytest.raises(click.UsageError, match=f"--warp is for guests, and --lab {lab}"):
        Where(lab, warp=True, attach=None).hosts()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        param(STACK, r"lab\.compose names a stack of containers", id="a compose file"),
        param(SERVICE, "a client of kind service is a container's", id="a service"),
        param(ENGINE, "fault f1 is the Docker engine's", id="a fault of the engine's"),
    ],
)
def test_elsewhere_it_is_refused(text: str, why: str) -> None:
    plan = expand(loads(text))
    assert Where("namespaces", warp=False, attach=None).hosts(plan) is None
    with pytest.raises(ScenarioError, match=f"{why}.*; run it with --lab docker"):
        preflight(plan)
