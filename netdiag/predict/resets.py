"""A RST in the peer's name -> when the client notices that its connection is gone.

The rule this file guards: who was told loses the connection at once; who was not learns of it from
the other's answer to its next segment, be it a copy of the request or a keepalive probe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.faults.reset import Reset
from netdiag.predict import retransmission
from netdiag.predict.client import (
    RST_SOURCE,
    Candidate,
    earliest,
    probe_times,
    read_timeout,
)
from netdiag.predict.client import told as told_at_once
from netdiag.predict.pushes import Unpredictable

if TYPE_CHECKING:
    from netdiag.faults.fault import Fault
    from netdiag.predict.kernel import Kernel
    from netdiag.predict.settings import Limits
    from netdiag.predict.situation import Situation

_RST = "a RST from the peer"


def after_reset(fault: Fault, seen: Situation, limits: Limits, kernel: Kernel) -> Candidate | None:
    """What the client notices first after a RST; None: nothing. Raises Unpredictable."""
    if not isinstance(fault.do, Reset):
        raise Unpredictable(f"what {fault.kind} does to the two ends is not in the tables")
    if seen.regime in ("syn", "closing"):
        raise Unpredictable("there is no connection in use that a RST could end")
    if limits.listens and not limits.program.redialling.listen and seen.regime == "idle" \
            and limits.program.known:
        raise Unpredictable("subscribe() returns after a RST without a word, and whoever calls it "
                            "again dials again without one")
    if fault.do.to != "server":
        return told_at_once(_RST, limits.program.words.reset, seen.busy + limits.waking)
    if seen.regime == "idle":
        at = probe_times(limits, kernel, seen.quiet)[:1]
        what = "the next keepalive probe"
    elif fault.at.takes_own_packet:
        at = retransmission.copies(kernel.at(seen.start))[:1]
        what = "the first copy of the request"
    else:
        raise Unpredictable("whether the server's RST is on its way already when the request's ACK "
                            "is does not follow from the settings")
    found = list(read_timeout(limits, seen.since))
    found += [Candidate(when=one.at_least(0.0) + limits.waking, by=_RST, source=RST_SOURCE,
                        sees=limits.program.words.reset,
                        formula=f"{what} is answered with a RST") for one in at]
    return earliest(found)
