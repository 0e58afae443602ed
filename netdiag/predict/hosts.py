"""What happens to a program instead of to its packets -> what the client notices of it.

The rule this file guards: the host's kernel goes on. It acknowledges and answers keepalive probes
for a frozen program, so that only a timeout of the client's own notices; and it closes the sockets
of a dead one, so that the client is told at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netdiag.faults.host import Freeze, Kill, Restart
from netdiag.predict.client import RST_SOURCE, Candidate, earliest, read_timeout, told
from netdiag.predict.pushes import Unpredictable
from netdiag.predict.wheel import Span

if TYPE_CHECKING:
    from netdiag.faults.fault import Fault
    from netdiag.predict.settings import Limits
    from netdiag.predict.situation import Situation

_DYING: Final = Span(0.0, 0.05)
"""From the order to kill a program until its kernel has closed its sockets, s."""
FROZEN: Final = ("the server's kernel goes on acknowledging and answers keepalive probes for the "
                 "frozen program, and no read is limited: no timer will fire")


def after_host_fault(fault: Fault, seen: Situation, limits: Limits, healed: Span | None, *,
                     messages: bool) -> Candidate | None:
    """What the client notices first; None: nothing. Raises Unpredictable.

    healed: when the fault ends, None if it lasts; messages: whether any may come.
    """
    if fault.host == "client":
        raise Unpredictable(f"the client's own program has '{fault.do}'; whether it notices is not "
                            "the network's affair")
    if isinstance(fault.do, Freeze):
        return _frozen(seen, limits, healed, messages=messages)
    if not isinstance(fault.do, Kill | Restart):
        raise Unpredictable(f"what '{fault.do}' does is the program's own affair")
    words = limits.program.words
    if seen.regime == "idle":
        again = limits.listens and limits.program.redialling.listen
        return told("a FIN from the peer", words.refused if again else words.closed,
                    seen.busy + _DYING + limits.waking,
                    formula="the kernel closes the dead program's socket", source="kernel/exit.c")
    return told("a FIN from the peer or a RST from the peer", f"{words.closed} or {words.reset}",
                seen.busy + _DYING + limits.waking,
                formula="the kernel closes the dead program's socket", source=RST_SOURCE)


def _frozen(seen: Situation, limits: Limits, healed: Span | None, *, messages: bool,
            ) -> Candidate | None:
    first = earliest(list(read_timeout(limits, seen.since)))
    if first is None or healed is None or first.when.high <= healed.low:
        return first
    if messages or first.when.low < healed.high:
        raise Unpredictable("the server goes on before anything tells the client; what it notices "
                            "hangs on what comes then")
    return first
