"""One side's part of a connection's state and account -> its facts. See facts.py, summary.py."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from netdiag.tcp import book as b
from netdiag.tcp import fields as f
from netdiag.tcp.facts import Application, Chain, Healing, Outage, Probes, SideFacts
from netdiag.tcp.holes import recall
from netdiag.tcp.labels import COPY, LABELS, Label
from netdiag.tcp.moments import off_clock
from netdiag.tcp.speech import RESP, TLS
from netdiag.tcp.states import STATE_TEXTS
from netdiag.tcp.wire import endpoint_text
from netdiag.tcp.words import unpacked

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

_word = cache(unpacked)


def side_facts(
    side: int, state: MutableSequence[int], book: Sequence[int], first_ns: int
) -> SideFacts:
    """The client's (0) or the server's (1)."""
    own = b.OWN + b.SIDE_BOOK * side
    base = f.SIDE * side
    labels = _shared(tuple(book[own + b.LABEL_BASE : own + b.LABEL_BASE + COPY]))
    flight = _flight(state, base)
    una = state[base + f.UNA]
    fin_acked = state[base + f.FIN_SENT] and 0 < (una - state[base + f.FIN_SEQ]) & f.MASK < f.HALF
    closed = book[own + b.ZERO_SINCE]
    return SideFacts(
        endpoint=_endpoint(*_ends(book, side)),
        state=STATE_TEXTS[state[base + f.TCP_STATE]],
        frames=sum(labels),
        payload=book[own + b.PAYLOAD],
        unique=book[own + b.UNIQUE],
        missed=state[base + f.MISSED],
        copies=book[own + b.COPIES],
        labels=labels,
        causes=_shared(tuple(book[own + b.CAUSE_BASE : own + b.CAUSE_BASE + COPY])),
        spurious=book[own + b.NEEDLESS],
        max_step=book[own + b.MAX_STEP],
        chain=_chain(book, own, una, first_ns),
        keepalive=_probes(book, own + b.KEEPALIVE, first_ns),
        zero_probes=_probes(book, own + b.ZERO_PROBES, first_ns),
        zero_windows=book[own + b.ZERO_COUNT],
        zero_window_ns=book[own + b.ZERO_NS] + (book[b.LAST_NS] - closed if closed else 0),
        zero_window_since=off_clock(closed, first_ns),
        window=state[base + f.WINDOW],
        window_full=book[own + b.FULL],
        first_at=off_clock(book[own + b.SIDE_FIRST_NS], first_ns),
        last_at=off_clock(book[own + b.SIDE_LAST_NS], first_ns),
        first_frame=book[own + b.SIDE_FIRST_FRAME],
        last_frame=book[own + b.SIDE_LAST_FRAME],
        last_data_at=off_clock(book[own + b.DATA_NS], first_ns),
        last_data_frame=book[own + b.DATA_FRAME],
        unacked=flight,
        unacked_since=off_clock(_oldest(state, book, base, own), first_ns) if flight else 0,
        unanswered=state[base + f.UNANSWERED],
        fin_frame=book[own + b.FIN_FRAME],
        fin_at=off_clock(book[own + b.FIN_NS], first_ns),
        fin_acked=bool(fin_acked),
        rst_frame=book[own + b.RST_FRAME],
        rst_at=off_clock(book[own + b.RST_NS], first_ns),
        rst_bare=bool(book[own + b.RST_BARE]),
        rsts=labels[Label.RST],
        rsts_outside=book[own + b.RST_OUTSIDE],
        rsts_challenged=book[own + b.RST_CHALLENGED],
        outage=_outage(book, own + b.OUTAGE, first_ns),
        half_rtt_ns=state[base + f.HALF_RTT],
        least_half_rtt_ns=state[base + f.LEAST_HALF_RTT],
        application=_application(book, own, side, first_ns),
    )


@lru_cache(maxsize=4096)
def _shared(counts: tuple[int, ...]) -> tuple[int, ...]:
    """The same counts as one value: those of short connections are alike."""
    return counts


def _ends(book: Sequence[int], side: int) -> tuple[int, int, int, int]:
    """Family, the two halves of the address, the port."""
    ports = book[b.PORTS]
    high, low = (b.SERVER_HIGH, b.SERVER_LOW) if side else (b.CLIENT_HIGH, b.CLIENT_LOW)
    return ports >> 32, book[high], book[low], (ports if side else ports >> 16) & 0xFFFF


@lru_cache(maxsize=4096)
def _endpoint(family: int, high: int, low: int, port: int) -> str:
    if family == 4:
        return endpoint_text(low.to_bytes(4, "big"), port)
    return endpoint_text(
        high.to_bytes(8, "big", signed=True) + low.to_bytes(8, "big", signed=True), port
    )


def _flight(state: Sequence[int], base: int) -> int:
    """Sequence numbers that passed and are not acknowledged."""
    if not state[base + f.UNA_KNOWN]:
        return 0
    flight = (state[base + f.NXT] - state[base + f.UNA]) & f.MASK
    return flight if flight < f.HALF else 0


def _oldest(state: MutableSequence[int], book: Sequence[int], base: int, own: int) -> int:
    """When the first unacknowledged byte passed, or else when the last one was acknowledged."""
    place = recall(state, base, state[base + f.UNA])
    return state[place + 2] if place >= 0 else book[own + b.UNA_NS]


def _chain(book: Sequence[int], own: int, una: int, first_ns: int) -> Chain | None:
    if not book[own + b.CHAIN_COUNT]:
        return None
    return Chain(
        first_sent_at=off_clock(book[own + b.CHAIN_SENT], first_ns),
        first_at=off_clock(book[own + b.CHAIN_FIRST_NS], first_ns),
        last_at=off_clock(book[own + b.CHAIN_LAST_NS], first_ns),
        first_frame=book[own + b.CHAIN_FIRST_FRAME],
        last_frame=book[own + b.CHAIN_LAST_FRAME],
        retransmissions=book[own + b.CHAIN_COUNT],
        steps=book[own + b.CHAIN_STEPS],
        rto_ns=max(book[own + b.CHAIN_RTO], -1),
        last_gap_ns=book[own + b.CHAIN_GAP],
        length=book[own + b.CHAIN_LENGTH],
        label=LABELS[book[own + b.CHAIN_LABEL]],
        acknowledged=una != book[own + b.CHAIN_UNA],
        begun=book[own + b.CHAIN_RTO] != b.UNKNOWABLE,
        first_sent_frame=book[own + b.CHAIN_SENT_FRAME],
    )


def _outage(book: Sequence[int], at: int, first_ns: int) -> Outage | None:
    if not book[at + b.O_COUNT]:
        return None
    return Outage(
        ns=book[at + b.O_NS],
        began_at=off_clock(book[at + b.O_AT], first_ns),
        first_frame=book[at + b.O_FIRST],
        last_frame=book[at + b.O_LAST],
        ended_frame=book[at + b.O_END],
        count=book[at + b.O_COUNT],
        label=LABELS[book[at + b.O_LABEL]],
        healing=Healing(book[at + b.O_END_KIND]),
    )


def _probes(book: Sequence[int], at: int, first_ns: int) -> Probes | None:
    if not book[at + b.P_SENT]:
        return None
    return Probes(
        sent=book[at + b.P_SENT],
        answered=book[at + b.P_ANSWERED],
        first_at=off_clock(book[at + b.P_FIRST_NS], first_ns),
        last_at=off_clock(book[at + b.P_LAST_NS], first_ns),
        first_frame=book[at + b.P_FIRST_FRAME],
        last_frame=book[at + b.P_LAST_FRAME],
        idle_ns=book[at + b.P_IDLE],
        interval_ns=book[at + b.P_INTERVAL],
        unanswered_row=book[at + b.P_ROW],
        deaf=book[at + b.P_DEAF],
    )


def _application(book: Sequence[int], own: int, side: int, first_ns: int) -> Application:
    kind = book[own + b.KIND]
    named = side == 0 and book[own + b.MESSAGES] > 0
    errors = book[own + b.ERRORS]
    first, last = own + b.FIRST_NAME, own + b.LAST_NAME
    return Application(
        tls=kind == TLS,
        resp=kind == RESP,
        messages=book[own + b.MESSAGES],
        first_command=_word(tuple(book[first : first + 3])) if named else "",
        last_command=_word(tuple(book[last : last + 3])) if named else "",
        last_command_at=off_clock(book[own + b.LAST_AT], first_ns),
        last_command_frame=book[own + b.LAST_AT_FRAME],
        breaks=book[own + b.BREAKS],
        subscribed=side == 0 and book[b.SUBSCRIBED] != 0,
        errors=errors,
        first_error=_word(tuple(book[first : first + 3])) if errors else "",
    )
