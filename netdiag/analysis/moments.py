"""The events of a cell, with the questions that the rest of the analysis asks of them.

Holds the one conversion from CLOCK_MONOTONIC nanoseconds to seconds since the cell's origin.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from netdiag.analysis.model import FaultEffect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netdiag.recording import Event

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Moments:
    """A cell's events in the order of time, and where its clock begins (`origin`, ns).

    What was asked once is remembered: the same few questions are asked of each message.
    """

    events: tuple[Event, ...]
    origin: int
    _asked: dict[tuple[str | None, tuple[str, ...]], tuple[Event, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def since(self, t: int) -> float:
        """Absolute ns -> seconds since the origin."""
        return (t - self.origin) / SECOND

    def of(self, lane: str | None = None, *whats: str) -> Iterator[Event]:
        """The events of a lane (None: of any) with one of these names (none: with any)."""
        known = self._asked.get((lane, whats))
        if known is None:
            known = self._asked[lane, whats] = tuple(
                event
                for event in self.events
                if lane in (None, event.lane) and (not whats or event.what in whats)
            )
        return iter(known)

    def first(self, lane: str, *whats: str) -> Event | None:
        return next(self.of(lane, *whats), None)

    def last(self, lane: str, *whats: str) -> Event | None:
        """The latest; of two at one moment the one that was recorded later."""
        return max(enumerate(self.of(lane, *whats)), key=_when, default=(0, None))[1]

    @property
    def end(self) -> int:
        """When the cell ended: its `end` event, or the last thing that was recorded (ns)."""
        end = self.first("netdiag", "end")
        if end is not None:
            return end.t
        return self.events[-1].t if self.events else self.origin


def _when(numbered: tuple[int, Event]) -> tuple[int, int]:
    return numbered[1].t, numbered[0]


def by_fault(event: Event) -> bool:
    """Whether a program's end is a fault's doing, so that it says nothing of the program."""
    return event.what == "exit" and event.data.get("fault") is not None


def halted(moments: Moments, host: str, who: str | None = None) -> Event | None:
    """Why a host's program does not run at the end: its exit, or the signal that stopped it; None
    when it does (or did when it was last heard of). who: of several clients, whose program.
    """
    why = None
    for event in moments.of(f"{host}.app", "start", "started", "exit", "signal", "docker"):
        if who not in (None, event.who):
            continue
        word = event.data.get("signal") or event.data.get("verb")
        done = word if event.outcome == "ok" else None
        if event.what in ("start", "started") or done in ("SIGCONT", "unpause"):
            why = None
        elif event.what == "exit" or done in ("SIGSTOP", "pause"):
            why = event
    return why


def faults_of(events: tuple[Event, ...], origin: int) -> tuple[FaultEffect, ...]:
    """What the cable said of each fault; the summary at the end is missing when the cable was
    killed.
    """
    edges: dict[str, dict[str, Event]] = {}
    summaries: dict[str, dict[str, Any]] = {}
    acts: dict[str, list[Event]] = {}
    for event in events:
        if event.what in ("signal", "started", "docker", "late") or by_fault(event):
            acts.setdefault(str(event.data.get("fault")), []).append(event)
        if event.lane != "cable" or "fault" not in event.data:
            continue
        name = str(event.data["fault"])
        if event.what == "fault":
            edges.setdefault(name, {}).setdefault(str(event.data.get("edge")), event)
        elif event.what == "fault_summary":
            summaries[name] = dict(event.data)
    return tuple(
        _with_acts(
            _effect(name, edges.get(name, {}), summaries.get(name, {}), origin), acts.get(name, [])
        )
        for name in dict.fromkeys((*edges, *summaries))
    )


def _effect(
    name: str, edges: dict[str, Event], summary: dict[str, Any], origin: int
) -> FaultEffect:
    began, healed = edges.get("active"), edges.get("healed")
    told = {**(dict(began.data) if began else {}), **summary}
    packet = began.data.get("packet") if began else None
    injected = summary.get("injected")
    return FaultEffect(
        name=name,
        verb=str(told.get("verb", "")),
        trigger=str(told.get("trigger", "")),
        began_ns=began.t if began else None,
        healed_ns=healed.t if healed else None,
        began=(began.t - origin) / SECOND if began else None,
        healed=(healed.t - origin) / SECOND if healed else None,
        packet=packet if isinstance(packet, int) else None,
        taken=_counts(summary.get("taken")),
        injected=injected if isinstance(injected, int) else 0,
        why_not=_text(summary.get("why_not")),
        unhealed=_text(summary.get("unhealed")),
        lasts=told.get("lasts") is not False,
    )


def silent(events: tuple[Event, ...], signal: str) -> str | None:
    """Why what waits for this signal (of the cell's `produce`, by number) never began; None when a
    cable gave it, or none says that it did not.
    """
    told = [
        _text(event.data.get("why_not"))
        for event in events
        if event.what == "signal_summary" and event.data.get("signal") == signal
    ]
    return told[0] if told and all(told) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _with_acts(effect: FaultEffect, acts: list[Event]) -> FaultEffect:
    """The same with what was done to a program, and its end, where that was not seen at once."""
    done: list[str] = []
    undone = None
    for before, one in zip((None, *acts), acts, strict=False):
        if one.what != "exit" and one.outcome != "ok":
            undone = undone or _act(one.data)
        elif one.what != "exit":
            done.append(_act(one.data))
        elif before is not None and before.what == "signal" and "ended: " not in "".join(done):
            done.append(f"ended: {_code(one.data.get('code'))}")
    return replace(effect, acts=tuple(done), undone=undone)


def _code(code: object) -> str:
    """`code 0`, or `SIGTERM` for -15."""
    try:
        return signal.Signals(-code).name if isinstance(code, int) and code < 0 else f"code {code}"
    except ValueError:
        return f"code {code}"


def _act(data: Mapping[str, object]) -> str:
    """`SIGSTOP: T (stopped)`, `started again`, `SIGHUP: the program ignores it`; or why it came
    too late.
    """
    if "verb" in data:
        return f"docker {data['verb']}: {data.get('reason') or data.get('state')}"
    if "signal" not in data:
        return str(data.get("reason", "started again"))
    return f"{data['signal']}: {data.get('reason') or data.get('state')}"


def _counts(taken: object) -> dict[str, int]:
    """What a summary says it took; what is no count is left out."""
    held = taken if isinstance(taken, dict) else {}
    return {str(key): number for key, number in held.items() if isinstance(number, int)}
