"""The timers: against a translation of the kernel's C, against measurements; and invariants."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pytest import param

from netdiag.predict import Kernel, Span, Wheel, retransmission, timers
from netdiag.predict.kernel import RANGES
from netdiag.predict.wheel import ROUND, ZERO

from .kernels import Jiffies, data_dies, keepalive_dies, model_timeout

HZ = st.sampled_from((100, 250, 300, 1000))
USER_TIMEOUT = st.none() | st.integers(200, 200_000)


def kernel(hz: int, rto: int | None = None, **sysctls: int) -> Kernel:
    """A kernel on a virtual clock whose first timeout is so many ticks."""
    exact = Wheel(hz, tardy=0.0, seen=0.0)
    one = Kernel(release=(6, 1), wheels=(exact,), sysctls=sysctls, virtual=True)
    return one if rto is None else replace(one, rto_measured=rto / hz)


def in_phase(one: Kernel, clock: int) -> Kernel:
    """The same, whose count of ticks is known where its timers begin."""
    return replace(one, phase=clock % ROUND).at(ZERO)


def inside(ticks: int, when: Span, hz: int) -> bool:
    """Whether a moment is where it was foretold, wherever in its tick the event came before it."""
    return all(
        any(piece.low - 1e-6 <= seconds <= piece.high + 1e-6 for piece in when.pieces)
        for seconds in (ticks / hz, max(0.0, (ticks - 0.999) / hz))
    )


@pytest.mark.parametrize(("retries", "seconds"), [
    (0, 0.2), (3, 3.0), (5, 12.6), (6, 25.4), (8, 102.2), (9, 204.6), (10, 324.6), (15, 924.6),
])
def test_the_modelled_timeout_is_the_kernels(retries: int, seconds: float) -> None:
    """tcp_model_timeout in net/ipv4/tcp_timer.c."""
    assert Kernel().model(retries) == pytest.approx(seconds)
    assert model_timeout(retries) == pytest.approx(seconds * 1000)


@settings(deadline=None)
@given(HZ, st.integers(0, 1 << 20), st.integers(200, 400), st.integers(0, 17), USER_TIMEOUT,
       st.booleans())
@example(300, 2, 361, 0, 837, False)  # 224 ticks of a 300th are 746.7 ms, and count as 747
def test_unacknowledged_data_dies_where_it_is_foretold(
    hz: int, clock: int, rto_ms: int, retries: int, user_ms: int | None, tlp: bool
) -> None:
    """tcp_retransmit_timer, retransmits_timed_out, tcp_clamp_rto_to_user_timeout."""
    rto = -(-rto_ms * hz // 1000)
    died = data_dies(Jiffies(hz, clock), rto, retries2=retries, user_ms=user_ms or 0, tlp=tlp)
    one = kernel(hz, rto, tcp_retries2=retries, tcp_early_retrans=3 if tlp else 0)
    limit = user_ms and user_ms / 1000
    anywhere = retransmission.data_dies(one, limit)
    known = retransmission.data_dies(in_phase(one, clock), limit)
    assert inside(died, anywhere, hz)
    assert inside(died, known, hz)
    assert known.width <= anywhere.width + one.pace.waking.high


@settings(deadline=None)
@given(HZ, st.integers(0, 1 << 20), st.integers(200, 400), st.integers(0, 12),
       st.integers(500, 150_000), USER_TIMEOUT)
def test_an_orphan_dies_where_it_is_foretold(
    hz: int, clock: int, rto_ms: int, retries: int, closed_ms: int, user_ms: int | None
) -> None:
    """tcp_orphan_retries, tcp_write_timeout: what came before the close is the owner's."""
    assume(user_ms is None or user_ms > closed_ms)
    rto = -(-rto_ms * hz // 1000)
    died = data_dies(Jiffies(hz, clock), rto, retries2=255, orphan=retries, closed_ms=closed_ms,
                     user_ms=user_ms or 0)
    one = kernel(hz, rto, tcp_orphan_retries=retries, tcp_retries2=255)
    closed, limit = Span(closed_ms / 1000 - 1 / hz, closed_ms / 1000), user_ms and user_ms / 1000
    for sure in (one, in_phase(one, clock)):
        assert inside(died, retransmission.data_dies(sure, limit, closed=closed), hz)


@settings(deadline=None)
@given(HZ, st.integers(0, 1 << 20), st.integers(1, 8000), st.integers(1, 100), st.integers(1, 9),
       USER_TIMEOUT, st.integers(0, 60))
def test_an_idle_socket_dies_where_it_is_foretold(
    hz: int, clock: int, idle: int, interval: int, count: int, user_ms: int | None, later: int
) -> None:
    """tcp_keepalive_timer; the timer may have been set before the last segment came."""
    died = keepalive_dies(Jiffies(hz, clock), idle * hz, interval * hz, count, user_ms=user_ms or 0,
                          heard_later=min(later, idle * hz - 1))
    when = timers.keepalive_dies(kernel(hz), (idle, interval, count), user_ms and user_ms / 1000)
    assert inside(died, when, hz)


HOST = Kernel.of("6.18.44", hz=250)
OLD = Kernel.of("6.1.192", hz=250)
MEASURED = [
    param(timers.syn_dies(HOST), 133.7, id="SYN, since 6.5 with linear retries"),
    param(timers.syn_dies(OLD), 130.0, id="SYN, before"),
    param(timers.syn_ack_dies(HOST), 65.1, id="SYN-ACK"),
    param(timers.keepalive_dies(HOST, (5, 3, 3)), 14.37, id="keepalive 5/3/3"),
    param(timers.keepalive_dies(HOST, (1, 11, 3)), 34.2, id="keepalive 1/11/3"),
    param(timers.keepalive_dies(HOST, (1, 11, 3), 12.5), 23.1, id="with TCP_USER_TIMEOUT 12.5"),
    param(timers.keepalive_dies(HOST, (1, 11, 3), 33.5), 34.1, id="with TCP_USER_TIMEOUT 33.5"),
    param(retransmission.data_dies(HOST), 938.0, id="one segment, tcp_retries2 15"),
    param(retransmission.data_dies(HOST, 10.0), 10.6, id="TCP_USER_TIMEOUT 10"),
    param(retransmission.data_dies(HOST, 41.0), 41.6, id="TCP_USER_TIMEOUT 41"),
    param(retransmission.data_dies(replace(HOST, sysctls={"tcp_retries2": 8})), 107.2,
          id="retries2 8"),
    param(retransmission.data_dies(HOST, closed=Span(0.0, 0.0)), 107.6,
          id="FIN-WAIT-1 of an orphan"),
    param(timers.fin_wait2(HOST), 61.2, id="FIN-WAIT-2, tcp_fin_timeout 60"),
    param(timers.fin_wait2(replace(HOST, sysctls={"tcp_fin_timeout": 10})), 10.3,
          id="FIN-WAIT-2, tcp_fin_timeout 10"),
    param(timers.keepalive_dies(Kernel.of("6.1.192", hz=100, virtual=True), (7200, 75, 9)), 8199.16,
          id="two hours in a guest at 100 Hz"),
]


@pytest.mark.parametrize(("when", "seconds"), MEASURED)
def test_what_was_measured_on_real_kernels(when: Span, seconds: float) -> None:
    """Experiments after Cloudflare's "When TCP sockets refuse to die", on loopback at 250 Hz."""
    assert when.low - 0.06 <= seconds <= when.high + 0.06


@pytest.mark.parametrize(("release", "sysctls", "low", "high"), [
    param("6.1", {}, 127, 131.3, id="1 3 7 15 31 63 127"),
    param("6.18", {}, 131, 136, id="four more that do not double"),
    param("6.18", {"tcp_syn_linear_timeouts": 0}, 127, 131.3, id="as before 6.5"),
    param("6.18", {"tcp_syn_retries": 1}, 3, 3.3, id="T(1) is over before the count"),
    param("6.1", {"tcp_syn_retries": 2}, 7, 7.4, id="1 3 7"),
])
def test_a_syn(release: str, sysctls: dict[str, int], low: float, high: float) -> None:
    """tcp_write_timeout: the count with tcp_syn_linear_timeouts, or T(N) since connect()."""
    when = timers.syn_dies(replace(Kernel.of(release, hz=250), sysctls=sysctls))
    assert low <= when.low <= when.high <= high


def test_what_a_release_does_not_know_is_not_reckoned_with() -> None:
    lower = {"tcp_rto_max_ms": 10_000, "tcp_rto_min_us": 50_000}
    assert replace(OLD, sysctls=lower).rto_max == 120.0
    assert replace(OLD, sysctls=lower).rto_min == 0.2
    assert replace(HOST, sysctls=lower).rto_max == 10.0
    shorter = retransmission.data_dies(replace(HOST, sysctls=lower))
    assert shorter.high < retransmission.data_dies(HOST).low


def test_the_timer_counts_from_the_first_copy_not_from_the_probe() -> None:
    """2 RTO before the clock of TCP_USER_TIMEOUT starts, 1 without a tail loss probe."""
    without = replace(OLD, sysctls={"tcp_early_retrans": 0})
    assert retransmission.data_dies(OLD, 10.0).low == pytest.approx(10.41, abs=0.03)
    assert retransmission.data_dies(without, 10.0).low == pytest.approx(10.2, abs=0.03)


SETTINGS = st.fixed_dictionaries({
    name: st.integers(*RANGES[name]) for name in ("tcp_retries2", "tcp_orphan_retries")
})
TIMINGS = st.tuples(st.integers(1, 32767), st.integers(1, 32767), st.integers(1, 127))


@settings(deadline=None)
@given(SETTINGS, USER_TIMEOUT, st.none() | st.floats(0, 100_000), st.sampled_from((HOST, OLD)))
def test_an_interval_begins_before_it_ends(
    sysctls: dict[str, int], user_ms: int | None, closed: float | None, base: Kernel
) -> None:
    owned = None if closed is None else Span(closed, closed + 0.05)
    when = retransmission.data_dies(replace(base, sysctls=sysctls), user_ms and user_ms / 1000,
                            closed=owned)
    edges = [edge for piece in when.pieces for edge in (piece.low, piece.high)]
    assert edges[0] > 0
    assert edges == sorted(edges)


@settings(deadline=None)
@given(st.integers(0, 254))
def test_more_retries_are_never_shorter(retries: int) -> None:
    fewer, more = (retransmission.data_dies(replace(HOST, sysctls={"tcp_retries2": count}))
                   for count in (retries, retries + 1))
    assert fewer.low <= more.low
    assert fewer.high <= more.high


@settings(deadline=None)
@given(TIMINGS, st.integers(0, 2))
def test_more_patient_keepalive_is_never_shorter(
    timings: tuple[int, int, int], which: int
) -> None:
    longer = tuple(value + (place == which) for place, value in enumerate(timings))
    one, other = (timers.keepalive_dies(HOST, given) for given in (timings, longer))
    assert one.low <= other.low
    assert one.low >= timings[0] + timings[1] * timings[2] - 0.01
    assert one.width <= (one.low + other.low) / 2 * 8 / 63 + 0.1


@settings(deadline=None)
@given(st.integers(100, 100_000), st.integers(1, 5000))
def test_a_longer_user_timeout_is_never_shorter(user_ms: int, more: int) -> None:
    one, other = (retransmission.data_dies(HOST, ms / 1000) for ms in (user_ms, user_ms + more))
    assert one.low <= other.low + 0.01
    assert one.low >= user_ms / 1000 + 0.2
