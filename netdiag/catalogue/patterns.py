"""The patterns a workload can follow: what the consumer does all day, and with which commands.

The rule this file guards: a phase such as `blocked` speaks of the workload's own commands, and
this table alone says which these are (clients send greetings first, which are not meant).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pattern:
    """A row of PATTERNS. commands: upper case, as they are on the wire."""

    commands: frozenset[str]
    about: str


PATTERNS: dict[str, Pattern] = {
    "brpop": Pattern(frozenset({"BRPOP"}), "pop one message at a time from a list's tail, waiting "
                                           "for it on the server"),
}
