"""Dice -> one cell of the bench `predicted`: narrow as the target asks for, or wide.

Wide cells have other clients, patterns, faults, heals and triggers, too; some of them nobody can
foretell, and then another is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import random

PHASES: Final = (
    "connected", "request_in_flight", "request_delivered", "blocked", "reply_in_flight",
    "reply_delivered",
)
PATTERNS: Final = ("brpop", "brpop", "blpop", "bzpopmin", "blmove", "xreadgroup", "subscribe",
                   "request")


def _seconds(dice: random.Random, *choices: float) -> str:
    return f"{dice.choice(choices)}s"


def _keepalive(dice: random.Random) -> dict[str, Any]:
    return {"idle": _seconds(dice, 1, 2, 5, 9, 15, 31, 60, 127, 300, 1000, 7200),
            "interval": _seconds(dice, 1, 2, 5, 11, 40), "count": dice.randint(1, 6)}


def narrow(dice: random.Random) -> dict[str, Any]:
    """Keepalive x TCP_USER_TIMEOUT x read timeout x sysctls of both hosts x phase x data."""
    keepalive = _keepalive(dice)
    phase = dice.choice(PHASES)
    replies = phase.startswith("reply")
    later = dice.choice((None, _seconds(dice, 1, 4, 20)))
    produce = [{"at": "2s", "count": 1}] if replies else []
    if later and not replies:
        produce = [{"at": {"event": "active", "after": later}, "count": 1}]
    return {
        "client": {"settings": {
            "read_timeout": dice.choice((None, None, _seconds(dice, 4, 7, 12.5, 30, 75))),
            "connect_timeout": "5s", "retry": 0,
            "keepalive": dice.choice((None, keepalive, keepalive)),
            "user_timeout": dice.choice((None, None, _seconds(dice, 1, 3, 8, 10.5, 33, 90))),
        }},
        "server": {"config": {"tcp-keepalive": dice.choice((0, 3, 10, 45, 300))}},
        "hosts": {
            "client": {"net.ipv4.tcp_retries2": dice.randint(1, 15),
                       "net.ipv4.tcp_orphan_retries": dice.choice((0, 0, 1, 2, 3, 5, 7, 9)),
                       "net.ipv4.tcp_early_retrans": dice.choice((3, 3, 0))},
            "server": {"net.ipv4.tcp_retries2": dice.randint(1, 12),
                       "net.ipv4.tcp_early_retrans": dice.choice((3, 3, 0))},
        },
        "workload": {"pattern": "brpop", "key": "jobs", "after_error": "exit", "produce": produce},
        "faults": [{"name": "cut", "at": phase, "do": "blackhole"}],
        "duration": "60s",
    }


def wide(dice: random.Random) -> dict[str, Any]:
    """The same with everything that a scenario can say of it."""
    cell = narrow(dice)
    cell["client"] = _client(dice, cell["client"]["settings"])
    cell["hosts"]["client"] |= {
        "net.ipv4.tcp_keepalive_time": dice.choice((2, 10, 60, 7200)),
        "net.ipv4.tcp_keepalive_intvl": dice.choice((1, 3, 75)),
        "net.ipv4.tcp_keepalive_probes": dice.choice((1, 3, 9)),
        "net.ipv4.tcp_syn_retries": dice.choice((1, 2, 6)),
        "net.ipv4.tcp_sack": dice.choice((1, 1, 0))}
    cell["hosts"]["server"]["net.ipv4.tcp_sack"] = dice.choice((1, 1, 0))
    pattern = dice.choice(PATTERNS)
    cell["workload"] = _workload(dice, pattern)
    cell["faults"] = [_fault(dice)]
    cell["lab"] = {"ip": dice.choice((4, 4, 6))}
    return cell


def _client(dice: random.Random, settings: dict[str, Any]) -> dict[str, Any]:
    kind = dice.choice(("sync", "sync", "asyncio", "phpredis"))
    if kind == "phpredis":
        return {"kind": kind, "mode": dice.choice(("loop", "bare")), "settings": {
            "read_timeout": settings["read_timeout"], "keepalive": dice.choice(("off", "on", 30)),
            "connect_timeout": dice.choice(("2s", "5s", None))}}
    keepalive = settings["keepalive"]
    if keepalive is not None and dice.random() < 0.4:  # what is left out is the host's
        some = {name: value for name, value in keepalive.items() if dice.random() < 0.6}
        keepalive = some or "on"
    return {"kind": "redis-py", "mode": kind, "settings": {
        **settings, "keepalive": keepalive, "retry": dice.choice((0, 0, 0, 1, 2)),
        "connect_timeout": dice.choice(("2s", "5s", None))}}


def _workload(dice: random.Random, pattern: str) -> dict[str, Any]:
    workload: dict[str, Any] = {
        "pattern": pattern, "after_error": dice.choice(("exit", "exit", {"pause": "500ms"}))}
    if pattern == "request":
        return {**workload, "every": dice.choice(("1s", "5s"))}
    produce = []
    if dice.random() < 0.5:
        produce.append({"at": _seconds(dice, 0, 2, 5), "count": dice.choice((1, 1, 2)),
                        "rate": "12/m"})
    if dice.random() < 0.4:
        after = {"event": "active", "after": _seconds(dice, 1, 4, 20)}
        produce.append({"at": after, "count": 1})
    return {**workload, "work": dice.choice(("0s", "0s", "1s")), "produce": produce}


def _fault(dice: random.Random) -> dict[str, Any]:
    at: Any = {"phase": dice.choice(("connecting", *PHASES, *PHASES, "blocked"))}
    if dice.random() < 0.2:
        at["after"] = _seconds(dice, 0.3, 2, 10)
    if dice.random() < 0.15:
        at["nth"] = 2
    if dice.random() < 0.1:
        at = _seconds(dice, 3, 8, 20)
    do: Any = dice.choice((
        *["blackhole"] * 12, {"blackhole": {"direction": "to_server"}},
        {"blackhole": {"direction": "to_client"}}, {"reset": {"to": "both"}},
        {"reset": {"to": "client"}}, {"reset": {"to": "server"}}, "freeze", "kill", "restart"))
    fault = {"name": "cut", "at": at, "do": do}
    if (do in ("blackhole", "freeze") or "blackhole" in do) and dice.random() < 0.3:
        fault["for"] = _seconds(dice, 0.5, 1, 3, 8, 30, 120, 400)
    return fault
