"""Analyses as real runs give them: the cells of brpop-zombie, a lost reply, a missed fault."""

from __future__ import annotations

from dataclasses import replace

from netdiag.analysis.model import (
    Analysis,
    Belief,
    CellAnalysis,
    Entry,
    FaultEffect,
    FinWait1,
    Interval,
    Message,
    Notice,
    Outcome,
    Predicted,
    Regime,
    Verdict,
    Zombie,
    worst,
)

SILENT = "nothing is unacknowledged and keepalive is off: no timer will ever fire"
COUNTS = "nothing is unacknowledged: keepalive counts the silence"
TAKEN = "taken by fault cut: blackhole"
PROBE = f"the keepalive timer fired; {TAKEN}"
ORIGIN = 2_218_196_124_468


def cut(healed: float | None = 20.0, **taken: int) -> FaultEffect:
    return FaultEffect(
        name="cut", verb="blackhole", trigger="blocked", began_ns=ORIGIN,
        healed_ns=None if healed is None else ORIGIN + round(healed * 1e9), began=0.0,
        healed=healed, packet=29,
        taken={key.replace("_", " ", 1): number for key, number in taken.items()},
        injected=0, why_not=None)


def foretold(what: str, when: tuple[Interval, ...], measured: float | None, **more: object,
             ) -> Predicted:
    given = {"by": "the kernel's keepalive timer", "text": "TimeoutError", "source": "tcp_timer.c",
             "formula": "2 + 3 x 1 = 5 s; wheel: 5.03 to 5.06 s", "within": True, **more}
    return Predicted(what=what, when=when, measured=measured, **given)


def opening(port: int) -> tuple[Entry, ...]:
    """What comes before the fault in every cell."""
    return (
        Entry(-0.131, "client.app", "calls BRPOP", kind="call", weight=1),
        Entry(-0.105, "client.app", "the library connects", kind="connect"),
        Entry(-0.100, "client.kernel", "SYN", kind="syn", packet=1, weight=2),
        Entry(-0.049, "client.app", f"connected from port {port}", kind="connect"),
        Entry(-0.047, "client.app", "asleep in recvfrom(fd 24)", "/proc/PID/syscall", "sleep",
              weight=1),
        Entry(0.0, "cable", "fault cut: blackhole", "blocked, on packet 29", "fault"))


def healing() -> tuple[Entry, ...]:
    return (
        Entry(20.0, "cable", "fault cut healed", "for 20 s", "fault"),
        Entry(21.0, "netdiag", "m1 pushed", "the producer", "push"),
        Entry(29.94, "netdiag", "the cell ends", "its duration is over", "end", weight=1))


def server_probes() -> tuple[Entry, ...]:
    return (
        *(Entry(at, "server.kernel", f"keepalive probe #{step}", PROBE, "keepalive_probe", packet)
          for step, (at, packet) in enumerate(((5.96, 31), (7.96, 32), (9.98, 33)), 1)),
        Entry(12.0, "server.kernel", "RST", TAKEN, "rst", 34),
        Entry(12.0, "server.app", "CLIENT LIST has forgotten 10.0.0.1:38630",
              "the server closed or lost it", "client_forgotten"))


def zombie() -> CellAnalysis:
    who = "10.0.0.1:38630"
    return CellAnalysis(
        id="zombie", choices={"client.settings": "zombie"}, outcome=Outcome.PASS, unknown=(),
        length=29.94, faults=(cut(server_keepalive_probe=3, server_rst=1),),
        regimes=(
            Regime("client", who, "ESTABLISHED", "none", 0.008, None, SILENT),
            Regime("server", who, "ESTABLISHED", "keepalive", -0.044, 12.0, COUNTS)),
        zombies=(Zombie("client", who, 12.0, f"the client still believes in {who}, the server has "
                                             "no such socket since +12.00 s"),),
        messages=(Message("m1", "stuck", "still in the queue: nobody asked for it", 21.0),),
        beliefs=(
            Belief("client's kernel", "ESTABLISHED, no timer running", 0.008),
            Belief("the wire", "silent; the last packet was rst from the server, taken", 12.0),
            Belief("the application", "asleep in recvfrom(fd 24)", -0.047),
            Belief("the server", "CLIENT LIST has forgotten it", 12.0)),
        beliefs_at=who, packets={"ack": 3, "data": 9, "keepalive_probe": 3, "rst": 1},
        predicted=(foretold("noticed", (), None, formula="no timer will fire"),
                   foretold("server", (Interval(11.9, 12.05),), 12.0)),
        verdicts=(Verdict("detected_within: never", Outcome.PASS, "never"),
                  Verdict("stuck: 1", Outcome.PASS, "1")),
        timeline=(*opening(38630), Entry(0.008, "client.kernel", "ESTABLISHED, no timer", SILENT,
                                         "regime"), *server_probes(), *healing()))


