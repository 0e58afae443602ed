"""Where the account of a connection is kept: one flat list of ints, and names for its places.

The rule is that of fields.py: plain ints, so that the same source fills a list and a compiled
array. A side's places are read as `book[OWN + side * SIDE_BOOK + PLACE]`. Moments are the engine's
clock (never 0), frames count from 1; 0 is "never".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.tcp.labels import COPY

if TYPE_CHECKING:
    from collections.abc import MutableSequence

# the connection
FIRST_NS: Final = 0
FIRST_FRAME: Final = 1
LAST_NS: Final = 2
SILENCE_NS: Final = 3  # the longest so far
SILENCE_FROM: Final = 4
SILENCE_TO: Final = 5
SILENCE_BEGAN: Final = 6
SILENCE_LABEL: Final = 7
SILENCE_SIDE: Final = 8
SILENCE_WAITS: Final = 9  # 1, 2: the other side has not answered, see account.py
SILENCE_ANSWER: Final = 10
SILENCE_ANSWER_LABEL: Final = 11
SILENCE_ANSWER_NS: Final = 12
COMPLETED: Final = 13  # something but SYN and RST followed the SYN or the SYN-ACK
END_KIND: Final = 14  # an Ending
END_SIDE: Final = 15
END_NS: Final = 16
END_FRAME: Final = 17
RST_ANSWERS: Final = 18  # the label + 1 of what an ending RST answers
RST_DELAY: Final = 19
HANDSHAKE_NS: Final = 20
OLDER_LIFE: Final = 21  # number + 1 of the life before
OLDER_WAITS: Final = 22  # 1: segments may still belong to it
OLDER_FLIP: Final = 23  # 1: its client is this one's server
CLIENT_HIGH: Final = 24  # addresses and ports, as the compiled loop keeps them
CLIENT_LOW: Final = 25
SERVER_HIGH: Final = 26
SERVER_LOW: Final = 27
PORTS: Final = 28  # family << 32 | client's port << 16 | server's
ROWS: Final = 29  # rows written for it, those overwritten included
ROW_FIRST: Final = 30  # slot + 1 of the ring of its last rows
ROW_LAST: Final = 31
RST_SIDE: Final = 32  # side + 1 of the first RST that ends it
PENDING: Final = 33  # RESP commands without a reply
PENDING_HEAD: Final = 34
PENDING_LOST: Final = 35  # how many of them are only counted
SILENCED: Final = 36  # CLIENT REPLY: how many commands get no reply; -1: all
SUBSCRIBED: Final = 37
QUEUE: Final = 16  # pending commands of which name and time are kept
SILENCE_END: Final = 38  # what an ACK has to cover
SILENCE_AGAIN: Final = 39  # how often it was asked again before an answer came
OWN: Final = 40

# one side
COPIES: Final = 0
PAYLOAD: Final = 1
UNIQUE: Final = 2
MAX_STEP: Final = 3
NEEDLESS: Final = 4  # retransmissions that were not needed
RESENT: Final = 5  # all of them
SIDE_FIRST_NS: Final = 6
SIDE_FIRST_FRAME: Final = 7
SIDE_LAST_NS: Final = 8
SIDE_LAST_FRAME: Final = 9
SIDE_LAST_LABEL: Final = 10
DATA_NS: Final = 11
DATA_FRAME: Final = 12
UNA_SEEN: Final = 13  # the tracker's UNA when it was last looked at
UNA_NS: Final = 14  # when it moved
CHAIN_SENT: Final = 15
CHAIN_FIRST_NS: Final = 16
CHAIN_LAST_NS: Final = 17
CHAIN_FIRST_FRAME: Final = 18
CHAIN_LAST_FRAME: Final = 19
CHAIN_COUNT: Final = 20
CHAIN_STEPS: Final = 21
CHAIN_RTO: Final = 22  # -1: not known yet; UNKNOWABLE
CHAIN_GAP: Final = 23
CHAIN_LENGTH: Final = 24
CHAIN_LABEL: Final = 25
CHAIN_UNA: Final = 26
LATE_ROW: Final = 27  # slot + 1 of the last retransmission's row, while its verdict is open
LATE_OPEN: Final = 28  # 1: timestamps can still tell; 2: they said that it was not needed
LATE_SEQ: Final = 29
LATE_TSVAL: Final = 30
PROBE_WAITS: Final = 31  # 1 + which of PROBE_PLACES: no packet of the peer since that probe
PROBE_ROW: Final = 32
ZERO_SINCE: Final = 33
ZERO_NS: Final = 34
ZERO_COUNT: Final = 35
FULL: Final = 36
FIN_FRAME: Final = 37
FIN_NS: Final = 38
RST_FRAME: Final = 39
RST_NS: Final = 40
RST_OUTSIDE: Final = 41
RST_CHALLENGED: Final = 42
KEEPALIVE: Final = 43  # eleven places, see below
ZERO_PROBES: Final = 54
LATE_FRAME: Final = 65
RST_BARE: Final = 66  # 1: its first RST had no ACK
FLIGHT_FRAME: Final = 67  # the last new segment that had nothing in flight before it
FLIGHT_SEQ: Final = 68
CHAIN_SENT_FRAME: Final = 69  # of CHAIN_SENT, where it is known
CHAIN_LASTS: Final = 70  # 1: long enough to be told of, and not acknowledged yet
OUTAGE: Final = 71  # eight places, see below: the longest that healed
VAIN_COUNT: Final = 79  # a timer's retransmissions in a row of what the peer acknowledged here
VAIN_SEQ: Final = 80
VAIN_NS: Final = 81  # since when
VAIN_FRAME: Final = 82
ANSWER_TSVAL: Final = 83  # of its last answer to a probe; -1
FLIGHT_ROW: Final = 84  # slot + 1 of the last new data that has a row
LABEL_BASE: Final = 85
CAUSE_BASE: Final = LABEL_BASE + COPY
SPOKEN: Final = CAUSE_BASE + COPY  # the application, see speech.py

UNKNOWABLE: Final = -2  # of CHAIN_RTO: the timer had been doubled before the first gap seen

P_SENT: Final = 0  # of KEEPALIVE and ZERO_PROBES
P_ANSWERED: Final = 1
P_FIRST_NS: Final = 2
P_LAST_NS: Final = 3
P_FIRST_FRAME: Final = 4
P_LAST_FRAME: Final = 5
P_IDLE: Final = 6
P_INTERVAL: Final = 7
P_ROW: Final = 8  # unanswered ones in a row
P_ROW_FRAME: Final = 9  # the first of them
P_DEAF: Final = 10  # in a row: the answer to the one before had passed here, but not arrived

O_NS: Final = 0  # of OUTAGE
O_AT: Final = 1
O_FIRST: Final = 2  # frames: the first and the last that asked again, and what ended it
O_LAST: Final = 3
O_END: Final = 4
O_COUNT: Final = 5
O_LABEL: Final = 6
O_END_KIND: Final = 7  # see facts.Healing

# the application of one side
KIND: Final = SPOKEN  # 0 not known yet, 1 RESP, 2 TLS, 3 neither
TRIES: Final = SPOKEN + 1
NEXT_SEQ: Final = SPOKEN + 2
WHERE: Final = SPOKEN + 3  # in a RESP message: before a value, in a header, in a bulk; or lost
MARKER: Final = SPOKEN + 4
NUMBER: Final = SPOKEN + 5
DIGITS: Final = SPOKEN + 6
NEGATIVE: Final = SPOKEN + 7
LEFT: Final = SPOKEN + 8  # bytes of a bulk and its CRLF still to come
DEPTH: Final = SPOKEN + 9
ITEM: Final = SPOKEN + 10  # strings of this message so far
SORT: Final = SPOKEN + 11  # of the message under way: see exchange.py
WORD_SIZE: Final = SPOKEN + 12
WORD: Final = SPOKEN + 13  # three ints of seven bytes: the string under way
NAME: Final = SPOKEN + 16  # the same of the first string of the message
FIRST_ARGUMENT: Final = SPOKEN + 19  # two ints
LAST_ARGUMENT: Final = SPOKEN + 21
BLOCK_ARGUMENT: Final = SPOKEN + 23  # what follows BLOCK
AFTER_BLOCK: Final = SPOKEN + 25
BEGAN_NS: Final = SPOKEN + 26
BEGAN_FRAME: Final = SPOKEN + 27
MESSAGES: Final = SPOKEN + 28
BREAKS: Final = SPOKEN + 29
FIRST_NAME: Final = SPOKEN + 30  # of a client its first command, of a server its first error
LAST_NAME: Final = SPOKEN + 33  # from here on in the order of NAME and what follows
LAST_FIRST: Final = SPOKEN + 36  # the last command's arguments
LAST_LAST: Final = SPOKEN + 38
LAST_BLOCK: Final = SPOKEN + 40
LAST_AT: Final = SPOKEN + 42
LAST_AT_FRAME: Final = SPOKEN + 43
ERRORS: Final = SPOKEN + 44  # of a server: replies that are errors
LEVELS: Final = 8
STACK: Final = SPOKEN + 45  # LEVELS: values still to come at each
SIDE_BOOK: Final = STACK + LEVELS

QUEUE_BASE: Final = OWN + 2 * SIDE_BOOK  # QUEUE times (at, frame, name, name); last, because
BOOK: Final = QUEUE_BASE + 4 * QUEUE  # Python makes no new int for a place up to 256

# one row of the bounded record of packets that are not boring
R_CONN: Final = 0
R_NUMBER: Final = 1
R_NS: Final = 2
R_KIND: Final = 3  # marks << 16 | label << 8 | side
R_STEP: Final = 4
R_LENGTH: Final = 5
R_PREVIOUS: Final = 6
R_NEXT: Final = 7  # slot of the connection's next row
ROW: Final = 8


def new_book() -> list[int]:
    """The account of a connection of which nothing has been seen yet."""
    return list(_NEW)


def begin_book(book: MutableSequence[int]) -> None:
    """Set what is not zero at the beginning."""
    book[SILENCE_ANSWER_NS] = book[RST_DELAY] = book[HANDSHAKE_NS] = -1
    for base in (OWN, OWN + SIDE_BOOK):
        book[base + CHAIN_RTO] = book[base + ANSWER_TSVAL] = -1
        for probes in (KEEPALIVE, ZERO_PROBES):
            book[base + probes + P_IDLE] = book[base + probes + P_INTERVAL] = -1


_new = [0] * BOOK
begin_book(_new)
_NEW: Final = tuple(_new)  # copied at once: half the time of a short connection is its beginning
