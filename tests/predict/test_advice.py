"""Advice: as patient as the target allows, and only what a client can be told."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.catalogue.phpredis import PhpRedisClient
from netdiag.catalogue.redis_py import RedisPyClient
from netdiag.faults.fault import Fault
from netdiag.faults.trigger import PhaseTrigger, TimeTrigger
from netdiag.predict import Kernel, predict
from netdiag.predict.advice import DANGERS, Advice, advise, recommended
from netdiag.predict.knobs import Wish
from netdiag.scenario import expand, loads
from netdiag.scenario.workload import Produce

if TYPE_CHECKING:
    from netdiag.catalogue.clients import Client
    from netdiag.scenario.plan import Cell

SOON = 0.35
"""When the message comes whose reply is lost: as soon as the client surely waits, s."""
HOST = Kernel.of("6.18.44", hz=250)


def asked(within: float = 30.0, client: Client | None = None, pattern: str = "brpop",
          version: str = "8.1.0") -> tuple[Advice, ...]:
    return advise(Wish(within, client or RedisPyClient(), pattern, HOST, version))


def of(advice: tuple[Advice, ...], *words: str) -> Advice:
    """The set of these settings; what it switches off is not counted."""
    return next(one for one in advice[1:] if {
        word.partition(":")[0] for word in one.settings if not word.endswith("null")
    } - {"workload.block"} == set(words))


@pytest.mark.parametrize(("words", "covered"), [
    param(("read_timeout",), {"idle", "request", "reply", "frozen", "zero_window"}, id="read"),
    param(("keepalive",), {"idle", "reply"}, id="keepalive never asks whether the server works"),
    param(("keepalive", "user_timeout"), {"idle", "request", "reply", "zero_window"},
          id="each alone misses what the other has"),
    param(("read_timeout", "connect_timeout"),
          {"idle", "request", "reply", "frozen", "zero_window", "dial"}, id="everything"),
])
def test_what_a_set_covers(words: tuple[str, ...], covered: set[str]) -> None:
    assert of(asked(), *words).covered == covered


def test_the_smallest_set_that_covers_most_is_recommended() -> None:
    best = recommended(asked())
    assert [word.partition(":")[0] for word in best.settings] == [
        "read_timeout", "workload.block", "connect_timeout"]


def test_a_switch_makes_the_timings_the_systems() -> None:
    """phpredis' OPT_TCP_KEEPALIVE; it has no TCP_USER_TIMEOUT either."""
    advice = asked(client=PhpRedisClient())
    keepalive = next(one for one in advice[1:] if "keepalive: on" in one.settings)
    assert keepalive.settings[2:] == (
        "hosts.client.net.ipv4.tcp_keepalive_time: 18",
        "hosts.client.net.ipv4.tcp_keepalive_intvl: 3",
        "hosts.client.net.ipv4.tcp_keepalive_probes: 3")
    assert not any("user_timeout" in word for one in advice for word in one.settings)
    assert any("tcp_retries2: 5" in word for one in advice for word in one.settings)


def test_what_the_library_does_by_itself_comes_first() -> None:
    """redis-py 8 notices an idle cut in 5 s, at the price of a reconnect every 5 s; 7 never."""
    assert asked()[0].false_timeouts_per_hour == 720
    assert asked()[0].covered >= {"idle", "request", "reply", "frozen"}
    assert asked(version="7.0")[0].covered == set()


def test_a_read_timeout_leaves_room_for_the_commands_own() -> None:
    one = of(asked(), "read_timeout")
    assert one.settings == ("read_timeout: 29.8s", "workload.block: 27s")
    assert one.false_timeouts_per_hour == 0
    assert one.empty_replies_per_hour == pytest.approx(3600 / 27, abs=0.1)
    short = of(asked(2.0), "read_timeout")
    assert short.settings == ("read_timeout: 1.8s",)  # no whole second is left for the command
    assert short.false_timeouts_per_hour > 1800


@pytest.mark.parametrize(("client", "version", "heeds"), [
    param(RedisPyClient(), "8.1.0", False, id="redis-py 8 listens without a limit"),
    param(RedisPyClient(), "7.0", True, id="redis-py 7 heeds it"),
    param(PhpRedisClient(), "8.1.0", True, id="phpredis heeds it"),
])
def test_a_subscriber_is_told_only_what_it_heeds(
    client: Client, version: str, *, heeds: bool
) -> None:
    advice = asked(client=client, pattern="subscribe", version=version)
    told = {word.partition(":")[0] for one in advice[1:] for word in one.settings}
    assert ("read_timeout" in told) is heeds
    assert "workload.block" not in told  # SUBSCRIBE has no timeout of its own
    assert any("frozen" in one.covered for one in advice) is heeds


def test_a_request_has_no_timeout_of_its_own() -> None:
    assert not any("workload.block" in word for one in asked(pattern="request")
                   for word in one.settings)


@pytest.mark.parametrize(("pattern", "words"), [
    param("brpop", "one message for each cut", id="a popped message is gone"),
    param("blmove", "no message", id="a processing list keeps it"),
    param("xreadgroup", "no message", id="a pending list keeps it"),
    param("subscribe", "every message that is published", id="nobody keeps it"),
])
def test_what_is_at_risk(pattern: str, words: str) -> None:
    assert asked(pattern=pattern)[1].costs[-1].startswith(words)


