"""phpredis in the real lab, beside the claims that were made of phpredis 4.0 on PHP 7.1.

Each test's docstring holds the claim; what is asserted is what this machine's version does
(reports/examples/phpredis.md has the table, for 5.3.7 on PHP 8.2). A client's own timeout comes
late on a busy machine and never early.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from netdiag.analysis.wire import Frame, read_tape
from netdiag.catalogue import PhpRedisClient
from netdiag.clients.phpredis import version
from netdiag.errors import LabError
from netdiag.recording import CellFiles
from tests.run.running import Home, ended, needs_lab

if TYPE_CHECKING:
    from collections.abc import Mapping

WHY_NOT = ""
try:
    version(PhpRedisClient())
except LabError as missing:
    WHY_NOT = str(missing)
pytestmark = [needs_lab, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)]

BLOCKED = """
name: blocked
server: {config: {tcp-keepalive: 2}}
client: {kind: phpredis}
workload: {key: jobs, after_error: exit}
faults: [{name: cut, at: {phase: blocked, after: 300ms}, do: blackhole}]
matrix:
  client.settings:
    five: {read_timeout: 5s}
    never: {read_timeout: null}
    zero: {read_timeout: 0}
    option-2-ini-4: {read_timeout: 2s, default_socket_timeout: 4s}
    option-4-ini-2: {read_timeout: 4s, default_socket_timeout: 2s}
    ini-2: {default_socket_timeout: 2s}
duration: 8s
"""
AGAIN = """
name: again
server: {config: {tcp-keepalive: 2}}
workload:
  key: jobs
  after_error: {pause: 500ms}
  produce: [{at: {event: healed, after: 1500ms}, count: 1}]
faults: [{name: cut, at: {phase: blocked, after: 300ms}, do: blackhole, for: 4s}]
matrix:
  client:
    object: {kind: phpredis, mode: bare, settings: {read_timeout: 2s, connect_timeout: 1s}}
    loop: {kind: phpredis, mode: loop, settings: {read_timeout: 2s, connect_timeout: 1s}}
duration: 8s
"""
CONNECTING = """
name: connecting
client: {kind: phpredis}
workload: {key: jobs, after_error: exit}
faults: [{name: cut, at: connecting, do: blackhole}]
matrix:
  client.settings:
    two: {connect_timeout: 2s}
    unset: {default_socket_timeout: 2s}
duration: 5s
"""
IN_FLIGHT = """
name: in-flight
server: {config: {tcp-keepalive: 300}}
client: {kind: phpredis, settings: {read_timeout: 3s}}
workload: {key: jobs, after_error: exit}
faults: [{name: cut, at: request_in_flight, do: blackhole, for: 5s}]
duration: 9s
"""
HEALED = """
name: healed
client: {kind: phpredis, settings: {read_timeout: null}}
workload:
  key: jobs
  after_error: exit
  produce: [{at: {event: healed, after: 2s}, count: 1}]
faults: [{name: cut, at: request_in_flight, do: blackhole, for: 3s}]
duration: 8s
"""
PCONNECT = """
name: pconnect
server: {config: {tcp-keepalive: 1}}
client: {kind: phpredis, settings: {pconnect: true, read_timeout: 2s}}
workload: {pattern: request, key: jobs, every: 7s, after_error: {pause: 500ms}}
faults: [{name: cut, at: {event: got, after: 100ms}, do: blackhole, for: 6s}]
duration: 10s
"""
PCONNECT_CLOSED = """
name: pconnect-closed
client: {kind: phpredis, settings: {pconnect: true, read_timeout: 2s}}
workload: {pattern: request, key: jobs, every: 1500ms, after_error: {pause: 500ms}}
faults: [{name: again, at: {event: got, after: 100ms}, do: restart}]
duration: 5s
"""
KEEPALIVE = """
name: keepalive
server: {config: {tcp-keepalive: 0}}
client: {kind: phpredis, settings: {read_timeout: null}}
workload: {key: jobs, after_error: exit}
faults: [{name: cut, at: 34s, do: blackhole}]
matrix:
  client.settings.keepalive: {ten: 10, off: off}
  hosts.client:
    lowered: {net.ipv4.tcp_keepalive_time: 15, net.ipv4.tcp_keepalive_intvl: 3,
              net.ipv4.tcp_keepalive_probes: 2}
    default: {net.ipv4.tcp_keepalive_time: 7200}
  exclude: [{client.settings.keepalive: off, hosts.client: default}]
