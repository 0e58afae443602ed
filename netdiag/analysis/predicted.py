"""What the settings alone foretold, beside what was measured.

The rule this file guards: a measurement is inside its interval, outside of it, or it says nothing,
and then a sentence says why: the cell ended too early, or something else came first. What it says
nothing about is never counted as fulfilled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netdiag.analysis.model import Interval, Predicted
from netdiag.analysis.moments import SECOND
from netdiag.predict import Kernel, predict
from netdiag.predict.model import ERROR, FIN_WAIT1, NOTICED, SERVER
from netdiag.predict.wheel import ROUND
from netdiag.tcp.wire import RST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netdiag.analysis.kernel import SocketState
    from netdiag.analysis.model import FaultEffect, FinWait1, Notice
    from netdiag.analysis.moments import Moments
    from netdiag.analysis.wire import WireLog
    from netdiag.predict import Forecast
    from netdiag.predict.wheel import Span
    from netdiag.scenario import Cell

_RTO_MAX_MS: Final = 120_000
_CALM_NS: Final = 150_000_000
"""No timeout ends sooner after a fault, so until then a kernel tells its first one."""


@dataclass(frozen=True)
class Seen:
    """What a cell's forecasts are compared with; `subject`: the connection that the fault hit."""

    moments: Moments
    wire: WireLog
    faults: tuple[FaultEffect, ...]
    noticed: Notice | None
    fin_wait1: tuple[FinWait1, ...]
    sockets: Mapping[tuple[str, str], SocketState]
    subject: str | None

    @property
    def length(self) -> float:
        """Seconds from the origin to the cell's end."""
        return self.moments.since(self.moments.end)


@dataclass(frozen=True)
class _Measured:
    """When something happened; `lasted`: how long it did not, at least, where it did not; `after`:
    where only its effect was seen, a time at which it had not happened yet.
    """

    at: float | None
    lasted: float = 0.0
    why: str = ""
    after: float | None = None


def predicted(cell: Cell, seen: Seen) -> tuple[tuple[Predicted, ...], tuple[str, ...]]:
    """The forecasts of a cell beside their measurements, and what could not be foretold.

    Each fault is foretold as if it were the only one, so a cell with several compares nothing.
    """
    began = [fault for fault in seen.faults if fault.began is not None]
    kernel, version = _kernel(seen), _version(seen.moments)
    if kernel is None:
        return (), ("the recording does not say on which kernel it was made",)
    if len(cell.faults) != 1 or len(began) != 1:
        several = max(len(cell.faults), len(began)) > 1  # its own, and the server's by others
        why = "several faults meet" if several else "no fault took effect"
        return (), (f"{why}, so there is nothing to foretell",)
    foretold = predict(cell, kernel, version=version, rto=_timeouts(seen),
                       healed=_lasted(began[0])).faults[0]
    rows = tuple(_beside(one, seen) for one in foretold.forecasts)
    return rows, foretold.unsaid


def _kernel(seen: Seen) -> Kernel | None:
    start = seen.moments.first("netdiag", "cell")
    told = start.data if start is not None else {}
    tick, clock = told.get("tick"), told.get("clock")
    hz = tick if isinstance(tick, int) else None
    try:
        return Kernel.of(str(told.get("kernel")), hz=hz, virtual=clock == "virtual",
                         phase=None if hz is None else _phase(seen, hz))
    except ValueError:
        return None


