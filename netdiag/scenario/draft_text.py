"""The sections of a draft -> YAML with comments, in the order in which a person reads it.

The rule this file guards: every key is written the way the rest of the language writes it, and each
choice that is not obvious says in a comment what else could stand there.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from netdiag.catalogue.patterns import PATTERNS
from netdiag.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netdiag.catalogue.settings import Keepalive

REAPED_AFTER: Final = 3.0
PROBES: Final = 3
"""Messages that show whether anybody consumes afterwards."""
_WIDTH: Final = 96
_COMMENT_AT: Final = 34


@dataclass(frozen=True)
class Sections:
    """What a draft says; seconds throughout.

    message: when one is pushed before the healing, and why; expect: kind -> (bound, comment).
    """

    about: str
    pattern: str
    block: float
    keepalive: Keepalive | None
    read_timeout: float | None
    connect_timeout: float
    message: tuple[str, str] | None
    probes_at: str | None
    phase: str
    phase_about: str
    fault: str
    heals: float | None
    expect: Mapping[str, tuple[str, str]]
    duration: float


def text_of(name: str, sections: Sections) -> str:
    """The file's text; it ends in a newline."""
    return "\n".join(_lines(name, sections)) + "\n"


def _lines(name: str, sections: Sections) -> Iterator[str]:
    yield "# Checked while you write: `netdiag schema > netdiag.schema.json`, and as the first line"
    yield "#   # yaml-language-server: $schema=netdiag.schema.json"
    yield f'name: "{name}"'
    yield "about: |"
    yield from (f"  {line}" for line in wrap(sections.about, _WIDTH))
    yield ""
    yield from _client(sections)
    yield ""
    yield from _workload(sections)
    yield ""
    yield from _fault(sections)
    yield ""
    yield "expect:"
    for kind, (bound, comment) in sections.expect.items():
        yield _with(f"  {kind}: {bound}", comment)
    yield ""
    yield _with(f"duration: {_time(sections.duration)}", "of a cell, from the client's first SYN")
    yield _with("seed: 1", "where the pauses begin that a library draws")
    yield ""
    yield "# To try several settings at once, give this a matrix; each value is a cell:"
    yield "# matrix:"
    yield "#   client.settings.read_timeout: [null, 3s, 10s]"


def _client(sections: Sections) -> Iterator[str]:
    yield "client:"
    yield "  kind: redis-py"
    yield "  settings:"
    yield _with(f"    read_timeout: {_or_null(sections.read_timeout)}", "null: a read may last")
    yield _with(
        f"    connect_timeout: {_time(sections.connect_timeout)}", "of each attempt to dial"
    )
    yield _with(f"    keepalive: {_keepalive(sections.keepalive)}", "off, on, or idle ...")
    yield _with("    retry: 0", "the library's own retries")


def _workload(sections: Sections) -> Iterator[str]:
    yield "workload:"
    yield _with(f"  pattern: {sections.pattern}", "or: " + ", ".join(
        name for name in PATTERNS if name != sections.pattern))
    yield _with(f"  block: {_time(sections.block)}", "how long the command waits; 0s: for ever")
    if PATTERNS[sections.pattern].acknowledges:
        yield _with(f"  reaper: {{idle: {_time(REAPED_AFTER)}}}", "gives back what nobody finishes")
    yield _with("  after_error: {pause: 500ms}", "then the loop goes on; or: exit")
    if sections.message is None and sections.probes_at is None:
        return
    yield "  produce:"
    if sections.message is not None:
        when, why = sections.message
        yield _with(f"    - {{at: {when}, count: 1}}", why)
    if sections.probes_at is not None:
        yield "    # Afterwards: does anybody consume?"
        when = f"{{event: {sections.probes_at}, after: 1s}}"
        yield f"    - {{at: {when}, count: {PROBES}, rate: 1/s}}"


def _fault(sections: Sections) -> Iterator[str]:
    yield "faults:"
    yield "  - name: cut"
    yield _with(f"    at: {sections.phase}", f"the first to disappear is {sections.phase_about}")
    yield _with(f"    do: {sections.fault}", "see `netdiag schema` for the others")
    if sections.heals is not None:
        yield _with(f"    for: {_time(sections.heals)}", "then the path heals")


def _with(text: str, comment: str) -> str:
    """A line and its comment, which begin at one column where they can."""
    return (
        f"{text:<{_COMMENT_AT}}# {comment}" if len(text) < _COMMENT_AT else f"{text}  # {comment}"
    )


def _time(seconds: float) -> str:
    return format_duration(seconds).replace(" ", "")


def _or_null(seconds: float | None) -> str:
    return "null" if seconds is None else _time(seconds)


def _keepalive(keepalive: Keepalive | None) -> str:
    if keepalive is None:
        return "off"
    timings = (keepalive.idle, keepalive.interval, keepalive.count)
    if timings == (None, None, None):
        return "on"
    idle, interval, count = keepalive.timings
    return f"{{idle: {idle}s, interval: {interval}s, count: {count}}}"
