"""Cells in, forecasts out: which timer governs in which situation, and what it looks like there.

The kernel is 6.1 at 250 Hz on a virtual clock; the sources are the kernel functions that each row
names (net/ipv4/tcp_timer.c), redis-py's retry.py, anet.c of Redis.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest import param

from netdiag.predict import FaultPrediction, Kernel, predict
from netdiag.scenario import expand, loads

KERNEL = Kernel.of("6.1.192", hz=250, virtual=True)
KEEPALIVE, RETRANSMISSION = "the kernel's keepalive timer", "the kernel's retransmission timer"
OWN, RST = "the client's own timeout", "a RST from the peer"
PROBES = {"keepalive": {"idle": "5s", "interval": "2s", "count": 3}}
Times = tuple[float, float] | None


def cell(at: Any = "blocked", do: Any = "blackhole", *, read: str | None = None, retry: int | None
         = 0, server: int = 0, block: str = "0s", produce: Any = (), sysctls: Any = None,
         lasts: str | None = None, kind: str = "redis-py", pattern: str = "brpop",
         mode: str = "", every: str = "", **settings: Any) -> FaultPrediction:
    """One fault of one cell, predicted."""
    told = {"read_timeout": read, "connect_timeout": None, **settings}
    if kind == "redis-py":
        told = {"keepalive": None, **told, **({} if retry is None else {"retry": retry})}
    fault = {"name": "cut", "at": at, "do": do, **({"for": lasts} if lasts else {})}
    text = json.dumps({
        "name": "table", "faults": [fault],
        "client": {"kind": kind, "settings": told, **({"mode": mode} if mode else {})},
        "server": {"config": {"tcp-keepalive": server}},
        "workload": {"pattern": pattern, "block": block, "produce": list(produce),
                     **({"every": every} if every else {})},
        "hosts": {host: {f"net.ipv4.{name}": value for name, value in row.items()}
                  for host, row in (sysctls or {}).items()}})
    return predict(expand(loads(text)).cells[0], KERNEL, version="8.1.0").faults[0]


def told(one: FaultPrediction, what: str, by: str, times: Times) -> None:
    forecast = one.of(what)
    assert forecast is not None, one.unsaid
    assert forecast.by == by
    if times is None:
        assert forecast.when is None
        return
    assert forecast.when is not None
    assert times[0] <= forecast.when.low <= forecast.when.high <= times[1]


FIVE = {"client": {"tcp_retries2": 5}}
NOTICED = [
    param({}, "nothing", None, id="no timer will ever fire"),
    param(PROBES, KEEPALIVE, (11.0, 11.5), id="tcp_keepalive_timer: 5 + 3 x 2"),
    param({**PROBES, "user_timeout": "10s"}, KEEPALIVE, (11.0, 11.5),
          id="the first probe after TCP_USER_TIMEOUT: 5 7 9 11"),
    param({**PROBES, "user_timeout": "30s"}, KEEPALIVE, (31.0, 31.7),
          id="TCP_USER_TIMEOUT makes the count meaningless"),
    param({"at": "request_in_flight", "sysctls": FIVE}, RETRANSMISSION, (13.2, 13.7),
          id="retransmits_timed_out: 2 RTO + T(5)"),
    param({"at": "request_delivered", "sysctls": FIVE, **PROBES}, RETRANSMISSION, (13.2, 13.7),
          id="keepalive does not probe while a request is unacknowledged"),
    param({"at": "connected", "sysctls": FIVE}, RETRANSMISSION, (13.2, 13.7),
          id="the greeting is a request, too"),
    param({"at": "request_in_flight", "user_timeout": "3s"}, RETRANSMISSION, (3.4, 3.6),
          id="tcp_clamp_rto_to_user_timeout: 2 RTO + 3"),
    param({"at": "request_in_flight", "user_timeout": "3s",
           "sysctls": {"client": {"tcp_early_retrans": 0}}}, RETRANSMISSION, (3.19, 3.4),
          id="without a tail loss probe 1 RTO + 3"),
    param({"read": "4s", **PROBES}, OWN, (3.9, 4.2), id="the read timeout comes first"),
    param({"read": "20s", **PROBES}, KEEPALIVE, (11.0, 11.5), id="keepalive comes first"),
    param({"at": "request_in_flight", "user_timeout": "3s",
           "sysctls": {"server": {"tcp_sack": 0}}}, RETRANSMISSION, (3.19, 3.4),
          id="nor where the other end has no SACK"),
    param({"at": "12s", "pattern": "request", "every": "5s", "user_timeout": "3s"},
          RETRANSMISSION, (6.3, 6.6), id="the next request comes at 15 s"),
    param({"at": {"phase": "reply_in_flight", "nth": 3}, "pattern": "request", "every": "5s",
           "user_timeout": "3s"}, RETRANSMISSION, (3.4, 3.6), id="a request that was answered"),
    param({"at": {"event": "got", "after": "2s"}, "produce": [{"at": "7s"}], **PROBES}, KEEPALIVE,
          (8.9, 9.5), id="2 s of the idle time are over"),
    param({"pattern": "subscribe", **PROBES}, KEEPALIVE, (10.9, 11.5), id="a subscriber"),
    param({"pattern": "subscribe", "mode": "asyncio", **PROBES}, "nothing", None,
          id="whose library takes ETIMEDOUT for nothing heard"),
    param({"at": "connecting", "connect_timeout": "2s"}, OWN, (2.0, 2.2), id="one dial"),
    param({"at": "connecting", "connect_timeout": "200s", "sysctls": {"client": {
        "tcp_syn_retries": 1}}}, RETRANSMISSION, (3.0, 3.1), id="the kernel gives up first"),
    param({"at": "connecting", "read": "4s"}, OWN, (4.0, 4.1), id="or its limit of a read"),
    param({"at": "connecting", "connect_timeout": "2s", "retry": 3}, OWN, (2.0, 2.2),
          id="the library dials again by itself"),
    param({"at": "connecting"}, RETRANSMISSION, (127.0, 131.5), id="SYN: 1 3 7 15 31 63 127"),
    param({"do": "freeze", **PROBES}, "nothing", None, id="the kernel answers for a frozen server"),
    param({"do": "freeze", "read": "4s", **PROBES}, OWN, (3.9, 4.2), id="the read timeout notices"),
    param({"do": "kill"}, "a FIN from the peer", (0.0, 0.2), id="the kernel closes for the dead"),
    param({"do": {"reset": {"to": "client"}}}, RST, (0.0, 0.2), id="who is told knows"),
    param({"do": {"reset": {"to": "server"}}, **PROBES}, RST, (5.0, 5.4),
          id="who is not learns by the first probe"),
    param({"do": {"reset": {"to": "server"}}}, "nothing", None, id="or never"),
    param({"at": "reply_in_flight", "produce": [{"at": "7s"}], **PROBES}, KEEPALIVE, (9.0, 9.8),
          id="a probe was answered 2 s ago, so 2 s of the idle time are over"),
    param({"at": "reply_delivered", "produce": [{"at": "7s"}], "sysctls": FIVE}, RETRANSMISSION,
          (13.6, 14.1), id="the next request follows at once"),
    param({"kind": "phpredis", "read": "4s"}, OWN, (3.9, 4.2), id="phpredis' own timeout"),
    param({"kind": "phpredis", "keepalive": "on", "sysctls": {"client": {
        "tcp_keepalive_time": 5, "tcp_keepalive_intvl": 2, "tcp_keepalive_probes": 3}}}, KEEPALIVE,
          (11.0, 11.5), id="OPT_TCP_KEEPALIVE is a switch, the timings are the host's"),
]


@pytest.mark.parametrize(("given", "by", "times"), NOTICED)
def test_what_the_client_notices(given: dict[str, Any], by: str, times: Times) -> None:
    told(cell(**given), "noticed", by, times)


def test_a_request_is_acknowledged_before_its_reply_by_a_server_that_does_not_delay() -> None:
    """The call before had to wait, so the server has given up delaying (tcp_enter_quickack_mode);
    the lost reply then carries no ACK, as a run in warp has shown."""
    pair = [{"at": "2s", "count": 2}]
    told(cell({"phase": "reply_in_flight", "nth": 2}, produce=pair, **PROBES), "noticed", KEEPALIVE,
         (11.0, 11.5))
    early = [{"at": "0s"}]
    told(cell("reply_in_flight", produce=early, sysctls=FIVE, **PROBES), "noticed", RETRANSMISSION,
         (13.2, 13.7))


LONG = {"keepalive": {"idle": "90s", "interval": "20s", "count": 4}}
MINUTE = {"phase": "blocked", "after": "60s"}


@pytest.mark.parametrize(("produce", "times"), [
    param([], (111.4, 115.6), id="none, so the last segment came with the phase"),
    param([{"at": "10s"}], (121.3, 125.7), id="one at 10 s, 50 s before"),
    param([{"at": "0s"}, {"at": "10s", "count": 3, "rate": 0.2}], (131.3, 135.7), id="the last"),
    param([{"at": {"phase": "blocked", "after": "20s"}}], (131.3, 135.7), id="after the phase"),
    param([{"at": {"event": "call", "after": "20s"}}], (131.3, 135.7), id="after the call"),
    param([{"at": {"phase": "blocked", "after": "61s"}}], (111.4, 115.6), id="after the fault"),
    param([{"at": {"event": "active"}}], (111.4, 115.6), id="because of the fault"),
    param([{"at": {"from": "server", "label": "rst"}}], (111.4, 115.6), id="because of its harm"),
])
def test_what_comes_between_a_phase_and_its_fault_is_the_last_segment(
    produce: list[Any], times: Times
) -> None:
    for pattern in ("brpop", "xreadgroup", "subscribe"):
        soon = pattern == "subscribe" and produce[:1] == [{"at": "0s"}]
        told(cell(MINUTE, produce=produce[1:] if soon else produce, pattern=pattern, **LONG),
             "noticed", KEEPALIVE, times)


@pytest.mark.parametrize(("given", "times"), [
    param({"block": "9s", "produce": [{"at": "1s"}]}, (11.0, 11.5), id="a message within block"),
    param({"read": "30s", "produce": [{"at": "1s"}]}, (11.0, 11.5), id="within the read timeout"),
    param({"block": "9s", "produce": [{"at": "10s"}]}, None, id="nil comes first"),
    param({"read": "9s", "produce": [{"at": "10s"}]}, None, id="the timeout comes first"),
])
def test_when_a_client_blocks_for_the_second_time(given: dict[str, Any], times: Times) -> None:
    one = cell({"phase": "blocked", "nth": 2}, **given, **PROBES)
    if times is not None:
        told(one, "noticed", KEEPALIVE, times)
    else:
        assert one.forecasts == ()
        assert "for the 2nd time does not follow" in one.unsaid[0]


HEALED = [
    param({"lasts": "3s", **PROBES}, "nothing", None, id="the next probe gets through"),
    param({"lasts": "10500ms", **PROBES}, "", None, id="after the last probe: nobody knows"),
    param({"lasts": "9s", "keepalive": {"idle": "20s", "interval": "2s", "count": 3}, "server": 1},
          RST, (19.9, 22.2), id="the server has forgotten, and the probe is answered with a RST"),
    param({"lasts": "9s", "server": 1}, "nothing", None, id="nothing is sent that would meet it"),
    param({"lasts": "3s", "at": "request_in_flight"}, "nothing", None, id="the next copy arrives"),
    param({"lasts": "9s", "at": "request_in_flight", "user_timeout": "3s"}, RETRANSMISSION,
          (3.4, 3.6), id="healed too late"),
    param({"lasts": "3s", "read": "4s"}, OWN, (3.9, 4.2), id="no message, so the read ends"),
    param({"lasts": "3s", "do": "freeze", "read": "4s"}, OWN, (3.9, 4.2), id="the same, thawed"),
    param({"lasts": "2s", "at": "connecting"}, "nothing", None, id="the SYN at 3 s gets through"),
    param({"lasts": "2s", "at": "connecting", "sysctls": {"client": {"tcp_syn_retries": 1}}},
          RETRANSMISSION, (3.0, 3.1), id="there is no SYN any more"),
    param({"lasts": "2s", "at": "connecting", "connect_timeout": "2500ms"}, OWN, (2.5, 2.6),
          id="the library gives up before the next SYN"),
]


@pytest.mark.parametrize(("given", "by", "times"), HEALED)
def test_what_the_client_notices_when_the_path_heals(
    given: dict[str, Any], by: str, times: Times
) -> None:
    one = cell(**given)
    if by:
        told(one, "noticed", by, times)
    else:
        assert one.forecasts == ()
        assert "hangs on its rounding" in one.unsaid[0]


@pytest.mark.parametrize(("given", "by", "times"), [
    param({"server": 6}, "the server's keepalive timer", (11.9, 12.5), id="anetKeepAlive: 6+3x2"),
    param({}, "nothing", None, id="tcp-keepalive 0: a zombie for ever"),
    param({"server": 6, "sysctls": {"server": {"tcp_retries2": 5}},
           "produce": [{"at": {"event": "active", "after": "2s"}}]},
          "the server's retransmission timer", (15.2, 15.7), id="an unacknowledged reply governs"),
    param({"server": 300, "block": "5s", "sysctls": {"server": {"tcp_retries2": 5}}},
          "the server's retransmission timer", (18.1, 19.8), id="so does the nil of the timeout"),
    param({"server": 300, "block": "5s", "pattern": "subscribe"},
          "the server's keepalive timer", (599.9, 638.0), id="a subscriber gets no nil: 300+3x100"),
    param({"at": "request_in_flight", "server": 6, "sysctls": {"server": {"tcp_retries2": 5}}},
          "the server's retransmission timer", (13.2, 13.7), id="the greeting's reply waits"),
])
def test_when_the_server_forgets(given: dict[str, Any], by: str, times: Times) -> None:
    told(cell(**given), "server", by, times)


@pytest.mark.parametrize(("given", "times"), [
    param({}, (109.0, 112.0), id="tcp_orphan_retries 0 means 8"),
    param({"sysctls": {"client": {"tcp_orphan_retries": 4}}}, (6.7, 7.1), id="T(4) = 6.2 s"),
    param({"user_timeout": "3s"}, (3.4, 3.6), id="TCP_USER_TIMEOUT is an orphan's, too"),
    param({"at": "request_in_flight"}, (102.9, 105.6), id="the clock began with the request"),
    param({"at": "request_in_flight", "sysctls": {"client": {"tcp_orphan_retries": 2}}}, (0.1, 3.6),
          id="T(2) is over when it closes: the next timeout"),
    param({"lasts": "5s"}, (3.0, 3.6), id="healed: until the next copy"),
])
def test_how_long_fin_wait_1_lasts(given: dict[str, Any], times: Times) -> None:
    told(cell(read="3s", **given), "fin_wait1", "the client's retransmission timer", times)


def test_what_the_application_sees_comes_after_the_librarys_own_repetitions() -> None:
    """redis-py 8: ten repetitions, each of eleven dials of 5 s (retry.py, connection.py)."""
    one = cell(read="5s", retry=None, connect_timeout="5s")
    told(one, "noticed", OWN, (4.9, 5.2))
    told(one, "error", OWN, (554.0, 614.0))
    dials = cell(at="connecting", connect_timeout="2s", retry=3)
    told(dials, "error", OWN, (8.1, 8.4))  # four dials and 20 + 40 + 80 ms
    healed = cell(read="5s", retry=None, connect_timeout="5s", lasts="30s")
    assert healed.of("error") is None
    assert "repeats the command by itself" in healed.unsaid[0]
    endless = cell(retry=None, connect_timeout="5s", lasts="30s", **PROBES).of("error")
    assert endless is not None
    assert endless.when is None
    assert "repeats the command by itself" in endless.text


DIALS = {"read": "4s", "connect_timeout": "5s"}


@pytest.mark.parametrize(("given", "times"), [
    param({"retry": 0}, (3.9, 4.1), id="at once"),
    param({"retry": 2}, (34.0, 34.4), id="two repetitions, each of three dials"),
    param({"retry": 2, "mode": "asyncio"}, (14.0, 14.2), id="asyncio: each of one"),
    param({"kind": "phpredis"}, (3.9, 4.1), id="phpredis repeats nothing"),
])
def test_how_often_a_library_dials_before_it_says_so(given: dict[str, Any], times: Times) -> None:
    told(cell(**DIALS, **given), "error", OWN, times)


@pytest.mark.parametrize("given", [
    param({"at": "12s", "pattern": "request", "every": "5s"}, id="between two requests"),
    param({"at": {"phase": "reply_delivered", "nth": 2}, "pattern": "request", "every": "5s"},
          id="after a reply"),
])
def test_a_pool_finds_the_dead_connection_before_the_next_call(given: dict[str, Any]) -> None:
    """redis-py's get_connection looks whether anything can be read, and dials again."""
    error = cell(do={"reset": {"to": "client"}}, **given).of("error")
    assert error is not None
    assert error.when is None
    assert "the pool finds the connection dead" in error.text


