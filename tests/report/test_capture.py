"""A capture's report: goldens, hostile words, any width; JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from pytest import param
from rich.cells import cell_len
from rich.console import Console

from netdiag.analysis.findings import find
from netdiag.report.capture import view_of_capture
from netdiag.report.capture_data import capture_csv, capture_json
from netdiag.report.capture_flow import view_of_flow
from netdiag.report.capture_terminal import print_capture
from netdiag.report.words import ascii_only, plain
from netdiag.tcp.facts import CaptureFacts, Ending, Opening, Row, Rows
from netdiag.tcp.labels import Label
from tests.analysis.captured import (
    MS,
    SECOND,
    at,
    capture,
    chain,
    client,
    connection,
    counts,
    server,
    silence,
    waiting,
)
from tests.report.specimens import HOSTILE

GOLDEN = Path(__file__).parent / "golden"


def incident() -> CaptureFacts:
    """Two refused attempts, a zombie whose reply never arrives, an eviction, one that works."""
    zombie = connection(
        client(),
        server(chain=chain(since=5), unacked=30, unacked_since=at(5), last_at=at(18),
               labels=counts(data=3, ack=4, rto_retransmission=6), last_data_at=at(18)),
        outstanding=waiting(), last_at=at(18), last_frame=16,
    )  # fmt: skip
    evicted = connection(
        client(endpoint="[fd00::1]:50412", chain=chain(since=401), unacked=17,
               unacked_since=at(401), last_at=at(414),
               labels=counts(data=2, rto_retransmission=6)),
        server(endpoint="[fd00::2]:5432"),
        silence=silence(400, Label.DATA, 0), last_at=at(414), opening=Opening.MID_STREAM,
        rtt_ns=-1,
    )  # fmt: skip
    refused = [
        connection(client(endpoint=f"10.0.0.7:{4000 + n}", first_frame=60 + n),
                   server(rst_frame=70 + n),
                   opening=Opening.REFUSED, ending=Ending.NEVER_OPENED, open_at_end=False,
                   first_at=at(20 + n), last_at=at(20.02 + n))
        for n in range(2)
    ]  # fmt: skip
    rows = [
        Row(1, at(0), 0, 0, Label.SYN, 0, 0, 0, 0),
        Row(2, at(0.02), 0, 1, Label.SYN_ACK, 0, 0, 0, 0),
        *(Row(10 + n, at(5 + 0.208 * (2 ** (n + 1) - 1)), 0, 1, Label.RTO_RETRANSMISSION, n + 1,
              30, round(0.208 * 2**n * SECOND), 0) for n in range(6)),
    ]  # fmt: skip
    return capture(
        zombie, evicted, *refused, connection(one_sided=0), connection(), end=600.0,
        notes=("the file ends inside a block at byte 7990",), rows=Rows(tuple(rows), 3),
    )  # fmt: skip


def hostile(text: str) -> CaptureFacts:
    """Words from the wire and from the command line that want to be more."""
    made = connection(
        server_facts=server(chain=chain(since=5), unacked=30, unacked_since=at(5), last_at=at(18),
                            last_data_at=at(18)),
        outstanding=replace(waiting(), name=text),
    )  # fmt: skip
    return capture(made, source=text, notes=(text,))


def printed(
    facts: CaptureFacts, width: int, encoding: str = "utf-8", *, flow: int | None = None,
    colour: bool = False,
) -> str:  # fmt: skip
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(
        file=file, width=width, force_terminal=colour,
        color_system="truecolor" if colour else None, _environ={},
    )  # fmt: skip
    findings = find(facts)
    shown = None if flow is None else view_of_flow(facts, facts.connections[flow], findings)
    print_capture(view_of_capture(facts, findings), console, shown)
    file.flush()
    return file.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("name", "width", "encoding", "flow"),
    [
        param("capture-80.txt", 80, "utf-8", None, id="80 columns"),
        param("capture-100.txt", 100, "utf-8", None, id="100 columns"),
        param("capture-80-ascii.txt", 80, "ascii", None, id="80 columns of ASCII"),
        param("capture-flow-80.txt", 80, "utf-8", 0, id="one connection, 80 columns"),
        param("capture-flow-100.txt", 100, "utf-8", 0, id="one connection, 100 columns"),
    ],
)
def test_the_report_is_the_golden_one(
    name: str, width: int, encoding: str, flow: int | None
) -> None:
    """NETDIAG_UPDATE_GOLDEN=1 rewrites the files; read what changed before you commit it."""
    text = printed(incident(), width, encoding, flow=flow)
    golden = GOLDEN / name
    if os.environ.get("NETDIAG_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def letters(text: str) -> str:
    """A text without what wrapping and drawing add to it."""
    return re.sub(r"[^A-Za-z0-9]", "", text)


@pytest.mark.parametrize("width", [50, 64, 80, 100, 110, 160, 250])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@pytest.mark.parametrize("flow", [None, 0])
def test_nothing_is_cut_at_any_width(width: int, encoding: str, flow: int | None) -> None:
    lines = printed(incident(), width, encoding, flow=flow).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert not any("\u2026" in line for line in lines)
    assert not any(line != line.rstrip() for line in lines)
    told = letters("".join(lines))
    for finding in find(incident()):
        if flow is None:
            assert letters(finding.rule) in told
        elif flow in finding.connections:
            assert letters(finding.cause) in told


def test_findings_alike_are_told_once() -> None:
    text = printed(incident(), 100)
    assert text.count("refused the connection") == 1
    assert "1 more finding like it, at the same server: connection 3" in " ".join(text.split())


def test_one_direction_is_explained() -> None:
    text = " ".join(printed(incident(), 100).split())
    assert "1 connection was captured in one direction only (4)" in text


def test_the_table_counts_what_it_leaves_out() -> None:
    view = view_of_capture(incident(), find(incident()), top=2)
    assert [row.number for row in view.rows] == ["0", "1"]
    assert view.left_out == "4 more connections; --top N shows more"


def test_a_series_is_drawn_together_and_counted() -> None:
    facts = incident()
    probing = [
        Row(100 + n, at(10 + 5 * n), 5, 0, Label.KEEPALIVE_PROBE, n + 1, 0, 5 * SECOND, 2)
        for n in range(50)
    ]
    facts = replace(facts, rows=Rows(tuple(probing), 0))
    shown = view_of_flow(facts, facts.connections[5], ()).rows
    assert [row.frame for row in shown] == ["#100"[1:], "101", "102", "103", "...", "149"]
    assert shown[4].text == "45 keepalive probes left out"


def test_a_capture_without_findings_says_so() -> None:
    assert "Findings: none" in printed(capture(connection()), 80)


def test_colour_repeats_what_words_say() -> None:
    coloured = printed(incident(), 100, colour=True)
    assert "\x1b[" in coloured
    bare = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", coloured).splitlines())
    assert bare.strip() == printed(incident(), 100).strip()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("flow", [None, 0])
def test_hostile_words_stay_words(text: str, encoding: str, flow: int | None) -> None:
    shown = printed(hostile(text), 80, encoding, flow=flow)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert max(map(cell_len, shown.splitlines())) <= 80
    assert letters(ascii_only(plain(text))) in letters(ascii_only(shown))


def test_json_holds_every_connection_and_finding() -> None:
    facts = incident()
    told = json.loads("".join(capture_json(facts, find(facts), rows_of=(0,))))
    assert (told["version"], told["kind"]) == (1, "capture")
    assert [one["number"] for one in told["connections"]] == [0, 1, 2, 3, 4, 5]
    assert [one["rule"] for one in told["findings"]] == [one.rule for one in find(facts)]
    zombie = told["connections"][0]
    assert zombie["opening"] == "complete"
    assert zombie["server"]["labels"] == {"ack": 4, "data": 3, "rto_retransmission": 6}
    assert zombie["server"]["chain"]["label"] == "rto_retransmission"
    assert zombie["outstanding"]["name"] == "BRPOP"
    assert told["rows"][2]["label"] == "rto_retransmission"
    assert len(told["rows"]) == 8


def test_json_of_hostile_words_is_ascii() -> None:
    for text in HOSTILE:
        assert "".join(capture_json(hostile(text), find(hostile(text)))).isascii()


def test_csv_has_one_line_a_connection() -> None:
    facts = incident()
    table = list(csv.DictReader(capture_csv(facts, find(facts))))
    assert [row["connection"] for row in table] == ["0", "1", "2", "3", "4", "5"]
    assert table[0]["findings"] == "zombie-consumer black-hole"
    assert table[1]["longest_silence_s"] == "400.0"
    assert table[1]["client"] == "[fd00::1]:50412"
    assert table[0]["outstanding"] == "BRPOP"
    assert table[1]["rtt_s"] == ""
    assert float(table[0]["rtt_s"]) == pytest.approx(20 * MS / SECOND)


@pytest.mark.parametrize("text", [*HOSTILE, "=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", 'a","b\r\nc'])
def test_csv_keeps_hostile_words_in_their_field(text: str) -> None:
    lines = "".join(capture_csv(hostile(text), ()))
    (row,) = csv.DictReader(io.StringIO(lines, newline=""))
    assert row["connection"] == "0"
    assert row["outstanding"][:1] not in ("=", "+", "-", "@")
    assert row["outstanding"].isprintable()
