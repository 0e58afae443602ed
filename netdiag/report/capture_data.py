"""Capture facts and findings -> JSON and CSV, for programs.

JSON, one object; of several captures (a directory, both ends of a tape) one {"version": 1, "kind":
"captures", "captures": [..]} with such objects. Times: `*_at` are ns on the capture's clock (0 for
never), `*_ns` durations (-1 for unknown), `*_s` seconds. Frames count from 1 as tshark does, 0 for
none.

    version      1; it changes when a field changes its meaning or goes
    kind         "capture"
    source, format, truncated (offset of the first unreadable byte, -1: none), notes
    totals, drops
    findings     by harm: rule, harm (high | medium | low), connections (numbers), cause, cure,
                 frames (evidence), at_ns, details (by rule; `*_s` are seconds)
    connections  every one: the fields of ConnectionFacts and SideFacts (netdiag/tcp/facts.py);
                 `labels` and `causes` are name -> frames, without those that are 0

CSV: a line of names, then one line a connection; the columns are the file and `COLUMNS`.

The rule this file guards: nothing from the wire can break out of its field, be it a terminal's or a
spreadsheet's.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from netdiag.analysis.decode import hints_of
from netdiag.report.words import plain
from netdiag.tcp.facts import (
    Application,
    Chain,
    ConnectionFacts,
    Drops,
    Outage,
    Outstanding,
    Probes,
    Row,
    SideFacts,
    Silence,
    Totals,
)
from netdiag.tcp.labels import RETRANSMISSIONS, TEXTS, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from netdiag.analysis.findings import Finding
    from netdiag.tcp.facts import CaptureFacts

VERSION: Final = 1
SECOND: Final = 1_000_000_000

_COUNTED: Final = ("labels", "causes")
_PLAIN: Final = frozenset({int, str, float, bool})
_FORMULA: Final = "=+-@"


def capture_json(
    capture: CaptureFacts, findings: Sequence[Finding], rows_of: Sequence[int] = ()
) -> Iterator[str]:
    """The whole analysis as one JSON object, in pieces: captures have many connections.

    `rows_of`: connections whose packets are listed, too.
    """
    head = {
        "version": VERSION,
        "kind": "capture",
        "source": capture.source,
        "format": capture.kind,
        "truncated": capture.truncated,
        "notes": list(capture.notes),
        "totals": _value(capture.totals),
        "drops": [_value(one) for one in capture.drops],
        "findings": [finding.to_json() for finding in findings],
    }
    yield f'{_encode(head)[:-1]},"connections":['
    for index, one in enumerate(capture.connections):
        yield f"{',' if index else ''}{_encode(_value(one))}"
    yield "]"
    if rows_of:
        rows = [
            {**_value(row), "label": row.text}
            for number in rows_of
            for row in capture.rows.of(number)
        ]
        yield f',"rows":{_encode(rows)}'
    yield "}"


_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


class _Shape(NamedTuple):
    """How a kind of facts becomes a JSON object: its fields, and those that are no plain values."""

    names: tuple[str, ...]
    values: Callable[[Any], tuple[Any, ...]]
    compound: tuple[str, ...]


def _shape(kind: type) -> _Shape:
    """That of a dataclass or a named tuple."""
    hints = hints_of(kind)
    compound = tuple(name for name, hint in hints.items() if hint not in _PLAIN)
    return _Shape(tuple(hints), attrgetter(*hints), compound)


_FACTS: Final = {
    kind: _shape(kind)
    for kind in (
        Application, Chain, ConnectionFacts, Drops, Outage, Outstanding, Probes, Row, SideFacts,
        Silence, Totals,
    )
}  # fmt: skip


def _value(value: Any) -> Any:  # noqa: ANN401 - any value of the facts
    """A value of the facts as plain JSON."""
    if value is None or type(value) in _PLAIN:
        return value
    shape = _FACTS.get(type(value))
    if shape is not None:
        told = dict(zip(shape.names, shape.values(value), strict=True))
        for name in shape.compound:
            told[name] = _counted(told[name]) if name in _COUNTED else _value(told[name])
        return told
    if isinstance(value, Label):
        return value.text
    if isinstance(value, Enum):
        return value.name.lower()
    return [_value(one) for one in value]


@lru_cache(maxsize=4096)
def _counted(numbers: tuple[int, ...]) -> dict[str, int]:
    return {TEXTS[label]: number for label, number in enumerate(numbers) if number}


def capture_csv(capture: CaptureFacts, findings: Sequence[Finding]) -> Iterator[str]:
    """Lines of CSV (RFC 4180), each with its end: the names, then every connection."""
    rules: dict[int, list[str]] = defaultdict(list)
    for finding in findings:
        for number in finding.connections:
            rules[number].append(finding.rule)
    yield _line(("source", *COLUMNS))
    for one in capture.connections:
        words = (_safe(column(one, rules)) for column in COLUMNS.values())
        yield _line((_safe(capture.source), *words))


def _line(words: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(words)
    return out.getvalue()


def _safe(value: object) -> object:
    """Text that is no formula to a spreadsheet and moves no cursor; numbers as they are."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text[:1] in tuple(_FORMULA) else text


def _seconds(ns: int) -> float | str:
    return round(ns / SECOND, 6) if ns >= 0 else ""


def _side(index: int, words: Callable[[SideFacts], object]) -> Callable[..., object]:
    return lambda one, rules: words(one.sides[index])


COLUMNS: Final[dict[str, Callable[..., object]]] = {
    "connection": lambda one, rules: one.number,
    "client": _side(0, lambda side: side.endpoint),
    "server": _side(1, lambda side: side.endpoint),
    "first_at_ns": lambda one, rules: one.first_at,
    "lasted_s": lambda one, rules: _seconds(one.last_at - one.first_at),
    "first_frame": lambda one, rules: one.first_frame,
    "last_frame": lambda one, rules: one.last_frame,
    "opening": lambda one, rules: one.opening.name.lower(),
    "ending": lambda one, rules: one.ending.name.lower(),
    "ended_by": lambda one, rules: ("client", "server", "")[one.ended_by],
    "client_state": _side(0, lambda side: side.state),
    "server_state": _side(1, lambda side: side.state),
    "client_frames": _side(0, lambda side: side.frames),
    "server_frames": _side(1, lambda side: side.frames),
    "client_bytes": _side(0, lambda side: side.unique),
    "server_bytes": _side(1, lambda side: side.unique),
    "client_retransmissions": _side(0, lambda side: side.count(*RETRANSMISSIONS)),
    "server_retransmissions": _side(1, lambda side: side.count(*RETRANSMISSIONS)),
    "rtt_s": lambda one, rules: _seconds(one.rtt_ns),
    "longest_silence_s": lambda one, rules: _seconds(one.silence.ns) if one.silence else "",
    "outstanding": lambda one, rules: one.outstanding.name if one.outstanding else "",
    "findings": lambda one, rules: " ".join(rules.get(one.number, ())),
}
