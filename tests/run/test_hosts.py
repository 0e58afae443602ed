"""Host faults on real programs: the signal comes at its packet, its effect is seen, it heals."""

from __future__ import annotations

import sys

import pytest
from pytest import param

from netdiag.analysis import Outcome, analyse
from netdiag.catalogue.clients import (
    Client,
    ExecClient,
    Keepalive,
    RedisPyClient,
    RedisPySettings,
)
from netdiag.errors import LabError
from netdiag.faults import EventTrigger, Fault, PhaseTrigger, TimeTrigger
from netdiag.faults.host import Freeze, HostFault, Kill, Restart, Signal
from netdiag.recording import read_events
from netdiag.report.sentence import headline
from netdiag.run.front import run_plan
from netdiag.scenario import Cell, Plan
from netdiag.scenario.workload import Produce, Workload
from netdiag.tcp.blocks import OUTBOUND
from netdiag.tcp.pcapng import Packet, read_pcapng

REQUEST = PhaseTrigger(phase="request_in_flight")
BLOCKED = PhaseTrigger(phase="blocked")
SETTINGS = RedisPySettings(
    read_timeout=None, keepalive=Keepalive(idle=1, interval=1, count=1), connect_timeout=2, retry=0
)


def fault(do: HostFault, at: PhaseTrigger, lasts: float | None) -> Fault:
    return Fault(name="f", at=at, do=do, for_=lasts)


CELLS = {
    "freeze-server": fault(Freeze(), REQUEST, 3.5),
    "freeze-client": fault(Freeze(host="client"), BLOCKED, 1.0),
    "kill-server": fault(Kill(), BLOCKED, 1.0),
    "kill-client": fault(Kill(host="client"), BLOCKED, 1.0),
    "restart-server": fault(Restart(), BLOCKED, None),
    "term-client": fault(Signal(name="SIGTERM", host="client"), BLOCKED, None),
    "several": fault(Freeze(), BLOCKED, 1.0),
    "family": fault(Freeze(host="client"), BLOCKED, 1.0),
    "ignored": fault(Signal(name="SIGPIPE", host="client"), BLOCKED, None),
}


def overlapping(name: str, do: HostFault, at: float, lasts: float | None) -> Fault:
    return Fault(name=name, at=TimeTrigger(time=at), do=do, for_=lasts)


OVERLAPS = {
    "thawed-anew": (
        overlapping("ice", Freeze(), 0.5, 2.5),
        overlapping("anew", Restart(), 1, None),
    ),
    "frozen-twice": (overlapping("ice", Freeze(), 0.5, 2), overlapping("snow", Freeze(), 1, 3)),
    "killed-twice": (overlapping("one", Kill(), 0.5, 3), overlapping("two", Kill(), 1, 1)),
}
"""Two faults of one program; the cell must end in time, and say what came to nothing."""
EACH = {**{name: (one,) for name, one in CELLS.items()}, **OVERLAPS}
SEVERAL = "several"
"""Three clients and one server: what happens to it happens once."""
PARENT = ExecClient(command=("sh", "-c", f"{sys.executable} -m netdiag.clients.programs.redis_py"
                             " & sleep 3600 & wait"))
"""A program that has started others; a fault of it is theirs, too."""


def clients(name: str) -> dict[str, Client]:
    if name == SEVERAL:
        return {who: RedisPyClient(settings=SETTINGS) for who in ("a", "b", "c")}
    return {"client": PARENT if name == "family" else RedisPyClient(settings=SETTINGS)}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    cells = tuple(
        Cell(
            id=name,
            index=index,
            seed=1,
            clients=clients(name),
            workload=Workload(
                produce=(
                    Produce(at=EventTrigger(event="active", after=0.5)),
                    Produce(at=EventTrigger(event="active", after=4.0)),
                )
            ),
            faults=faults,
            duration=8.0,
        )
        for index, (name, faults) in enumerate(EACH.items())
    )
    plan = Plan(scenario="hosts", about="", digest="", seed=1, cells=cells)
    try:
        out = tmp_path_factory.mktemp("hosts")
        made = run_plan(plan, out=out, jobs=len(EACH), follow=lambda _: None).recording
    except LabError as err:
        pytest.skip(str(err))
    return made, {cell.id: cell for cell in analyse(made, plan).cells}


