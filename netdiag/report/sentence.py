"""A cell's analysis -> one sentence that says what happened.

The rule this file guards: the sentence says only what was measured; every number in it is a field
of the analysis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.report.fates import fates
from netdiag.report.words import count, errno_name, listed, moment, plain, span

if TYPE_CHECKING:
    from netdiag.analysis.model import CellAnalysis, FaultEffect, Notice


def headline(cell: CellAnalysis) -> str:
    """What happened, in one sentence, without a full stop."""
    parts = _noticing(cell), _again(cell), _queue(cell), _left_behind(cell), _missing(cell)
    return "; ".join(filter(None, parts))


def _noticing(cell: CellAnalysis) -> str:
    if cell.noticed is not None:
        when = _after(cell.noticed.t) if cell.faults else f"at {moment(cell.noticed.t)}"
        return f"noticed {when}: {how(cell.noticed)}"
    if not cell.faults:
        elsewhere = "another client" in cell.origin
        return f"no fault{' of its own' if elsewhere else ''}, {_errors(cell)}"
    ended = _ended(cell.faults)
    if ended:
        return ended
    if all(fault.began is None for fault in cell.faults):
        return f"no fault took effect: {_why_not(cell.faults)}"
    at_once = not any(fault.lasts for fault in cell.faults)
    if cell.recovered is not None or (cell.recovered_on and at_once):
        same = cell.recovered_on in ("", cell.beliefs_at)
        return f"never noticed, and {'the same' if same else 'another'} connection went on"
    forgot = [
        f"the server had forgotten it {_after(zombie.since)}"
        for zombie in cell.zombies
        if zombie.side == "client"
    ][:1]
    return ", while ".join([": ".join(["never noticed", *_asleep(cell)]), *forgot])


def _ended(faults: tuple[FaultEffect, ...]) -> str:
    """Of a client that could notice nothing, because the fault was its own end."""
    acts = [act for one in faults if one.verb.endswith("the client") for act in one.acts]
    if not any("ended: " in act for act in acts):
        return ""
    again = ", and it was started again" if "started again" in acts else ""
    return f"the fault ended the client itself{again}"


def _errors(cell: CellAnalysis) -> str:
    """`and no error`, `but 3 errors: 2 TimeoutError and 1 ConnectionError ECONNRESET`."""
    if not cell.errors:
        return "and no error"
    parts = listed([f"{number} {plain(name)}" for name, number in cell.errors.items()])
    return f"but {count(sum(cell.errors.values()), 'error')}: {parts}"


def _asleep(cell: CellAnalysis) -> list[str]:
    """What the application believes, and for how long it has when the cell ends."""
    for belief in cell.beliefs:
        if "application" in belief.who:
            long = "" if belief.since is None else f" for {span(cell.length - belief.since)}"
            what, comma, where = plain(belief.text).partition(",")
            return [f"{what}{long}{comma}{where}"]
    return []


def _after(t: float) -> str:
    return f"after {span(t)}" if t >= 0 else f"at {moment(t)}"


def _again(cell: CellAnalysis) -> str:
    if cell.recovered is None:
        return ""
    return f"consumed a message {span(cell.recovered)} after healing"


def _queue(cell: CellAnalysis) -> str:
    """How the queue grew that a service should empty, and whether it was emptied."""
    full = cell.backlog
    if full is None or full.most <= full.before:
        return ""
    grew = f"the queue {plain(full.key)} grew from {full.before} to {full.most}"
    if full.empty_after is not None:
        return f"{grew} and was empty {span(full.empty_after)} after healing"
    return f"{grew}, and {full.last} waited at the end"


def by(notice: Notice) -> str:
    """What told the client, in its shortest words: `keepalive timer`, `client's own timeout`."""
    return plain(notice.by).removeprefix("the kernel's ").removeprefix("the ")


def how(notice: Notice) -> str:
    """`TimeoutError ETIMEDOUT (keepalive)`: the exception, its errno and the timer that told it."""
    words = [plain(notice.type) if notice.type else plain(notice.how), errno_name(notice.errno)]
    return " ".join([*filter(None, words), *([f"({by(notice)})"] if notice.by else [])])


def _why_not(faults: tuple[FaultEffect, ...]) -> str:
    return plain(next((fault.why_not for fault in faults if fault.why_not), "nobody knows why"))


def _left_behind(cell: CellAnalysis) -> str:
    held = [fin for fin in cell.fin_wait1 if fin.side == "client"]
    if not held:
        return ""
    longest = max(held, key=lambda fin: fin.seconds)
    end = "" if longest.ended else " and still there at the end"
    return f"FIN-WAIT-1 for {span(longest.seconds)}{end}"


def _missing(cell: CellAnalysis) -> str:
    missing = fates(cell.messages, but=("delivered", "unknown"))
    return ", ".join(f"{count(number, 'message')} {words}" for number, words in missing)
