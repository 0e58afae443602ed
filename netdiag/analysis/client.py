"""The client's events -> when and how it noticed, and when it really worked again.

It has noticed when its library or application does something about the fault: an error, a
connection dropped, a new dial, an exit. A socket that dies without anybody being told is not
noticing. What told it is what can be shown: an errno, a segment that reached it, a socket that its
kernel gave up; a timer that was pending told nothing.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final

from netdiag.analysis.model import Notice
from netdiag.analysis.moments import by_fault, halted
from netdiag.tcp.wire import FIN, RST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdiag.analysis.moments import Moments
    from netdiag.analysis.wire import Frame
    from netdiag.recording import Event

OWN_TIMEOUT: Final = "the client's own timeout"
_WORDS: Final = ("error", "exit", "disconnect", "connect")
_TOGETHER = 100_000_000

_BY_ERRNO: Final = {
    errno.ECONNRESET: "a RST from the peer",
    errno.ECONNREFUSED: "a RST to its SYN (refused)",
    errno.EPIPE: "a RST from the peer",
    errno.EHOSTUNREACH: "an unreachable host (ARP or ICMP)",
    errno.ENETUNREACH: "an unreachable network",
}
_BY_TIMER: Final = {
    "keepalive": "the kernel's keepalive timer",
    "retransmission": "the kernel's retransmission timer",
    "persist": "the kernel's persist timer",
}


def notice(
    moments: Moments, began: int | None, *, frames: Sequence[Frame] = ()
) -> Notice | None:
    """When the client noticed a fault that began at `began` (ns); None: it never did.

    `frames` are those of the connection that the fault hit.
    """
    if began is None:
        return None
    again = moments.first("client.app", "started")  # a new process cannot notice for the old one
    told = [
        event
        for event in moments.of("client.app", *_WORDS)
        if event.t >= began
        and (again is None or event.t < again.t)
        and (event.what, event.outcome) != ("connect", "ok")
        and not by_fault(event)
    ]
    if not told:
        return None
    first = told[0]
    together = [event for event in told if event.t - first.t <= _TOGETHER]
    best = _best(together)
    text, data = _how(best), dict(best.data)
    number = data.get("errno")
    return Notice(
        t=(first.t - began) / 1e9,
        how=text,
        by=_by(moments, frames, best, first.t),
        type=str(data["type"]) if data.get("type") else None,
        errno=number if isinstance(number, int) else None,
        message=str(data.get("message", ""))[:300],
    )


def _best(together: list[Event]) -> Event:
    """What says most about a group of events: the application's error, unless the library dialled
    first.
    """
    for event in together:
        if event.what == "error" or (event.what == "connect" and event.outcome == "start"):
            return event
    return next((event for event in together if event.what == "connect"), together[0])


def _how(event: Event) -> str:
    if event.what == "error":
        return "the application got an error"
    if event.what == "exit":
        return f"the client ended with code {event.data.get('code')}"
    if event.what == "connect" and event.outcome == "fail":
        return "the library could not connect"
    return "the library dropped the connection and dialled again by itself"


def _by(moments: Moments, frames: Sequence[Frame], event: Event, t: int) -> str:
    """Which clock told it: a kernel timer, a segment of the peer, or the client's own timeout."""
    number = event.data.get("errno")
    if isinstance(number, int) and number in _BY_ERRNO:
        return _BY_ERRNO[number]
    if number == errno.ETIMEDOUT:
        return _BY_TIMER.get(_timer_before(moments, t), "a timer of the kernel")
    if event.what == "exit":
        return "its end"
    if "closed" in str(event.data.get("message", "")).lower():
        return "a FIN from the peer"
    again = event.what in ("connect", "disconnect") and event.outcome != "fail"
    ended = _ended_by_peer(frames, t) if again else None
    return ended or (_killed(moments, t) if again or event.what == "error" else None) or OWN_TIMEOUT


def _ended_by_peer(frames: Sequence[Frame], t: int) -> str | None:
    """The FIN or RST that reached the client before `t`; None: none did, or its own came first."""
    for frame in frames:
        flags = frame.segment.flags
        if frame.t > t or not flags & (FIN | RST):
            continue
        made = frame.injected is not None
        if not made and frame.side == 0:
            return None
        if frame.taken is None and made is (frame.side == 0):  # what is made is for its side
            return "a RST from the peer" if flags & RST else "a FIN from the peer"
    return None


def _killed(moments: Moments, t: int) -> str | None:
    """What ended the socket when its owner did not, for libraries that tell no errno: a socket that
    is closed by its owner goes through FIN-WAIT-1, one that its kernel gives up is gone at once.
    """
    gone = any(
        abs(event.t - t) <= _TOGETHER and event.data.get("last_state") == "ESTABLISHED"
        for event in moments.of("client.kernel", "socket_gone")
    )
    if not gone:
        return None
    last = _socket_before(moments, t)
    tried = last.get("probes") or last.get("retransmits")
    return _BY_TIMER.get(str(last.get("timer")), "a timer of the kernel") if tried else "a RST"


def _socket_before(moments: Moments, t: int) -> dict[str, Any]:
    last: dict[str, Any] = {}
    for event in moments.of("client.kernel", "socket"):
        if event.t >= t:
            break
        last = dict(event.data)
    return last


def _timer_before(moments: Moments, t: int) -> str:
    return str(_socket_before(moments, t).get("timer", ""))


def recovered(moments: Moments, healed: int | None) -> float | None:
    """Seconds from the healing until a message was really consumed; None: it never was."""
    if healed is None:
        return None
    return next(
        (
            (event.t - healed) / 1e9
            for event in moments.of("client.app", "got")
            if event.t >= healed
        ),
        None,
    )


def asleep(moments: Moments) -> tuple[str, int] | None:
    """The system call in which the client was seen last, and since when (ns); None: it does not
    sleep.
    """
    last = moments.last("client.app", "sleep")
    if last is None or halted(moments, "client") is not None or not last.data.get("syscall"):
        return None
    return call_text(last.data), last.t


def call_text(sleep: Mapping[str, Any]) -> str:
    """The data of a `sleep` event in words: `recvfrom(fd 5)`, or where the kernel names no call
    (a guest's), `a system call`.
    """
    name, fd = str(sleep["syscall"]), sleep.get("fd")
    return name if " " in name else f"{name}({f'fd {fd}' if fd is not None else ''})"


def false_timeouts(moments: Moments, began: int | None) -> int:
    """Errors while the link was healthy: before the first fault, or in a cell without one."""
    limit = began if began is not None else moments.end
    return sum(1 for event in moments.of("client.app", "error") if event.t < limit)
