"""RESP messages -> commands without a reply, in order; the names and arguments that tell why.

The rule is that of conversation.py: what a server says unasked answers no command (pushes,
messages to subscribers, confirmations beyond the first). Plain ints; see book.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.book import (
    AFTER_BLOCK,
    BEGAN_FRAME,
    BEGAN_NS,
    BLOCK_ARGUMENT,
    ERRORS,
    FIRST_ARGUMENT,
    FIRST_NAME,
    ITEM,
    LAST_ARGUMENT,
    LAST_AT,
    LAST_AT_FRAME,
    LAST_NAME,
    MESSAGES,
    NAME,
    PENDING,
    PENDING_HEAD,
    PENDING_LOST,
    QUEUE,
    QUEUE_BASE,
    SILENCED,
    SORT,
    SUBSCRIBED,
)
from netdiag.tcp.words import packed

if TYPE_CHECKING:
    from collections.abc import MutableSequence

CLIENT: Final = packed("CLIENT")[0]
REPLY: Final = packed("REPLY")[0]
BLOCK: Final = packed("BLOCK")[0]
ON: Final = packed("ON")[0]
OFF: Final = packed("OFF")[0]
SKIP: Final = packed("SKIP")[0]
SUBSCRIBE_NAMES: Final = (
    "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE",
)  # fmt: skip
SUBSCRIBING: Final = tuple(packed(name) for name in SUBSCRIBE_NAMES)
SUBSCRIBING_BEGINS: Final = tuple(name[0] for name in SUBSCRIBING)
PLAIN: Final = 0  # of SORT
PUSHED: Final = 1
AN_ERROR: Final = 2
DELIVERIES: Final = tuple(packed(name) for name in ("MESSAGE", "PMESSAGE", "SMESSAGE"))


def string(
    book: MutableSequence[int], own: int, side: int, first: int, second: int, third: int
) -> None:
    """A string of the message under way is whole: keep it if it can tell what the message is."""
    item = book[own + ITEM]
    book[own + ITEM] = item + 1
    if item == 0:
        name = own + NAME
        book[name] = first
        book[name + 1] = second
        book[name + 2] = third
        if not side:
            for place in range(own + FIRST_ARGUMENT, own + AFTER_BLOCK + 1):
                book[place] = 0
    elif not side:
        if item == 1:
            book[own + FIRST_ARGUMENT] = first
            book[own + FIRST_ARGUMENT + 1] = second
        book[own + LAST_ARGUMENT] = first
        book[own + LAST_ARGUMENT + 1] = second
        if book[own + AFTER_BLOCK]:
            book[own + BLOCK_ARGUMENT] = first
            book[own + BLOCK_ARGUMENT + 1] = second
        book[own + AFTER_BLOCK] = 1 if first == BLOCK else 0


def _copy(book: MutableSequence[int], source: int, target: int, count: int) -> None:
    for index in range(count):
        book[target + index] = book[source + index]


def command(book: MutableSequence[int], own: int) -> None:
    """A command is whole."""
    book[own + MESSAGES] += 1
    if book[own + MESSAGES] == 1:
        _copy(book, own + NAME, own + FIRST_NAME, 3)
    _copy(book, own + NAME, own + LAST_NAME, AFTER_BLOCK - NAME)
    book[own + LAST_AT] = book[own + BEGAN_NS]
    book[own + LAST_AT_FRAME] = book[own + BEGAN_FRAME]
    name = book[own + NAME]
    if name in SUBSCRIBING_BEGINS and _is_one_of(SUBSCRIBING, name, book[own + NAME + 1]):
        book[SUBSCRIBED] = 1
    if name == CLIENT and book[own + FIRST_ARGUMENT] == REPLY:
        mode = book[own + LAST_ARGUMENT]
        if mode == ON:
            book[SILENCED] = 0
        elif mode in (OFF, SKIP):
            book[SILENCED] = -1 if mode == OFF or book[SILENCED] < 0 else 2
    if book[SILENCED]:
        if book[SILENCED] > 0:
            book[SILENCED] -= 1
        return
    _enqueue(book, own)


def _enqueue(book: MutableSequence[int], own: int) -> None:
    if not book[PENDING]:
        book[PENDING_LOST] = 0
    if book[PENDING_LOST] or book[PENDING] >= QUEUE:
        book[PENDING_LOST] += 1  # the oldest are those that are asked for
    else:
        slot = QUEUE_BASE + 4 * ((book[PENDING_HEAD] + book[PENDING]) % QUEUE)
        book[slot] = book[own + BEGAN_NS]
        book[slot + 1] = book[own + BEGAN_FRAME]
        book[slot + 2] = book[own + NAME]
        book[slot + 3] = book[own + NAME + 1]
    book[PENDING] += 1


def reply(book: MutableSequence[int], own: int) -> None:
    """What the server says is whole: a reply, or something unasked."""
    book[own + MESSAGES] += 1
    sort = book[own + SORT]
    if sort == AN_ERROR:
        refusal(book, own)
    pending = book[PENDING]
    if not pending:
        return
    if sort == PUSHED or book[SUBSCRIBED]:
        first, second = book[own + NAME], book[own + NAME + 1]
        if _is_one_of(SUBSCRIBING, first, second):
            head = QUEUE_BASE + 4 * (book[PENDING_HEAD] % QUEUE)
            if pending > book[PENDING_LOST] and (
                book[head + 2] != first or book[head + 3] != second
            ):
                return
        elif sort == PUSHED or _is_one_of(DELIVERIES, first, second):
            return
    if pending > book[PENDING_LOST]:
        book[PENDING_HEAD] += 1
    else:
        book[PENDING_LOST] -= 1
    book[PENDING] = pending - 1


def refusal(book: MutableSequence[int], own: int) -> None:
    """An error of the server is whole: the first one's words are kept."""
    book[own + ERRORS] += 1
    if book[own + ERRORS] == 1:
        _copy(book, own + NAME, own + FIRST_NAME, 3)


def _is_one_of(names: tuple[tuple[int, int, int], ...], first: int, second: int) -> bool:
    for name in names:  # noqa: SIM110 - a compiler takes no generators
        if name[0] == first and name[1] == second:
            return True
    return False