def test_a_subscriber_dials_before_it_says_so_however_often_it_was_told_to() -> None:
    """PubSub._reconnect is the failure's handler, so it comes before the count (retry.py)."""
    one = cell(pattern="subscribe", connect_timeout="5s", **PROBES)
    told(one, "error", KEEPALIVE, (15.9, 16.5))


@pytest.mark.parametrize(("given", "sentence"), [
    param({"at": {"from": "client", "label": "fin"}}, "does not follow from the settings",
          id="a packet"),
    param({"at": "0s"}, "may still be dialling", id="too early"),
    param({"at": "2s", "produce": [{"at": "2s"}]}, "a message may be on its way", id="a race"),
    param({"at": MINUTE, "produce": [{"at": {"event": "got", "after": "3s"}}]},
          "a message is pushed at 'got + 3 s', and whether that is before the fault",
          id="a message of which nobody knows when it comes"),
    param({"at": "closing"}, "has already decided to close", id="closing"),
    param({"at": {"phase": "blocked", "after": "4s"}, "block": "3s"}, "has ended that call",
          id="the call is another by then"),
    param({"at": "reply_in_flight", "read": "2s", "produce": [{"at": "5s"}]},
          "the read timeout ends the call", id="the call is over by then"),
    param({"do": {"freeze": "client"}}, "is not the network's affair", id="a frozen client"),
])
def test_what_settings_do_not_tell_is_a_sentence(given: dict[str, Any], sentence: str) -> None:
    one = cell(**given)
    assert one.of("noticed") is None
    assert sentence in one.unsaid[0]


