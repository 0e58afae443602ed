"""A cell's recording, and that of its plan run again -> alike, or the first difference.

Event by event and packet by packet, in their order. The rule this file guards: on a virtual clock
nothing may differ but the numbers of ports, which the kernel draws; they are named by the order in
which they appear. Times count from the cell's first event, and are the same within WITHIN.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from netdiag.recording import read_events
from netdiag.tcp.pcapng import Packet, read_pcapng
from netdiag.tcp.wire import flag_text, parse_frame
from netdiag.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from netdiag.recording import CellFiles

WITHIN: Final = 100_000
"""How far apart (ns) two times may be that are the same."""

_TIMES: Final = {"at": WITHIN, "alive": WITHIN, "wall_offset": WITHIN, "expires_ms": 1}
_ENDPOINT: Final = re.compile(r"(?<=[\d\]]:)\d{1,5}\b")
_SECOND: Final = 1_000_000_000
_LONGEST: Final = 120


@dataclass(frozen=True)
class Moment:
    """One thing that a recording tells: `name` as a person finds it again, `t` in ns."""

    name: str
    t: int
    facts: dict[str, Any]


@dataclass(frozen=True)
class Alike:
    """Nothing differs: how many moments were compared, and how far apart (ns) the furthest were."""

    moments: int
    apart: int


@dataclass(frozen=True)
class Difference:
    """The first thing that differs, as a sentence."""

    sentence: str


def compare_cells(before: CellFiles, after: CellFiles) -> Alike | Difference:
    """Compare two recordings of a cell. Raises RecordingError when one cannot be read."""
    events = compare_moments(_events(before), _events(after))
    if isinstance(events, Difference):
        return events
    moments, apart = events.moments, events.apart
    tapes = sorted({tape.name for one in (before, after) for tape in one.root.glob("*.pcapng")})
    for name in tapes:
        packets = compare_moments(_packets(before.root / name), _packets(after.root / name))
        if isinstance(packets, Difference):
            return packets
        moments, apart = moments + packets.moments, max(apart, packets.apart)
    return Alike(moments, apart)


def compare_moments(before: Sequence[Moment], after: Sequence[Moment]) -> Alike | Difference:
    """Compare what two recordings tell, in order; times count from the first moment of each."""
    apart = 0
    ports = _Ports(), _Ports()
    for was, now in zip_longest(before, after):
        if was is None or now is None:
            return _missing(was, now)
        differs = _unlike(ports[0].of(was), ports[1].of(now), "")
        if differs is not None:
            return Difference(f"{was.name} at {_since(was, before)}: {differs}")
        shift = (now.t - after[0].t) - (was.t - before[0].t)
        if abs(shift) > WITHIN:
            how = f"{format_duration(abs(shift) / _SECOND)} {'later' if shift > 0 else 'earlier'}"
            return Difference(f"{was.name} at {_since(was, before)} came {how}")
        apart = max(apart, abs(shift))
    return Alike(len(before), apart)


def _missing(was: Moment | None, now: Moment | None) -> Difference:
    if was is not None:
        return Difference(f"{was.name} is missing, and all that follows it")
    more = "" if now is None else now.name
    return Difference(f"{more} is new, where nothing more was before")


def _since(moment: Moment, moments: Sequence[Moment]) -> str:
    return format_duration(round((moment.t - moments[0].t) / _SECOND, 6))


def _events(files: CellFiles) -> list[Moment]:
    return [
        Moment(
            f"event {number} ({event.lane} {event.what})",
            event.t,
            {"lane": event.lane, "what": event.what, "outcome": event.outcome, "who": event.who,
             "data": dict(event.data)},
        )
        for number, event in enumerate(read_events(files.events), 1)
    ]  # fmt: skip


def _packets(tape: Path) -> list[Moment]:
    if not tape.is_file():
        return []
    return [
        Moment(f"packet {packet.number} of {tape.name}", packet.t_ns, dict(_facts(packet)))
        for packet in read_pcapng(tape)
        if isinstance(packet, Packet)
    ]


def _facts(packet: Packet) -> Iterator[tuple[str, Any]]:
    yield from (("interface", packet.interface), ("comment", packet.comment or ""))
    yield from (("length", packet.length), ("way", packet.flags))
    segment = parse_frame(packet.frame, packet.link)
    if segment is not None:
        yield from (("flags", flag_text(segment.flags)), ("payload", segment.payload.hex()))
        yield from (("window", segment.window), ("sacks", len(segment.sack)))


class _Ports:
    """Gives every port number of a recording a name, by the order in which they appear.

    A number that is drawn again after its socket has gone is another port: in the other recording
    it may be another number.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._count = itertools.count(1)

    def of(self, moment: Moment) -> dict[str, Any]:
        """The facts of a moment with their ports by name; moments come in their order."""
        facts = moment.facts
        named = {key: self.named(one) for key, one in facts.items()}
        if (facts.get("lane"), facts.get("what")) == ("client.kernel", "socket_gone"):
            for number in _ENDPOINT.findall(str(facts["data"].get("client", ""))):
                self._names.pop(number, None)
        return named

    def named(self, value: Any) -> Any:  # noqa: ANN401 - whatever an event's data holds
        """The same value with its ports by name."""
        if isinstance(value, dict):
            return {key: self.named(one) for key, one in value.items()}
        if isinstance(value, list):
            if [type(one) for one in value] == [str, int]:  # an address as a socket gives it
                return [value[0], self._name(str(value[1]))]
            return [self.named(one) for one in value]
        if isinstance(value, str):
            return _ENDPOINT.sub(lambda found: self._name(found[0]), value)
        return value

    def _name(self, number: str) -> str:
        if number not in self._names:
            self._names[number] = f"port{next(self._count)}"
        return self._names[number]


def _unlike(was: Any, now: Any, key: str) -> str | None:  # noqa: ANN401 - any JSON
    """What differs first between two values, or None."""
    if isinstance(was, dict) and isinstance(now, dict):
        parts = ((name, was.get(name), now.get(name)) for name in {**was, **now})
        return next(filter(None, (_unlike(a, b, name) for name, a, b in parts)), None)
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        parts = ((key, a, b) for a, b in zip(was, now, strict=True))
        return next(filter(None, (_unlike(a, b, name) for name, a, b in parts)), None)
    if was == now or (key in _TIMES and _near(was, now, _TIMES[key])):
        return None
    return f"{key} was {_shown(was)} and is {_shown(now)}"


def _near(was: object, now: object, within: int) -> bool:
    return isinstance(was, int) and isinstance(now, int) and abs(was - now) <= within


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
