"""Who believes what about a connection: its client's kernel, the wire, the application, the server.

A zombie is a connection that one side still believes in and the other has forgotten; the four
beliefs side by side are the picture of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.analysis.client import asleep, spinning
from netdiag.analysis.model import Belief, Zombie
from netdiag.analysis.moments import halted
from netdiag.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdiag.analysis.kernel import SocketState
    from netdiag.analysis.moments import Moments
    from netdiag.analysis.wire import WireLog
    from netdiag.recording import Event

_BELIEVES = ("ESTABLISHED", "CLOSE-WAIT")


def subject(wire: WireLog, began: int | None) -> str | None:
    """The connection a cell is about: the last one that had frames before the fault, else the
    first.
    """
    before = [frame.client for frame in wire.frames if began is None or frame.t <= began]
    if before:
        return before[-1]
    return wire.frames[0].client if wire.frames else None


def zombies(sockets: Mapping[tuple[str, str], SocketState], moments: Moments) -> tuple[Zombie, ...]:
    """The connections in which one side believes at the end, although the other does not."""
    found = []
    for (side, client), own in sockets.items():
        other = sockets.get(("server" if side == "client" else "client", client))
        if own.gone is not None or own.state not in _BELIEVES or other is None:
            continue
        if other.gone is None and other.state in (*_BELIEVES, "SYN-RECEIVED", "SYN-SENT"):
            continue
        since = other.gone if other.gone is not None else other.since
        peer = "server" if side == "client" else "client"
        how = "has no such socket" if other.gone is not None else f"is in {other.state}"
        found.append(
            Zombie(
                side,
                client,
                moments.since(since),
                f"the {side} {_holds(own)} {client}, the {peer} {how} since "
                f"{moments.since(since):+.2f} s",
            )
        )
    return tuple(found)


def _holds(own: SocketState) -> str:
    """In CLOSE-WAIT its kernel knows that the other has closed; its program has not looked."""
    return "still believes in" if own.state != "CLOSE-WAIT" else "has not closed its end of"


def four_beliefs(
    client: str, sockets: Mapping[tuple[str, str], SocketState], wire: WireLog, moments: Moments
) -> tuple[Belief, ...]:
    """What each observer holds for true of one connection at the cell's end."""
    return (
        _of_kernel(sockets.get(("client", client)), moments),
        _of_wire(client, wire, moments),
        _of_application(sockets.get(("client", client)), moments),
        _of_server(client, moments),
    )


def _of_kernel(own: SocketState | None, moments: Moments) -> Belief:
    if own is None:
        return Belief("client's kernel", "no socket was seen", None)
    if own.gone is not None:
        return Belief(
            "client's kernel",
            f"no such socket any more (it was {own.state})",
            moments.since(own.gone),
        )
    timer = "no timer running" if own.timer == "none" else f"{own.timer} timer running"
    orphan = ", owned by no process" if own.orphan else ""
    return Belief("client's kernel", f"{own.state}, {timer}{orphan}", moments.since(own.since))


def _of_wire(client: str, wire: WireLog, moments: Moments) -> Belief:
    frames = [frame for frame in wire.frames if frame.client == client]
    if not frames:
        return Belief("the wire", "no packet of this connection", None)
    last = frames[-1]
    fate = ", taken" if last.taken else ""
    silent = "silent; " if moments.end - last.t >= SECOND else ""
    return Belief(
        "the wire",
        f"{silent}the last packet was {last.label.replace('_', ' ')} from the {last.sender}{fate}",
        moments.since(last.t),
    )


def _of_application(own: SocketState | None, moments: Moments) -> Belief:
    stopped = halted(moments, "client")
    if stopped is not None:
        return Belief("the application", _halted(stopped), moments.since(stopped.t))
    spin = spinning(moments)
    if spin is not None:
        text = f"spinning: {spin[0]:.0f} calls a second end in vain"
        return Belief("the application", text, moments.since(spin[1]))
    sleep = asleep(moments)
    if sleep is None:
        return Belief("the application", "not seen asleep", None)
    name, since = sleep
    left = own is not None and (own.gone is not None or own.state != "ESTABLISHED")
    where = ", no longer for this connection" if left else ""
    return Belief("the application", f"asleep in {name}{where}", moments.since(since))


def _halted(why: Event) -> str:
    return f"ended with code {why.data.get('code')}" if why.what == "exit" else "frozen"


def _of_server(client: str, moments: Moments) -> Belief:
    stopped = halted(moments, "server")
    if stopped is not None:
        return Belief("the server", _halted(stopped), moments.since(stopped.t))
    known: dict[str, object] | None = None
    forgotten: int | None = None
    refused: Event | None = None
    seen = False
    for event in moments.of("server.app", "client_list", "exit", "refused"):
        if event.what == "refused":
            refused = event if event.data.get("asked") == "client_list" else refused
            continue
        refused = None
        rows = event.data.get("clients")
        row = (
            next((row for row in rows if isinstance(row, dict) and row.get("addr") == client), None)
            if isinstance(rows, list)
            else None
        )
        if row is not None:
            known, seen, forgotten = dict(row), True, None
        elif seen and forgotten is None:  # a program that has ended knows nobody
            known, forgotten = None, event.t
    if refused is not None:
        text = f"CLIENT LIST is refused: {refused.data.get('reason')}"
        return Belief("the server", text, moments.since(refused.t))
    if known is not None:
        return Belief(
            "the server",
            f"CLIENT LIST still has it (id={known.get('id')} flags={known.get('flags')} "
            f"cmd={known.get('cmd')})",
            None,
        )
    if forgotten is not None:
        return Belief("the server", "CLIENT LIST has forgotten it", moments.since(forgotten))
    return Belief("the server", "never seen in CLIENT LIST", None)
