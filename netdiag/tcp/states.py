"""The TCP state of each side, as a table: what it must believe if all that passed arrived.

RFC 9293, 3.3.2. Code only applies the table; what it does not name leaves the state as it is.
"""

from __future__ import annotations

from typing import Final

CLOSED: Final = 0
SYN_SENT: Final = 1
SYN_RECEIVED: Final = 2
ESTABLISHED: Final = 3
FIN_WAIT_1: Final = 4
FIN_WAIT_2: Final = 5
CLOSE_WAIT: Final = 6
CLOSING: Final = 7
LAST_ACK: Final = 8
TIME_WAIT: Final = 9

STATE_TEXTS: Final = (
    "closed",
    "syn_sent",
    "syn_received",
    "established",
    "fin_wait_1",
    "fin_wait_2",
    "close_wait",
    "closing",
    "last_ack",
    "time_wait",
)

SENT_SYN: Final = 0
SENT_SYN_ACK: Final = 1
GOT_SYN_ACK: Final = 2
GOT_ACK_OF_SYN: Final = 3
SENT_FIN: Final = 4
GOT_FIN: Final = 5
GOT_ACK_OF_FIN: Final = 6
RESET: Final = 7
JOINED: Final = 8  # first seen in the middle of its life
CROSSED_FIN: Final = 9  # sent a FIN that does not acknowledge the peer's FIN: they crossed
EVENTS: Final = 10

_EDGES: Final = {
    (CLOSED, SENT_SYN): SYN_SENT,
    (CLOSED, SENT_SYN_ACK): SYN_RECEIVED,
    (SYN_SENT, SENT_SYN_ACK): SYN_RECEIVED,  # simultaneous open
    (SYN_SENT, GOT_SYN_ACK): ESTABLISHED,
    (CLOSED, GOT_SYN_ACK): ESTABLISHED,
    (SYN_RECEIVED, GOT_ACK_OF_SYN): ESTABLISHED,
    (SYN_RECEIVED, GOT_SYN_ACK): ESTABLISHED,
    (SYN_RECEIVED, SENT_FIN): FIN_WAIT_1,
    (ESTABLISHED, SENT_FIN): FIN_WAIT_1,
    (ESTABLISHED, GOT_FIN): CLOSE_WAIT,
    (CLOSE_WAIT, SENT_FIN): LAST_ACK,
    (CLOSE_WAIT, CROSSED_FIN): CLOSING,
    (FIN_WAIT_1, GOT_ACK_OF_FIN): FIN_WAIT_2,
    (FIN_WAIT_1, GOT_FIN): CLOSING,
    (FIN_WAIT_2, GOT_FIN): TIME_WAIT,
    (CLOSING, GOT_ACK_OF_FIN): TIME_WAIT,
    (LAST_ACK, GOT_ACK_OF_FIN): CLOSED,
    (CLOSED, JOINED): ESTABLISHED,
    **{(state, RESET): CLOSED for state in range(len(STATE_TEXTS))},
}

# state * EVENTS + event -> state, flat, as a compiler wants it
NEXT: Final = tuple(
    _EDGES.get((state, event), state)
    for state in range(len(STATE_TEXTS))
    for event in range(EVENTS)
)