def test_who_is_never_told_can_be_told_nothing() -> None:
    """redis-py 8's asyncio subscriber takes ETIMEDOUT for nothing heard."""
    with pytest.raises(ValueError, match="an asyncio subscriber of this redis-py is never told"):
        asked(client=RedisPyClient(mode="asyncio"), pattern="subscribe")
    assert asked(client=RedisPyClient(mode="asyncio"), pattern="subscribe", version="7.0")


CLIENTS = {"redis-py 8": ("redis-py", "sync", "8.1.0"), "redis-py 7": ("redis-py", "sync", "7.0"),
           "asyncio": ("redis-py", "asyncio", "8.1.0"), "phpredis": ("phpredis", "loop", "8.1.0")}


def written(one: Advice, kind: str, mode: str, pattern: str) -> Cell:
    """A scenario with exactly the settings that were printed, and a fault for each danger."""
    told = {"client.kind": kind, "client.mode": mode, "workload.pattern": pattern}
    lines = [f"{path}={value}" for path, value in told.items()]
    for word in one.settings:
        path, _, value = word.partition(": ")
        top = path.startswith(("workload.", "hosts."))
        lines.append(f"{path if top else 'client.settings.' + path}={value}")
    return expand(loads("name: written\n", settings=lines)).cells[0]


ASKED = [(client, pattern) for client in CLIENTS
         for pattern in ("brpop", "blmove", "xreadgroup", "subscribe", "request")
         if (client, pattern) != ("asyncio", "subscribe")]


@pytest.mark.parametrize(("client", "pattern"), ASKED)
@pytest.mark.parametrize("within", [9.0, 30.0, 90.0])
def test_what_is_printed_does_what_is_promised(client: str, pattern: str, within: float) -> None:
    kind, mode, version = CLIENTS[client]
    who: Client = PhpRedisClient() if kind == "phpredis" else RedisPyClient(
        mode="asyncio" if mode == "asyncio" else "sync")
    pushed = (Produce(at=TimeTrigger(time=SOON)),)
    measured: tuple[dict[str, float], ...] = ({}, {"client": 0.208}, {"client": 0.232})
    for one in asked(within, who, pattern, version):
        cell = written(one, kind, mode, pattern)
        for row in one.coverage:
            danger = DANGERS[row.danger]
            if not danger.phase:
                continue  # a zero window is no fault of a scenario
            waits = danger.phase == "blocked" and pattern == "request"
            cut = replace(cell, faults=(Fault(name="cut", at=PhaseTrigger(phase=danger.phase),
                                              do=danger.verb),),
                          workload=replace(cell.workload, produce=pushed if row.danger == "reply"
                                           else (), pattern="brpop" if waits else pattern))
            for rto in measured:
                noticed = predict(cut, HOST, version=version, rto=rto).faults[0].of(danger.what)
                assert noticed is not None
                when = noticed.when
                assert (when is None) == (row.at_most is None), one.settings
                assert when is None or when.high <= (row.at_most or 0.0) + 1e-6, one.settings


def test_a_default_that_would_come_first_is_switched_off_in_the_set() -> None:
    """redis-py 8's own socket_timeout of 5 s would end every quiet call."""
    one = of(asked(), "keepalive")
    assert one.settings[0] == "read_timeout: null"
    assert one.code[0] == "socket_timeout=None"
    assert one.false_timeouts_per_hour == 0
    php = next(one for one in asked(client=PhpRedisClient()) if "keepalive: on" in one.settings)
    assert php.code[0] == "setOption(Redis::OPT_READ_TIMEOUT, -1)"
    assert asked(version="7.0")[1].settings[0] != "read_timeout: null"


@pytest.mark.parametrize("within", [3.0, 30.0])
def test_what_a_program_writes_can_be_written(within: float) -> None:
    """Each keyword once, and none that redis-py does not heed by itself or takes no number for."""
    for one in asked(within):
        code = ", ".join(one.code)
        assert code.count("socket_keepalive_options=") <= 1
        assert not re.search(r"socket_keepalive_options=\{[^}]*USER_TIMEOUT", code)
        assert "retry=0" not in code


def test_probes_come_only_into_silence_that_lasts() -> None:
    """Keepalive's 30 s are never reached where each call ends after 5 s, or after 27 s."""
    assert asked()[0].probes_per_hour == 0
    assert of(asked(), "read_timeout").probes_per_hour == 0
    assert of(asked(), "keepalive").probes_per_hour == 200


def test_a_target_that_the_library_meets_by_itself() -> None:
    advice = asked(90.0, pattern="request")
    assert len(advice) == 1
    assert recommended(advice) is advice[0]


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3600), st.sampled_from((RedisPyClient(), PhpRedisClient())))
def test_whatever_covers_ends_in_time_and_is_nearly_as_patient_as_can_be(
    within: int, client: Client
) -> None:
    for one in asked(float(within), client)[1:]:
        assert "idle" in one.covered
        for row in one.coverage:
            assert row.within == (row.at_most is not None and row.at_most <= within + 1e-6)
    best = [row.at_most or 0.0 for row in recommended(asked(float(within), client)).coverage
            if row.within]
    assert max(best) >= within * 0.8 - 0.3


def test_no_setting_of_a_set_is_superfluous() -> None:
    advice = asked()[1:]
    for one in advice:
        for other in advice:
            if set(other.settings) < set(one.settings):
                assert not other.covered >= one.covered


def test_a_target_that_nothing_meets_is_said() -> None:
    with pytest.raises(ValueError, match=r"no setting notices within 0\.01 s"):
        asked(0.01)
