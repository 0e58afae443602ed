"""The record of notable packets -> one connection's rows, made only when they are asked for.

The rule: rows come in the order of the capture; see rows.py for how many are kept.
"""

from __future__ import annotations

from functools import cached_property
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from netdiag.tcp import book as b
from netdiag.tcp.labels import TEXTS
from netdiag.tcp.moments import off_clock
from netdiag.tcp.rows import LEFT_OUT, USED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROW_TEXTS: Final = (*TEXTS, "copy")  # by a row's label


class Row(NamedTuple):
    """One packet that is not boring: no new data in order, no plain ACK."""

    number: int
    t_ns: int
    conn: int
    side: int
    label: int  # a Label, or COPY
    step: int
    length: int  # payload bytes
    since_previous_ns: int  # see tracker.py
    marks: int  # bits, see rows.py

    @property
    def text(self) -> str:
        """The label's name."""
        return ROW_TEXTS[self.label]


class Rows:
    """Rows of all connections, bounded: a connection with many keeps its first and its last."""

    def __init__(self, rows: Iterable[Row] = (), left_out: int = 0) -> None:
        self.left_out = left_out  # how many had to go
        self._rows = tuple(sorted(rows))
        self._by_conn: dict[int, tuple[Row, ...]] | None = None

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of them, in the order of the capture."""
        return self._rows

    def __len__(self) -> int:
        return len(self.rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rows):
            return NotImplemented
        return self.left_out == other.left_out and self.rows == other.rows

    __hash__ = None  # type: ignore[assignment]

    def of(self, conn: int) -> tuple[Row, ...]:
        """One connection's."""
        if self._by_conn is None:
            self._by_conn = {
                number: tuple(rows)
                for number, rows in groupby(
                    sorted(self.rows, key=attrgetter("conn", "number")), attrgetter("conn")
                )
            }
        return self._by_conn.get(conn, ())


class RecordedRows(Rows):
    """The same, from the engine's flat record, read only when it is asked for."""

    def __init__(self, flat: Sequence[int], used: Sequence[int], first_ns: int) -> None:
        super().__init__((), used[LEFT_OUT])
        self._flat = flat
        self._count = used[USED]
        self._first_ns = first_ns

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """All of them, in the order of the capture."""
        return tuple(sorted(self._row(slot * b.ROW) for slot in range(self._count)))

    def __len__(self) -> int:
        return self._count

    def _row(self, at: int) -> Row:
        flat = self._flat
        kind = flat[at + b.R_KIND]
        return Row(
            flat[at + b.R_NUMBER],
            off_clock(flat[at + b.R_NS], self._first_ns),
            flat[at + b.R_CONN],
            kind & 0xFF,
            kind >> 8 & 0xFF,
            flat[at + b.R_STEP],
            flat[at + b.R_LENGTH],
            flat[at + b.R_PREVIOUS],
            kind >> 16,
        )