def keepalive() -> CellAnalysis:
    who = "10.0.0.1:38636"
    probes = tuple(
        Entry(at, "client.kernel", f"keepalive probe #{step}", PROBE, "keepalive_probe", 30 + step)
        for step, at in enumerate((2.0, 3.04, 4.06), 1))
    retries = tuple(
        Entry(6.59 + 1.02 * step, "client.kernel", f"SYN retransmission #{step % 4 + 1}",
              f"the SYN is unanswered; {TAKEN}", "syn_retransmission", 37 + step)
        for step in range(11))
    return CellAnalysis(
        id="keepalive", choices={"client.settings": "keepalive"}, outcome=Outcome.PASS, unknown=(),
        length=29.94,
        faults=(cut(client_keepalive_probe=3, client_rst=1, client_syn=3,
                    client_syn_retransmission=11, server_keepalive_probe=3, server_rst=1),),
        noticed=Notice(5.083, "the application got an error", "the kernel's keepalive timer",
                       "TimeoutError", 110, "Timeout reading from socket"),
        recovered=1.0,
        regimes=(Regime("client", who, "ESTABLISHED", "keepalive", 0.005, 5.09, COUNTS),),
        messages=(Message("m1", "delivered", "received at +21.00 s", 21.0, 21.0, 21.0),),
        beliefs=(
            Belief("client's kernel", "no such socket any more (it was ESTABLISHED)", 5.09),
            Belief("the wire", "silent; the last packet was rst from the server, taken", 12.0),
            Belief("the application", "asleep in recvfrom(fd 25)", 21.05),
            Belief("the server", "CLIENT LIST has forgotten it", 12.0)),
        beliefs_at=who, packets={"keepalive_probe": 6, "syn_retransmission": 11},
        predicted=(foretold("noticed", (Interval(5.03, 5.11),), 5.083),
                   foretold("error", (Interval(5.03, 5.11),), 5.084)),
        verdicts=(Verdict("detected_within: keepalive + 2s", Outcome.PASS, "5.08 s"),),
        timeline=(
            *opening(38636), *probes, Entry(5.08, "client.kernel", "RST", TAKEN, "rst", 34),
            Entry(5.09, "client.app", "TimeoutError: Timeout reading from socket [errno 110]",
                  "what the application sees", "error"),
            *retries, *server_probes(), *healing(),
            Entry(21.001, "client.app", "received m1", kind="got")))


