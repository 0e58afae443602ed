"""The kernel's arithmetic: how long it goes on, and when it gives up."""

from __future__ import annotations

import pytest
from pytest import param

from netdiag.analysis.findings.timers import (
    LATE,
    ORPHAN_RETRIES,
    RETRIES2,
    death,
    forecast,
    patience,
)
from netdiag.tcp.labels import Label
from tests.analysis.captured import MS, SECOND, at, chain


@pytest.mark.parametrize(
    ("retries", "seconds"),
    [(3, 3.0), (5, 12.6), (6, 25.4), (8, 102.2), (9, 204.6), (10, 324.6), (15, 924.6)],
)
def test_patience_is_the_kernels_table(retries: int, seconds: float) -> None:
    assert patience(retries) == pytest.approx(seconds)


# Measured on Linux 6.18: seconds from the first sending to ETIMEDOUT; the first RTO came after two
# RTOs where a tail loss probe came first.
@pytest.mark.parametrize(
    ("rto", "first", "retries", "measured"),
    [
        param(0.208, 2, RETRIES2, 938.0, id="one segment, tcp_retries2 15"),
        param(0.208, 2, ORPHAN_RETRIES, 107.2, id="one segment, tcp_retries2 8"),
        param(0.208, 2, ORPHAN_RETRIES, 107.6, id="an orphan's FIN"),
        param(0.208, 2, RETRIES2, 937.9, id="shutdown, the FIN is lost"),
    ],
)
def test_death_is_what_was_measured(rto: float, first: int, retries: int, measured: float) -> None:
    predicted = first * rto + death(rto, retries)
    assert predicted <= measured <= predicted * LATE


def test_a_forecast_counts_from_the_last_retransmission() -> None:
    row = chain(since=1, times=6)
    found = forecast(row)
    assert found is not None
    assert found.rto_s == pytest.approx(0.208)
    assert (found.next_at - row.last_at) / SECOND == pytest.approx(0.208 * 2**6)
    first = at(1 + 0.208)
    orphan = death(0.208, ORPHAN_RETRIES)
    assert (found.orphan_death_at - first) / SECOND == pytest.approx(orphan, abs=1e-6)
    assert not found.stopped(found.next_at)
    assert found.stopped(found.next_at + round(0.208 * 2**6 * 0.126 * SECOND))


@pytest.mark.parametrize(
    "changes",
    [
        param({"rto_ns": -1}, id="no gap was seen"),
        param({"steps": 0}, id="a tail loss probe alone"),
        param({"label": Label.SYN_RETRANSMISSION, "rto_ns": 1000 * MS}, id="a SYN"),
    ],
)
def test_no_forecast_without_a_timer_row(changes) -> None:
    made = chain(**{key: value for key, value in changes.items() if key != "label"})
    if "label" in changes:
        made = chain(changes["label"], rto_ns=changes["rto_ns"])
    assert forecast(made) is None
