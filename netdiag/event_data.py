"""What the events of a cell may say: the fields that netdiag itself writes, and their types.

The rule this file guards: whoever reads an event need not ask what type a field has. What a client
program says in its own words is its own affair; a field that is not in the table is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Kinds: TypeAlias = tuple[type, ...]

CLIENTS_WORDS: Final = frozenset(
    {
        "connect",
        "disconnect",
        "call",
        "return",
        "got",
        "processed",
        "acknowledged",
        "error",
        "reconnect",
    }
)
"""The words of the contract in netdiag.clients; the lane client.app holds others of netdiag's."""

LARGEST: Final = 1 << 63
"""No whole number is that large, or larger: times are ns, and a float holds them all."""

_NOTHING: Final = type(None)
_TEXT: Final[Kinds] = (str,)
_NUMBER: Final[Kinds] = (int,)
_SECONDS: Final[Kinds] = (int, float)
_FLAG: Final[Kinds] = (bool,)
_LIST: Final[Kinds] = (list,)
_OBJECT: Final[Kinds] = (dict,)
_WORDS: Final[Mapping[Kinds, str]] = {
    _TEXT: "text",
    _NUMBER: "whole number",
    _SECONDS: "number",
    _FLAG: "true or false",
    _LIST: "list",
    _OBJECT: "object",
}


def _or_null(kinds: Kinds) -> Kinds:
    return (*kinds, _NOTHING)


_SOCKET: Final[Mapping[str, Kinds]] = {
    "client": _TEXT, "server": _TEXT, "state": _TEXT, "last_state": _TEXT, "timer": _TEXT,
    "orphan": _FLAG, "alive": _or_null(_NUMBER), "expires_ms": _NUMBER, "rto_ms": _NUMBER,
    "backoff": _NUMBER, "probes": _NUMBER, "retransmits": _NUMBER, "unacked": _NUMBER,
    "send_queue": _NUMBER, "receive_queue": _NUMBER,
}  # fmt: skip
_FAULT: Final[Mapping[str, Kinds]] = {
    "fault": _TEXT, "edge": _TEXT, "stage": _TEXT, "verb": _TEXT, "trigger": _TEXT,
    "reason": _TEXT, "packet": _or_null(_NUMBER), "at": _or_null(_NUMBER), "taken": _OBJECT,
    "injected": _NUMBER, "lasts": _FLAG, "why_not": _or_null(_TEXT), "unhealed": _or_null(_TEXT),
}  # fmt: skip
_PROGRAM: Final[Mapping[str, Kinds]] = {
    "fault": _TEXT, "signal": _TEXT, "verb": _TEXT, "state": _TEXT, "reason": _TEXT,
    "pid": _NUMBER, "code": _NUMBER, "said": _TEXT, "kind": _TEXT, "version": _or_null(_TEXT),
    "syscall": _or_null(_TEXT), "fd": _or_null(_NUMBER), "told_by": _TEXT,
}  # fmt: skip
FIELDS: Final[Mapping[str, Mapping[str, Kinds]]] = {
    "socket": _SOCKET,
    "socket_gone": _SOCKET,
    "fault": _FAULT,
    "fault_summary": _FAULT,
    "late": _FAULT,
    "signal_summary": {"signal": _TEXT, "trigger": _TEXT, "why_not": _or_null(_TEXT)},
    "start": _PROGRAM,
    "started": _PROGRAM,
    "exit": _PROGRAM,
    "signal": _PROGRAM,
    "docker": _PROGRAM,
    "sleep": _PROGRAM,
    "cell": {
        "wall_offset": _NUMBER, "kernel": _TEXT, "machine": _TEXT, "clock": _TEXT,
        "tick": _or_null(_NUMBER), "reason": _TEXT,
    },
    "push": {"id": _TEXT, "reason": _TEXT},
    "requeue": {"id": _TEXT, "idle": _SECONDS},
    "left": {
        "ids": _LIST, "processing": _LIST, "pending": _LIST, "ungrouped": _LIST, "executed": _LIST,
        "unacked": _LIST,
    },
    "make": {"number": _NUMBER, "service": _TEXT, "code": _NUMBER, "reason": _TEXT},
    "client_list": {"clients": _LIST},
    "refused": {"asked": _TEXT, "reason": _TEXT},
    "backlog": {"length": _NUMBER, "key": _TEXT, "asked": _TEXT},
    "tape": {"dropped": _OBJECT},
    "crash": {"code": _or_null(_NUMBER)},
    "garbage": {"text": _TEXT, "why": _TEXT},
}  # fmt: skip
"""Event -> field -> the types it may have."""


def mistakes(lane: str, what: str, data: Mapping[str, object]) -> dict[str, str]:
    """Field -> what it is not, for every field of an event that has a type of another kind."""
    if lane == "client.app" and what in CLIENTS_WORDS:
        return {}
    expected = FIELDS.get(what, {})
    return {
        name: _WORDS[tuple(kind for kind in expected[name] if kind is not _NOTHING)]
        for name, value in data.items()
        if name in expected and not _fits(value, expected[name])
    }


def _fits(value: object, kinds: Kinds) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    if isinstance(value, int) and abs(value) >= LARGEST:
        return False
    return isinstance(value, kinds)
