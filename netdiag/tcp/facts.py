"""What a capture says, connection by connection: the contract between the engine and the findings.

The rule: plain values only, and evidence is frame numbers (from 1, as tshark counts; 0: there is
none). `*_at` are moments in ns on the capture's clock (0: it never happened), `*_ns` are durations
(-1: unknown). "Client" is side 0 and "server" side 1, as flows.py tells them apart. What a number
means when the capture began in mid-life, or saw one direction only, is for the findings to judge:
`opening` and `one_sided` say so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from netdiag.tcp.labels import Label  # noqa: TC001 - in annotations that others resolve
from netdiag.tcp.rows import (
    ANSWERED_ROW,
    AT_LEAST_ROW,
    BREAKS_SILENCE_ROW,
    DSACK_ROW,
    ORIGINAL_ROW,
    SPURIOUS_ROW,
)
from netdiag.tcp.table import ROW_TEXTS, Row, Rows

__all__ = [
    "ANSWERED_ROW", "AT_LEAST_ROW", "BREAKS_SILENCE_ROW", "DSACK_ROW", "ORIGINAL_ROW", "ROW_TEXTS",
    "SPURIOUS_ROW", "Application", "CaptureFacts", "Chain", "ConnectionFacts", "Drops", "Ending",
    "Healing", "Opening", "Outage", "Outstanding", "Probes", "Row", "Rows", "SideFacts", "Silence",
    "Totals",
]  # fmt: skip


class Opening(IntEnum):
    """How a connection began, as far as the capture shows."""

    MID_STREAM = 0  # older than the capture: no SYN of either side was seen
    UNANSWERED = 1  # SYNs, and never a word of the peer
    REFUSED = 2  # the SYN was answered by an RST that the client accepts
    HALF = 3  # SYN-ACK, but never the ACK that ends the handshake
    COMPLETE = 4


class Ending(IntEnum):
    """What ended it, first of all."""

    OPEN = 0  # at least one side must still believe in it when the capture ends
    FIN = 1
    RST = 2  # one that its receiver must accept
    NEVER_OPENED = 3  # unanswered or refused


@dataclass(frozen=True, slots=True)
class Chain:
    """One row of retransmissions of the same bytes by timers: the last of its side."""

    first_sent_at: int  # when the bytes first passed; 0 when that is not known
    first_at: int  # the first retransmission, a tail loss probe included
    last_at: int
    first_frame: int
    last_frame: int
    retransmissions: int
    steps: int  # the step of the last RTO: 1 for the first firing; 0 with a tail loss probe alone
    rto_ns: int  # estimated: the first gap of the timer; -1 unknown
    last_gap_ns: int  # between the last two transmissions
    length: int  # bytes sent again last, FIN and SYN counted
    label: Label  # of its last retransmission: RTO, FIN, SYN, SYN-ACK or tail loss probe
    acknowledged: bool  # the peer acknowledged its first byte at last
    begun: bool = True  # its first gap was seen; else the timer may have been doubled before
    first_sent_frame: int = 0


@dataclass(frozen=True, slots=True)
class Probes:
    """Keepalive or zero-window probes of one side."""

    sent: int
    answered: int
    first_at: int
    last_at: int
    first_frame: int
    last_frame: int
    idle_ns: int  # silence before the first of a row; of the last row
    interval_ns: int  # between the last two of a row; -1 when every row had one
    unanswered_row: int  # probes in a row at the end without any packet from the peer
    deaf: int = 0  # in a row at the end: the answer to the one before had passed, but not arrived


class Healing(IntEnum):
    """How an outage ended."""

    ANSWERED = 0
    UNHEARD = 1  # the peer's answers passed here, but were lost behind: when one arrived is unknown
    RESET = 2  # by the peer's RST


@dataclass(frozen=True, slots=True)
class Outage:
    """The longest time that one side asked in vain before it was answered, or stopped to ask."""

    ns: int
    began_at: int
    first_frame: int  # that asked again
    last_frame: int
    ended_frame: int  # what ended it; 0: not seen
    count: int  # how often it asked again
    label: Label  # how it asked last
    healing: Healing


@dataclass(frozen=True, slots=True)
class Application:
    """What one side's payload begins with, and its RESP commands where it is RESP."""

    tls: bool  # its first bytes are a TLS record header
    resp: bool  # its first bytes begin a RESP message, and none was malformed later
    messages: int  # commands of a client, replies (and pushes) of a server that are whole
    first_command: str  # upper case; empty for servers and when not known
    last_command: str
    last_command_at: int
    last_command_frame: int
    breaks: int  # how often the reading had to begin anew behind bytes that were not captured
    subscribed: bool = False  # it sent a SUBSCRIBE of some kind: it may wait without any command
    errors: int = 0  # a server's replies that are errors; one before any command included
    first_error: str = ""  # its first 21 characters, upper case


