"""What each fault decides: parameters and a pure function of where a frame is going.

A new fault is one module here (a frozen dataclass of parameters with `on_start() ->
tuple[Injection, ...]`, `fate(to) -> Fate` and `str()`), one row in `fault.FAULTS`, one scenario
and one row in a test. Nothing here knows a clock, a socket or a file; the cable applies what is
decided.
"""

from netdiag.faults.docker import DockerFault
from netdiag.faults.fate import PASS, Drop, Fate, Host, Injection, InjectReset, Pass
from netdiag.faults.fault import FAULTS, Fault, FaultKind, Verb
from netdiag.faults.host import AskEngine, HostFault, Order, SendSignal, StartAgain
from netdiag.faults.trigger import (
    CLIENT_EVENTS,
    EVENTS,
    FAULT_EVENTS,
    TAKES_OWN_PACKET,
    EventTrigger,
    PacketTrigger,
    PhaseTrigger,
    StateTrigger,
    TimeTrigger,
    Trigger,
)

__all__ = [
    "CLIENT_EVENTS",
    "EVENTS",
    "FAULTS",
    "FAULT_EVENTS",
    "PASS",
    "TAKES_OWN_PACKET",
    "AskEngine",
    "DockerFault",
    "Drop",
    "EventTrigger",
    "Fate",
    "Fault",
    "FaultKind",
    "Host",
    "HostFault",
    "InjectReset",
    "Injection",
    "Order",
    "PacketTrigger",
    "Pass",
    "PhaseTrigger",
    "SendSignal",
    "StartAgain",
    "StateTrigger",
    "TimeTrigger",
    "Trigger",
    "Verb",
]
