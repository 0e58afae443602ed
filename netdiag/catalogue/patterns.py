"""The patterns a workload can follow: what the consumer does all day, and with which commands.

The rule this file guards: a phase such as `blocked` speaks of the workload's own commands, and
this table alone says which these are (clients send greetings first, which are not meant).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pattern:
    """A row of PATTERNS. commands: upper case, as they are on the wire; settings: the workload's
    settings that this pattern alone (or with a few others) has; acknowledges: the client tells
    the server when a message is done, so that one that is not done can be given to another;
    keeps: the server keeps a message until somebody asks for it; own_messages: the client makes
    the messages itself, so that nothing is pushed for it.
    """

    commands: frozenset[str]
    about: str
    settings: frozenset[str] = frozenset()
    acknowledges: bool = False
    keeps: bool = True
    own_messages: bool = False

    @property
    def waits(self) -> bool:
        """Its command waits on the server, and has a timeout of its own (the workload's `block`).
        """
        return self.keeps and not self.own_messages


PATTERNS: dict[str, Pattern] = {
    "brpop": Pattern(frozenset({"BRPOP"}), "pop one message at a time from a list's tail, waiting "
                                           "for it on the server"),
    "blpop": Pattern(frozenset({"BLPOP"}), "the same from a list's head"),
    "bzpopmin": Pattern(frozenset({"BZPOPMIN"}), "pop the message with the lowest score of a "
                                                 "sorted set"),
    "blmove": Pattern(frozenset({"BLMOVE"}), "move each message to a processing list, remove it "
                                             "there when it is done; a reaper gives back what lies "
                                             "there too long",
                      frozenset({"processing", "reaper"}), acknowledges=True),
    "xreadgroup": Pattern(frozenset({"XREADGROUP"}), "read a stream as a consumer group, XACK what "
                                                     "is done; with a reaper XAUTOCLAIM what was "
                                                     "left pending",
                          frozenset({"group", "reaper"}), acknowledges=True),
    "subscribe": Pattern(frozenset({"SUBSCRIBE"}), "listen to a channel; who does not listen gets "
                                                   "nothing", keeps=False),
    "request": Pattern(frozenset({"RPUSH"}), "requests that are answered at once, from a pool of "
                                             "connections: each appends its own name to the list",
                       frozenset({"pool", "every"}), own_messages=True),
    "raw": Pattern(frozenset(), "connect and read; with `every` say a line that often (kind raw)",
                   frozenset({"every"}), keeps=False, own_messages=True),
}