def test_a_prediction_is_plain_json() -> None:
    text = json.dumps({"name": "x", "faults": [{"at": "blocked", "do": "blackhole"}]})
    one = predict(expand(loads(text)).cells[0], KERNEL, version="8.1.0")
    assert json.loads(json.dumps(one.to_json()))["faults"][0]["forecasts"][0]["what"] == "noticed"


def test_of_a_service_nothing_is_foretold_until_somebody_says_what_it_waits_for():
    """Its program brings settings along that no scenario names."""
    text = """
name: stack
client: {kind: service, settings: %s}
workload: {pattern: brpop}
faults: [{name: cut, at: blocked, do: blackhole}]
"""
    silent, told = (predict(expand(loads(text % written)).cells[0], KERNEL, version="").faults[0]
                    for written in ("{}", "{read_timeout: 3s}"))
    assert silent.forecasts == ()
    assert "write them in client.settings" in silent.unsaid[0]
    noticed = told.of("noticed")
    assert noticed is not None
    assert noticed.when is not None
    assert noticed.when.low > 2.9


@pytest.mark.parametrize(("pattern", "block", "read", "alarm"), [
    param("brpop", "0s", "3s", "BRPOP waits for ever and the read timeout is 3 s: ", id="for ever"),
    param("blmove", "5s", "5s", "BLMOVE waits 5 s and the read timeout is 5 s: ", id="as long"),
    param("brpop", "5s", "6s", "", id="longer"), param("brpop", "0s", None, "", id="unlimited"),
    param("subscribe", "0s", "3s", "", id="redis-py 8 reads a channel without a limit"),
    param("request", "0s", "3s", "", id="nothing that waits"),
])
def test_a_read_timeout_below_the_blocking_one_is_told_without_a_fault(
    pattern: str, block: str, read: str | None, alarm: str
) -> None:
    text = json.dumps({"name": "idle", "faults": [],
                       "client": {"settings": {"read_timeout": read, "retry": 0}},
                       "workload": {"pattern": pattern,
                                    **({} if pattern == "request" else {"block": block})}})
    told = predict(expand(loads(text)).cells[0], KERNEL, version="8.1.0").healthy
    assert [one[:len(alarm)] for one in told] == ([alarm] if alarm else [])