@pytest.mark.parametrize(
    ("name", "acts"),
    [
        param("freeze-server", ["SIGSTOP: T (stopped)", "SIGCONT: "], id="a frozen server"),
        param("freeze-client", ["SIGSTOP: T (stopped)", "SIGCONT: "], id="a frozen client"),
        param("kill-server", ["SIGKILL: ended: SIGKILL", "started again"], id="a killed server"),
        param("kill-client", ["SIGKILL: ended: SIGKILL", "started again"], id="a killed client"),
        param("restart-server", ["SIGKILL: ended: SIGKILL", "started again"], id="a restart"),
        param("term-client", ["SIGTERM: ", "ended: SIGTERM"], id="any signal"),
    ],
)
def test_what_was_done_to_a_program_is_proven(recording, name: str, acts: list[str]) -> None:
    cell = recording[1][name]
    (effect,) = cell.faults
    assert len(effect.acts) == len(acts)
    assert all(act.startswith(told) for act, told in zip(effect.acts, acts, strict=True))
    assert cell.outcome is Outcome.PASS


def test_a_signal_that_the_program_ignores_makes_the_cell_unknown(recording) -> None:
    cell = recording[1]["ignored"]
    assert cell.outcome is Outcome.UNKNOWN
    assert cell.unknown == ("fault f did not do its work: SIGPIPE: the program ignores it",)


@pytest.mark.parametrize(
    ("name", "failed"),
    [
        param("thawed-anew", ["ice did not do its work: SIGCONT: it was not stopped"],
              id="a freeze heals on the new program"),
        param("frozen-twice", ["snow did not do its work: SIGSTOP: it was stopped already"],
              id="frozen while it stands still"),
        param("killed-twice", ["one did not do its work: what it should have started again was"
                               " running", "two did not do its work: SIGKILL: it had ended before"],
              id="brought back by another fault"),
    ],
)
def test_faults_of_one_program_that_meet_say_what_came_to_nothing(
    recording, name: str, failed: list[str]
) -> None:
    cell = recording[1][name]
    assert [one for one in cell.unknown if "did not do" in one] == [f"fault {x}" for x in failed]


def test_the_packet_that_begins_a_freeze_finds_the_program_frozen(recording) -> None:
    made, cells = recording
    files = made.cell("freeze-server")
    events = read_events(files.events)
    offset = next(event.data["wall_offset"] for event in events if event.what == "cell")
    stopped = next(event.t for event in events if event.data.get("signal") == "SIGSTOP")
    number = cells["freeze-server"].faults[0].packet
    packets = [one for one in read_pcapng(files.tape_of("")) if isinstance(one, Packet)]
    went_on = packets[number]  # numbers count from 1, and the copy that left comes next
    assert (went_on.flags, went_on.frame) == (OUTBOUND, packets[number - 1].frame)
    assert went_on.t_ns - offset > stopped


def test_the_kernel_of_a_frozen_server_answers_keepalive_so_nobody_notices(recording) -> None:
    cell = recording[1]["freeze-server"]
    assert cell.packets["keepalive_probe"] >= 2  # a single unanswered one would end it
    assert cell.packets["keepalive_answer"] >= 2
    assert cell.noticed is None
    assert [message.fate for message in cell.messages] == ["late", "delivered"]


def test_a_server_comes_back_at_its_address_and_the_client_to_it(recording) -> None:
    for name in ("kill-server", "restart-server"):
        cell = recording[1][name]
        assert cell.noticed is not None
        assert cell.noticed.by == "a FIN from the peer"
        assert cell.messages[-1].fate == "delivered"


def test_a_server_that_clients_share_is_frozen_once_and_each_sees_it(recording) -> None:
    made, cells = recording
    events = read_events(made.cell(SEVERAL).events)
    signals = [event.data["signal"] for event in events if event.what == "signal"]
    assert signals == ["SIGSTOP", "SIGCONT"]
    for who in ("a", "b", "c"):
        assert cells[f"{SEVERAL}.{who}"].outcome is Outcome.PASS
        assert len(cells[f"{SEVERAL}.{who}"].faults[0].acts) == 2


def test_what_a_program_has_started_is_frozen_with_it(recording) -> None:
    """The shell is the program; its consumer is a child, which takes nothing while it is frozen."""
    made, cells = recording
    (effect,) = cells["family"].faults
    assert cells["family"].outcome is Outcome.PASS
    frozen, thawed = effect.began_ns, effect.healed_ns
    words = [event.t for event in read_events(made.cell("family").events)
             if event.lane == "client.app" and event.what == "got"]
    assert words
    assert not [t for t in words if frozen + 100_000_000 < t < thawed]


def test_the_end_of_a_killed_client_is_no_noticing(recording) -> None:
    cells = recording[1]
    assert headline(cells["kill-client"]).startswith(
        "the fault ended the client itself, and it was started again"
    )
    assert headline(cells["term-client"]).startswith("the fault ended the client itself;")
    assert cells["kill-client"].noticed is None
    assert cells["term-client"].noticed is None
    assert cells["kill-client"].messages[-1].fate == "delivered"