def _phase(seen: Seen, hz: int) -> int | None:
    """The kernel's count of ticks at the client's first SYN, as far as its wheel is concerned; None
    where nobody knows, as in real time."""
    settled = seen.moments.first("netdiag", "settled")
    ticks = settled.data.get("ticks") if settled is not None else None
    dialled = next((one.t for one in seen.wire.frames if one.sender == "client"), None)
    if settled is None or dialled is None or not isinstance(ticks, int):
        return None
    return (ticks + (dialled - settled.t) * hz // SECOND) % ROUND


def _version(moments: Moments) -> str:
    start = moments.first("client.app", "start")
    return str(start.data.get("version", "")) if start is not None else ""


def _timeouts(seen: Seen) -> dict[str, float]:
    """Each side's retransmission timeout when the fault began (s), as its kernel tells it.

    It follows from the round trip, which no setting knows.
    """
    found: dict[str, float] = {}
    until = min((one.began_ns for one in seen.faults if one.began_ns is not None), default=0)
    for event in seen.moments.of(None, "socket"):
        side, _, kernel = event.lane.partition(".")
        if kernel != "kernel" or str(event.data.get("client")) != seen.subject:
            continue
        rto, calm = event.data.get("rto_ms"), not event.data.get("backoff")
        if not isinstance(rto, int) or not 1 <= rto <= _RTO_MAX_MS:
            continue
        if calm and event.t <= until + _CALM_NS:
            found[side] = rto / 1000
    return found


def _lasted(fault: FaultEffect) -> float | None:
    """Seconds until the fault healed; None: it did not."""
    return None if fault.healed is None or fault.began is None else fault.healed - fault.began


def _beside(one: Forecast, seen: Seen) -> Predicted:
    measured = _MEASURE[one.what](seen)
    within, why = _judged(one, measured)
    pieces = () if one.when is None else one.when.pieces
    return Predicted(
        what=one.what,
        when=tuple(Interval(piece.low, piece.high) for piece in pieces),
        by=one.by,
        text=one.text,
        formula=one.formula,
        source=one.source,
        measured=measured.at,
        within=within,
        why=why,
    )


def _judged(one: Forecast, measured: _Measured) -> tuple[bool | None, str]:
    """Whether a measurement is where it was foretold; None and why, when it says nothing."""
    if measured.why:
        return None, measured.why
    if measured.at is not None:
        return _inside(one.when, measured.at, measured.after)
    if one.when is None:
        return True, ""
    if measured.lasted <= one.when.high:
        return None, "the cell ended before that"
    return False, ""


def _inside(when: Span | None, at: float, after: float | None) -> tuple[bool | None, str]:
    """Whether a time is where it was foretold; None when it may have been, seen too late."""
    if when is None or at in when:
        return when is not None, ""
    if after is None or not any(one.low <= at and after <= one.high for one in when.pieces):
        return False, ""
    return None, f"it was found {at:.2f} s after the fault; {after:.2f} s after it, not yet"


def _noticed(seen: Seen) -> _Measured:
    return _Measured(None if seen.noticed is None else seen.noticed.t, seen.length)


def _error(seen: Seen) -> _Measured:
    began = min((one.began_ns for one in seen.faults if one.began_ns is not None), default=0)
    for event in seen.moments.of("client.app", "error"):
        if event.t >= began:
            return _Measured((event.t - began) / 1e9)
    return _Measured(None, seen.length)


def _fin_wait1(seen: Seen) -> _Measured:
    for one in seen.fin_wait1:
        if (one.side, one.client) == ("client", seen.subject):
            return _Measured(one.seconds if one.ended else None, one.seconds)
    if seen.noticed is None:
        return _Measured(None, why="the client closed nothing")
    return _Measured(0.0)


def _server(seen: Seen) -> _Measured:
    socket = seen.sockets.get(("server", seen.subject or ""))
    if socket is None:
        return _Measured(None, why="the server's socket was never seen")
    if socket.gone is None:
        return _Measured(None, seen.length)
    since, alive = seen.moments.since, socket.alive
    reset = _own_reset(seen, alive or 0, socket.gone)
    if reset is not None:
        return _Measured(since(reset))
    return _Measured(since(socket.gone), after=None if alive is None else since(alive))


def _own_reset(seen: Seen, alive: int, gone: int) -> int | None:
    """When the server's kernel gave the socket up, from its RST; one that comes later answers a
    segment for a socket that it no longer has.
    """
    return next(
        (
            frame.t
            for frame in seen.wire.frames
            if (frame.sender, frame.client) == ("server", seen.subject)
            and frame.segment.flags & RST
            and frame.injected is None
            and alive <= frame.t <= gone
        ),
        None,
    )


_MEASURE: Final[dict[str, Callable[[Seen], _Measured]]] = {
    NOTICED: _noticed,
    ERROR: _error,
    FIN_WAIT1: _fin_wait1,
    SERVER: _server,
}