duration: 56s
"""
PATTERNS = """
name: patterns
client: {kind: phpredis, settings: {read_timeout: null}}
workload: {key: jobs, produce: [{at: 800ms, count: 2}]}
matrix:
  workload:
    brpop: {pattern: brpop}
    blpop: {pattern: blpop}
    bzpopmin: {pattern: bzpopmin}
    blmove: {pattern: blmove}
    xreadgroup: {pattern: xreadgroup, block: 1s, reaper: {idle: 1s}}
    subscribe: {pattern: subscribe}
duration: 2s
"""
RESTARTED = """
name: restarted
workload:
  pattern: xreadgroup
  key: jobs
  after_error: {pause: 500ms}
  produce: [{at: {event: active, after: 1s}, count: 1}]
faults: [{name: again, at: {phase: blocked, after: 300ms}, do: restart}]
matrix:
  client:
    object: {kind: phpredis, mode: bare, settings: {read_timeout: null}}
    loop: {kind: phpredis, mode: loop, settings: {read_timeout: null}}
duration: 4s
"""
SCENARIOS = (RESTARTED, PATTERNS, BLOCKED, AGAIN, CONNECTING, IN_FLIGHT, HEALED, PCONNECT,
             PCONNECT_CLOSED, KEEPALIVE)


@dataclass(frozen=True)
class Seen:
    """A cell's recording: the client's own words, the sockets, the frames that were sent."""

    app: tuple[dict[str, Any], ...]
    sockets: tuple[dict[str, Any], ...]
    frames: tuple[Frame, ...]

    def when(self, what: str, outcome: str | None = None, nth: int = 0) -> float:
        found = [one["t"] for one in self.app
                 if one["what"] == what and outcome in (None, one["outcome"])]
        return found[nth] / 1e9

    def said(self, what: str) -> list[str]:
        return [one["data"].get("message", "") for one in self.app if one["what"] == what]

    def sent(self, label: str, after: float = 0.0) -> list[float]:
        """When the client sent frames of a label."""
        return [one.t / 1e9 for one in self.frames
                if one.side == 0 and one.label == label and one.t / 1e9 > after]

    def last_state(self) -> str:
        """Of the first connection's socket at the client."""
        first = self.sockets[0]["client"]
        return [one["state"] for one in self.sockets if one["client"] == first][-1]


def seen(files: CellFiles) -> Seen:
    rows = [json.loads(line) for line in files.events.read_text().splitlines()]
    offset = next(row["data"]["wall_offset"] for row in rows if "wall_offset" in row["data"])
    wire = read_tape(files.tape, offset, frozenset({"BRPOP"}))
    return Seen(
        tuple(row for row in rows if row["lane"] == "client.app" and row["what"] != "sleep"),
        tuple({**row["data"], "t": row["t"]} for row in rows
              if row["lane"] == "client.kernel" and row["what"] == "socket"),
        tuple(wire.frames),
    )


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Seen]:
    """All scenarios at the same time: most of it is waiting. cell -> what was recorded."""
    homes = [Home(tmp_path_factory.mktemp("phpredis")) for _ in SCENARIOS]
    running = [home.start("run", home.write(text), "--out", home.out, "--jobs", "6")
               for home, text in zip(homes, SCENARIOS, strict=True)]
    found = {}
    for home, process in zip(homes, running, strict=True):
        with process:
            done = ended(process, 150)
        assert done.code in (0, 2), done.err  # 2: `zero` ends before its fault
        for root in home.out.glob("*/20*/cells/*"):
            scenario = root.parent.parent.parent.name
            name = scenario if root.name == scenario else f"{scenario}.{root.name}"
            found[name] = seen(CellFiles(root))
    return found


@pytest.mark.parametrize("pattern", [
    "brpop", "blpop", "bzpopmin", "blmove", "xreadgroup", "subscribe"])
def test_every_pattern_is_followed_to_its_end(cells, pattern):
    said = [(one["what"], one["data"]["id"]) for one in cells[f"patterns.{pattern}"].app
            if "id" in one["data"]]
    ends = ["acknowledged"] if pattern in ("blmove", "xreadgroup") else []
    words = ["got", "processed", *ends]
    assert said == [(word, message) for message in ("m1", "m2") for word in words]


READ_ERROR = "read error on connection to 10.0.0.2:6379"


def test_a_read_timeout_of_5_s_raises_after_5_s_and_leaves_fin_wait_1(cells):
    """Claim: brPop throws `read error on connection` after 5 s; the socket stays in FIN-WAIT-1."""
    cell = cells["blocked.five"]
    assert cell.said("error") == [READ_ERROR]
    assert 5.0 <= cell.when("error") - cell.when("call") < 7.0
    assert len(cell.sent("fin")) == 1
    assert len(cell.sent("fin_retransmission")) >= 2
    assert cell.last_state() == "FIN-WAIT-1"


