"""Real kernels take the cable's RST at once, at both ends, also when something was lost before."""

from __future__ import annotations

import pytest
from pytest import param

from netdiag.catalogue import RedisPyClient, RedisPySettings
from netdiag.errors import LabError
from netdiag.faults import EventTrigger, Fault, PhaseTrigger
from netdiag.faults.blackhole import Blackhole
from netdiag.faults.reset import Reset
from netdiag.recording import read_events
from netdiag.run.front import run_plan
from netdiag.scenario import Cell, Plan
from netdiag.scenario.workload import LabSettings

LOST_FIRST = (
    Fault(name="cut", at=PhaseTrigger(phase="request_in_flight"), do=Blackhole(), for_=0.3),
    Fault(name="rst", at=EventTrigger(event="active", after=0.1), do=Reset()),
)
IDLE = (Fault(name="rst", at=PhaseTrigger(phase="blocked", after=0.1), do=Reset()),)
CELLS = {
    "idle-4": (4, IDLE),
    "idle-6": (6, IDLE),
    "lost-4": (4, LOST_FIRST),
    "lost-6": (6, LOST_FIRST),
}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    settings = RedisPySettings(read_timeout=None, keepalive=None, connect_timeout=None, retry=0)
    cells = tuple(
        Cell(
            id=name,
            index=index,
            seed=1,
            lab=LabSettings(ip=ip),
            clients={"client": RedisPyClient(settings=settings)},
            faults=faults,
            duration=1.5,
        )
        for index, (name, (ip, faults)) in enumerate(CELLS.items())
    )
    plan = Plan(scenario="reset", about="", digest="", seed=1, cells=cells)
    try:
        out = tmp_path_factory.mktemp("reset")
        return run_plan(plan, out=out, jobs=4, follow=lambda _: None).recording
    except LabError as err:
        pytest.skip(str(err))


@pytest.mark.parametrize("name", [param(name, id=name) for name in CELLS])
def test_both_kernels_take_it_at_once(recording, name):
    events = read_events(recording.cell(name).events)
    (told,) = [
        event.t
        for event in events
        if (event.what, event.data.get("fault")) == ("fault", "rst")
    ]
    error = next(event for event in events if event.what == "error")
    assert (error.data["type"], error.data["errno"]) == ("ConnectionError", 104)
    gone = {event.lane: event for event in reversed(events) if event.what == "socket_gone"}
    for event in (error, gone["client.kernel"], gone["server.kernel"]):
        assert 0 <= event.t - told < 500_000_000
    assert gone["client.kernel"].data["client"] == gone["server.kernel"].data["client"]
