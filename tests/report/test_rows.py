"""Entries -> rows: what is left out, what is drawn together, what never is."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import param

from netdiag.analysis.model import CellAnalysis, Entry
from netdiag.report.timeline import Gap, Row, routine, rows_of, thinned

from .specimens import cut, keepalive, read_timeout, zombie

UNTIL = re.compile(r"until (\S+ m?s)")
SCALE = {"s": 1, "ms": 1000}


def brief(rows: tuple[Row, ...]) -> list[str]:
    return [f"{row.time} {row.text}" for row in rows]


def test_rows_are_in_the_order_of_time_whatever_the_entries_were() -> None:
    times = [row.t for row in rows_of(tuple(reversed(zombie().timeline)))]
    assert times == sorted(times)
    assert len(times) > 10


def test_routine_is_left_out_and_counted() -> None:
    cell = zombie()
    assert not any(row.text == "SYN" for row in rows_of(cell.timeline))
    assert routine(cell.timeline) == 1


def test_a_long_series_keeps_its_first_and_its_last() -> None:
    entries = [one for one in keepalive().timeline if one.kind == "syn_retransmission"]
    rows = rows_of(entries)
    assert brief(rows) == [
        "+6.59 s SYN retransmission #1", "+7.61 s ... 9 more until +15.77 s: syn retransmission",
        "+16.79 s SYN retransmission #3"]
    assert rows[1].more == 9


@pytest.mark.parametrize("cell", [zombie(), keepalive(), read_timeout()])
def test_times_read_downwards(cell: CellAnalysis) -> None:
    """No row that stands for several reaches past the row below it."""
    told = [words for row in rows_of(cell.timeline, cell.faults)
            for words in (row.time, *UNTIL.findall(row.text))]
    times = [float(number) / SCALE[unit] for number, unit in map(str.split, told)]
    assert times == sorted(times)


def test_a_schedule_shows_enough_to_see_it_double() -> None:
    entries = [Entry(float(2**step), "client.kernel", f"FIN retransmission #{step}",
                     kind="fin_retransmission") for step in range(9)]
    assert [row.text[-2:] for row in rows_of(entries) if not row.more] == [
        "#0", "#1", "#2", "#3", "#8"]


def test_a_series_ends_where_a_fault_begins_or_heals() -> None:
    cell = read_timeout()
    shown = [row.text[-2:] for row in rows_of(cell.timeline, cell.faults)
             if row.kind == "fin_retransmission"]
    assert shown == [f"#{step}" for step in range(1, 9)]
    assert len(shown) > len([row for row in rows_of(cell.timeline)
                             if row.kind == "fin_retransmission"])


def test_series_that_meet_become_one_row_of_several_lanes() -> None:
    entries = [Entry(float(turn), lane, f"{kind} {turn}", kind=kind)
               for turn in range(5) for lane, kind in (("client.app", "call"), ("cable", "syn"))]
    rows = rows_of(entries)
    assert [(row.text, row.more, row.lanes) for row in rows if row.more] == [
        ("... 6 more until +3.00 s: 3 call, 3 syn", 6, ("client.app", "cable"))]
    assert len(rows) == 5


@pytest.mark.parametrize("kind", [param("fault", id="faults"), param("exit", id="ends")])
def test_some_kinds_are_always_shown(kind: str) -> None:
    entries = [Entry(float(turn), "cable", "again", kind=kind) for turn in range(20)]
    assert len(rows_of(entries)) == 20


def test_the_cable_is_broken_from_the_fault_until_it_heals() -> None:
    entries = [Entry(t, "cable", f"{t}") for t in (-0.1, 0.0, 19.9, 20.0)]
    broken = [row.broken for row in rows_of(entries, [cut(healed=20.0)])]
    assert broken == [False, True, True, False]
    assert rows_of(entries, [cut(healed=None)])[-1].broken
    at_once = replace(cut(healed=None), lasts=False)
    assert [row.broken for row in rows_of(entries, [at_once])] == [False, True, False, False]
    for over in ({"acts": ("SIGSTOP: T (stopped)",)}, {"undone": "SIGPIPE: no"}):
        assert not any(row.broken for row in rows_of(entries, [replace(cut(healed=None), **over)]))


@given(st.lists(st.sampled_from("aab")), st.integers(1, 4))
def test_thinning_loses_nothing_and_no_gap_reaches_past_what_is_shown(
    letters: list[str], first: int) -> None:
    items = list(enumerate(letters))
    kept = thinned(items, lambda item: item[1], lambda _: first)
    spread = [one for part in kept for one in (part.hidden if isinstance(part, Gap) else (part,))]
    assert spread == items
    assert all(len(part.hidden) > 1 for part in kept if isinstance(part, Gap))
    shown = [one for one in kept if not isinstance(one, Gap)]
    for letter in set(letters):
        own = [one for one in items if one[1] == letter]
        assert {*own[:first], own[-1]} <= set(shown)


def test_a_gap_ends_where_a_row_of_another_lane_stands() -> None:
    entries = [Entry(float(turn), "client.app", "calls BRPOP", kind="call") for turn in range(9)]
    entries.append(Entry(4.5, "server.kernel", "keepalive probe #1", kind="keepalive_probe"))
    assert brief(rows_of(entries)) == [
        "0 s calls BRPOP", "+1.00 s ... 4 more until +4.00 s: call", "+4.50 s keepalive probe #1",
        "+5.00 s ... 3 more until +7.00 s: call", "+8.00 s calls BRPOP"]