def test_without_a_timeout_and_keepalive_it_hangs_to_the_end(cells):
    """Claim: OPT_READ_TIMEOUT -1 hangs for ever, long after the server has forgotten it."""
    cell = cells["blocked.never"]
    assert [one["what"] for one in cell.app] == ["start", "connect", "connect", "call"]
    assert [one.label for one in cell.frames if one.side == 1][-1] == "rst"
    assert cell.last_state() == "ESTABLISHED"
    assert cell.sockets[-1]["timer"] == "none"


def test_a_read_timeout_of_0_ends_every_read_at_once(cells):
    """Claim: 0 means default_socket_timeout. With setOption it does not: the read fails at once."""
    cell = cells["blocked.zero"]
    assert cell.said("error") == [READ_ERROR]
    assert cell.when("error") - cell.when("call") < 1.5


@pytest.mark.parametrize(("name", "seconds"), [
    ("option-2-ini-4", 2.0), ("option-4-ini-2", 4.0), ("ini-2", 2.0),
])
def test_the_option_beats_default_socket_timeout(cells, name, seconds):
    """Claim: OPT_READ_TIMEOUT wins over php.ini, which holds when the option is not set."""
    cell = cells[f"blocked.{name}"]
    assert cell.said("error") == [READ_ERROR]
    assert seconds <= cell.when("error") - cell.when("call") < seconds + 1.9


def test_the_broken_object_dials_again_at_its_next_call(cells):
    """Claim: the next brPop on the object fails at once with `went away`, and nothing is sent. Here
    it dials again by itself, which the SYNs show, and fails when nobody answers; once the path is
    whole the same object gets its element.
    """
    cell = cells["again.object"]
    first_error = cell.when("error")
    syns = cell.sent("syn", after=first_error)
    assert syns
    assert min(syns) > cell.when("call", nth=1)
    assert set(cell.said("error")[1:3]) <= {"Redis server 10.0.0.2:6379 went away", READ_ERROR}
    assert "Redis server 10.0.0.2:6379 went away" in cell.said("error")
    assert len([one for one in cell.app if one["what"] == "connect"]) == 2, "of the script's own"
    assert cell.when("got") > first_error


def test_the_loop_dials_until_it_succeeds_and_leaves_a_fin_wait_1_behind(cells):
    """Claim: each round leaves a socket in FIN-WAIT-1 and dials from another port."""
    cell = cells["again.loop"]
    failed = [one for one in cell.app if (one["what"], one["outcome"]) == ("connect", "fail")]
    assert failed
    assert cell.said("error")[0] == READ_ERROR
    assert set(cell.said("error")[1:]) <= {"Connection timed out", READ_ERROR}
    assert len({one.client for one in cell.frames}) >= 3
    assert any(one["state"] == "FIN-WAIT-1" and one["orphan"] for one in cell.sockets)
    assert cell.when("got") > cell.when("connect", "ok", nth=1)


@pytest.mark.parametrize("name", ["two", "unset"])
def test_a_connect_timeout_of_2_s_ends_the_dial_into_a_black_hole(cells, name):
    """Claim: connect() with 2 s fails after 2 s. Unset it is php.ini's default_socket_timeout."""
    cell = cells[f"connecting.{name}"]
    assert cell.said("error") == ["Connection timed out"]
    assert 2.0 <= cell.when("error") - cell.when("connect", "start") < 4.0
    assert len(cell.sent("syn") + cell.sent("syn_retransmission")) >= 2


def test_cut_in_flight_it_is_retransmitted_and_a_fin_waits_behind_it(cells):
    """Claim: the request is retransmitted until the read timeout, then comes the FIN. The socket is
    in FIN-WAIT-1 from then on, but its FIN waits behind the request, which goes on being
    retransmitted, and leaves when the path is whole and the request is acknowledged at last.
    """
    cell = cells["in-flight"]
    assert cell.said("error") == [READ_ERROR]
    assert 3.0 <= cell.when("error") - cell.when("call") < 5.0
    closed = next(one["t"] for one in cell.sockets if one["state"] == "FIN-WAIT-1") / 1e9
    before = cell.sent("tail_loss_probe") + cell.sent("rto_retransmission")
    assert len([t for t in before if t < closed]) >= 3
    arrived = next(one.t / 1e9 for one in cell.frames
                   if one.label == "rto_retransmission" and not one.taken)
    assert arrived > closed
    [fin, *_] = cell.sent("fin")
    assert fin > arrived


