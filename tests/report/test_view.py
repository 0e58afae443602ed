"""Analysis -> View: the words of each block."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import pytest
from pytest import param

from netdiag.analysis.model import CellAnalysis, Notice, Outcome, Regime
from netdiag.report.sentence import headline
from netdiag.report.view import view_of

from .specimens import (
    HOSTILE,
    cut,
    everything,
    hostile,
    keepalive,
    lost,
    missed,
    read_timeout,
    run,
    zombie,
)


def unharmed() -> CellAnalysis:
    return CellAnalysis("calm", {}, Outcome.PASS, (), 5.0)


@pytest.mark.parametrize(("cell", "sentence"), [
    param(zombie(), "never noticed: asleep in recvfrom(fd 24) for 29.99 s, while the server had "
                    "forgotten it after 12.00 s; 1 message stuck", id="zombie"),
    param(keepalive(), "noticed after 5.08 s: TimeoutError ETIMEDOUT (keepalive timer); consumed "
                       "a message 1.00 s after healing", id="keepalive"),
    param(read_timeout(), "noticed after 2.96 s: TimeoutError (client's own timeout); FIN-WAIT-1 "
                          "for 26.98 s and still there at the end", id="read timeout"),
    param(lost(), "never noticed; 1 message lost", id="lost"),
    param(missed(), "no fault took effect: the reply came before the server's ACK of the command",
          id="missed"),
    param(replace(lost(), messages=(), recovered=0.428),
          "never noticed, and the same connection went on; consumed a message 428 ms after healing",
          id="healed in time"),
    param(replace(lost(), messages=(), recovered=0.428, recovered_on="10.0.0.1:2",
                  beliefs_at="10.0.0.1:1"),
          "never noticed, and another connection went on; consumed a message 428 ms after healing",
          id="dialled again in silence"),
    param(replace(lost(), messages=(), recovered_on="10.0.0.1:2", beliefs_at="10.0.0.1:1",
                  faults=(replace(cut(healed=None), lasts=False),)),
          "never noticed, and another connection went on", id="after a restart, in silence"),
    param(replace(lost(), messages=(), faults=(replace(
              cut(), verb="kill the client", acts=("SIGKILL: ended: SIGKILL", "started again")),)),
          "the fault ended the client itself, and it was started again", id="a killed client"),
    param(unharmed(), "no fault, and no error", id="no fault"),
    param(replace(unharmed(), errors={"TimeoutError": 2, "ConnectionError ECONNRESET": 1}),
          "no fault, but 3 errors: 2 TimeoutError and 1 ConnectionError ECONNRESET",
          id="errors on a healthy network"),
    param(replace(unharmed(), origin="the fault at another client's cable"),
          "no fault of its own, and no error", id="another client's fault"),
    param(replace(unharmed(), noticed=Notice(1.5, "the client ended with code 1", "its end")),
          "noticed at +1.50 s: the client ended with code 1 (its end)", id="error without a fault"),
])
def test_the_headline_says_what_happened(cell: CellAnalysis, sentence: str) -> None:
    assert headline(cell) == sentence


@pytest.mark.parametrize(("fault", "text", "effective"), [
    param(cut(server_keepalive_probe=3, server_rst=1, client_fin=1),
          "blackhole at blocked, on packet 29, healed at +20.00 s; took 5 frames: "
          "3 keepalive_probe and 1 rst from the server; 1 fin from the client", True, id="taken"),
    param(cut(healed=None), "blackhole at blocked, on packet 29; touched no frame", False,
          id="touched nothing"),
    param(replace(cut(), verb="reset", injected=2, healed=None),
          "reset at blocked, on packet 29; made 2 frames", True, id="injected"),
    param(replace(cut(healed=None), taken={"not tcp": 2}),
          "blackhole at blocked, on packet 29; took 2 frames: 2 not tcp", True, id="not tcp"),
    param(replace(cut(healed=None), began=5.25, packet=None),
          "blackhole at blocked, +5.25 s; touched no frame", False, id="a second one"),
    param(missed().faults[0], "blackhole at blocked: never took effect: the reply came before the "
                              "server's ACK of the command", False, id="missed"),
])
def test_a_fault_says_when_and_what_it_touched(fault, text: str, effective: bool) -> None:
    told, = view_of(run(replace(lost(), faults=(fault,)))).cells[0].faults
    assert (told.text, told.effective) == (text, effective)


def test_the_four_observations_stand_with_their_times() -> None:
    cell, = view_of(run(zombie())).cells
    assert [(one.who, one.since) for one in cell.observations] == [
        ("client's kernel", "since +8.0 ms"), ("the wire", "since +12.00 s"),
        ("the application", "since -47 ms"), ("the server", "since +12.00 s")]


def test_an_interval_without_an_end_lasts_until_the_cell_does() -> None:
    cell, = view_of(run(read_timeout())).cells
    first, *others = cell.timers
    assert (first.state, first.timer) == ("FIN-WAIT-1, owned by no process", "retransmission timer")
    assert (first.begins, first.ends, first.end) == ("+2.95 s", "the end", 29.94)
    assert [(one.more, one.begins, one.ends) for one in others] == [
        (0, "+3.45 s", "+8.45 s"), (2, "+8.95 s", "+19.45 s"), (0, "+19.95 s", "+24.95 s")]


def test_messages_add_up_and_the_missing_ones_have_a_story() -> None:
    cell, = view_of(run(lost())).cells
    assert cell.messages == "2 produced: 1 delivered, 1 lost"
    assert [(one.id, one.fate) for one in cell.missing] == [("m1", "lost")]


def test_the_comparison_has_a_row_a_cell_in_the_plans_order() -> None:
    rows = view_of(everything()).comparison.rows
    assert [(row.id, row.noticed, row.how, row.timer, row.fin_wait1, row.zombies, row.messages,
             row.outcome.value) for row in rows] == [
        ("zombie", "never", "-", "-", "-", "1 client", "1 stuck", "PASS"),
        ("keepalive", "5.08 s", "TimeoutError ETIMEDOUT", "keepalive timer", "-", "-", "all there",
         "PASS"),
        ("read-timeout", "2.96 s", "TimeoutError", "client's own timeout", "> 26.98 s", "-", "-",
         "FAIL"),
        ("reply-lost", "never", "-", "-", "-", "-", "1 lost", "PASS"),
        ("missed", "-", "-", "-", "-", "-", "-", "UNKNOWN")]


def test_the_comparison_names_choices_that_an_id_does_not() -> None:
    cells = [replace(unharmed(), id=f"c{number}-{way}",
                     choices={"server": "redis", "direction": way, "after": f"{number} s"})
             for number in (1, 2) for way in ("both", "to_client")]
    rows = view_of(run(*cells)).comparison.rows
    assert [row.choices for row in rows] == [
        (("after", f"{number} s"),) for number in (1, 1, 2, 2)]


def test_the_summary_counts_outcomes() -> None:
    view = view_of(everything())
    assert (view.outcome, view.summary) == (Outcome.FAIL, "5 cells: 3 PASS, 1 UNKNOWN, 1 FAIL")
    assert view_of(run()).summary == "no cell was run"


def words_of(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, tuple):
        return [word for part in value for word in words_of(part)]
    if is_dataclass(value):
        return [word for field in fields(value) for word in words_of(getattr(value, field.name))]
    return []


@pytest.mark.parametrize("text", HOSTILE)
def test_every_word_of_a_view_is_printable(text: str) -> None:
    words = words_of(view_of(hostile(text)))
    assert len(words) > 40
    assert all(word.isprintable() for word in words)


def test_intervals_drawn_together_are_named_as_what_they_are() -> None:
    """Of two kernels that take turns, what is left out is neither the one's nor the other's."""
    regimes = tuple(
        Regime(side, "10.0.0.1:4000", state, timer, float(turn), turn + 0.5, "")
        for turn in range(6) for side, state, timer in (
            ("client", "SYN-SENT", "retransmission"), ("server", "SYN-RECEIVED", "none")))
    cell, = view_of(run(replace(zombie(), regimes=regimes))).cells
    (gap,) = (one for one in cell.timers if one.more)
    assert (gap.side, gap.state, gap.timer) == (
        "client and server", "SYN-SENT and SYN-RECEIVED", "retransmission timer and no timer")
    assert (gap.begins, gap.ends, gap.more) == ("+1.00 s", "+4.50 s", 8)
