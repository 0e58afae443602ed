"""A capture, whatever its size -> CaptureFacts, in one pass and bounded memory.

The rule: two ways of reading, one answer. Small captures are read over lists; large ones by the
same source compiled, if the extra `fast` is installed. Nothing of the compiler is imported for
small ones.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Final, Protocol

from netdiag.errors import LabError
from netdiag.tcp.choice import choose
from netdiag.tcp.container import Container
from netdiag.tcp.facts import CaptureFacts, Totals
from netdiag.tcp.interpreted import Interpreted
from netdiag.tcp.source import Source
from netdiag.tcp.summary import connection_facts
from netdiag.tcp.table import RecordedRows
from netdiag.tcp.window import SMALL, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence
    from pathlib import Path

    from netdiag.tcp.choice import Choice, Moment
    from netdiag.tcp.facts import ConnectionFacts
    from netdiag.tcp.tally import Tally

STEP: Final = 100_000  # frames between two calls of `progress`
WORTH_COMPILING: Final = 32 << 20  # bytes: reading them over lists takes longer than a compiler
TOGETHER: Final = 1024  # connections whose ints are let go at once
RATIO: Final = 4  # what a compressed capture grows by, about


class Engine(Protocol):
    """A way of reading: what it has found when `run` returns False."""

    @property
    def tally(self) -> Tally: ...
    @property
    def states(self) -> Sequence[MutableSequence[int]]: ...
    @property
    def books(self) -> Sequence[Sequence[int]]: ...
    @property
    def rows(self) -> Sequence[int]: ...
    @property
    def rows_used(self) -> Sequence[int]: ...

    def run(self, every: int = 0) -> bool: ...
    def let_go(self, count: int) -> None: ...


def analyse_capture(  # noqa: PLR0913 - each is one option of the command
    source: str | Path | IO[bytes],
    *,
    ports: Iterable[int] | None = None,
    hosts: Iterable[str] | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    interface: str | int | None = None,
    progress: Callable[[int, int, int], None] | None = None,
    compiled: bool | None = None,
) -> CaptureFacts:
    """Everything that a capture says about TCP.

    `source`: a path, `-` for standard input, or an open binary file. `ports`, `hosts` (addresses
    or networks) at either end, `since`, `until` (int: ns since the epoch; float: seconds from the
    first frame) choose segments. `interface` chooses a pcapng interface by name or number; by
    default all are one capture, but of netdiag's own tapes the client's end. `progress` is called
    with (bytes of the file read, its size or 0, frames). `compiled`: None decides by size.

    Raises RecordingError when it cannot be read or is no capture, ScenarioError for a host that
    is none, LabError when `compiled` is True and cannot be. Damage ends the reading with a note.
    """
    choice = choose(ports, hosts, since, until)
    with Source(source) as opened:
        container = Container(Window(opened), interface)
        engine = _engine(container, choice, compiled)
        while engine.run(STEP):
            if progress is not None:
                progress(opened.taken, opened.total, engine.tally.frames)
        container.finish(engine.tally.backwards)
        if progress is not None:
            progress(opened.taken, opened.total, engine.tally.frames)
        return _facts(opened.name, container, engine, choice)


def _engine(container: Container, choice: Choice, compiled: bool | None) -> Engine:
    """Which way: a capture that fits into the first window is small."""
    wanted = compiled
    if wanted is None:
        wanted = container.window.size >= SMALL and _pays(container.window.source)
    if not wanted:
        return Interpreted(container, choice)
    from netdiag.tcp.compiled import Compiled  # noqa: PLC0415 - for large captures only

    try:
        return Compiled(container, choice)
    except LabError as err:
        if compiled is not None:
            raise
        container.notes.append(f"read without a compiler, which takes longer: {err}")
        return Interpreted(container, choice)


def _pays(source: Source) -> bool:
    """Whether compiling, where that still has to be done, takes less time than it saves."""
    from netdiag.tcp import native  # noqa: PLC0415

    size = source.total * (RATIO if source.compression else 1)
    return native.cached() or (native.available() and (not size or size >= WORTH_COMPILING))


def _facts(name: str, container: Container, engine: Engine, choice: Choice) -> CaptureFacts:
    tally = engine.tally
    first = tally.first_at
    connections = tuple(_connections(engine, first))
    totals = Totals(
        frames=tally.frames,
        tcp=tally.tcp,
        filtered=tally.filtered,
        other=tally.other,
        fragments=tally.fragments,
        cut=tally.cut,
        other_view=tally.other_view,
        foreign=tally.foreign,
        hidden=tally.hidden,
        copies=sum(side.copies for one in connections for side in one.sides),
        bytes=container.window.base + container.window.size,
        first_at=first,
        last_at=tally.last_at,
        backwards=tally.backwards,
        before=tally.before,
        after=tally.after,
        end_at=min(tally.last_at, choice.span(first)[1]),
    )
    return CaptureFacts(
        source=name,
        kind=container.kind,
        connections=connections,
        totals=totals,
        drops=container.drops,
        truncated=container.truncated,
        notes=tuple(container.notes),
        rows=RecordedRows(engine.rows, engine.rows_used, first),
        compiled=not isinstance(engine, Interpreted),
    )


def _connections(engine: Engine, first_ns: int) -> Iterator[ConnectionFacts]:
    """The facts of each; of many connections no more is held than one of the two, ints or facts."""
    pairs = zip(engine.states, engine.books, strict=True)
    for number, (state, book) in enumerate(pairs):
        yield connection_facts(number, state, book, first_ns)
        if not number % TOGETHER:
            engine.let_go(number)