@pytest.mark.parametrize("name", ["object", "loop"])
def test_an_error_that_the_server_answers_is_told_and_not_asked_for_at_once_again(cells, name):
    """phpredis throws nothing: xReadGroup is false, as for an empty stream, and getLastError tells.
    After a restart without persistence there is no group.
    """
    cell = cells[f"restarted.{name}"]
    first, *_ = cell.said("error")
    assert first == READ_ERROR, "the FIN of the server that is killed"
    groupless = [one["t"] / 1e9 for one in cell.app if one["what"] == "error"
                 and one["data"]["message"].startswith("NOGROUP")]
    assert groupless
    assert {one["data"]["type"] for one in cell.app if one["what"] == "error"} == {
        "RedisException", "LastError"}
    assert all(later - sooner >= 0.5
               for sooner, later in itertools.pairwise(groupless))


def test_healed_before_the_retries_end_the_same_call_returns_its_element(cells):
    """Claim: the call goes on as if nothing had been."""
    cell = cells["healed"]
    assert [one["what"] for one in cell.app][:5] == ["start", "connect", "connect", "call", "got"]
    assert len({one.client for one in cell.frames}) == 1


def test_pconnect_hands_out_the_dead_connection(cells):
    """Claim: pconnect() gives the dead connection to the next request, which fails. Here it is
    tried first with an ECHO, which meets the RST; pconnect dials anew, and throws all the same.
    """
    cell = cells["pconnect"]
    first = cell.frames[0].client
    echo = next(one for one in cell.frames if b"ECHO" in one.segment.payload)
    assert echo.client == first, "on the old connection"
    answer = next(one for one in cell.frames if one.side == 1 and one.t > echo.t)
    assert (answer.client, answer.label) == (first, "rst")
    assert cell.said("error") == [READ_ERROR]
    assert [one["data"]["id"] for one in cell.app if one["what"] == "got"] == ["r1", "r3"]


def test_pconnect_to_a_peer_that_has_closed_dials_anew_and_nobody_notices(cells):
    """Claim: pconnect() gives the dead connection to the next request, which fails. Where the FIN
    of the peer has come, it is seen before anything is sent.
    """
    cell = cells["pconnect-closed"]
    first = cell.frames[0].client
    (end,) = [one for one in cell.frames if one.side == 1 and one.label == "fin"
              and one.client == first]
    later = [one for one in cell.frames if one.client == first and one.side == 0 and one.t > end.t]
    assert not any(one.segment.payload for one in later), "no request goes to the dead connection"
    assert cell.said("error") == []
    assert [one["data"]["id"] for one in cell.app if one["what"] == "got"][:2] == ["r1", "r2"]
    assert len({one.client for one in cell.frames}) == 2


def test_tcp_keepalive_is_only_a_switch(cells):
    """Claim: OPT_TCP_KEEPALIVE 10 is not 10 s; the kernel's timer shows the system's 2 hours."""
    cell = cells["keepalive.ten.default"]
    connected = next(one for one in cell.app if "kept" in one["data"])
    assert connected["data"]["kept"]["OPT_TCP_KEEPALIVE"] == 1
    waits = [one["expires_ms"] for one in cell.sockets if one["timer"] == "keepalive"]
    assert 7_190_000 < max(waits) <= 7_200_000
    off = cells["keepalive.off.lowered"]
    assert {one["timer"] for one in off.sockets} <= {"none", "retransmission"}


def test_with_the_sysctl_lowered_probes_leave_every_15_s_and_are_answered_until_the_cut(cells):
    """Claim: with tcp_keepalive_time=15 probes leave every 15 s. Cut, the next go unanswered, and
    after the last one brPop fails.
    """
    cell = cells["keepalive.ten.lowered"]
    call, probes = cell.when("call"), cell.sent("keepalive_probe")
    gaps = [one - two for one, two in zip(probes[:2], [call, *probes], strict=False)]
    assert all(14.5 <= gap < 17.5 for gap in gaps), gaps
    answers = [one for one in cell.frames if one.label == "keepalive_answer"]
    assert len(answers) == 2
    unanswered = probes[2:]
    assert len(unanswered) == 2
    assert all(one.taken for one in cell.frames if one.t / 1e9 in unanswered)
    assert cell.said("error") == [READ_ERROR]
    assert cell.when("error") - unanswered[-1] < 5.0
    assert cell.last_state() != "FIN-WAIT-1", "the kernel has given the connection up"
