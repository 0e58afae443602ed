"""Intervals and formulas in words, with the numbers put in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.predict.kernel import ORPHAN_RETRIES
from netdiag.units import format_duration

if TYPE_CHECKING:
    from netdiag.predict.kernel import Kernel
    from netdiag.predict.wheel import Span

ORPHANS: Final = "tcp_orphan_retries"


def gives_up(kernel: Kernel, limit: float | None, name: str, dies: Span) -> str:
    """How long an unacknowledged segment is sent again, with the numbers put in.

    name: the sysctl that limits it where TCP_USER_TIMEOUT, `limit`, does not.
    """
    rto = f"RTO {_range(kernel.rto)}"
    first = f"2 x {rto}" if kernel.tail_loss_probe else rto
    if limit:
        return f"{first} + TCP_USER_TIMEOUT {format_duration(limit)}{wheel(dies)}"
    retries = kernel.setting(name)
    meant = f"{name} {retries}" + ("" if retries or name != ORPHANS else " (means 8)")
    counted = retries or (ORPHAN_RETRIES if name == ORPHANS else 0)
    return (f"{first}, doubling; over at the first timeout {kernel.model(counted):g} s after the "
            f"first copy, {meant}{wheel(dies)}")


def _range(span: Span) -> str:
    low, high = round(span.low * 1000), round(span.high * 1000)
    return f"{low} ms" if low == high else f"{low} to {high} ms"


def wheel(span: Span) -> str:
    """The wheel's part in it: `; wheel: 45.2 to 47.5 s`."""
    return f"; wheel: {written(span)}"


def written(span: Span) -> str:
    """`45.2 to 47.5 s`, and every piece of an interval that has gaps."""
    return " or ".join(f"{_short(piece.low)} to {_short(piece.high)} s" for piece in span.pieces)


def _short(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}"


def ago(what: str, since: Span) -> str:
    """What has passed already of a wait: `, less the 3 s since the call began`."""
    if since.high <= 0.1:
        return ""
    mean = round((since.low + since.high) / 2, 1)
    return f", less the {format_duration(mean)} since {what}"
