"""Packets, kernel timers, application, server and faults -> one list of lines in the order of time.

Every line says who, what and why. Weight 0 is what a person must see, 1 detail, 2 routine that only
a full listing wants.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

from netdiag.analysis.client import call_text
from netdiag.analysis.model import Entry
from netdiag.tcp.wire import FIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from netdiag.analysis.model import Regime
    from netdiag.analysis.moments import Moments
    from netdiag.analysis.wire import Frame, WireLog
    from netdiag.recording import Event

_ROUTINE: Final = frozenset({"ack", "handshake_ack", "window_update", "duplicate_ack"})
_LONG: Final = 1_000_000_000
_QUIET_BEFORE: Final = frozenset({*_ROUTINE, "data", "syn_ack"})

_PHASE_NAMES: Final = {
    "request_in_flight": "{}",
    "reply_in_flight": "reply to {}",
    "blocked": "ACK of the whole {}",
}
_WHY: Final = {
    "tail_loss_probe": "no ACK for about SRTT + 200 ms",
    "rto_retransmission": "the retransmission timer fired",
    "syn_retransmission": "the SYN is unanswered",
    "syn_ack_retransmission": "the handshake's last ACK is missing",
    "fin_retransmission": "the FIN is unacknowledged",
    "keepalive_probe": "the keepalive timer fired",
    "zero_window_probe": "the persist timer fired: the peer's window is zero",
}


def timeline(moments: Moments, wire: WireLog, regimes: Sequence[Regime]) -> tuple[Entry, ...]:
    """All lines of a cell, in the order of time."""
    lines = [*_events(moments), *_regimes(regimes), *_frames(moments, wire)]
    return tuple(sorted(lines, key=lambda line: line.t))


def _frames(moments: Moments, wire: WireLog) -> Iterator[Entry]:
    for frame in wire.frames:
        t = moments.since(frame.t)
        if frame.injected is not None:
            yield Entry(t, "cable", "RST made by the cable", frame.injected, "rst", frame.number)
            continue
        fate = frame.taken.split(":")[0].replace("fault ", "") if frame.taken else ""
        why = _WHY.get(frame.label, "")
        yield Entry(
            t,
            f"{frame.sender}.kernel",
            _frame_text(frame),
            "; ".join(filter(None, (why, fate))),
            frame.label,
            frame.number,
            _weight(frame, t),
        )


def _weight(frame: Frame, t: float) -> int:
    if frame.taken:
        return 0
    if frame.label == "data":
        return 0 if frame.phases and t >= 0 else 2
    if t < 0:
        return 2 if frame.label in _QUIET_BEFORE or frame.label == "syn" else 0
    return 2 if frame.label in _ROUTINE else 0


def _frame_text(frame: Frame) -> str:
    seen = frame.seen
    name = next(
        (
            _PHASE_NAMES[one.phase].format(one.command)
            for one in frame.phases
            if one.phase in _PHASE_NAMES
        ),
        frame.label.replace("_", " "),
    )
    for short, full in (("syn", "SYN"), ("fin", "FIN"), ("rst", "RST"), ("ack", "ACK")):
        name = " ".join(full if word == short else word for word in name.split())
    parts = [name]
    if seen is not None:
        if seen.step:
            parts.append(f"#{seen.step}")
        if frame.segment.length:
            parts.append(f"({frame.segment.length} bytes{_and_fin(frame)})")
        if seen.since_previous_ns > 0 and frame.label in _WHY:
            parts.append(f"after {seen.since_previous_ns / 1e9:.2f} s")
    return " ".join(parts)


def _and_fin(frame: Frame) -> str:
    """A FIN that travels with data: the kernel collapses them when it sends both again."""
    return " and FIN" if frame.segment.flags & FIN else ""


def _regimes(regimes: Sequence[Regime]) -> Iterator[Entry]:
    for one in regimes:
        timer = "no timer" if one.timer == "none" else f"{one.timer} timer"
        orphan = ", orphan" if one.orphan else ""
        yield Entry(
            one.start,
            f"{one.side}.kernel",
            f"{one.state}, {timer}{orphan}",
            one.reason,
            "regime",
            weight=1 if one.start < 0 else 0,
        )


def _events(moments: Moments) -> Iterator[Entry]:
    listed: set[str] = set()
    said = sorted(event.t for event in moments.of("client.app"))
    for event in moments.events:
        t = moments.since(event.t)
        if event.what == "client_list":
            yield from _client_list(event, t, listed)
            continue
        if event.what == "sleep" and not _lasts(moments, event, said):
            continue
        tell = _TELL.get((event.lane.split(".")[-1], event.what))
        if tell is not None:
            text, reason, weight = tell(dict(event.data), event.outcome)
            yield Entry(t, event.lane, text, reason, event.what, weight=weight)


def _lasts(moments: Moments, event: Event, said: Sequence[int]) -> bool:
    """Whether a sleep after the fault went on for a second or more, until the client next did
    something (`said`: when, ns, sorted): others say nothing.
    """
    after = bisect_right(said, event.t)
    until = said[after] if after < len(said) else moments.end
    return event.t >= moments.origin and until - event.t >= _LONG


def _client_list(event: Event, t: float, listed: set[str]) -> Iterator[Entry]:
    rows = event.data.get("clients")
    now = (
        {str(row.get("addr")) for row in rows if isinstance(row, dict)}
        if isinstance(rows, list)
        else set()
    )
    for client in sorted(now - listed):
        yield Entry(t, "server.app", f"CLIENT LIST has {client}", "", "client_list", weight=1)
    for client in sorted(listed - now):
        yield Entry(
            t,
            "server.app",
            f"CLIENT LIST has forgotten {client}",
            "the server closed or lost it",
            "client_forgotten",
        )
    listed.clear()
    listed.update(now)


Told = tuple[str, str, int]

_ASKED: Final = {"left": "what is left", "client_list": "who is connected"}


def _fault(data: dict[str, Any], outcome: str) -> Told:
    if outcome == "start":
        packet = f", on packet {data.get('packet')}" if data.get("packet") else ""
        return f"fault {data.get('fault')}: {data.get('verb')}", f"{data.get('trigger')}{packet}", 0
    return f"fault {data.get('fault')} healed", str(data.get("trigger")), 0


def _connect(data: dict[str, Any], outcome: str) -> Told:
    if outcome == "start":
        return "the library connects", "", 0
    if outcome == "ok":
        local = data.get("local")
        port = f" from port {local[1]}" if isinstance(local, list) and len(local) > 1 else ""
        return f"connected{port}", "", 0
    return f"could not connect: {_error(data)}", "", 0


def _error(data: dict[str, Any]) -> str:
    number = f" [errno {data['errno']}]" if data.get("errno") is not None else ""
    return f"{data.get('type')}: {data.get('message')}{number}"


def _push(data: dict[str, Any], outcome: str) -> Told:
    if outcome == "fail":
        return (
            f"{data.get('id')} could not be pushed: {data.get('reason') or data.get('answer')}",
            "",
            0,
        )
    return f"{data.get('id')} pushed", "the producer", 0 if outcome == "start" else 2


def _signal(data: dict[str, Any], outcome: str) -> Told:
    if outcome != "ok":
        return f"{data.get('signal')} had no effect: {data.get('reason')}", "", 0
    return f"{data.get('signal')} from fault {data.get('fault')}", f"then {data.get('state')}", 0


def _make(data: dict[str, Any], outcome: str) -> Told:
    """A message that another service makes: when it is asked to; what went wrong."""
    service, number = data.get("service"), data.get("number")
    if outcome == "start":
        return f"{service} makes message {number}", "the stack's own producer", 1
    if outcome == "ok":
        return f"{service} has made message {number}", "exit code 0", 2
    reason = data.get("reason") or f"exit code {data.get('code')}; see logs/produce.log"
    return f"{service} could not make message {number}", str(reason), 0


def _docker(data: dict[str, Any], outcome: str) -> Told:
    verb, took = data.get("verb"), f"took {data.get('took_ms')} ms"
    if outcome != "ok":
        return f"docker {verb} failed: {data.get('reason')}", took, 0
    return f"docker {verb}: {data.get('state')}", f"fault {data.get('fault')}, {took}", 0


def _sleep(data: dict[str, Any], outcome: str) -> Told:
    del outcome
    if not data.get("syscall"):
        return "running", "", 2
    return f"asleep in {call_text(data)}", f"/proc/PID/{data.get('told_by', 'syscall')}", 1


_TELL: Final[dict[tuple[str, str], Callable[[dict[str, Any], str], Told]]] = {
    ("cable", "fault"): _fault,
    ("cable", "late"): lambda data, _: (
        f"fault {data.get('fault')} came too late",
        str(data.get("reason")),
        0,
    ),
    ("cable", "crash"): lambda data, _: ("the cable ended", f"code {data.get('code')}", 0),
    ("app", "connect"): _connect,
    ("app", "disconnect"): lambda data, _: ("the library closes the connection", "", 0),
    ("app", "call"): lambda data, _: (f"calls {data.get('command')}", "", 1),
    ("app", "return"): lambda data, _: ("the call came back empty", "no message and no error", 0),
    ("app", "got"): lambda data, _: (f"received {data.get('id')}", "", 0),
    ("app", "processed"): lambda data, _: (f"done with {data.get('id')}", "", 2),
    ("app", "acknowledged"): lambda data, _: (f"acknowledged {data.get('id')}", "", 1),
    ("app", "error"): lambda data, _: (_error(data), "what the application sees", 0),
    ("app", "reconnect"): lambda data, _: ("tries again", "after its pause", 1),
    ("app", "garbage"): lambda data, _: (
        f"said something else: {data.get('text')}",
        f"not the contract{': ' if data.get('why') else ''}{data.get('why', '')}",
        0,
    ),
    ("app", "exit"): lambda data, _: (
        f"ended with code {data.get('code')}",
        str(data.get("said", "")),
        0,
    ),
    ("app", "sleep"): _sleep,
    ("app", "signal"): _signal,
    ("app", "docker"): _docker,
    ("app", "backlog"): lambda data, _: (
        f"{data.get('length')} in the queue {data.get('key')}",
        str(data.get("asked", "LLEN")),
        1,
    ),
    ("app", "refused"): lambda data, _: (
        f"does not say {_ASKED.get(str(data.get('asked')), 'what it was asked')}",
        str(data.get("reason")),
        0,
    ),
    ("app", "started"): lambda data, _: (
        "started again, a new process",
        f"fault {data['fault']}" if "fault" in data else "its restart policy",
        0,
    ),
    ("app", "ready"): lambda data, _: (f"{data.get('server_name', 'redis')} is ready", "", 2),
    ("kernel", "socket_gone"): lambda data, _: (
        f"socket gone (was {data.get('last_state')}{', orphan' if data.get('orphan') else ''})",
        "",
        0,
    ),
    ("kernel", "overrun"): lambda data, _: (
        "did not tell of every socket that ended", "all were looked at again", 1
    ),
    ("netdiag", "push"): _push,
    ("netdiag", "make"): _make,
    ("netdiag", "requeue"): lambda data, _: (
        f"{data.get('id')} given back to the queue",
        f"the reaper: nobody finished it for {data.get('idle')} s",
        0,
    ),
    ("netdiag", "cell"): lambda data, outcome: (
        f"the cell could not go on: {data.get('reason')}"
        if outcome == "fail"
        else f"cell: {outcome}",
        "",
        0 if outcome == "fail" else 2,
    ),
    ("netdiag", "end"): lambda data, _: ("the cell ends", "its duration is over", 1),
}
