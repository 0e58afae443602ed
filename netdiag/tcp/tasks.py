"""What a task queue calls the elements of its lists: bytes -> a name.

Celery, RQ, Sidekiq and their like put a task into a list as JSON, or as its bare identifier. The
name is what their own logs say (`create_task[3f2a9b1c]`); any other element is called by itself, or
by its digest. Any bytes have a name, and the same bytes the same one.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

_LONGEST: Final = 64
_SHOWN: Final = 8
_IDS: Final = ("id", "jid", "uuid", "job_id", "message_id")
_KINDS: Final = ("task", "class", "actor_name", "name", "job")
_DEEPEST: Final = 64 << 10  # bytes; a longer element is not read as JSON


def name_of(element: bytes) -> str:
    """The name of a list's element."""
    held = _parsed(element)
    if isinstance(held, list) and held and isinstance(held[0], dict):
        held = held[0]  # kombu keeps what is not acknowledged as [message, exchange, routing key]
    for part in _parts(held):
        number = _first(part, _IDS)
        if number is not None:
            kind = _first(part, _KINDS)
            return f"{kind or 'task'}[{number[:_SHOWN]}]{_again(part)}"
    text = element.decode("utf-8", "replace")
    if 0 < len(text) <= _LONGEST and text.isprintable():
        return text
    return f"element[{hashlib.sha256(element).hexdigest()[:_SHOWN]}]"


def token_of(element: bytes) -> bytes:
    """Bytes that stand in whatever speaks of this element: its identifier, or all of it."""
    for part in _parts(_parsed(element)):
        number = _first(part, _IDS)
        if number is not None:
            return number.encode()
    return element


def _parsed(element: bytes) -> object:
    if element[:1] not in (b"{", b"[") or len(element) > _DEEPEST:
        return None
    try:
        held: object = json.loads(element)
    except (ValueError, RecursionError):
        return None
    return held


def _parts(held: object) -> tuple[dict[str, object], ...]:
    """The places where an envelope may name its task: Celery's headers, the message itself."""
    if not isinstance(held, dict):
        return ()
    headers = held.get("headers")
    return (headers, held) if isinstance(headers, dict) else (held,)


def _again(part: dict[str, object]) -> str:
    """A task that failed and is tried again has its old identifier."""
    times = part.get("retries")
    counts = isinstance(times, int) and not isinstance(times, bool) and 0 < times < 1000
    return f" retry {times}" if counts else ""


def _first(part: dict[str, object], names: tuple[str, ...]) -> str | None:
    for name in names:
        value = part.get(name)
        if isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable():
            return value
    return None
