"""The rule half-open: one side holds a connection that the other has forgotten.

The rule this file guards: closing is not forgetting. A side that sent its FIN, and an RST that a
program sent to close, are no findings; and silence alone never is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.analysis.findings.model import Evidence
from netdiag.analysis.findings.survey import (
    NAMES,
    SECOND,
    judgeable,
    slack,
)
from netdiag.analysis.findings.words import lasting
from netdiag.tcp.facts import Ending
from netdiag.tcp.labels import PROBES, RESENT_DATA, Label

if TYPE_CHECKING:
    from netdiag.analysis.findings.survey import Survey
    from netdiag.tcp.facts import ConnectionFacts

_QUIET: Final = 5 * SECOND  # data after so much silence is no longer the middle of talk
_NEW: Final = frozenset({Label.DATA, Label.ACK})
_ASKING: Final = PROBES | RESENT_DATA | _NEW


def half_open(connection: ConnectionFacts, survey: Survey) -> Evidence | None:
    """One side holds a connection that the other knows nothing of."""
    if not judgeable(connection) or connection.ending is not Ending.RST:
        return None
    judges = (_answered_by_reset, _never_told, _forged)
    return next((found for judge in judges if (found := judge(connection)) is not None), None)


_RESTART: Final = (
    "find out what made it forget (restart, failover, keepalive or an idle limit of its own) or "
    "whether a NAT gave the {side} another port; keepalive or an application ping on the {side} "
    "notices within their own time"
)


def _answered_by_reset(connection: ConnectionFacts) -> Evidence | None:
    """A probe, or data after silence, is answered by the RST of a host without such a socket."""
    side = connection.ended_by
    own, peer = connection.sides[side], connection.sides[1 - side]
    if own.fin_at or connection.reset_answers not in _ASKING:
        return None
    if not 0 <= connection.reset_delay_ns <= slack(connection):
        return None
    silence = connection.silence
    silent = silence.ns if silence is not None else 0
    first = silence is not None and silence.answer_frame == connection.ended_frame
    quiet = first and silent >= _QUIET
    if connection.reset_answers in _NEW and not (quiet or own.rst_bare):
        return None  # in the middle of talk a program that closes with data unread does the same
    return Evidence(
        f"{NAMES[side]} {own.endpoint} answered {_named(connection.reset_answers)} of "
        f"{peer.endpoint} with an RST: its host has no such connection (any more), while the "
        f"{NAMES[1 - side]} believed in it",
        _RESTART.format(side=NAMES[1 - side]),
        (own.rst_frame, own.last_data_frame, peer.last_frame),
        connection.ended_at,
        {"forgot": NAMES[side], "silence_s": silent / SECOND},
    )


def _never_told(connection: ConnectionFacts) -> Evidence | None:
    """An RST passed, and the side it was for goes on: it did not arrive."""
    side = connection.ended_by
    own, peer = connection.sides[side], connection.sides[1 - side]
    if peer.rsts or peer.last_at <= connection.ended_at + slack(connection):
        return None
    told = " until an RST answered that, too" if own.last_at > peer.last_at else ""
    return Evidence(
        f"{NAMES[side]} {own.endpoint} reset the connection (frame {own.rst_frame}), and "
        f"{lasting(peer.last_at - connection.ended_at)} later the {NAMES[1 - side]} still believed "
        f"in it{told}: the RST did not arrive",
        _RESTART.format(side=NAMES[1 - side]),
        (own.rst_frame, peer.last_frame, own.last_frame),
        connection.ended_at,
        {
            "forgot": NAMES[side],
            "believed_s": (peer.last_at - connection.ended_at) / SECOND,
        },
    )


def _forged(connection: ConnectionFacts) -> Evidence | None:
    """A side goes on behind its own RST: something else sent that in its name."""
    side = connection.ended_by
    own, peer = connection.sides[side], connection.sides[1 - side]
    probed = own.keepalive.last_at if own.keepalive is not None else 0
    spoke = max(own.last_data_at, own.fin_at, probed)
    if spoke <= connection.ended_at + slack(connection):
        return None
    return Evidence(
        f"an RST in the name of {NAMES[side]} {own.endpoint} (frame {own.rst_frame}) ended the "
        f"connection for {peer.endpoint}, but the {NAMES[side]} did not send it: it went on "
        f"{lasting(spoke - connection.ended_at)} later",
        "look for a firewall, proxy or intrusion detection between them that resets connections",
        (own.rst_frame, own.last_frame, peer.last_frame),
        connection.ended_at,
        {"forgot": NAMES[1 - side]},
    )


_NAMED: Final = {
    Label.KEEPALIVE_PROBE: "a keepalive probe",
    Label.ZERO_WINDOW_PROBE: "a zero-window probe",
    Label.DATA: "data",
    Label.ACK: "an ACK",
}


def _named(label: Label | None) -> str:
    return _NAMED.get(label, "a retransmission") if label is not None else "a segment"
