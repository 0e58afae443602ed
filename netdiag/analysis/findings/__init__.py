"""Capture -> findings: pure functions over the facts of its connections.

model      what a finding and a rule are
table      the rules, and when each must keep silent
survey     what rules ask of the whole capture
timers     the kernel's RTO and death, from a row of retransmissions
silence    answers that do not come
lost_answers  answers that do not arrive: what the asking side proves
opening    connections that never came to be
forgotten  connections that one side has forgotten
eviction   connections that something between has forgotten
zombie     consumers that wait in vain
across     what shows over many connections only
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdiag.analysis.findings.model import Finding, Harm, Rule
from netdiag.analysis.findings.survey import survey
from netdiag.analysis.findings.table import NAMES, RULES

if TYPE_CHECKING:
    from netdiag.analysis.findings.survey import Survey
    from netdiag.tcp.facts import CaptureFacts, ConnectionFacts

__all__ = ["NAMES", "RULES", "Finding", "Harm", "Rule", "find"]


def find(capture: CaptureFacts) -> tuple[Finding, ...]:
    """What the capture proves: by harm, then by rule in the table's order, then by time."""
    whole = survey(capture)
    found = [one for connection in capture.connections for one in _judge(connection, whole)]
    of_connections = tuple(found)
    for rule in RULES:
        if rule.all is not None:
            found += [rule.finding(evidence) for evidence in rule.all(whole, of_connections)]
    return tuple(sorted(found, key=_order))


def _judge(connection: ConnectionFacts, whole: Survey) -> list[Finding]:
    """One connection's findings; those that a more telling one replaces are left out."""
    spoken: dict[str, Finding] = {}
    replaced: set[str] = set()
    for rule in RULES:
        evidence = rule.one(connection, whole) if rule.one is not None else None
        if evidence is not None:
            spoken[rule.name] = rule.finding(evidence, connection.number)
            replaced |= rule.over
    return [one for name, one in spoken.items() if name not in replaced]


def _order(finding: Finding) -> tuple[int, int, int, tuple[int, ...]]:
    return -finding.harm, NAMES.index(finding.rule), finding.at_ns, finding.connections
