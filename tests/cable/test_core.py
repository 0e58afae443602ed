"""A fault falls on the very packet that meets its trigger, and the trigger says what becomes of
it."""

from __future__ import annotations

import pytest
from pytest import param

from netdiag.faults import EventTrigger, Fault, PacketTrigger, PhaseTrigger, TimeTrigger
from netdiag.faults.blackhole import Blackhole
from netdiag.faults.host import Freeze

from .play import CONVERSATION, SECOND, Play, cut, fin

STEPS = [" ".join(line.split()) for line in CONVERSATION.strip().splitlines()]

# the design's table: the step of CONVERSATION that meets the phase, and whether it is delivered
TABLE = [
    param("connecting", 0, False, id="connecting"),
    param("connected", 2, True, id="connected"),
    param("request_in_flight", 5, False, id="request_in_flight"),
    param("request_delivered", 5, True, id="request_delivered"),
    param("blocked", 6, True, id="blocked"),
    param("reply_in_flight", 7, False, id="reply_in_flight"),
    param("reply_delivered", 7, True, id="reply_delivered"),
    param("closing", 9, False, id="closing"),
]


@pytest.mark.parametrize(("phase", "step", "delivered"), TABLE)
def test_a_cut_takes_or_delivers_its_own_packet_and_takes_all_after_it(phase, step, delivered):
    play = Play(cut(phase))
    fates = [play.line(line).rsplit(" ", 1)[1] for line in STEPS]
    own = "ok" if delivered else "x"
    assert fates == ["ok"] * step + [own] + ["x"] * (len(STEPS) - step - 1)
    assert play.edges == [f"cut active {1 + 2 * step}"]


@pytest.mark.parametrize(("phase", "step", "delivered"), TABLE)
def test_after_a_delay_the_phases_packet_is_delivered_and_the_cut_comes_later(
    phase, step, delivered
):
    play = Play(cut(PhaseTrigger(phase=phase, after=1.0)))
    for line in STEPS[: step + 1]:
        assert play.line(line).endswith("ok")
    play.wait(1.2)
    assert play.line("> again").endswith("x")
    assert play.edges == ["cut active -"]


@pytest.mark.parametrize(("phase", "step", "delivered"), TABLE)
def test_a_fault_of_a_program_takes_nothing_but_comes_before_the_packet_a_cut_would_take(
    phase, step, delivered
):
    play = Play(Fault(name="ice", at=PhaseTrigger(phase=phase), do=Freeze(), for_=1.0))
    assert all(play.line(line).endswith("ok") for line in STEPS)
    awaits = [decision.awaits for decision in play.decisions]
    own = [] if delivered else ["ice"]
    assert awaits == [[]] * step + [own] + [[]] * (len(STEPS) - step - 1)
    play.wait(1.2)
    assert play.edges == [f"ice active {1 + 2 * step}", "ice healed -"]


HANDSHAKE = "> S ok\n< SA ok\n> A ok\n"

