"""The names of what a TCP segment does, shared by triggers, tapes and reports.

One label per segment, given by the tracker when the segment passes: a label never needs the
future. The lower-case text of a label is the name that scenario files, tape comments and reports
use.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Label(IntEnum):
    """What one segment does; the numbers are what the tracker returns, for this version only."""

    SYN = 0
    SYN_RETRANSMISSION = 1
    SYN_ACK = 2
    SYN_ACK_RETRANSMISSION = 3
    HANDSHAKE_ACK = 4  # the client's ACK of a SYN-ACK, repeated ones included
    ACK = 5
    DATA = 6
    TAIL_LOSS_PROBE = 7
    RTO_RETRANSMISSION = 8
    FAST_RETRANSMISSION = 9
    RETRANSMISSION = 10  # cause unknown: doubled by the network, or sent on an ACK after a timeout
    KEEPALIVE_PROBE = 11
    KEEPALIVE_ANSWER = 12
    ZERO_WINDOW_PROBE = 13
    ZERO_WINDOW_ANSWER = 14
    DUPLICATE_ACK = 15
    WINDOW_UPDATE = 16
    ZERO_WINDOW = 17
    OUT_OF_ORDER = 18
    FIN = 19
    FIN_RETRANSMISSION = 20
    RST = 21
    CHALLENGE_ACK = 22

    @property
    def text(self) -> str:
        """The name in scenario files, reports and tape comments."""
        return TEXTS[self]


TEXTS: Final = tuple(label.name.lower() for label in Label)
LABELS: Final = tuple(Label)
BY_NAME: Final = {label.text: label for label in Label}
NAMES: Final = tuple(BY_NAME)
COPY: Final = len(LABELS)  # in the tracker's place: a frame captured twice, which it never sees

RESENT_DATA: Final = frozenset(
    {
        Label.TAIL_LOSS_PROBE,
        Label.RTO_RETRANSMISSION,
        Label.FAST_RETRANSMISSION,
        Label.RETRANSMISSION,
    }
)
RETRANSMISSIONS: Final = RESENT_DATA | {
    Label.SYN_RETRANSMISSION,
    Label.SYN_ACK_RETRANSMISSION,
    Label.FIN_RETRANSMISSION,
}
PROBES: Final = frozenset({Label.KEEPALIVE_PROBE, Label.ZERO_WINDOW_PROBE})
PURE_ACKS: Final = frozenset(
    {
        Label.ACK,
        Label.HANDSHAKE_ACK,
        Label.KEEPALIVE_ANSWER,
        Label.ZERO_WINDOW_ANSWER,
        Label.DUPLICATE_ACK,
        Label.WINDOW_UPDATE,
        Label.ZERO_WINDOW,
        Label.CHALLENGE_ACK,
    }
)

# Asked for -> what answers to it. `label: fin, nth: 2` is the second packet that carries a FIN,
# sent anew or again. A name that is not here answers to itself alone.
BASE: Final = {
    Label.SYN: frozenset({Label.SYN, Label.SYN_RETRANSMISSION}),
    Label.SYN_ACK: frozenset({Label.SYN_ACK, Label.SYN_ACK_RETRANSMISSION}),
    Label.FIN: frozenset({Label.FIN, Label.FIN_RETRANSMISSION}),
    Label.DATA: RESENT_DATA | {Label.DATA, Label.OUT_OF_ORDER},
    Label.ACK: PURE_ACKS,
}


def matches(asked: Label, label: Label) -> bool:
    """Whether a segment labelled `label` is one of those that a trigger for `asked` counts."""
    family = BASE.get(asked)
    return label in family if family is not None else label is asked
