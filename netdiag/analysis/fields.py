"""What every field of an analysis means, for the JSON Schema that documents it.

The rule this file guards: no field of the JSON is without its sentence, and none is described that
is not there; a test holds both.
"""

from __future__ import annotations

from typing import Final

ABOUT: Final[dict[str, dict[str, str]]] = {
    "Analysis": {
        "scenario": "The scenario's name.",
        "about": "What the scenario shows, as its author says.",
        "outcome": "The worst of the cells; FAIL is worst, then UNKNOWN.",
        "cells": "The cells in the plan's order.",
        "version": "The version of this format.",
    },
    "CellAnalysis": {
        "id": "The cell's id; repeats of a cell end in ~1, ~2, ...",
        "choices": "Axis of the matrix -> what was chosen, as text.",
        "outcome": "UNKNOWN when `unknown` says why, else the worst of the verdicts.",
        "unknown": "Why nothing can be said of this cell; empty when its verdicts count.",
        "length": "From the origin to the cell's end.",
        "faults": "What became of each fault.",
        "noticed": "When and how the client found out; null: it never did.",
        "recovered": "From the healing until a message was consumed; null: none was.",
        "regimes": "Which kernel timer owned each socket, in the order of their beginning.",
        "fin_wait1": "The sockets that waited for the acknowledgement of their FIN.",
        "zombies": "Connections that one side believes in and the other has forgotten.",
        "messages": "The fate of every message, in the order of pushing.",
        "beliefs": "What each observer holds for true at the end.",
        "beliefs_at": "The connection that `beliefs` speaks of: the client's address and port.",
        "packets": "Label -> how many packets their senders sent with it.",
        "reach": "What the client sent while the fault lasted; null: no fault began.",
        "predicted": "What the settings alone foretold, beside what was measured.",
        "unpredicted": "What the settings alone do not tell, a sentence each.",
        "verdicts": "One for each expectation, in the scenario's order.",
        "timeline": "Everything that happened, in the order of time.",
        "backlog": "How full a queue was that a service empties; null: nobody looked.",
        "origin": "What times count from: the fault, the fault at another client's cable, or the "
        "client's first packet.",
        "errors": "What the application saw in the whole cell (`TimeoutError ETIMEDOUT`) -> how "
        "often.",
        "recovered_on": "The connection on which a message was consumed first when all faults were "
        "over, as `beliefs_at` names one; empty: none was, or it cannot be told.",
    },
    "Backlog": {
        "key": "The queue.",
        "before": "How many elements waited when the fault began.",
        "most": "How many waited at most since then.",
        "most_at": "When that was first seen.",
        "last": "How many waited when it was looked at last.",
        "empty_after": "From the healing until it was seen empty; null: it was not.",
    },
    "FaultEffect": {
        "name": "The fault's name in the scenario.",
        "verb": "What it does, as the scenario says.",
        "trigger": "When it was to begin.",
        "began_ns": "When it began, in ns of CLOCK_MONOTONIC; null: it never did.",
        "healed_ns": "When it ended, in ns of CLOCK_MONOTONIC; null: it did not.",
        "began": "When it began.",
        "healed": "When it ended.",
        "packet": "The number of the packet on the tape that triggered it.",
        "taken": "'sender label' -> how many frames it took.",
        "injected": "How many frames it made.",
        "why_not": "Why it never took effect, as far as the cable can tell.",
        "acts": "What was seen to happen to a program, one sentence each.",
        "undone": "What should have happened to a program and did not.",
        "lasts": "It goes on until it heals; false: it is over at once, such as a reset.",
        "unhealed": "Why the trigger of its `heal` was never met; null: it was, or there is none.",
    },
    "Reach": {
        "probes": "Keepalive probes that it sent.",
        "answered": "How many keepalive probes were answered.",
        "retransmissions": "Segments that it sent once more, tail loss probes and SYNs included.",
        "taken": "How many of its frames a fault took at the cable.",
        "arp": "How often it asked where its peer is (ARP, neighbour solicitation).",
        "arp_answered": "How often that was answered.",
        "rst": "Resets that it sent.",
        "addresses": "What the Docker engine was seen to do to links, and which address came back.",
    },
    "Notice": {
        "t": "From the fault's beginning.",
        "how": "What the client did.",
        "by": "Which clock or segment told it.",
        "type": "The exception's class.",
        "errno": "The error's number.",
        "message": "The error's text; what a program said, at most 300 characters.",
    },
    "Regime": {
        "side": "Whose kernel: client or server.",
        "client": "The connection: the client's address and port.",
        "state": "The socket's TCP state.",
        "timer": "The timer that ran: none, retransmission, keepalive, persist or time-wait.",
        "start": "When it began.",
        "end": "When it ended; null: it lasted to the cell's end.",
        "reason": "Why this timer ran.",
        "orphan": "No process owned the socket any more.",
    },
    "FinWait1": {
        "side": "Whose kernel: client or server.",
        "client": "The connection: the client's address and port.",
        "start": "When the FIN was sent.",
        "seconds": "How long it stayed unacknowledged, or until the cell's end.",
        "ended": "The socket left FIN-WAIT-1 before the cell's end.",
        "orphan": "No process owned the socket any more.",
        "sent": "The FIN was seen on the tape; false: it waited behind unacknowledged data.",
    },
    "Zombie": {
        "side": "The side that still believes: client or server.",
        "client": "The connection: the client's address and port.",
        "since": "Since when the other side does not.",
        "text": "The same in a sentence.",
    },
    "Interval": {
        "low": "Where it begins.",
        "high": "Where it ends.",
    },
    "Predicted": {
        "what": "noticed (the client finds out), error (its application does), fin_wait1 (how long "
        "the client's kernel holds the closed socket), server (the server's socket is gone).",
        "when": "When, from the fault's beginning (fin_wait1: how long): one of these intervals; "
        "empty: never.",
        "by": "Which timer or segment does it.",
        "text": "What it looks like there.",
        "formula": "How it was reckoned, with the numbers put in.",
        "source": "Where the rule is written.",
        "measured": "What was measured; null: it did not happen.",
        "within": "false: outside of what was foretold, a finding; null: nothing is known.",
        "why": "Why nothing is known.",
    },
    "Message": {
        "id": "m1, m2, ... in the order of pushing; r1, r2, ... for requests.",
        "fate": "delivered, late, duplicated, stuck, lost, zombie (taken by one), refused, "
        "unknown, or unexpected (received and never produced).",
        "text": "Where it went, in a sentence.",
        "pushed": "When the producer pushed it.",
        "popped": "When its reply left the server.",
        "received": "When the consumer had it first.",
        "processed": "When the consumer had done its work on it first.",
        "acknowledged": "When the server had been told so first.",
    },
    "Belief": {
        "who": "The client's kernel, the wire, the application or the server.",
        "text": "What it holds for true.",
        "since": "Since when; null: it cannot be told.",
    },
    "Verdict": {
        "expectation": "The expectation, as it was written.",
        "outcome": "PASS, FAIL, or UNKNOWN when it could not be measured.",
        "measured": "What was measured.",
        "why": "Why it could not be measured, or what explains the outcome.",
    },
    "Entry": {
        "t": "When.",
        "lane": "Who: client.app, client.kernel, cable, server.kernel, server.app or netdiag.",
        "text": "What.",
        "reason": "Why.",
        "kind": "The packet's label, or the event's name.",
        "packet": "The packet's number on the tape.",
        "weight": "0: a person must see it; 1: detail; 2: routine.",
    },
}