SCRIPTS = [
    param([cut(PhaseTrigger(phase="blocked", nth=2))], """
        > S     ok
        < SA    ok
        > A     ok
        > BRPOP ok
        < A     ok
        < m1    ok
        > BRPOP ok
        < A     ok
        > again x
        < m1    x
    """, ["cut active 15"], id="the second time a phase comes"),
    param([cut(PhaseTrigger(phase="request_in_flight", command="HELLO"))], """
        > S     ok
        < SA    ok
        > A     ok
        > HELLO x
        > again x
    """, ["cut active 7"], id="another command than the workload's own"),
    param([cut("request_in_flight")], """
        > S     ok
        < SA    ok
        > A     ok
        > HELLO ok
        < hello ok
        > PING  ok
        < pong  ok
        > BR    x
        > POP   x
    """, ["cut active 15"], id="the first segment of a command that is split"),
    param([cut("blocked")], """
        > S     ok
        < SA    ok
        > A     ok
        > BR    ok
        < A     ok
        > POP   ok
        < A     ok
        < m1    x
    """, ["cut active 13"], id="blocked only when the whole command is acknowledged"),
    param([cut("blocked")], """
        > S     ok
        < SA    ok
        > A     ok
        > BRPOP ok
        < m1    ok
        > A     ok
        > BRPOP ok
        < A     ok
        > again x
    """, ["cut active 15"], id="a reply that carries the ACK is not blocked"),
    param([cut("request_in_flight", heal=fin(nth=2))], """
        > S     ok
        < SA    ok
        > A     ok
        > BRPOP x
        > again x
        > FA    x
        > again x
        > again ok
    """, ["cut active 7", "cut healed 10"], id="heal: its own packet is taken, the next passes"),
    param([cut("request_in_flight", heal=fin(packet="delivered"))], """
        > S     ok
        < SA    ok
        > A     ok
        > BRPOP x
        > FA    ok
        > again ok
    """, ["cut active 7", "cut healed 8"], id="heal: its own packet is delivered if it says so"),
    param([cut("request_in_flight", heal=fin(after=0.5))], """
        > S     ok
        < SA    ok
        > A     ok
        > BRPOP x
        > FA    x
        @ 0.4
        > again x
        @ 0.6
        > again ok
    """, ["cut active 7", "cut healed -"], id="heal: a while after its packet"),
    param([cut("request_in_flight", heal=fin(packet="delivered", after=0.5))], """
        > S     ok
        < SA    ok
        > A     ok
        > BRPOP x
        > FA    x
        @ 0.6
        > again ok
    """, ["cut active 7", "cut healed -"], id="heal: what is over later governs until then"),
    param([cut("blocked", heal=PhaseTrigger(phase="closing"))], """
        > S     ok
        < SA    ok
        > A     ok
        > BRPOP ok
        < A     ok
        > FA    x
        > again ok
    """, ["cut active 9", "cut healed 11"], id="heal: by a phase"),
    param([cut(fin(), heal=fin())], """
        > S     ok
        < SA    ok
        > A     ok
        > FA    x
        > again x
        > again ok
    """, ["cut active 7", "cut healed 8"], id="heal counts from when the fault took effect"),
    param([cut("blocked", for_=2.0)], """
        > S     ok
        < SA    ok
        > A     ok
        > BRPOP ok
        < A     ok
        @ 1.9
        < m1    x
        @ 2.1
        < again ok
    """, ["cut active 9", "cut healed -"], id="for: a length of time"),
    param([cut("connected", heal=TimeTrigger(time=3.0))], """
        > S     ok
        < SA    ok
        > A     ok
        > BRPOP x
        @ 2.99
        > again x
        @ 3
        > again ok
    """, ["cut active 5", "cut healed -"], id="heal: at a time"),
    param([cut(TimeTrigger(time=1.0), heal=EventTrigger(event="error", nth=2, after=0.25))], """
        > S     ok
        < SA    ok
        > A     ok
        @ 1
        > BRPOP x
        ! error
        > again x
        ! error
        @ 1.2
        > again x
        @ 1.26
        > again ok
    """, ["cut active -", "cut healed -"], id="heal: a while after the client's second error"),
    param([cut(EventTrigger(event="call"))], """
        > S     ok
        < SA    ok
        > A     ok
        ! connect
        > HELLO ok
        ! call
        < hello x
        > BRPOP x
    """, ["cut active -"], id="at an event of the client's"),
    param([cut(PacketTrigger(from_="client", label="data", nth=2))], """
        > S     ok
        < SA    ok
        > A     ok
        > HELLO ok
        < hello ok
        > BRPOP x
        < A     x
    """, ["cut active 11"], id="at a packet, which is taken"),
    param([cut(PacketTrigger(from_="client", label="data", nth=2, packet="delivered"))], """
        > S     ok
        < SA    ok
        > A     ok
        > HELLO ok
        < hello ok
        > BRPOP ok
        < A     x
    """, ["cut active 11"], id="at a packet, which is delivered"),
    param([cut("connecting", do=Blackhole(direction="to_server"))], """
        > S     x
        > again x
        < RA    ok
    """, ["cut active 1"], id="one way: to the server"),
    param([cut("connected", do=Blackhole(direction="to_client"))], """
        > S     ok
        < SA    ok
        > A     ok
        > BRPOP ok
        < A     x
        < m1    x
        > again ok
        < again x
    """, ["cut active 5"], id="one way: to the client"),
    param([cut("reply_in_flight", do=Blackhole(direction="to_server"))], """
        > S     ok
        < SA    ok
        > A     ok
        > BRPOP ok
        < A     ok
        < m1    ok
        > A     x
    """, ["cut active 11"], id="one way: spares even its own packet of the other way"),
    param([cut("connected")], """
        > S     ok
        > ARP   ok
        < SA    ok
        > A     ok
        > ARP   x
    """, ["cut active 7"], id="what is not TCP is taken, too"),
    param([
        cut("request_in_flight", name="one", for_=1.0),
        cut(EventTrigger(event="healed", fault="one", after=1.0), name="two"),
    ], """
        > S     ok
        < SA    ok
        > A     ok
        > BRPOP x
        @ 1.1
        > again ok
        < A     ok
        @ 2.1
        < m1    x
    """, ["one active 7", "one healed -", "two active -"], id="one fault after another"),
    param([
        cut("request_in_flight", name="one", do=Blackhole(direction="to_server"), for_=1.0),
        cut("connecting", name="two", do=Blackhole(direction="to_client"), for_=2.0),
    ], """
        > S     ok
        < SA    x
        > BRPOP x
        > again x
        < again x
        @ 1.5
        > again ok
        < again x
        @ 2.5
        < again ok
    """, ["two active 1", "one active 4", "one healed -", "two healed -"], id="two at a time"),
]  # fmt: skip


