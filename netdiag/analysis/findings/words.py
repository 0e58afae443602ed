"""Durations and names as findings write them: short, and the same everywhere."""

from __future__ import annotations

from typing import Final

from netdiag.units import format_duration

SECOND: Final = 1_000_000_000


def lasting(ns: float) -> str:
    """Nanoseconds in three digits: `14.4 s`, `213 ms`, `17 m 43 s`."""
    seconds = ns / SECOND
    if seconds >= 60:
        return format_duration(round(seconds))
    if seconds >= 10:
        return format_duration(round(seconds, 1))
    if seconds >= 1:
        return format_duration(round(seconds, 2))
    return format_duration(round(seconds, 3) if seconds >= 0.01 else round(seconds, 4))


def times(count: int, noun: str) -> str:
    """`1 probe`, `3 probes`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
