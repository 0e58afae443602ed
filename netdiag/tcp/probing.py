"""Keepalive and zero-window probes -> the rows they belong to, and which were answered.

Plain ints; see book.py.
"""

# ruff: noqa: PLR0913, PLR0917 -- plain ints, one flat argument list: what a compiler takes
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.book import (
    ANSWER_TSVAL,
    KEEPALIVE,
    OWN,
    P_ANSWERED,
    P_DEAF,
    P_FIRST_FRAME,
    P_FIRST_NS,
    P_IDLE,
    P_INTERVAL,
    P_LAST_FRAME,
    P_LAST_NS,
    P_ROW,
    P_ROW_FRAME,
    P_SENT,
    PROBE_ROW,
    PROBE_WAITS,
    SIDE_BOOK,
    ZERO_PROBES,
)
from netdiag.tcp.fields import HALF, MASK, PROBE_FIRST_NS, SIDE, SINCE_PREVIOUS, STEP
from netdiag.tcp.labels import Label
from netdiag.tcp.outages import ANSWERED, outage
from netdiag.tcp.rows import ANSWERED_ROW, mark_row

if TYPE_CHECKING:
    from collections.abc import MutableSequence

KEEPALIVE_PROBE: Final = int(Label.KEEPALIVE_PROBE)
ZERO_WINDOW_PROBE: Final = int(Label.ZERO_WINDOW_PROBE)
PROBE_PLACES: Final = (0, KEEPALIVE, ZERO_PROBES)  # by PROBE_WAITS
LOST_PROBES: Final = 2  # so many in a row are no accident


def probe(
    state: MutableSequence[int],
    book: MutableSequence[int],
    side: int,
    number: int,
    t_ns: int,
    label: int,
    tsecr: int,
    row: int,
) -> None:
    """Enter a keepalive or zero-window probe.

    It echoes the timestamp of the last answer that arrived (RFC 7323, 4.3): an older one than that
    of the answer which passed here tells that this one did not arrive.
    """
    own = OWN + SIDE_BOOK if side else OWN
    answered = book[(OWN if side else OWN + SIDE_BOOK) + ANSWER_TSVAL]
    which = 1 if label == KEEPALIVE_PROBE else 2
    at = own + PROBE_PLACES[which]
    if state[STEP] > 1:
        book[at + P_INTERVAL] = t_ns - book[at + P_LAST_NS]
    else:
        book[at + P_IDLE] = state[SINCE_PREVIOUS]
    if not book[at + P_SENT]:
        book[at + P_FIRST_NS] = t_ns
        book[at + P_FIRST_FRAME] = number
    book[at + P_SENT] += 1
    if not book[at + P_ROW]:
        book[at + P_ROW_FRAME] = number
    book[at + P_ROW] += 1
    deaf = answered >= 0 and tsecr >= 0 and (tsecr - answered) & MASK >= HALF
    book[at + P_DEAF] = book[at + P_DEAF] + 1 if deaf else 0
    book[at + P_LAST_NS] = t_ns
    book[at + P_LAST_FRAME] = number
    book[own + PROBE_WAITS] = which
    book[own + PROBE_ROW] = row


def probe_answered(
    state: MutableSequence[int],
    book: MutableSequence[int],
    rows: MutableSequence[int],
    own: int,
    number: int,
    t_ns: int,
) -> None:
    """The first packet of the peer since the last probe of the side at `own`."""
    which = book[own + PROBE_WAITS]
    at = own + PROBE_PLACES[which]
    if book[at + P_ROW] > LOST_PROBES:
        began = state[(SIDE if own > OWN else 0) + PROBE_FIRST_NS]
        label = KEEPALIVE_PROBE if which == 1 else ZERO_WINDOW_PROBE
        outage(
            book, own, began, t_ns - began, book[at + P_ROW_FRAME], book[at + P_LAST_FRAME],
            number, book[at + P_ROW], label, ANSWERED,
        )  # fmt: skip
    book[at + P_ANSWERED] += 1
    book[at + P_ROW] = 0
    book[own + PROBE_WAITS] = 0
    mark_row(rows, book[own + PROBE_ROW], book[at + P_LAST_FRAME], ANSWERED_ROW)