@pytest.mark.parametrize(("faults", "script", "edges"), SCRIPTS)
def test_frames_meet_the_fate_that_the_faults_decide(faults, script, edges):
    assert Play(*faults)(script).edges == edges


@pytest.mark.parametrize("order", [1, -1])
def test_a_fault_that_another_one_starts_spares_that_ones_own_packet(order):
    faults = [
        cut("blocked", name="one", do=Blackhole(direction="to_server")),
        cut(EventTrigger(event="active", fault="one"), name="two"),
    ]
    play = Play(*faults[::order])("""
        > S     ok
        < SA    ok
        > A     ok
        > BRPOP ok
        < A     ok
        < m1    x
    """)
    assert play.edges == ["one active 9", "two active -"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_fault_that_another_one_heals_still_takes_the_packet_that_did_it(order):
    faults = [
        cut("connected", name="one", heal=EventTrigger(event="active", fault="two")),
        cut(fin(), name="two", do=Blackhole(direction="to_client")),
    ]
    Play(*faults[::order])("""
        > S     ok
        < SA    ok
        > A     ok
        > FA    x
        > again ok
        < A     x
    """)


def test_a_fault_is_not_healed_by_its_own_beginning():
    play = Play(cut("connected", heal=EventTrigger(event="active")))
    play(HANDSHAKE + "> BRPOP x")
    assert play.edges == ["cut active 5"]


def test_what_began_is_told_with_its_time_its_packet_and_its_words():
    play = Play(cut("blocked", for_=1.5))(HANDSHAKE + "> BRPOP ok\n< A ok")
    met = play.now
    play.wait(2)
    began, ended = (note for one in play.decisions for note in one.notes)
    assert (began.what, began.outcome, ended.outcome) == ("fault", "start", "ok")
    assert began.data == {
        "fault": "cut",
        "verb": "blackhole",
        "edge": "active",
        "trigger": "blocked",
        "packet": 9,
        "at": met,
        "lasts": True,
    }
    assert (ended.data["trigger"], ended.data["packet"]) == ("for 1.5 s", None)
    assert ended.data["at"] == met + 3 * SECOND // 2


def test_a_signal_is_given_once_and_when_it_is_due():
    play = Play(
        signals={
            "now": TimeTrigger(time=0.0),
            "later": TimeTrigger(time=2.0),
            "blocked": PhaseTrigger(phase="blocked"),
            "after": PhaseTrigger(phase="blocked", after=1.0),
            "error": EventTrigger(event="error", after=0.5),
            "second": PacketTrigger(from_="client", label="data", nth=2),
        }
    )
    play(HANDSHAKE)
    assert play.signals == ["now"]
    play("> BRPOP ok\n< A ok")
    assert play.signals == ["now", "blocked"]
    play("< m1 ok\n> BRPOP ok\n< A ok\n@ 1.1")
    assert play.signals == ["now", "blocked", "second", "after"]
    play("! error\n@ 1.5\n@ 2.1")
    assert play.signals == ["now", "blocked", "second", "after", "error", "later"]


def test_a_signal_waits_for_a_fault():
    play = Play(
        cut("request_in_flight", for_=1.0),
        signals={
            "active": EventTrigger(event="active"),
            "healed": EventTrigger(event="healed", fault="cut", after=1.0),
            "other": EventTrigger(event="healed", fault="another"),
        },
    )
    play(HANDSHAKE + "> BRPOP x")
    assert play.signals == ["active"]
    play("@ 1.9")
    assert play.signals == ["active"]
    play("@ 2.1")
    assert play.signals == ["active", "healed"]


def test_nothing_is_due_before_the_first_frame():
    core = Play(cut(TimeTrigger(time=0.0)), signals={"x": TimeTrigger(time=0.0)}).core
    assert core.due() is None


WHY_NOT = [
    param(cut("connecting"), "> ARP ok", "no connection was opened", id="connecting"),
    param(cut("connected"), "> S ok", "1 connection began, but no SYN was answered",
          id="connected"),
    param(cut("request_in_flight"), HANDSHAKE + "> HELLO ok",
          "no BRPOP was sent (commands seen: HELLO)", id="request"),
    param(cut("blocked"), HANDSHAKE + "> BRPOP ok\n< m1 ok\n> FA ok",
          "the reply carried the ACK of all 1 BRPOP command, so none was ever blocked",
          id="blocked"),
    param(cut("reply_delivered"), HANDSHAKE + "> BRPOP ok\n< A ok",
          "1 BRPOP command passed, and no reply to one", id="reply"),
    param(cut("closing"), HANDSHAKE + "> RA ok", "no FIN passed; 1 RST did", id="closing"),
    param(cut(PhaseTrigger(phase="blocked", nth=2)), HANDSHAKE + "> BRPOP ok\n< A ok",
          "blocked came once only", id="only once"),
    param(cut(PhaseTrigger(phase="blocked", command="HELLO")), HANDSHAKE + "> BRPOP ok\n< A ok",
          "no HELLO was sent (commands seen: BRPOP)", id="another command"),
    param(cut(fin(nth=2)), HANDSHAKE + "> FA ok", "2nd fin from client never came", id="packet"),
    param(cut(EventTrigger(event="error")), HANDSHAKE, "error never came", id="event"),
    param(cut(TimeTrigger(time=5.0)), "> S ok\n@ 4", "{} never came", id="time"),
    param(cut(TimeTrigger(time=5.0)), "@ 9", "no connection was opened", id="no start"),
    param(cut(PhaseTrigger(phase="blocked", after=3.0)), HANDSHAKE + "> BRPOP ok\n< A ok",
          "the cell ended before {} was over", id="delayed"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "script", "reason"), WHY_NOT)
def test_a_fault_that_never_came_says_why(fault, script, reason):
    play = Play(fault)(script)
    assert play.edges == []
    assert play.why_not() == reason.format(fault.at)


def test_the_summary_counts_what_each_fault_took_by_sender_and_label():
    play = Play(cut("request_in_flight", for_=1.0))
    play(HANDSHAKE + "> BRPOP x\n> again x\n> ARP x\n< FA x\n@ 2\n> again ok")
    (summary,) = play.core.summary()
    assert summary.data == {
        "fault": "cut",
        "verb": "blackhole",
        "trigger": "request_in_flight",
        "stage": "over",
        "taken": {"client data": 1, "client retransmission": 1, "not tcp": 1, "server fin": 1},
        "injected": 0,
        "lasts": True,
        "why_not": None,
        "unhealed": None,
    }


@pytest.mark.parametrize(("heal", "script", "reason"), [
    param(fin(nth=2), "> FA x", "2nd fin from client never came", id="packet"),
    param(EventTrigger(event="error"), "", "error never came", id="event"),
    param(TimeTrigger(time=5.0), "@ 4", "5 s never came", id="time"),
    param(PhaseTrigger(phase="closing"), "> RA x", "no FIN passed; 1 RST did", id="phase"),
    param(PhaseTrigger(phase="connecting"), "", "connecting came once only, and what came before "
          "it took effect does not count", id="too early"),
    param(fin(after=3.0), "> FA x", "the cell ended before fin from client + 3 s was over",
          id="delayed"),
    param(fin(), "> FA x", None, id="met"),
    param(None, "> FA x", None, id="none is wanted"),
])
def test_a_heal_that_never_came_says_why(heal, script, reason):
    play = Play(cut("connected", heal=heal))(HANDSHAKE + script)
    (summary,) = play.core.summary()
    assert (summary.data["why_not"], summary.data["unhealed"]) == (None, reason)


def test_a_signal_that_was_never_given_says_why():
    play = Play(cut("connected"), signals={
        "given": EventTrigger(event="active"),
        "never": EventTrigger(event="error", after=1.0),
        "late": EventTrigger(event="active", after=9.0),
        "phase": PhaseTrigger(phase="reply_in_flight"),
    })(HANDSHAKE + "@ 4")
    told = {note.data["signal"]: note.data["why_not"] for note in play.core.summary()
            if note.what == "signal_summary"}
    assert told == {
        "given": None,
        "never": "error + 1 s never came",
        "late": "the cell ended before active + 9 s was over",
        "phase": "no BRPOP was sent, nor any other command",
    }


def test_a_taken_frame_says_which_fault_took_it():
    play = Play(Fault(name="wall", at=PhaseTrigger(phase="connecting"), do=Blackhole()))
    assert play.send(0, "S").taken == "taken by fault wall: blackhole"


def test_phases_of_two_connections_are_told_apart():
    first = Play(cut(PhaseTrigger(phase="blocked", nth=2)))
    second = Play(core=first.core, port=40001, isn=(7, 9))
    for play in (first, second):
        play(HANDSHAKE + "> BRPOP ok")
    second("< A ok")
    first("< A ok\n< m1 x")
    second("> FA x")
