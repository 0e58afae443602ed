"""A connection's state and account -> its facts: plain values, frame numbers, moments.

The rule: nothing is judged here, and nothing is looked up in the capture again. See facts.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp import book as b
from netdiag.tcp import fields as f
from netdiag.tcp import lives
from netdiag.tcp.account import last_frame
from netdiag.tcp.facts import ConnectionFacts, Ending, Opening, Silence
from netdiag.tcp.labels import LABELS, Label
from netdiag.tcp.moments import off_clock
from netdiag.tcp.sides import side_facts
from netdiag.tcp.waiting import outstanding

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

TRACKED: Final = (0, f.SIDE)
KEPT: Final = (b.OWN, b.OWN + b.SIDE_BOOK)


def connection_facts(
    number: int, state: MutableSequence[int], book: Sequence[int], first_ns: int
) -> ConnectionFacts:
    """One connection's; `first_ns` is the moment of the capture's first frame."""
    opening = _opening(state, book)
    ended = book[b.END_KIND] != 0
    never = opening in (Opening.UNANSWERED, Opening.REFUSED)
    return ConnectionFacts(
        number=number,
        client=side_facts(0, state, book, first_ns),
        server=side_facts(1, state, book, first_ns),
        first_at=off_clock(book[b.FIRST_NS], first_ns),
        last_at=off_clock(book[b.LAST_NS], first_ns),
        first_frame=book[b.FIRST_FRAME],
        last_frame=last_frame(book),
        opening=opening,
        ending=Ending.NEVER_OPENED if never else Ending(book[b.END_KIND]),
        ended_by=book[b.END_SIDE] if ended else -1,
        ended_at=off_clock(book[b.END_NS], first_ns),
        ended_frame=book[b.END_FRAME],
        reset_answers=LABELS[book[b.RST_ANSWERS] - 1] if book[b.RST_ANSWERS] else None,
        reset_delay_ns=book[b.RST_DELAY],
        open_at_end=lives.is_open(state),
        one_sided=_one_sided(state, book),
        earlier=book[b.OLDER_LIFE] - 1,
        rtt_ns=_both(state, f.HALF_RTT),
        least_rtt_ns=_both(state, f.LEAST_HALF_RTT),
        handshake_ns=book[b.HANDSHAKE_NS],
        silence=_silence(book, first_ns),
        outstanding=outstanding(book, first_ns),
    )


def _count(book: Sequence[int], side: int, *labels: Label) -> int:
    return sum(book[KEPT[side] + b.LABEL_BASE + label] for label in labels)


def _opening(state: Sequence[int], book: Sequence[int]) -> Opening:
    if not (state[f.ISN_KNOWN] or state[f.SIDE + f.ISN_KNOWN]):
        return Opening.MID_STREAM
    if book[b.COMPLETED]:
        return Opening.COMPLETE
    if state[f.SIDE + f.ISN_KNOWN]:
        return Opening.HALF
    if book[KEPT[1] + b.RST_FRAME]:
        return Opening.REFUSED
    return Opening.UNANSWERED


def _one_sided(state: Sequence[int], book: Sequence[int]) -> int:
    """A side alone that is evidently answered: its ACKs move on, or its SYN was."""
    for side in (0, 1):
        if book[KEPT[1 - side] + b.SIDE_FIRST_FRAME] or book[KEPT[1 - side] + b.COPIES]:
            continue
        other = TRACKED[1 - side]
        talked = book[KEPT[side] + b.PAYLOAD] or book[KEPT[side] + b.FIN_FRAME]
        if state[other + f.MISSED] or book[b.COMPLETED] or (talked and not _probing(book, side)):
            return side
    return -1


def _probing(book: Sequence[int], side: int) -> bool:
    """Whether all that a side sends is sent again and again, as nobody answers."""
    base = KEPT[side]
    return book[base + b.RESENT] > 0 and book[base + b.CHAIN_COUNT] > 0


def _both(state: Sequence[int], field: int) -> int:
    """Both halves of the path, as far as they are known; -1."""
    halves = [state[base + field] for base in TRACKED if state[base + field] >= 0]
    return sum(halves) if halves else -1


def _silence(book: Sequence[int], first_ns: int) -> Silence | None:
    if not book[b.SILENCE_TO]:
        return None
    waits = book[b.SILENCE_WAITS] != 0
    return Silence(
        ns=book[b.SILENCE_NS],
        from_frame=book[b.SILENCE_FROM],
        to_frame=book[b.SILENCE_TO],
        began_at=off_clock(book[b.SILENCE_BEGAN], first_ns),
        label=LABELS[book[b.SILENCE_LABEL]],
        side=book[b.SILENCE_SIDE],
        answer_frame=book[b.SILENCE_ANSWER],
        answer_label=None if waits else LABELS[book[b.SILENCE_ANSWER_LABEL]],
        answer_ns=-1 if waits else book[b.SILENCE_ANSWER_NS],
        asked_again=book[b.SILENCE_AGAIN],
    )