@dataclass(frozen=True, slots=True)
class SideFacts:
    """What one side of a connection sent, and what it must believe at the end."""

    endpoint: str  # `10.0.0.1:6379`, `[fd00::1]:6379`
    state: str  # TCP state at the end if all that passed arrived: `established`, ..
    frames: int
    payload: int  # bytes, sent again and all
    unique: int  # bytes, each once
    missed: int  # bytes that the peer acknowledged and that never passed here
    copies: int  # frames captured twice (same IP-ID, seq, TSval); not in `frames` nor in `labels`
    labels: tuple[int, ...]  # frames by label, indexed by Label
    causes: tuple[int, ...]  # what is behind retransmissions (a FIN's included), by Label
    spurious: int  # sent again although the peer had it: by D-SACK, timestamps, or an earlier ACK
    max_step: int  # the longest row of retransmission timers
    chain: Chain | None  # the last one
    keepalive: Probes | None
    zero_probes: Probes | None
    zero_windows: int  # how often this side closed its window
    zero_window_ns: int  # for how long in all, up to the last frame of the connection
    zero_window_since: int  # since when it is closed at the end; 0: it is open
    window: int  # bytes, the last one advertised; -1 unknown
    window_full: int  # segments of this side that filled the peer's window to its end
    first_at: int
    last_at: int
    first_frame: int
    last_frame: int
    last_data_at: int  # the last segment with payload
    last_data_frame: int
    unacked: int  # sequence numbers that passed and are not acknowledged at the end
    unacked_since: int  # when the first of them passed
    unanswered: int  # segments that ask for an answer, since the last one of the peer
    fin_frame: int  # its first FIN
    fin_at: int
    fin_acked: bool
    rst_frame: int  # its first RST that the peer must accept
    rst_at: int
    rst_bare: bool  # that one had no ACK: a host without such a socket sent it (RFC 9293, 3.5.2)
    rsts: int  # all of them
    rsts_outside: int  # outside the window: the peer drops them silently
    rsts_challenged: int  # inside, not exact: the peer sends a challenge ACK
    outage: Outage | None
    half_rtt_ns: int  # smoothed: from a segment passing here to its ACK; -1 unknown
    least_half_rtt_ns: int
    application: Application

    def count(self, *labels: Label) -> int:
        """Frames with one of these labels."""
        return sum(self.labels[label] for label in labels)


@dataclass(frozen=True, slots=True)
class Silence:
    """The longest time in which nothing of a connection passed."""

    ns: int
    from_frame: int  # the frame before it
    to_frame: int  # the one that broke it
    began_at: int
    label: Label  # of the one that broke it
    side: int  # who broke it
    answer_frame: int  # the first of the other side that acknowledges it (to a probe: the next); 0
    answer_label: Label | None
    answer_ns: int  # how long that took; -1
    asked_again: int = 0  # retransmissions and probes of the same side before that


@dataclass(frozen=True, slots=True)
class Outstanding:
    """The oldest RESP command without a reply at the end."""

    name: str  # upper case
    at: int
    frame: int
    count: int  # commands without a reply, this one included
    blocking: bool  # it is one that waits in the server
    timeout_s: float  # its own argument in seconds: 0 for ever; -1 not blocking, or not seen


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """One life of a four-tuple."""

    number: int  # 0, 1, 2.. in order of appearance
    client: SideFacts
    server: SideFacts
    first_at: int
    last_at: int
    first_frame: int
    last_frame: int
    opening: Opening
    ending: Ending
    ended_by: int  # the side whose FIN or RST was first; -1: none
    ended_at: int
    ended_frame: int
    reset_answers: Label | None  # of an ending RST: what the other side had sent before it
    reset_delay_ns: int  # and how long before; -1
    open_at_end: bool  # at least one side must believe in it
    one_sided: int  # the only side that was captured; -1: both, or nothing could be expected
    earlier: int  # the number of the same four-tuple's life before; -1: none
    rtt_ns: int  # smoothed, both halves; -1 unknown
    least_rtt_ns: int
    handshake_ns: int  # from the last SYN to its SYN-ACK; -1
    silence: Silence | None
    outstanding: Outstanding | None

    @property
    def sides(self) -> tuple[SideFacts, SideFacts]:
        """Client, server."""
        return self.client, self.server

    @property
    def frames(self) -> int:
        """Both directions, copies not counted."""
        return self.client.frames + self.server.frames


@dataclass(frozen=True, slots=True)
class Totals:
    """What was in the file, and what of it was looked at."""

    frames: int  # all of them
    tcp: int  # segments that were followed (after filters)
    filtered: int  # TCP segments that the filters left out
    other: int  # frames that carry no TCP
    fragments: int  # later fragments of IP packets: their bytes cannot be placed
    cut: int  # TCP, but cut or damaged within its headers
    other_view: int  # frames on interfaces that are not part of this view
    copies: int  # frames captured twice
    bytes: int  # of the file that were read, uncompressed
    first_at: int
    last_at: int
    backwards: int  # frames whose time is before that of the frame before
    foreign: int = 0  # frames of a link type that is not read
    hidden: int = 0  # in a tunnel, or behind a header that is not read (MPLS, PPPoE, a third tag)
    before: int = 0  # of those filtered: left out only because they are earlier than was asked for
    after: int = 0  # or later
    end_at: int = 0  # up to when was looked: what may come after that is not known


@dataclass(frozen=True, slots=True)
class Drops:
    """What the recorder says it lost on one interface; -1 where it does not tell."""

    interface: str
    received: int
    dropped: int


@dataclass(frozen=True, slots=True)
class CaptureFacts:
    """Everything the findings and reports are drawn from."""

    source: str
    kind: str  # `pcap`, `pcapng`, with `+gzip` or `+zstd`
    connections: tuple[ConnectionFacts, ...]
    totals: Totals
    drops: tuple[Drops, ...]
    truncated: int  # offset of the first byte that could not be read; -1: all could
    notes: tuple[str, ...]  # one sentence each: where it broke, what was left out and why
    rows: Rows
    compiled: bool = field(default=False, compare=False)  # which of the two ways it was read