@pytest.mark.parametrize(("client", "block", "version", "noticed"), [
    param("mode: sync", "0s", "8.1.0", KEEPALIVE, id="the blocking client is told"),
    param("mode: sync", "2s", "8.1.0", KEEPALIVE, id="in turns, too"),
    param("mode: asyncio", "0s", "8.1.0", "nothing", id="since 8.0 listening has no limit"),
    param("mode: asyncio", "0s", "7.4.1", OWN, id="before it had the read timeout"),
    param("mode: sync", "2s", "7.4.1", KEEPALIVE, id="which in turns is never reached"),
    param("mode: asyncio", "2s", "4.6.0", "nothing", id="a turn's end and ETIMEDOUT look alike"),
    param("{mode: asyncio, python: redis-py==8.1}", "0s", "", "nothing", id="an environment"),
    param("{mode: asyncio, python: /bin/python3.10}", "0s", "8.1.0", "", id="nobody knows whose"),
])
def test_which_subscriber_is_told_that_its_kernel_gave_up(
    client: str, block: str, version: str, noticed: str
) -> None:
    """Measured with redis-py 4.6.0, 5.0.8, 7.4.1, 8.0.1 and 8.1.0 on Python 3.10, 3.11 and 3.12."""
    rest = client.strip("{}")
    text = f"""
name: deaf
client:
  {{kind: redis-py, {rest}, settings: {{read_timeout: 9s, retry: 0, connect_timeout: 1s,
    keepalive: {{idle: 3s, interval: 1s, count: {9 if noticed == OWN else 3}}}}}}}
workload: {{pattern: subscribe, block: {block}}}
faults: [{{name: cut, at: blocked, do: blackhole}}]
"""
    one = predict(expand(loads(text)).cells[0], KERNEL, version=version).faults[0]
    forecast = one.of("noticed")
    assert (forecast.by if forecast is not None else "") == noticed
    if not noticed:
        assert "hangs on its Python" in one.unsaid[0]
