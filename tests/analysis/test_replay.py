"""Two recordings of one plan: alike, or the first difference in a sentence."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from pytest import param

from netdiag.analysis.replay import Alike, Difference, Moment, compare_cells, compare_moments
from netdiag.recording import CellFiles

RECORDED = Path(__file__).parent.parent / "recordings" / "brpop-zombie" / "cells" / "keepalive"


def moments(*rows: tuple[int, dict[str, Any]]) -> list[Moment]:
    return [Moment(f"event {number}", t, facts) for number, (t, facts) in enumerate(rows, 1)]


def socket(port: int, state: str = "ESTABLISHED") -> dict[str, Any]:
    return {"client": f"10.0.0.1:{port}", "server": "10.0.0.2:6379", "state": state}


BASE = moments(
    (5_000, {"what": "cell"}),
    (9_000, {"what": "connect", "data": {"local": ["10.0.0.1", 4000]}}),
    (7_200_000_009_000, {"what": "socket", "data": socket(4000)}),
)


def changed(index: int, t: int, facts: dict[str, Any]) -> list[Moment]:
    return [*BASE[:index], Moment(f"event {index + 1}", t, facts), *BASE[index + 1 :]]


ALIKE = [
    param(BASE, 0, id="the same"),
    param([Moment(m.name, m.t + 10**9, m.facts) for m in BASE], 0, id="all of it later"),
    param(changed(2, 7_200_000_109_000, BASE[2].facts), 100_000, id="as far apart as it may be"),
    param(
        moments(
            (5_000, {"what": "cell"}),
            (9_000, {"what": "connect", "data": {"local": ["10.0.0.1", 61000]}}),
            (7_200_000_009_000, {"what": "socket", "data": socket(61000)}),
        ),
        0,
        id="another port",
    ),
]


@pytest.mark.parametrize(("after", "apart"), ALIKE)
def test_alike(after: list[Moment], apart: int) -> None:
    assert compare_moments(BASE, after) == Alike(3, apart)


def connections(*ports: int) -> list[Moment]:
    """One connection after the other: seen, and gone."""
    return [
        Moment("event", 0, {"lane": "client.kernel", "what": what, "data": socket(port)})
        for port in ports
        for what in ("socket", "socket_gone")
    ]


def test_a_number_that_is_drawn_again_is_another_port() -> None:
    assert compare_moments(connections(4000, 4000), connections(4000, 4001)) == Alike(4, 0)


OTHER = [
    param(
        changed(2, 7_200_000_110_000, BASE[2].facts),
        "event 3 at 2 h came 101 us later",
        id="a time",
    ),
    param(
        changed(2, 7_200_000_009_000, {"what": "socket", "data": socket(4000, "CLOSE-WAIT")}),
        "event 3 at 2 h: state was 'ESTABLISHED' and is 'CLOSE-WAIT'",
        id="a fact",
    ),
    param(
        changed(2, 7_200_000_009_000, {"what": "socket", "data": socket(4001)}),
        "event 3 at 2 h: client was '10.0.0.1:port1' and is '10.0.0.1:port2'",
        id="the port of another connection",
    ),
    param(
        changed(1, 9_000, {"what": "error"}),
        "event 2 at 4 us: what was 'connect' and is 'error'",
        id="another event",
    ),
    param(BASE[:2], "event 3 is missing, and all that follows it", id="an end too soon"),
    param(
        [*BASE, Moment("event 4", 10**13, {})],
        "event 4 is new, where nothing more was before",
        id="more",
    ),
]


@pytest.mark.parametrize(("after", "sentence"), OTHER)
def test_the_first_difference_is_named(after: list[Moment], sentence: str) -> None:
    assert compare_moments(BASE, after) == Difference(sentence)


def copied(tmp_path: Path) -> CellFiles:
    shutil.copytree(RECORDED, tmp_path / "cell")
    return CellFiles(tmp_path / "cell")


def test_a_recording_is_like_itself_in_events_and_packets(tmp_path: Path) -> None:
    alike = compare_cells(CellFiles(RECORDED), copied(tmp_path))
    assert isinstance(alike, Alike)
    assert alike.moments > len((RECORDED / "events.jsonl").read_bytes().splitlines())


def test_packets_are_compared_when_the_events_are_alike(tmp_path: Path) -> None:
    files = copied(tmp_path)
    data = files.tape.read_bytes()
    files.tape.write_bytes(data.replace(b"BRPOP", b"BLPOP"))
    differs = compare_cells(CellFiles(RECORDED), files)
    assert isinstance(differs, Difference)
    assert differs.sentence.startswith("packet ")
    assert ": payload was '" in differs.sentence


def test_a_tape_that_is_gone_is_a_difference(tmp_path: Path) -> None:
    files = copied(tmp_path)
    files.tape.unlink()
    gone = "packet 1 of tape.pcapng is missing, and all that follows it"
    assert compare_cells(CellFiles(RECORDED), files) == Difference(gone)