def read_timeout() -> CellAnalysis:
    who = "10.0.0.1:38640"
    fins = tuple(
        Entry(at, "client.kernel", f"FIN retransmission #{step}", "the FIN is unacknowledged",
              "fin_retransmission", 31 + step)
        for step, at in enumerate((3.39, 3.83, 4.70, 6.42, 9.94, 16.86, 23.5, 29.0), 1))
    return CellAnalysis(
        id="read-timeout", choices={"client.settings": "read-timeout"}, outcome=Outcome.FAIL,
        unknown=(), length=29.94, faults=(cut(client_fin=1, client_fin_retransmission=7),),
        noticed=Notice(2.96, "the application got an error", "the client's own timeout",
                       "TimeoutError", None, "Timeout reading from socket"),
        regimes=(
            Regime("client", who, "FIN-WAIT-1", "retransmission", 2.95, None,
                   "closed, and the FIN is unacknowledged", orphan=True),
            *(Regime("client", f"10.0.0.1:{40400 + step}", "SYN-SENT", "retransmission",
                     3.45 + 5.5 * step, 8.45 + 5.5 * step, "the SYN is unanswered")
              for step in range(4))),
        fin_wait1=(FinWait1("client", who, 2.96, 26.98, ended=False, orphan=True),),
        beliefs_at=who,
        predicted=(
            foretold("noticed", (Interval(2.4, 2.42), Interval(3.1, 3.2)), 2.96, within=False,
                     by="the client's own timeout", formula="read_timeout 3 s"),
            foretold("fin_wait1", (Interval(109.4, 111.5),), None, within=None,
                     why="the cell ended before that"),
            foretold("error", (Interval(3.1, 3.2),), None, within=False, formula="read_timeout")),
        unpredicted=("a message is pushed on an event, so when the server replies is open",),
        verdicts=(Verdict("detected_within: 2s", Outcome.FAIL, "2.96 s"),
                  Verdict("fin_wait1: 0", Outcome.FAIL, "1", "the FIN is unacknowledged")),
        timeline=(*opening(38640), *fins, *healing()))


def lost() -> CellAnalysis:
    return CellAnalysis(
        id="reply-lost", choices={}, outcome=Outcome.PASS, unknown=(), length=25.0,
        faults=(cut(server_data=1),),
        messages=(Message("m1", "lost", "left the server at +0.00 s; its reply was sent 7 times, "
                                        "taken by the cable 7 times: lost", 0.0, 0.0),
                  Message("m2", "delivered", "received at +9.07 s", 9.0, 9.07, 9.07)))


def missed() -> CellAnalysis:
    why = "the reply came before the server's ACK of the command"
    fault = replace(cut(), began_ns=None, healed_ns=None, began=None, healed=None, packet=None,
                    why_not=why)
    return CellAnalysis(
        id="missed", choices={"faults.cut.at": "blocked"}, outcome=Outcome.UNKNOWN,
        unknown=(f"fault cut never took effect: {why}",), length=30.0, faults=(fault,))


def run(*cells: CellAnalysis) -> Analysis:
    return Analysis("brpop-zombie", "A consumer waits in BRPOP when the path dies.",
                    worst([cell.outcome for cell in cells]), cells)


def everything() -> Analysis:
    return run(zombie(), keepalive(), read_timeout(), lost(), missed())


HOSTILE = (
    "[red]markup[/red] [link=file:///etc/passwd]x[/link]",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J",
    "\u202egnp.exe\u202c \u2067\u05d0\u05d1\u2069",
    "emoji :bomb: \U0001f4a3 \U0001f468\u200d\U0001f469\u200d\U0001f466",
    "w" * 300,
    "line\nline\r\ttab\x00\x7f\x85\u2028",
    "\ud800 lone surrogate",
    "",
)


def hostile(text: str) -> Analysis:
    """A run in which every word from outside is this text."""
    cell = CellAnalysis(
        id=text, choices={text: text}, outcome=Outcome.FAIL, unknown=(text,), length=1.0,
        faults=(replace(cut(), name=text, verb=text, trigger=text, taken={text: 1}),
                replace(cut(), began=None, why_not=text)),
        noticed=Notice(1.0, text, text, text, 110, text),
        regimes=(Regime(text, text, text, text, 0.0, 1.0, text),),
        fin_wait1=(FinWait1(text, text, 0.0, 1.0, ended=True, orphan=True),),
        zombies=(Zombie(text, text, 1.0, text),), messages=(Message(text, text, text),),
        beliefs=(Belief(text, text, 1.0),) * 4, beliefs_at=text, packets={text: 1},
        verdicts=(Verdict(text, Outcome.FAIL, text, text),), unpredicted=(text,),
        predicted=(Predicted(text, (), text, text, text, text, 1.0, False, text),),
        timeline=(Entry(0.0, text, text, text, text),))
    return Analysis(text, text, Outcome.FAIL, (cell, replace(cell, noticed=None)))
