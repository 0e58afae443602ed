"""The findings that a scenario can expect: what the analysis has a rule for, and nothing else.

The rules themselves are `netdiag.analysis.findings`; a test holds their names against these.
"""

from __future__ import annotations

from typing import Final

FINDINGS: Final = (
    "zombie-consumer",
    "half-open",
    "black-hole",
    "middlebox-eviction",
    "frozen-peer",
    "syn-black-hole",
    "reconnect-storm",
    "slow-reader",
    "refused",
    "read-timeout-below-block",
    "keepalive-too-slow",
    "outage",
    "fin-wait-1-leftover",
    "capture-loss",
)
